"""baresip 1.0.0: a softphone under remote control, which keeps what it heard."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from .baresip_control import BaresipControl, Event
from .process import Peer, Process, free_port
from .sound import read_open_wav, write_played

_CONFIG: Final = """\
poll_method epoll
sip_listen 127.0.0.1:{port}
net_interface 127.0.0.1
rtp_ports 30000-30999
jitter_buffer_delay 0-0
call_local_timeout 30
audio_player aubridge,nil
audio_source aufile,{played}
audio_alert aubridge,alert
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
audio_buffer 20-160
ringback_disabled yes
statmode_default off
snd_path {dumps}
ctrl_tcp_listen 127.0.0.1:{control}
module_path /usr/lib/baresip/modules
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
"""
_DUMPABLE_S: Final = 180


class Baresip(Peer):
    """A baresip of user ``user``, SIP on a free ``port`` of 127.0.0.1; a context manager.

    ``plays`` int16[n] at 8 kHz is what each call hears from it from the start, silence without; ``answers``:
    takes a call at once, else when told (`answer`). With ``registrar`` ``host:port`` it registers there (event
    REGISTER_OK) and sends all its requests there (outbound proxy). Challenges it meets as ``user`` with
    ``password``. ``codecs`` are in order of preference. Its RTP sockets are on all interfaces: 1.0.0 has no
    setting for that.
    """

    def __init__(
        self,
        folder: Path,
        user: str = "alice",
        *,
        plays: npt.NDArray[np.int16] | None = None,
        answers: bool = True,
        registrar: str | None = None,
        password: str = "",
        codecs: Sequence[str] = ("pcmu", "pcma"),
        ptime: int = 20,
    ) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.uri = f"sip:{user}@{self.address}"
        """Where it is called directly."""
        self.aor = f"sip:{user}@{registrar or self.address}"
        """The account's address: under this name it calls and is registered."""
        self._control: BaresipControl | None = None
        self._control_port = free_port()
        self._folder = folder / f"baresip-{user}-{self.port}"
        self._dumps = self._folder / "dumps"
        self._dumps.mkdir(parents=True)
        played = self._folder / "played.wav"
        write_played(played, plays)
        (self._folder / "config").write_text(
            _CONFIG.format(port=self.port, played=played, dumps=self._dumps, control=self._control_port)
        )
        parameters = {"answermode": "auto" if answers else "manual", "audio_codecs": ",".join(codecs)}
        parameters |= {"ptime": str(ptime), "regint": "0" if registrar is None else "60"}
        if password:
            parameters |= {"auth_user": user, "auth_pass": password}
        if registrar is not None:
            parameters["outbound"] = f'"sip:{registrar}"'
        self._account = ";".join(
            [f"<{self.aor}>", *(f"{name}={value}" for name, value in parameters.items())]
        )
        for name in ("accounts", "contacts"):
            (self._folder / name).touch()

    def _begin(self, ends: ExitStack) -> None:
        self._deny_encode_dumps()
        self._process = Process(
            ["baresip", "-4", "-f", str(self._folder)], self._folder / "log", environment={"TZ": "UTC"}
        )
        ends.callback(self._process.stop)
        self._process.until(self._connects, "its control connection is there")
        assert self._control is not None
        ends.callback(self._control.close)
        # not from the accounts file: it would register before anybody hears of it
        self.command("uanew", self._account)

    def _deny_encode_dumps(self) -> None:
        """Takes the names of the dumps of what it says, by folders.

        1.0.0 closes the dump of what it hears at each change of direction or codec (audio_decoder_set), and opens
        the next only while it has no dump of what it says (aufilt_setup).
        """
        now = datetime.now(UTC)
        for second in range(_DUMPABLE_S):
            name = (now + timedelta(seconds=second)).strftime("dump-%Y-%m-%d-%H-%M-%S-enc.wav")
            (self._dumps / name).mkdir()

    def _connects(self) -> bool:
        try:
            self._control = BaresipControl(self._control_port)
        except ConnectionRefusedError:
            return False
        return True

    @property
    def events(self) -> list[Event]:
        """What has happened so far."""
        assert self._control is not None
        return self._control.events

    def seen(self, kind: str, param: str | None = None) -> list[Event]:
        """Events of a type, and with a parameter, so far."""
        return [
            event for event in self.events if event["type"] == kind and param in (None, event.get("param"))
        ]

    def until(self, kind: str, param: str | None = None, count: int = 1, seconds: float = 15.0) -> Event:
        """Waits for the ``count``-th event of a type (CALL_ESTABLISHED, CALL_CLOSED, ...); returns it."""
        what = f"{count} x {kind} {param or ''}"
        self._wait(lambda: len(self.seen(kind, param)) >= count, what, seconds)
        return self.seen(kind, param)[count - 1]

    def _wait(self, condition: Callable[[], bool], what: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                happened = [(event["type"], event.get("param")) for event in self.events]
                raise self._process.blame(f"not within {seconds:.0f} s: {what}; happened: {happened}")
            try:
                assert self._control is not None
                self._control.receive()
            except ConnectionError as error:
                raise self._process.blame(f"{error} before {what}") from None

    def command(self, name: str, parameters: str | None = None) -> str:
        """Any command of its menu; returns what it printed."""
        assert self._control is not None
        try:
            return self._control.command(name, parameters)
        except (OSError, RuntimeError) as error:
            raise self._process.blame(str(error)) from error

    def dial(self, uri: str) -> None:
        """Calls, without waiting."""
        self.command("dial", uri)

    def answer(self) -> None:
        """Takes the call that rings."""
        self.command("accept")

    def hangup(self) -> None:
        """Ends the call, or refuses the one that rings."""
        self.command("hangup")

    def hold(self) -> None:
        """Puts the call on hold (re-INVITE, sendonly) and waits for the answer to that."""
        self._renegotiate("hold")

    def resume(self) -> None:
        """Takes the call off hold and waits for the answer to that."""
        self._renegotiate("resume")

    def _renegotiate(self, command: str) -> None:
        # a dump is named after its second: the next must not fall on the last
        newest = max((path.name for path in self._heard()), default="")
        self._wait(lambda: _dump_name() > newest, "a second later", 2.0)
        before = len(self.seen("CALL_REMOTE_SDP", "answer"))
        self.command(command)
        self.until("CALL_REMOTE_SDP", "answer", before + 1)

    def press(self, digits: str) -> None:
        """Presses keys (RFC 4733), one after the other."""
        self.command("sndcode", digits)

    def _heard(self) -> list[Path]:
        return sorted(self._dumps.glob("*-dec.wav"), key=lambda path: path.name)

    def recording(self) -> npt.NDArray[np.int16]:
        """int16[n] at 8 kHz: the payloads of all audio packets it took, one after the other.

        Without a jitter buffer a packet is there as soon as it has come; time in which none came has no samples.
        """
        parts = [read_open_wav(path) for path in self._heard()]
        return np.concatenate([np.empty(0, np.int16), *parts])

    def until_recorded(self, samples: int, seconds: float = 30.0) -> None:
        """Waits until the recording is so long."""
        self._wait(lambda: len(self.recording()) >= samples, f"{samples} samples heard", seconds)


def _dump_name() -> str:
    return datetime.now(UTC).strftime("dump-%Y-%m-%d-%H-%M-%S-dec.wav")
