"""aiortc's RTP sender (PyPI): its RTCRtpSender, G.711 encoder and AudioStreamTrack, without ICE, DTLS and SRTP.

aiortc sends nothing but SRTP over DTLS; so that the work is the same, its sender is given a transport that puts
the packets on a socket as they are. The sender is a process of its own:
python -m bench.peers.webrtc ADDRESS PORT LEGS FILE
"""

from __future__ import annotations

import asyncio
import random
import socket
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.peers.peer import Missing, Peer, Work


class Aiortc(Peer):
    """All legs in one event loop."""

    name = "aiortc RTCRtpSender"
    command = "python -m bench.peers.webrtc 127.0.0.1 PORT LEGS speech.wav"

    def version(self) -> str:
        try:
            return f"aiortc {version('aiortc')}"
        except PackageNotFoundError as error:
            raise Missing("not installed: pip install 'voxtrunk[peers]' (scripts/peers does it)") from error

    def start(self, work: Work) -> None:
        where = [work.address, str(work.port), str(work.legs), str(work.recording.wav)]
        root = str(Path(__file__).parents[2])
        self.launch([sys.executable, "-m", "bench.peers.webrtc", *where], work.folder, PYTHONPATH=root)


class _Wire:
    """What RTCRtpSender asks of an RTCDtlsTransport, over a plain socket."""

    state = "connected"

    def __init__(self, address: tuple[str, int]) -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.setblocking(False)
        self._sock.connect(address)

    def _register_rtp_sender(self, sender: Any, parameters: Any) -> None:
        pass

    async def _send_rtp(self, data: bytes) -> None:
        self._sock.send(data)


async def _main() -> None:
    from aiortc import RTCRtpSender
    from aiortc.mediastreams import AudioStreamTrack
    from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpSendParameters

    class FileTrack(AudioStreamTrack):
        """aiortc's own pace (20 ms against the wall clock), with the file's samples for its silence."""

        async def recv(self) -> Any:
            frame: Any = await super().recv()
            at = 2 * frame.pts % len(pcm)
            frame.planes[0].update(pcm[at : at + 320].ljust(frame.planes[0].buffer_size, b"\0"))
            return frame

    host, port, legs, file = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    pcm = Path(file).read_bytes()[44:]  # noqa: ASYNC240 - nothing runs yet
    codec = RTCRtpCodecParameters(mimeType="audio/PCMU", clockRate=8000, channels=1, payloadType=0)
    senders = []
    for _ in range(legs):
        sender = RTCRtpSender(FileTrack(), _Wire((host, port)))  # type: ignore[arg-type]
        await sender.send(RTCRtpSendParameters(codecs=[codec]))
        senders.append(sender)
        await asyncio.sleep(random.random() * 0.002)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
