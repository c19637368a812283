"""What an utterance's audio is made of: the key under which it is cached."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from gateway.messages import Law, Speak


class Origin(IntEnum):
    """Where audio comes from; each has its own thread."""

    VOICE = 1
    FILE = 2


Kind = Literal["text", "ssml", "prompt"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that can change an utterance's audio while this process lives.

    The engines' versions and the configured level are not in it: they stand as long as the process does,
    and the cache goes with it. ``source`` is the text, the SSML or the prompt's path; ``stamp`` the prompt
    file's (mtime_ns, size), None for speech and for a file that is not there.
    """

    kind: Kind
    source: str
    stamp: tuple[int, int] | None
    voice: str
    rate: float
    gain_db: float
    law: Law
    ptime_ms: int

    @property
    def origin(self) -> Origin:
        """Who makes it."""
        return Origin.FILE if self.kind == "prompt" else Origin.VOICE


def recipe_of(speak: Speak, law: Law, ptime_ms: int) -> Recipe:
    """The recipe of a request on a leg of this law and ptime. A prompt has no voice and no rate."""
    if speak.prompt is not None:
        stamp = _stamp(speak.prompt)
        return Recipe("prompt", speak.prompt, stamp, "", 1.0, speak.gain_db, law, ptime_ms)
    kind: Kind = "text" if speak.text is not None else "ssml"
    source = speak.text if speak.text is not None else speak.ssml
    assert source is not None, "control sets exactly one of text, ssml and prompt"
    return Recipe(kind, source, None, speak.voice, speak.rate, speak.gain_db, law, ptime_ms)


def _stamp(path: str) -> tuple[int, int] | None:
    """What changes when a file does. A missing file is found out, and reported, by whoever reads it."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
