"""The synthesis worker that writes for a leg, and what it is told."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.calls.actions import Outbox
from gateway.calls.utterance import Utterance
from gateway.messages.base import Law
from gateway.messages.synthesis import Append, AttachLeg, Cut, DetachLeg, Part, Remove
from gateway.ring import NEVER


@dataclass(slots=True)
class Removal:
    """A Remove that is not answered yet. ``voided_from``: the nearest cut since it was sent."""

    utterance: Utterance
    voided_from: int


class Writer:
    """Of the leg at ``row`` of ``ring``. ``attached``: there is one; ``parting``: it has yet to let go.

    ``moving``: it is parting, and another goes on where it ends, so what it lays and tells until then holds.
    """

    def __init__(self, ring: int, row: int, outbox: Outbox) -> None:
        self.attached = False
        self.parting = False
        self.moving = False
        self._ring = ring
        self._row = row
        self._outbox = outbox
        self._removals: dict[int, Removal] = {}

    def attach(self, generation: int, law: Law, ptime_ms: int, patient: bool) -> None:
        """A worker takes the leg over. ``patient``: see AttachLeg."""
        self.attached = True
        self._outbox.add(AttachLeg(self._ring, self._row, generation, law, ptime_ms, patient))

    def speak(self, utterance: Utterance, before: Utterance | None = None) -> None:
        """Queue this one, behind all others or ``before`` one; who attaches later is told then."""
        if self.attached:
            self._outbox.add(utterance.order(self._ring, self._row, before.key if before else None))

    def append(self, utterance: Utterance, part: Part | None, *, last: bool) -> None:
        """More of what is being written."""
        if self.attached and utterance.survives:
            self._outbox.add(Append(self._ring, self._row, utterance.key, part, last))

    def remove(self, utterance: Utterance) -> None:
        """Unqueue it; the answer goes to ``removed``."""
        self._removals[utterance.key] = Removal(utterance, NEVER)
        self._outbox.add(Remove(self._ring, self._row, utterance.key))

    def removed(self, key: int) -> Removal | None:
        """The answer; None when a cut of everything has taken it along in the meantime."""
        return self._removals.pop(key, None)

    def expect_no_answers(self) -> None:
        """What was to be unqueued has ended otherwise."""
        self._removals.clear()

    def cut(self, generation: int, at: int, drop: tuple[int, ...], law: Law) -> None:
        """The ring was cut at ``at``; see Cut."""
        for removal in self._removals.values():
            removal.voided_from = min(removal.voided_from, at)
        if self.attached:
            self._outbox.add(Cut(self._ring, self._row, generation, drop, law))

    @property
    def heeded(self) -> bool:
        """Whether what it says of its audio still holds."""
        return self.attached or self.moving

    def let_go(self) -> None:
        """Have it touch the row no more; ``parting`` until it says so. The ring was just cut."""
        self._part()
        self.moving = False
        self._removals.clear()

    def move(self) -> None:
        """Have it touch the row no more, so that another goes on where it ends."""
        self._part()
        self.moving = True

    def gone(self) -> None:
        """It is dead, or has let go."""
        self.attached = self.parting = self.moving = False
        self._removals.clear()

    def _part(self) -> None:
        if self.attached:
            self.attached, self.parting = False, True
            self._outbox.add(DetachLeg(self._ring, self._row))
