"""A leg's queue of utterances against its ring: what is cut, what was heard of each. No socket, no clock.

The actions go to the outbox; whoever drives a playlist does them before anything else happens to the leg.
Every method takes a ``Glance`` at the ring. An utterance that is cut stays in the queue with ``ending`` set
until the pacer has let go (``begun``), because only then is it known what was heard; then it ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.calls import rules
from gateway.calls.actions import CutRing, Glance, Outbox
from gateway.calls.timeline import Timeline
from gateway.calls.utterance import Cause, Happening, Utterance
from gateway.calls.watch import left_at
from gateway.messages import (
    AttachLeg,
    Cut,
    Described,
    Law,
    Laying,
    MarkAt,
    Remove,
    Removed,
    SpeechFailed,
)
from gateway.ring import NEVER, UNIT_MS, RingBlock

_KEPT_ENDED: Final = 1000
"""Ended utterances that can still be read."""
LOOKS: Final = 5
"""Turns of the loop within which a message that was sent before has been read."""


@dataclass(slots=True)
class _Removal:
    """A Remove that is not answered yet. ``voided_from``: the nearest cut since it was sent."""

    utterance: Utterance
    voided_from: int


class Playlist:
    """The queue of the leg at ``row`` of ``ring``; ``generation`` is the ring's, as control alone sets it."""

    def __init__(
        self,
        ring: int,
        row: int,
        law: Law,
        ptime_ms: int,
        generation: int,
        outbox: Outbox,
        *,
        agreed: bool = True,
    ) -> None:
        self.ring = ring
        self.row = row
        self.generation = generation
        self.attached = False
        self.paused = False
        self.queue: list[Utterance] = []
        self.ended: dict[str, Utterance] = {}
        self._outbox = outbox
        self.agreed = agreed
        """Whether law and packet time are settled, so that speech can be made."""
        self._code(law, ptime_ms)
        self._timeline = Timeline(generation, 0)
        self._known_to = 0
        self._sent_at_cut = 0  # before the oldest cut that is under way
        self._suspect: tuple[int, int] | None = None
        self._looks = 0
        self._loss: int | None = None
        self._removals: dict[int, _Removal] = {}

    # -- reading ------------------------------------------------------------------------------------------

    @property
    def unsettled(self) -> bool:
        """Whether something waits for the pacer or the synthesis worker to let go."""
        return self._loss is not None or any(entry.ending for entry in self.queue)

    @property
    def orphaned(self) -> bool:
        """Whether the leg has no synthesis worker and one may be attached."""
        return self.agreed and not self.attached and self._loss is None

    def next_at(self) -> int:
        """The ring position at which ``advance`` is to be called next; NEVER when nothing is awaited."""
        if not self.queue or self.queue[0].cut_generation is not None:
            return NEVER
        return self.queue[0].next_position()

    def cut_is_through(self, ring: RingBlock) -> int | None:
        """The position at which the ring's newest generation began, once that is certain; else None.

        Call it once in a turn of the loop. When the pacer has let go and nothing was sent since the cut, ``sent``
        is it. Else what was sent may be the old generation's last packet or already the new one's first; but a
        Laying is written to the link before its audio is sent, so one that explains this ``sent`` has arrived
        a few turns later (and then ``laid`` knows better), or there is none.
        """
        if not self._cut_pending or not ring.is_cut(self.row):
            return None
        sent = int(ring.sent[self.row])
        if sent == self._sent_at_cut and sent <= self._known_to:
            return sent
        if self._suspect is None or self._suspect[0] != self.generation:
            self._suspect = self.generation, sent
            self._looks = 0
        self._looks += 1
        return self._suspect[1] if self._looks >= LOOKS else None

    @property
    def _cut_pending(self) -> bool:
        """Whether the pacer, as far as we know, has yet to act on the newest generation."""
        return self.generation > self._timeline.begun_generation

    # -- the queue ----------------------------------------------------------------------------------------

    def insert(self, utterance: Utterance, index: int, glance: Glance) -> None:
        """Put a new utterance in at ``index`` of ``queue``, once what it cuts is dropped.

        What lies in the ring behind it is taken back first: the worker overtakes only what is cut.
        """
        following = rules.survivors(self.queue[index:])
        self.queue.insert(index, utterance)
        self._renumber()
        if not self.attached:
            return
        laying = next((entry.laying for entry in following if entry.laying is not None), None)
        if laying is not None and laying.at < self._timeline.limit(laying.generation, NEVER):
            self._cut(laying.at, (), glance)
        self._outbox.add(utterance.order(self.ring, self.row, following[0].key if following else None))

    def drop(self, victims: Sequence[Utterance], cause: Cause, glance: Glance) -> None:
        """End ``victims`` (in queue order): at once when nobody goes on before them, else unqueue them."""
        if not victims:
            return
        for utterance in victims:
            utterance.ending = cause
        self._renumber()
        if not rules.survivors(self.queue[: self.queue.index(victims[0])]):
            ending = [entry for entry in self.queue if entry.ending is not None]
            self._removals.clear()  # this cut takes along those that wait to be unqueued
            self._cut(0, tuple(entry.key for entry in ending), glance)
            for utterance in ending:
                utterance.cut_generation = self.generation
        elif self.attached:
            for utterance in victims:
                self._removals[utterance.key] = _Removal(utterance, NEVER)
                self._outbox.add(Remove(self.ring, self.row, utterance.key))
        else:
            for utterance in victims:
                self._settle(utterance, glance)

    def hold(self, paused: bool) -> None:
        """Pause or resume what is being said."""
        self.paused = paused
        for utterance in self.queue:
            if utterance.state == ("speaking" if paused else "paused"):
                utterance.apply("pause" if paused else "resume")

    def agree(self, law: Law, ptime_ms: int, glance: Glance) -> None:
        """Law and packet time have been agreed on with the peer: speech can be made.

        None of it is sent before the media worker has the ChangeLeg, which is to follow.
        """
        assert not self.agreed
        self.agreed = True
        self._code(law, ptime_ms)
        self._cut(0, (), glance, with_change=True)

    def recode(self, law: Law, glance: Glance) -> None:
        """Go on in another law, from the next packet on, together with a ChangeLeg that is to follow."""
        self._code(law, self._ptime_ms)
        self._cut(0, (), glance, with_change=True)

    def _code(self, law: Law, ptime_ms: int) -> None:
        self._law: Law = law
        self._ptime_ms = ptime_ms
        self._packet_units = ptime_ms // UNIT_MS

    # -- what was sent ------------------------------------------------------------------------------------

    def advance(self, glance: Glance) -> None:
        """Go along the queue as far as it was heard, telling what is to be told."""
        while self.queue:
            utterance = self.queue[0]
            if utterance.cut_generation is not None:
                return
            self._hear(utterance, glance)
            done = utterance.done
            if done is None:
                return
            self._end(utterance, done, "normal" if done == "finish" else "error", glance)

    def ran_dry(self, underruns: int, glance: Glance) -> None:
        """The pacer has counted ``underruns`` more: the current utterance was not made in time."""
        current = next(iter(self.queue), None)
        if current is not None and current.survives and current.heard:
            current.underruns += underruns
            data = {"underruns": current.underruns}
            self._outbox.publish("utterance.underrun", glance.now_ns, data, current)

    def begun(self, generation: int, position: int, glance: Glance) -> None:
        """``generation`` begins at ``position``: settle older ones, end those that waited for it."""
        self._timeline.begun(generation, position)
        self._known_to = min(self._known_to, position)
        for utterance in self.queue:
            if utterance.laying is not None and utterance.laying.generation < generation:
                self._hear(utterance, glance)
                utterance.laying = None
        for utterance in list(self.queue):
            waits_for = utterance.cut_generation
            if waits_for is not None and waits_for <= generation:
                self._settle(utterance, glance)
        if self._loss is not None and self._loss <= generation:
            self._recover(glance)
        self.advance(glance)

    def give_up(self, glance: Glance) -> None:
        """Wait no longer for those that are ending: they end with what is known."""
        for utterance in list(self.queue):
            if utterance.ending is not None:
                self._hear(utterance, glance)
                self._settle(utterance, glance)
        if self._loss is not None:
            self._recover(glance)
        self.advance(glance)

    def close(self, glance: Glance) -> None:
        """The leg is gone and its ring stands still: everything ends here."""
        self.attached = False
        for utterance in self.queue:
            utterance.ending = utterance.ending or "call_closed"
        self.give_up(glance)
        self._removals.clear()

    # -- what the synthesis worker says -------------------------------------------------------------------

    def describe(self, message: Described, glance: Glance) -> None:
        """What the next stretch of an utterance holds."""
        utterance = self._by_key(message.key)
        if utterance is not None:
            utterance.describe(message)
            self._known_to = max(self._known_to, utterance.known_to)
        self.advance(glance)

    def laid(self, message: Laying, glance: Glance) -> None:
        """Where an utterance lies. The first of a generation also says where the one before it ended."""
        if message.generation > self._timeline.begun_generation:
            self.begun(message.generation, message.at, glance)
        else:
            self._timeline.begun(message.generation, message.at)
        utterance = self._by_key(message.key)
        if utterance is not None:
            self._known_to = max(self._known_to, message.at - message.offset + utterance.units)
            if message.generation == self._timeline.begun_generation:
                utterance.laying = message
            else:  # it was late: that generation has ended
                self._hear(utterance, glance, message)
        self.advance(glance)
        if utterance is not None and message.generation == self.generation:
            self._follow(utterance)

    def removed(self, message: Removed, glance: Glance) -> None:
        """A queued utterance is out of the worker's queue; cut the ring where it begins, if it is laid."""
        removal = self._removals.pop(message.key, None)
        if removal is None:
            return  # a cut of everything has taken it along in the meantime
        utterance, at = removal.utterance, message.laid_at
        if at is not None and at < removal.voided_from:
            self._cut(at, (message.key,), glance)
        if not utterance.ended:
            self._hear(utterance, glance)
            if self._may_be_heard(utterance, at, glance):
                utterance.cut_generation = self.generation
            else:
                self._settle(utterance, glance)
        self.advance(glance)

    def speech_failed(self, message: SpeechFailed, glance: Glance) -> None:
        """No more audio will come for an utterance; it fails when what there is was heard."""
        self.advance(glance)
        utterance = self._by_key(message.key)
        if utterance is not None:
            utterance.failed_at = message.end_unit
            utterance.failure = (message.cause, message.detail)
            if utterance.survives and utterance.done is not None:
                self._end(utterance, "fail", "error", glance)
            self.advance(glance)

    def writer_lost(self, glance: Glance) -> None:
        """The synthesis worker died. What was begun fails, the rest waits for ``attach``."""
        self.advance(glance)
        self.attached = False
        self._removals.clear()
        self._cut(0, (), glance)
        self._loss = self.generation
        for utterance in self.queue:
            if utterance.ending is not None:
                utterance.cut_generation = self.generation

    def attach(self) -> None:
        """A synthesis worker takes the leg over, with all that is to be spoken."""
        assert self.orphaned
        self.attached = True
        self._outbox.add(AttachLeg(self.ring, self.row, self.generation, self._law, self._ptime_ms))
        for utterance in rules.survivors(self.queue):
            self._outbox.add(utterance.order(self.ring, self.row, None))

    # -- inside -------------------------------------------------------------------------------------------

    def _cut(self, at: int, drop: tuple[int, ...], glance: Glance, *, with_change: bool = False) -> None:
        """Cut the ring, and tell the worker."""
        if not self._cut_pending:
            self._sent_at_cut = glance.sent
        self.generation += 1
        self._timeline.cut(self.generation, max(at, glance.sent))
        for removal in self._removals.values():
            removal.voided_from = min(removal.voided_from, at)
        self._outbox.add(CutRing(at, self.generation, with_change))
        if self.attached:
            self._outbox.add(Cut(self.ring, self.row, self.generation, drop, self._law))

    def _follow(self, laid: Utterance) -> None:
        """An utterance was laid before one that we had put in front of it: the order of laying is the truth."""
        waiting = next((entry for entry in self.queue if entry.survives and entry.laying is None), None)
        if waiting is None or laid not in self.queue:
            return
        index = self.queue.index(waiting)
        if index < self.queue.index(laid):
            self.queue.remove(laid)
            self.queue.insert(index, laid)
            self._renumber()

    def _may_be_heard(self, utterance: Utterance, laid_at: int | None, glance: Glance) -> bool:
        """Whether the pacer may yet send some of an unqueued utterance before it acts on a cut.

        Without ``laid_at`` it does not lie in the ring, or a cut that is under way takes it along.
        """
        if laid_at is None and utterance.laying is not None and self._cut_pending:
            laid_at = utterance.laying.at
        return laid_at is not None and laid_at < glance.sent + 2 * self._packet_units

    def _recover(self, glance: Glance) -> None:
        """After a worker's death: what was begun has failed, the rest can be made anew by another."""
        self._loss = None
        for utterance in rules.survivors(self.queue):
            if utterance.heard:
                self._end(utterance, "fail", "worker_died", glance)
            else:
                utterance.forget_audio()

    def _hear(self, utterance: Utterance, glance: Glance, late: Laying | None = None) -> None:
        """Account for what was sent of an utterance: it starts, it passes marks.

        ``late``: how it lay in a generation that has ended, learnt only now.
        """
        laying = late or utterance.laying
        if laying is not None:
            before = utterance.heard
            utterance.hear(laying, self._timeline.limit(laying.generation, glance.sent))
            if utterance.heard > before:
                utterance.heard_ns = self._left_at(laying, utterance.heard - 1, glance)
        if not utterance.heard:
            return
        if utterance.state == "queued":
            assert laying is not None
            at = self._left_at(laying, 0, glance)
            utterance.apply("start")
            utterance.first_audio_ms = (at - utterance.say.requested_ns) / 1e6
            started = {"first_audio_ms": utterance.first_audio_ms, "cached": utterance.cached}
            self._outbox.publish("utterance.started", at, started, utterance)
            if self.paused:
                utterance.apply("pause")
        for mark in utterance.due_marks():
            at = utterance.heard_ns
            if laying is not None and mark.unit < utterance.heard:
                at = self._left_at(laying, mark.unit, glance)
            self._tell_mark(utterance, mark, at)

    def _tell_mark(self, utterance: Utterance, mark: MarkAt, at_ns: int) -> None:
        data = {"name": mark.name, "at_ms": mark.unit * UNIT_MS}
        self._outbox.publish("utterance.mark", at_ns, data, utterance)

    def _left_at(self, laying: Laying, unit: int, glance: Glance) -> int:
        return left_at(glance, laying.at - laying.offset + unit, self._packet_units)

    def _settle(self, utterance: Utterance, glance: Glance) -> None:
        """End an utterance that was cut, unless it had come to its end before the cut took hold."""
        assert utterance.ending is not None
        if utterance.heard and utterance.done == "finish":
            self._end(utterance, "finish", "normal", glance)
        else:
            self._end(utterance, "stop", utterance.ending, glance)

    def _end(self, utterance: Utterance, happening: Happening, cause: Cause, glance: Glance) -> None:
        at = glance.now_ns
        if happening == "finish":
            at = utterance.heard_ns if utterance.heard else at
            for mark in utterance.due_marks():  # of one without any audio
                self._tell_mark(utterance, mark, at)
        utterance.end(happening, cause)
        self.queue.remove(utterance)
        self.ended[utterance.id] = utterance
        if len(self.ended) > _KEPT_ENDED:
            del self.ended[next(iter(self.ended))]
        self._renumber()
        self._outbox.publish(f"utterance.{utterance.state}", at, utterance.account(), utterance)

    def _by_key(self, key: int) -> Utterance | None:
        return next((entry for entry in self.queue if entry.key == key), None)

    def _renumber(self) -> None:
        for utterance in self.queue:
            utterance.position = None
        for position, utterance in enumerate(rules.survivors(self.queue)):
            utterance.position = position
