"""What speech costs: how long a worker is busy for a second of each voice, and how busy it is. Pure.

A voice's cost is a moving average, weighted by audio: the newest minute of speech counts for most of it, so it
follows what sharing steps saves, and what other programs on the core take. It begins with what the voice cost
when it was warmed up, or else with a cautious guess for its engine; and it goes back there while nobody speaks
with the voice, so that one bad minute does not refuse it for ever. A stretch counts for no more than a few times
what it was to cost: when the machine stands still for seconds, that says nothing of the voice.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from gateway.messages.work import VoiceCost

_GUESSES: Final = MappingProxyType({"espeak": (0.01, 0.01), "neural": (0.05, 0.02)})
"""(seconds for a second of audio, seconds for a first stretch) by engine, on a slow core."""
_ABROAD: Final = (0.01, 0.01)
"""The same for a voice that speaks elsewhere."""
_STRANGER: Final = (0.5, 0.3)
"""The same for an engine that is not known."""
_MEMORY_S: Final = 60.0
"""Seconds of audio after which what was measured before counts for 1/e."""
_TRUST_S: Final = 10.0
"""What the first guess counts for, in seconds of audio."""
_FIRSTS: Final = 8
"""First stretches that are remembered in the same way."""
_WORST: Final = 8
"""No stretch counts for more than so many times what it was to cost."""
_FORGOTTEN_S: Final = 300.0
"""Idle seconds after which half of what was measured is forgotten."""
_WINDOW_NS: Final = 1_000_000_000


def guess(voice: str) -> VoiceCost:
    """What a voice may cost of which nothing is known but its name."""
    ratio, first_s = _GUESSES.get(voice.partition(":")[0], _STRANGER)
    return VoiceCost(voice, ratio, first_s)


@dataclass(slots=True)
class _Voice:
    """``audio_s`` and ``busy_s``: weighted sums, whose quotient is the cost."""

    start: VoiceCost
    audio_s: float
    busy_s: float
    first_s: float
    used_ns: int


class Load:
    """One worker's account of its voices' thread."""

    def __init__(self) -> None:
        self._voices: dict[str, _Voice] = {}
        self._work: deque[tuple[int, int]] = deque()  # begin and end of what was done lately

    def begin(self, voice: str, busy_s: float, audio_s: float) -> None:
        """The voice was tried: ``audio_s`` of speech took ``busy_s``."""
        known = guess(voice)
        ratio = busy_s / audio_s if audio_s > 0 else known.ratio
        self._begin(VoiceCost(voice, ratio, max(known.first_s, busy_s)))

    def begin_abroad(self, voice: str) -> None:
        """The voice is made elsewhere and only encoded here, until one of ours stands in for it."""
        self._begin(VoiceCost(voice, *_ABROAD))

    def _begin(self, start: VoiceCost) -> None:
        voice, ratio = start.name, start.ratio
        self._voices[voice] = _Voice(start, _TRUST_S, _TRUST_S * ratio, start.first_s, 0)

    def made(self, voice: str, busy_s: float, audio_s: float, now_ns: int, *, first: bool) -> None:
        """A stretch of an utterance; ``first``: its first."""
        held = self._voices.get(voice)
        if held is None:
            start = guess(voice)
            held = _Voice(start, _TRUST_S, _TRUST_S * start.ratio, start.first_s, now_ns)
            self._voices[voice] = held
        ratio = held.busy_s / held.audio_s
        busy_s = min(busy_s, _WORST * (ratio * audio_s + first * held.first_s))
        keep = math.exp(-audio_s / _MEMORY_S)
        held.audio_s = held.audio_s * keep + audio_s
        held.busy_s = held.busy_s * keep + busy_s
        if first:
            held.first_s += (busy_s - held.first_s) / _FIRSTS
        held.used_ns = now_ns

    def costs(self, now_ns: int) -> tuple[VoiceCost, ...]:
        """What each voice that was tried or used costs."""
        return tuple(self._cost(held, now_ns) for held in self._voices.values())

    def _cost(self, held: _Voice, now_ns: int) -> VoiceCost:
        start, trust = held.start, 0.5 ** ((now_ns - held.used_ns) / 1e9 / _FORGOTTEN_S)
        return VoiceCost(
            start.name,
            start.ratio + (held.busy_s / held.audio_s - start.ratio) * trust,
            start.first_s + (held.first_s - start.first_s) * trust,
        )

    def worked(self, busy_s: float, now_ns: int) -> None:
        """The thread has just ended work that took ``busy_s``."""
        self._work.append((now_ns - int(busy_s * 1e9), now_ns))

    def utilisation(self, now_ns: int) -> float:
        """The part of the last second in which the thread was busy, 0 to 1; what it is at now does not count."""
        since = now_ns - _WINDOW_NS
        while self._work and self._work[0][1] <= since:
            self._work.popleft()
        return sum(end - max(begin, since) for begin, end in self._work) / _WINDOW_NS
