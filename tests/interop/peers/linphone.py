"""linphonec 5.1.65: Linphone's console softphone, with files for a sound card."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from .process import Peer, Process, binds, free_port
from .sound import read_open_wav, write_played

_CONFIG: Final = """\
[sip]
sip_port={port}
sip_tcp_port=0
sip_tls_port=0
bind_address=127.0.0.1
contact=sip:{user}@127.0.0.1
[rtp]
bind_address=127.0.0.1
audio_rtp_port=28000-28999
audio_adaptive_jitt_comp_enabled=0
[sound]
echocancellation=0
[video]
enabled=0
"""
# in order of preference; what is not named here keeps its default
_CODECS: Final = (
    ("PCMU", 8000, 1, 1), ("PCMA", 8000, 1, 1), ("opus", 48000, 2, 0), ("speex", 16000, 1, 0),
    ("speex", 8000, 1, 0), ("G729", 8000, 1, 0),
)  # fmt: skip


def _codecs() -> str:
    return "".join(
        f"[audio_codec_{number}]\nmime={name}\nrate={rate}\nchannels={channels}\nenabled={enabled}\n"
        for number, (name, rate, channels, enabled) in enumerate(_CODECS)
    )


class Linphone(Peer):
    """A linphonec of user ``user``, its sockets on 127.0.0.1 alone, SIP on a free ``port``; a context manager.

    ``plays`` int16[n] at 8 kHz is what a call hears from it from the start, silence without; ``answers``: takes a
    call at once, else when told (`answer`). It offers and takes PCMU and PCMA.
    """

    def __init__(
        self,
        folder: Path,
        user: str = "carol",
        *,
        plays: npt.NDArray[np.int16] | None = None,
        answers: bool = True,
    ) -> None:
        self.port = free_port()
        self.uri = f"sip:{user}@127.0.0.1:{self.port}"
        self._folder = folder / f"linphone-{user}-{self.port}"
        # it keeps a database there, and complains without the folder
        (self._folder / ".local/share/linphone").mkdir(parents=True)
        self._heard = self._folder / "heard.wav"
        self._played = self._folder / "played.wav"
        write_played(self._played, plays)
        config = self._folder / "linphonerc"
        config.write_text(_CONFIG.format(port=self.port, user=user) + _codecs())
        self._command = ["linphonec", "-c", str(config), "-S", *(["-a"] if answers else [])]

    def _begin(self, ends: ExitStack) -> None:
        self._process = Process(
            self._command, self._folder / "log", environment={"HOME": str(self._folder)}, commands=True
        )
        ends.callback(self._process.stop)
        self._process.until(lambda: binds(self.port), "its SIP port is bound")
        for command in ("soundcard use files", f"play {self._played}", f"record {self._heard}", "ports"):
            self._process.type(command)
        self.until(f"sip port = {self.port}")

    def until(self, words: str, count: int = 1, seconds: float = 15.0) -> None:
        """Waits until it has said ``words`` ``count`` times."""
        self._process.until(lambda: self._process.output().count(words) >= count, repr(words), seconds)

    def established(self, seconds: float = 15.0) -> None:
        """Waits for media in a call."""
        self.until("Media streams established", seconds=seconds)

    def ended(self, seconds: float = 15.0) -> None:
        """Waits for the end of a call, with which its recording is complete."""
        self.until(" ended (", seconds=seconds)

    def dial(self, uri: str) -> None:
        """Calls, without waiting."""
        self._process.type(f"call {uri}")

    def answer(self) -> None:
        """Takes the call that rings."""
        self._process.type("answer")

    def hangup(self) -> None:
        """Ends the call, or refuses the one that rings."""
        self._process.type("terminate")

    def recording(self) -> npt.NDArray[np.int16]:
        """int16[n] at 8 kHz: the line from the start of media on, as its jitter buffer plays it out.

        Written in blocks: complete when the call has `ended`.
        """
        return read_open_wav(self._heard) if self._heard.exists() else np.empty(0, np.int16)

    def until_recorded(self, samples: int, seconds: float = 30.0) -> None:
        """Waits until so much of the recording is written."""
        self._process.until(lambda: len(self.recording()) >= samples, f"{samples} samples heard", seconds)
