"""What a synthesis worker tells of its work: running totals, and what its voices cost it."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.messages.base import Message


class VoiceCost(msgspec.Struct, frozen=True, array_like=True):
    """What a voice costs its worker: ``ratio`` seconds for a second of audio, ``first_s`` for a first stretch."""

    name: str
    ratio: float
    first_s: float


class SharedStatistics(msgspec.Struct, frozen=True, array_like=True):
    """What became of speech that was asked of Redis, and of what was to be stored there. ``up``: it answers."""

    up: bool
    hits: int
    misses: int
    unanswered: int
    stored: int
    dropped: int


STEP_BUCKETS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


class VoiceWork(msgspec.Struct, frozen=True, array_like=True):
    """What a voice has taken and made, in running totals.

    ``steps`` took ``steps_s`` for ``streams`` utterances, and ``room`` could have shared them; ``buckets`` counts
    them by STEP_BUCKETS_S, the last one open-ended. ``audio_s`` of speech took ``busy_s``. ``first``,
    ``next``: legs that now wait for a first stretch, and for the next.
    """

    name: str
    steps: int
    streams: int
    room: int
    steps_s: float
    busy_s: float
    audio_s: float
    buckets: tuple[int, ...]
    first: int
    next: int


class GpuMemory(msgspec.Struct, frozen=True, array_like=True):
    """Octets of a GPU's memory, by all who use it."""

    device: str
    used: int
    total: int


class ProviderWork(msgspec.Struct, frozen=True, array_like=True):
    """What a worker asked of one provider, in running totals.

    ``requests`` by what became of them, as in ``tts_core.remote.KINDS``. ``first``: counts of seconds to the
    first audio by ``tts_core.remote.FIRST_BUCKETS_S``, the last open-ended; ``first_s`` in all.
    ``left_alone``: its breaker is open.
    """

    name: str
    requests: tuple[int, ...]
    characters: int
    spent: float
    first: tuple[int, ...]
    first_s: float
    under_way: int
    left_alone: bool


class FailOvers(msgspec.Struct, frozen=True, array_like=True):
    """How often a route went on without a voice: ``before`` or ``after`` its first sound, or ``late``."""

    route: str
    voice: str
    when: str
    count: int


class SynthesisStatistics(Message, frozen=True):
    """A worker's running totals, about four times a second: its sign of life, too."""

    utterances: int
    cache_hits: int
    cache_misses: int
    cache_octets: int
    cache_entries: int
    streams: int
    resets: int
    utilisation: float = 0.0
    """The part of the last second in which the voices' thread was busy."""
    costs: tuple[VoiceCost, ...] = ()
    work: tuple[VoiceWork, ...] = ()
    gpu: GpuMemory | None = None
    shared: SharedStatistics | None = None
    providers: tuple[ProviderWork, ...] = ()
    fail_overs: tuple[FailOvers, ...] = ()
