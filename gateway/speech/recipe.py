"""What an utterance's audio is made of: the key under which it is cached."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import msgspec

from gateway.messages.base import Law
from gateway.messages.synthesis import Resume, Speak
from gateway.speech.lexicons import Stamp, stamp
from gateway.speech.manuscript import Manuscript
from tts_core import reading


class Origin(IntEnum):
    """Where audio comes from; each has its own thread."""

    VOICE = 1
    FILE = 2


Kind = Literal["text", "ssml", "prompt", "pieces", "parts"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that can change an utterance's audio while this process lives.

    The engines' versions and the configured level are not in it: they stand as long as the process does, and the
    cache goes with it (what is shared beyond the process has them in its key, see ``gateway.speech.shared``).
    ``source`` is the text, the SSML, the prompt's path, or the pieces and their files' stamps as JSON; ``stamp``
    the prompt file's (mtime_ns, size), None for speech and for a file that is not there.
    """

    kind: Kind
    source: str
    stamp: Stamp | None
    voice: str
    rate: float
    gain_db: float
    law: Law
    ptime_ms: int
    resume: Resume | None = None
    """The rest of an utterance that another worker had begun; it is not cached."""
    lexicons: tuple[tuple[str, Stamp], ...] = ()
    """Those that the utterance names, as they were then."""
    files: tuple[tuple[str, str, Stamp | None], ...] = ()
    """The recordings in its SSML: src, path and stamp."""
    manuscript: Manuscript | None = None
    """Text that is being written: each is another, and none is cached."""
    reading: int = reading.VERSION
    """How text is read, for a cache that outlives the process."""

    @property
    def origin(self) -> Origin:
        """Who makes it."""
        return Origin.FILE if self.kind == "prompt" else Origin.VOICE

    @property
    def audio(self) -> dict[str, tuple[str, Stamp | None]]:
        """Path and stamp of the recordings in its SSML, by src."""
        return {src: (path, stamp) for src, path, stamp in self.files}

    @property
    def cacheable(self) -> bool:
        """Whether another utterance may say the same."""
        return self.resume is None and self.manuscript is None


def recipe_of(speak: Speak, law: Law, ptime_ms: int) -> Recipe:
    """The recipe of a request on a leg of this law and ptime. A prompt has no voice and no rate."""
    if speak.prompt is not None:
        stamp = _stamp(speak.prompt)
        return Recipe("prompt", speak.prompt, stamp, "", 1.0, speak.gain_db, law, ptime_ms, speak.resume)
    lexicons = tuple((path, _stamp(path) or (0, 0)) for path in speak.lexicons)
    if speak.parts is not None:
        written = Manuscript(speak.parts, closed=not speak.open)
        voice, rate, gain_db = speak.voice, speak.rate, speak.gain_db
        return Recipe(
            "parts", "", None, voice, rate, gain_db, law, ptime_ms, speak.resume, lexicons, manuscript=written
        )
    kind: Kind = "text" if speak.text is not None else "ssml"
    source = speak.text if speak.text is not None else speak.ssml
    if speak.pieces is not None:
        stamps = [None if piece.prompt is None else _stamp(piece.prompt) for piece in speak.pieces]
        kind, source = "pieces", msgspec.json.encode((speak.pieces, stamps)).decode()
    assert source is not None, "control sets exactly one of text, ssml, prompt, pieces and parts"
    files = tuple((src, path, _stamp(path)) for src, path in speak.audio)
    voice, rate, gain_db = speak.voice, speak.rate, speak.gain_db
    return Recipe(
        kind, source, None, voice, rate, gain_db, law, ptime_ms, speak.resume, lexicons, files=files
    )


def _stamp(path: str) -> Stamp | None:
    """What changes when a file does. A missing file is found out, and reported, by whoever reads it."""
    try:
        return stamp(path)
    except OSError:
        return None
