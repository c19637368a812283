"""What each voice of a worker has taken and made, as running totals for ``/metrics``. Pure."""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.messages.work import STEP_BUCKETS_S, VoiceWork

PROMPT = "prompt"
"""The name under which audio files are accounted for, which no voice has."""


@dataclass(slots=True)
class _Voice:
    steps: int = 0
    streams: int = 0
    room: int = 0
    steps_s: float = 0.0
    busy_s: float = 0.0
    audio_s: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(STEP_BUCKETS_S) + 1))


class Work:
    """One worker's account, by voice."""

    def __init__(self) -> None:
        self._voices: dict[str, _Voice] = {}

    def stepped(self, voice: str, seconds: float, streams: int, room: int) -> None:
        """A step took ``seconds`` for ``streams`` utterances, where ``room`` could have shared it."""
        held = self._of(voice)
        held.steps += 1
        held.streams += streams
        held.room += max(room, streams)
        held.steps_s += seconds
        held.buckets[bisect.bisect_left(STEP_BUCKETS_S, seconds)] += 1

    def made(self, voice: str, busy_s: float, audio_s: float) -> None:
        """``audio_s`` of speech took ``busy_s``."""
        held = self._of(voice)
        held.busy_s += busy_s
        held.audio_s += audio_s

    def told(self, waiting: Mapping[str, tuple[int, int]]) -> tuple[VoiceWork, ...]:
        """The account so far. ``waiting``: legs that want more by voice: a first stretch, and the next."""
        now = {name or PROMPT: legs for name, legs in waiting.items()}
        for name in now:
            self._of(name)
        return tuple(
            VoiceWork(
                name,
                held.steps,
                held.streams,
                held.room,
                held.steps_s,
                held.busy_s,
                held.audio_s,
                tuple(held.buckets),
                *now.get(name, (0, 0)),
            )
            for name, held in self._voices.items()
        )

    def _of(self, voice: str) -> _Voice:
        return self._voices.setdefault(voice or PROMPT, _Voice())
