"""What is known of voices that speak elsewhere, without `remote`, which is loaded where there are any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from tts_core.engine import Pcm

ROUTE: Final = "route"
"""The engine whose voices are lists of others' voices."""


@dataclass(frozen=True, slots=True, eq=False)
class Manner:
    """What a voice was found to be like: some of its speech, int16[n] at `rate` Hz, and its pace in characters a
    second."""

    pcm: Pcm
    rate: int
    per_s: float


@runtime_checkable
class Elsewhere(Protocol):
    """An engine whose speech is made elsewhere: what it sounds like is configured, or found out as it speaks."""

    def level_dbov(self, voice_name: str) -> float | None:
        """The level that is configured for a voice. Raises UnknownVoice."""
        ...

    def manner(self, voice_name: str) -> Manner | None:
        """What the voice is like; None before enough of it was heard."""
        ...
