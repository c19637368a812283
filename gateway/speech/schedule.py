"""What is made next: the legs whose next stretch is made in one step, chosen by playout deadline. Pure.

A leg's deadline is when its caller would hear a gap: the moment at which all that is made for it has been sent,
known to the packet from the ring. Earliest deadline first, with two things added:

A leg that has yet to begin to speak has no gap to fear, but somebody waits for its first word. It goes first
whenever those who speak can all wait for it: whenever each, served in the order of deadlines after it, still gets
its audio in time ("slack stealing", Lehoczky and Ramos-Thuel 1992). When they cannot, it has a deadline like the
rest, ``PATIENCE_NS`` after it came, so it is not starved either.

A step is shared by legs of one voice, the most urgent and those of its voice that are due next, as many as the
voice gains from. First stretches have steps of their own, for fewer: they are shorter and take longer.

A *patient* leg is read as fast as speech is made (``gateway.calls.booth``): after its first stretch it is served
only when no telephone leg needs the thread, or in the company of one. Patient legs take turns by when each
listener, hearing in time what was handed out, would hear a gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from gateway.ring import UNIT_MS

LOOKAHEAD: Final = 300
"""Units made beyond what is sent, at most: a longer lead gains nothing and is wasted by barge-in."""

LOW: Final = LOOKAHEAD - 64
"""Nobody with a longer lead makes a step begin, so that whoever does has company in it."""

PATIENCE_NS: Final = 10_000_000_000
"""How long a leg may wait for its first stretch behind legs that would else fall silent: when there is more to do
than can be done, a late first word is better than all speech in pieces."""

_SPARE_NS: Final = 1_000_000_000
"""The lead that all who speak must have for one more to begin when there is more to do than can be done."""

PATIENT: Final = LOW - 1
"""What a patient leg is taken to have in hand: enough to come last, not too much to begin a step."""

_PROMISED: Final = 0.8
"""Of the thread, for those who speak; the rest is for first stretches and for what else the core has to do."""

UNIT_NS: Final = UNIT_MS * 1_000_000
_STARTING: Final = 4
"""One in so many of those who could share a step share one of first stretches."""
_GUESS_NS: Final = 10_000_000
"""What a step takes before one was measured."""
_KEPT: Final = 64

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Legs that wait for audio, arrays [n].

    ``slack``: units made and not sent; ``since_ns``: since when there are none, used at 0; ``begun``: some of
    what it is to say is made; ``voice``: who makes it, a number of ``Scheduler.voice``; ``track``: what is made,
    another number for each; legs that say the same share one. ``patient``: see above; of these ``since_ns`` is
    when the listener's own store runs out.
    """

    slack: Longs
    since_ns: Longs
    begun: npt.NDArray[np.bool_]
    voice: Longs
    track: Longs
    patient: npt.NDArray[np.bool_]


def deadlines(now_ns: int, slack: Longs, dry_ns: Longs) -> Longs:
    """When each leg's audio runs out, i64 [n] on CLOCK_MONOTONIC.

    ``slack`` i64 [n]: units made and not sent; ``dry_ns`` i64 [n]: since when there are none, used at 0.
    """
    return np.where(slack > 0, now_ns + slack * UNIT_NS, dry_ns)


def _once(order: Longs, track: Longs) -> Longs:
    """Of the legs in ``order`` that say the same, the first."""
    _, first = np.unique(track[order], return_index=True)
    return order[np.sort(first)]


class _Times:
    """What the last steps of one kind took, ns, for how many legs, and how many units they made.

    ``worst``: the longest, ns; ``each``: a leg's part of one, ns; ``share``: of the thread, that a leg needs.
    """

    def __init__(self) -> None:
        self._steps = np.zeros((_KEPT, 3), np.int64)
        self._count = 0
        self.worst = self.each = _GUESS_NS
        self.share = 0.0

    def took(self, nanoseconds: int, legs: int, units: int) -> None:
        self._steps[self._count % _KEPT] = nanoseconds, legs, units
        self._count += 1
        spent, served, made = self._steps.sum(axis=0)
        self.worst, self.each = int(self._steps[:, 0].max()), int(spent // served)
        self.share = float(spent / (made * UNIT_NS)) if made else self.share


class Scheduler:
    """Chooses, and remembers how long the steps of each voice take."""

    def __init__(self) -> None:
        self._steps: list[_Times] = []
        self._firsts: list[_Times] = []
        self._most: list[int] = []
        self._each_ns = np.zeros(0, np.int64)
        self._share = np.zeros(0)

    def voice(self, most: int) -> int:
        """A number for another voice, of which ``most`` legs gain from sharing a step."""
        self._most.append(most)
        self._steps.append(_Times())
        self._firsts.append(_Times())
        self._each_ns = np.append(self._each_ns, _GUESS_NS)
        self._share = np.append(self._share, 0.0)
        return len(self._most) - 1

    def share(self, voice: int, most: int) -> None:
        """From now on ``most`` legs of the voice gain from sharing a step."""
        self._most[voice] = most

    def took(self, voice: int, nanoseconds: int, legs: int, units: int, *, first: bool) -> None:
        """A step of the voice for so many legs has taken so long; ``first``: it was of first stretches."""
        (self._firsts if first else self._steps)[voice].took(nanoseconds, legs, units)
        self._each_ns[voice], self._share[voice] = self._steps[voice].each, self._steps[voice].share

    def choose(self, now_ns: int, waiting: Waiting) -> list[int]:
        """Indices of the legs that are to share the next step, the most urgent first; empty when all can wait."""
        if not len(waiting.slack):
            return []
        starts = ~waiting.begun & (waiting.slack <= 0)
        patient = waiting.patient & ~starts
        slack = np.where(patient, np.maximum(waiting.slack, PATIENT), waiting.slack)
        due = deadlines(now_ns, slack, waiting.since_ns)
        due[starts] += PATIENCE_NS
        order = np.lexsort((waiting.since_ns, due)) if patient.any() else np.argsort(due, kind="stable")
        order = _once(order, waiting.track)
        starting = order[starts[order]]
        first = bool(len(starting)) and self._can_wait(
            now_ns, waiting, due, order[~(starts | patient)[order]], starting[0]
        )
        leader = starting[0] if first else order[0]
        if slack[leader] >= LOW:
            return []
        voice = int(waiting.voice[leader])
        most = self._most[voice]
        mates = order[waiting.voice[order] == voice]
        if first:
            mates = mates[starts[mates]][: max(1, most // _STARTING)]
        chosen: list[int] = mates[:most].tolist()
        return chosen

    def _can_wait(self, now_ns: int, waiting: Waiting, due: Longs, speaking: Longs, start: np.int64) -> bool:
        """Whether all that speak, served by deadline after a first stretch of ``start``, are in time.

        And will be: when they need all that can be done, nobody begins on what they have in hand.
        """
        if not len(speaking):
            return True
        voices, new = waiting.voice[speaking], waiting.voice[start]
        ends = now_ns + np.cumsum(self._each_ns[voices])
        worst = max(self._firsts[new].worst, *(times.worst for times in self._steps))
        if (ends + worst > due[speaking]).any():
            return False
        feasible = self._share[voices].sum() + self._share[new] <= _PROMISED
        return bool(feasible or due[speaking[0]] - now_ns >= _SPARE_NS)
