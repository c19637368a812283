"""What a synthesis worker has to do for the legs that it writes for, against what it can. Pure.

A leg asks for one stream of speech at a time: the first of its queue that is not made to its end. A stream takes
``ratio`` of the worker's core while it lasts, and its first stretch must be made within half a second beside all
others. Who would exceed the limit is refused, so that nobody who speaks is made late. A patient stream comes
after all others (``gateway.speech.schedule``): it takes no room from them, and gets what they leave. Legs that
say the same are made one stream (``gateway.speech.library``), and count as one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import Final, NamedTuple

from gateway.messages.work import VoiceCost
from gateway.speech.load import guess

START_S: Final = 0.5
"""Within which first stretches are to be made, at the worst."""


class Burden(NamedTuple):
    """A stream of speech in the making. ``begun``: its first stretch is made; ``patient``: see AttachLeg.

    ``speech``: what is the same for all legs that share it; None when nobody can.
    """

    voice: str
    begun: bool
    patient: bool = False
    speech: Hashable = None


class Demand:
    """The streams of one worker, and what its voices cost by its newest account.

    ``limit``: the part of its core that may be promised now. ``shares``: whether legs that say the same share it.
    """

    def __init__(self, limit: float, *, shares: bool = True) -> None:
        self.limit = limit
        self._shares = shares
        self.costs: dict[str, VoiceCost] = {}
        self._streams: Counter[Burden] = Counter()
        # legs of each shared stream: those before its first stretch, and those after
        self._shared: dict[Burden, list[int]] = {}

    def learn(self, costs: Iterable[VoiceCost]) -> None:
        """The worker's newest account."""
        self.costs |= {cost.name: cost for cost in costs}

    def cost(self, voice: str) -> VoiceCost:
        """What the voice costs: as measured, else as guessed."""
        return self.costs.get(voice) or guess(voice)

    def change(self, old: Burden | None, new: Burden | None) -> None:
        """A leg asks for ``new`` in the place of ``old``."""
        for burden, by in ((old, -1), (new, 1)):
            if burden is None:
                continue
            if self._shares and burden.speech is not None:
                self._join(burden, by)
            else:
                self._streams[burden._replace(speech=None)] += by

    def _join(self, burden: Burden, by: int) -> None:
        """A leg more or less shares a stream."""
        stream = burden._replace(begun=False)
        legs = self._shared.setdefault(stream, [0, 0])
        before = _asked(stream, legs)
        legs[burden.begun] += by
        for asked, more in ((before, -1), (_asked(stream, legs), 1)):
            if asked is not None:
                self._streams[asked] += more
        if not any(legs):
            del self._shared[stream]

    def alone(self, burden: Burden) -> bool:
        """Whether nobody else shares the stream that a leg asks for: without the leg it is not made."""
        return sum(self._shared.get(burden._replace(begun=False), ())) < 2

    @property
    def total(self) -> float:
        """The part of the core that all streams take together; more than 1 is more than there is."""
        return self._taken(patient=True)

    def _taken(self, *, patient: bool) -> float:
        """What streams take that come before a ``patient`` one, or another."""
        return sum(n * self.weight(each) for each, n in self._streams.items() if patient or not each.patient)

    def weight(self, burden: Burden) -> float:
        """The part of the core that one stream takes."""
        cost = self.cost(burden.voice)
        return cost.ratio + (0.0 if burden.begun else cost.first_s / START_S)

    @property
    def headroom(self) -> float:
        """For a call. 1: nothing to do; 0: full; below: more was taken on than there is room for."""
        return 1 - self._taken(patient=False) / self.limit

    def fits(self, wanted: Burden, beside: Burden | None) -> bool:
        """Whether a leg that asks for ``beside`` may ask for ``wanted``, then or after it.

        An idle worker takes one stream of a voice that it can keep up with, however long its first stretch took
        when that was measured: a worker that began on a busy machine would else refuse it for ever.
        """
        more = 0.0 if wanted._replace(begun=False) in self._shared else self.weight(wanted)
        if beside is not None and self.alone(beside):
            more -= self.weight(beside)
        taken = self._taken(patient=wanted.patient)
        if more <= 0 or taken + more <= self.limit:
            return True
        return taken == 0 and self.cost(wanted.voice).ratio <= self.limit


def _asked(stream: Burden, legs: list[int]) -> Burden | None:
    """What all legs of a shared stream ask for together: who has its first stretch has it for all."""
    waiting, begun = legs
    return Burden(stream.voice, begun > 0, stream.patient) if waiting or begun else None
