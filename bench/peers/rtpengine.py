"""rtpengine's ``play media``: calls are offered and answered over its control protocol (ng), then told to play.

Userspace forwarding (no kernel table): nothing is forwarded here, it only plays.
"""

from __future__ import annotations

import socket
import time
from typing import Any, Final

from bench.peers.peer import Failed, Peer, Work, free_port, output, program

_START_S: Final = 10.0
_ANSWER_S: Final = 5.0
_SDP: Final = (
    "v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio {1} RTP/AVP 0\r\n"
    "a=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=sendrecv\r\n"
)


class Rtpengine(Peer):
    """One daemon; each call has two sides, and the one at the receiver is played the file.

    It is given .au: from WAV, 10.5.3 sends in bursts (gap error p99 96 ms with ten legs).
    """

    name = "rtpengine play media"
    command = (
        "rtpengine --foreground --table=-1 --interface=127.0.0.1 --listen-ng=127.0.0.1:NG "
        "--port-min=20000 --port-max=59999; offer, answer and play media (file=speech.au) for each leg"
    )

    def version(self) -> str:
        return "rtpengine " + output(program("rtpengine", "rtpengine-daemon"), "--version").split()[-1]

    def start(self, work: Work) -> None:
        ng = free_port()
        argv = [
            program("rtpengine", "rtpengine-daemon"), "--foreground", "--config-file=none", "--table=-1",
            "--interface=127.0.0.1", f"--listen-ng=127.0.0.1:{ng}", "--port-min=20000", "--port-max=59999",
            "--log-level=3", "--log-stderr", "--no-log-timestamps", "--offer-timeout=3600", "--timeout=3600",
            "--silent-timeout=3600", "--endpoint-learning=off",
        ]  # fmt: skip
        self.launch(argv, work.folder)
        with _Control(ng) as control:
            self._until_up(control)
            for number in range(work.legs):
                work.in_time(number)
                call = {"call-id": f"leg{number}", "from-tag": "a"}
                sdp = _SDP.format(work.address, work.port)
                # the other side listens where nobody does; nothing is sent there
                far = _SDP.format(work.address, 9)
                control.ask({"command": "offer", "sdp": sdp, **call})
                control.ask({"command": "answer", "sdp": far, "to-tag": "b", **call})
                control.ask({"command": "play media", "file": str(work.recording.au), **call})

    def _until_up(self, control: _Control) -> None:
        deadline = time.monotonic() + _START_S
        while True:
            self.alive()
            try:
                control.ask({"command": "ping"})
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise Failed(f"its control port does not answer: {self.said()}") from error
                time.sleep(0.1)


class _Control:
    """The ng protocol: a cookie and a bencoded dictionary each way, over UDP."""

    def __init__(self, port: int) -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.connect(("127.0.0.1", port))
        self._cookie = 0

    def __enter__(self) -> _Control:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def ask(self, order: dict[str, Any]) -> None:
        """Raises Failed for a refusal, ConnectionRefusedError for nobody there, TimeoutError for no answer."""
        self._cookie += 1
        cookie = b"%d " % self._cookie
        deadline = time.monotonic() + _ANSWER_S
        self._sock.send(cookie + bencode(order))
        answer = b""
        while not answer.startswith(cookie):  # one that we no longer waited for may still come
            self._sock.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                answer = self._sock.recv(65536)
            except TimeoutError as error:
                raise TimeoutError(f"{order['command']}: no answer within {_ANSWER_S:g} s") from error
        if b"6:result5:error" in answer:
            raise Failed(f"{order['command']}: {answer.decode(errors='replace')[:200]}")


def bencode(value: Any) -> bytes:
    """Bencode a dictionary of strings, numbers and the like."""
    if isinstance(value, dict):
        return b"d" + b"".join(bencode(key) + bencode(value[key]) for key in sorted(value)) + b"e"
    if isinstance(value, int):
        return b"i%de" % value
    text = str(value).encode()
    return b"%d:" % len(text) + text
