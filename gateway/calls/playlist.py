"""A leg's queue of utterances against its ring: what is cut, what was heard of each. No socket, no clock.

The actions go to the outbox; whoever drives a playlist does them before anything else happens to the leg.
Every method takes a ``Glance`` at the ring. An utterance that is cut stays in the queue with ``ending`` set
until the pacer has let go (``begun``), because only then is it known what was heard; then it ends.
What follows when the synthesis worker dies, or is to let another go on, is told in ``gateway.calls.handover``.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.calls import rules
from gateway.calls.actions import CutRing, Glance, Outbox, SetPaused
from gateway.calls.handover import Handover, Seam
from gateway.calls.hearing import Hearing
from gateway.calls.life import Cause, Happening
from gateway.calls.passage import Passage
from gateway.calls.queue import Queue
from gateway.calls.timeline import Timeline
from gateway.calls.utterance import Utterance
from gateway.calls.writer import Writer
from gateway.messages.base import Law
from gateway.messages.synthesis import (
    Described,
    Laying,
    Part,
    Removed,
    SpeechFailed,
)
from gateway.ring import NEVER, UNIT_MS, RingBlock


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
        patient: bool = False,
    ) -> None:
        self.ring = ring
        self.row = row
        self.generation = generation
        self.paused = False
        self._held_at = 0
        self.queue = Queue(patient)
        self.writer = Writer(ring, row, outbox)
        self._outbox = outbox
        self.agreed = agreed
        """Whether law and packet time are settled, so that speech can be made."""
        self._timeline = Timeline(generation, 0)
        self._hearing = Hearing(self._timeline, outbox)
        self._code(law, ptime_ms)
        self._passage = Passage()
        self._loss: int | None = None
        self._handover: Handover | None = None
        self._taking_over = False  # the next Laying is that of the worker after a handover

    # -- reading ------------------------------------------------------------------------------------------

    @property
    def unsettled(self) -> bool:
        """Whether something waits for the pacer or the synthesis worker to let go."""
        return self._loss is not None or any(entry.ending for entry in self.queue)

    @property
    def orphaned(self) -> bool:
        """Whether the leg has no synthesis worker and one may be attached."""
        return self.agreed and not self.writer.attached and not self.writer.parting and self._loss is None

    @property
    def movable(self) -> bool:
        """Whether its synthesis worker may leave it to another without the listener's noticing."""
        return self.writer.attached and not (self.unsettled or self.paused or self._cut_pending)

    @property
    def explained_to(self) -> int:
        """The ring position up to which it is known what lies there."""
        return self._passage.known_to

    def next_at(self) -> int:
        """The ring position at which ``advance`` is to be called next; NEVER when nothing is awaited."""
        if not self.queue or self.queue[0].cut_generation is not None:
            return NEVER
        return self.queue[0].next_position()

    def cut_is_through(self, ring: RingBlock) -> int | None:
        """Where the ring's newest generation began, once that is certain; else None. See ``Passage.end``."""
        return self._passage.end(ring, self.row, self.generation) if self._cut_pending else None

    @property
    def _cut_pending(self) -> bool:
        """Whether the pacer, as far as we know, has yet to act on the newest generation."""
        return self.generation > self._timeline.begun_generation

    # -- the queue ----------------------------------------------------------------------------------------

    def insert(self, utterance: Utterance, index: int, glance: Glance) -> None:
        """Put a new utterance in at ``index`` of ``queue``, once what it cuts is dropped.

        What lies in the ring behind it is taken back first: the worker overtakes only what is cut.
        """
        utterance.queued_ns = glance.now_ns
        following = rules.survivors(self.queue[index:])
        self.queue.put(index, utterance)
        laying = next((entry.laying for entry in following if entry.laying is not None), None)
        if laying is not None and laying.at < self._timeline.limit(laying.generation, NEVER):
            self._cut(laying.at, (), glance)
        self.writer.speak(utterance, following[0] if following else None)

    def add(self, utterance: Utterance, part: Part | None, *, last: bool) -> None:
        """More of an utterance that is being written is to be spoken; ``last``: nothing follows."""
        if part is not None:
            utterance.parts.append(part)
        self.writer.append(utterance, part, last=last)

    def falls_silent(self, utterance: Utterance, glance: Glance) -> int | None:
        """When the caller hears nothing more of what is written of it, on CLOCK_MONOTONIC; None: not foreseeable.

        It is not while it waits for its turn, nor while some of what is written is still being made.
        """
        current = next((entry for entry in self.queue if entry.survives), None)
        if utterance is not current or (utterance.parts and utterance.awaits != len(utterance.parts)):
            return None
        if utterance.laying is None and utterance.units > utterance.heard:
            return None
        left_ns = max(0, utterance.known_to - glance.sent) * UNIT_MS * 1_000_000
        return max(glance.now_ns, glance.silent_ns) + left_ns

    def lag(self, lag_ms: float) -> None:
        """How long audio is on its way to the ear, by the peer's newest report."""
        self._hearing.lag_ms = lag_ms

    def drop(self, victims: Sequence[Utterance], cause: Cause, glance: Glance) -> None:
        """End ``victims`` (in queue order): at once when nobody goes on before them, else unqueue them."""
        if not victims:
            return
        for utterance in victims:
            utterance.ending = cause
        self.queue.renumber()
        ownerless = self._handover is not None or self.writer.moving
        inherited = ownerless and any(entry.laying for entry in victims)
        if inherited or not rules.survivors(self.queue[: self.queue.index(victims[0])]):
            ending = [entry for entry in self.queue if entry.ending is not None]
            self.writer.expect_no_answers()  # this cut takes along those that wait to be unqueued
            self._cut(0, tuple(entry.key for entry in ending), glance, fade=True)
            for utterance in ending:
                utterance.cut_generation = self.generation
        elif self.writer.attached:
            for utterance in victims:
                self.writer.remove(utterance)
        else:
            for utterance in victims:
                self._settle(utterance, glance)

    def hold(self, paused: bool, glance: Glance, *, at_word: bool = False) -> None:
        """Pause or resume what is being said. ``at_word``: where the word that is being said ends."""
        at = self._word_end(glance) if at_word and self._handover is None else 0
        self.paused = paused
        self._taking_over = False
        if paused and self._handover is not None:
            self._cut(
                0, (), glance, fade=True
            )  # a pacer that is held does not go on to where the next worker begins
        self._hold_at(at if paused else None)
        for utterance in self.queue:
            if utterance.state == ("speaking" if paused else "paused"):
                utterance.apply("pause" if paused else "resume")

    def _hold_at(self, at: int | None) -> None:
        self._held_at = at or 0
        self._outbox.add(SetPaused(at is not None, self._held_at))

    def _word_end(self, glance: Glance) -> int:
        """The ring position at which the word ends that can still be said whole; 0 between words."""
        self.advance(glance)
        current = next(iter(self.queue), None)
        if current is None or current.begin is None or not current.survives:
            return 0
        soonest = glance.sent + 2 * self._packet_units  # what the pacer may send before it looks
        word = current.word_at(soonest - current.begin)
        return 0 if word is None else current.begin + word.end_unit

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
        self.queue.coding = law, ptime_ms
        self._ptime_ms = ptime_ms
        self._packet_units = self._hearing.packet_units = ptime_ms // UNIT_MS

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
            self._end(utterance, done, utterance.finish if done == "finish" else utterance.fault, glance)

    def broke_off(self, cause: str, underruns: int, glance: Glance) -> None:
        """The current utterance was ``underruns`` times not sent in time."""
        current = next(iter(self.queue), None)
        if current is not None and current.survives and current.heard:
            current.underruns += underruns
            data = {"underruns": current.underruns, "cause": cause}
            self._outbox.publish("utterance.underrun", glance.now_ns, data, current)

    def begun(self, generation: int, position: int, glance: Glance) -> None:
        """``generation`` begins at ``position``: settle older ones, end those that waited for it."""
        self._timeline.begun(generation, position)
        if self._handover is not None and self._handover.generation <= generation:
            self._handover = None
            self._taking_over = not self.paused
        self._passage.known_to = min(self._passage.known_to, position)
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
        self.writer.attached = False
        for utterance in self.queue:
            utterance.ending = utterance.ending or "call_closed"
        self.give_up(glance)
        self.writer.expect_no_answers()

    # -- what the synthesis worker says -------------------------------------------------------------------

    def describe(self, message: Described, glance: Glance) -> None:
        """What the next stretch of an utterance holds."""
        utterance = self.queue.by_key(message.key)
        if utterance is not None and self.writer.heeded:
            utterance.made_ns = utterance.made_ns or glance.now_ns
            utterance.describe(message)
            self._passage.known_to = max(self._passage.known_to, utterance.known_to)
        self.advance(glance)

    def laid(self, message: Laying, glance: Glance) -> None:
        """Where an utterance lies. The first of a generation also says where the one before it ended."""
        if message.generation > self._timeline.begun_generation:
            self.begun(message.generation, message.at, glance)
        else:
            self._timeline.begun(message.generation, message.at)
        utterance = self.queue.by_key(message.key)
        if self._taking_over:
            self._taking_over = False
            silent_ns = glance.now_ns - glance.sent_ns if glance.sent <= message.at else 0
            if silent_ns > 2 * self._ptime_ms * 1_000_000:
                self.broke_off("synthesis", 1, glance)  # nobody was there to make it
        if utterance is not None:
            self._passage.known_to = max(
                self._passage.known_to, message.at - message.offset + utterance.units
            )
            if message.generation == self._timeline.begun_generation:
                utterance.laying = message
            else:  # it was late: that generation has ended
                self._hear(utterance, glance, message)
        self.advance(glance)
        if utterance is not None and message.generation == self.generation:
            self.queue.follow(utterance)

    def removed(self, message: Removed, glance: Glance) -> None:
        """A queued utterance is out of the worker's queue; cut the ring where it begins, if it is laid."""
        removal = self.writer.removed(message.key)
        if removal is None:
            return
        utterance, at = removal.utterance, message.laid_at
        if at is not None and at < removal.voided_from:
            self._cut(at, (message.key,), glance, fade=True)
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
        utterance = self.queue.by_key(message.key)
        if utterance is not None and self.writer.heeded:
            utterance.fail_at(message.end_unit, message.cause, message.detail)
            if utterance.survives and utterance.done is not None:
                self._end(utterance, "fail", "error", glance)
            self.advance(glance)

    def writer_lost(self, laid_to: int | None, glance: Glance) -> None:
        """The synthesis worker died. ``laid_to``: see ``RingBlock.laid_to``; all that it told was read."""
        self.advance(glance)
        if self._loss is None and self.queue.making is not None:
            self.queue.making.lose_worker()
        self._go_on(laid_to, glance)

    def move(self) -> None:
        """Another synthesis worker is to go on where this one ends, which is to let go."""
        assert self.movable
        self.writer.move()

    def writer_left(self, laid_to: int | None, glance: Glance) -> None:
        """The synthesis worker has let go. ``laid_to``: as for ``writer_lost``."""
        self.advance(glance)
        self._go_on(laid_to, glance)

    def _go_on(self, laid_to: int | None, glance: Glance) -> None:
        """Nobody writes any more; see to it that another can."""
        self.writer.gone()
        if self._loss is not None:
            return  # it was being let go
        unsettled = self._cut_pending or self.paused or any(entry.ending for entry in self.queue)
        if self._handover is not None and laid_to is None and not self.unsettled:
            # it died before its turn: the next one's orders are the same
            self._cut(self._handover.at, (), glance)
            self._handover.generation = self.generation
        elif laid_to is None or unsettled:
            self._lose(glance)
        else:
            self._hand_over(min(laid_to, self._passage.known_to), glance)

    def attach(self) -> None:
        """A synthesis worker takes the leg over, with all that is to be spoken and is not laid to its end."""
        assert self.orphaned
        self.writer.attach(self.generation, self._law, self._ptime_ms, self.queue.patient)
        for utterance in rules.survivors(self.queue):
            if utterance.failed_at is None and not (utterance.laying and utterance.complete):
                self.writer.speak(utterance)

    def forsake(self, detail: str, glance: Glance) -> None:
        """Nobody will make what is left: each utterance fails when what is laid of it was heard."""
        assert not self.writer.attached
        for utterance in rules.survivors(self.queue):
            if utterance.failed_at is None and not (utterance.laying and utterance.complete):
                unit = utterance.units if utterance.laying else utterance.heard
                utterance.fail_at(unit, "worker_died", detail)
        self.advance(glance)

    # -- inside -------------------------------------------------------------------------------------------

    def _cut(
        self,
        at: int,
        drop: tuple[int, ...],
        glance: Glance,
        *,
        with_change: bool = False,
        fade: bool = False,
    ) -> None:
        """Cut the ring, and tell the worker. ``fade``: what is being said does not go on."""
        if not self._cut_pending:
            self._passage.begins(glance.sent)
        self.generation += 1
        self._timeline.cut(self.generation, max(at, glance.sent))
        self._outbox.add(CutRing(at, self.generation, with_change, fade))
        if self.paused and self._held_at > at:
            self._hold_at(0)  # the word at whose end it was to be held is gone
        if self._handover is not None and at < self._handover.at:
            self._handover = None
            if any(entry.laying for entry in rules.survivors(self.queue)):
                self._let_go()
        self.writer.cut(self.generation, at, drop, self._law)

    # -- another synthesis worker -------------------------------------------------------------------------

    def _lose(self, glance: Glance) -> None:
        """Cut everything; when it is known what was heard, the rest is given out anew."""
        self._handover = None
        self._cut(0, (), glance)
        self._let_go()

    def _let_go(self) -> None:
        """The ring has just been cut, and nobody is to write until the leg is given out anew."""
        self.writer.let_go()
        self._loss = self.generation
        for utterance in self.queue:
            if utterance.ending is not None:
                utterance.cut_generation = self.generation

    def _hand_over(self, end: int, glance: Glance) -> None:
        """The ring is laid up to ``end``, goes on being sent, and is cut where the next worker is to begin."""
        seam = Seam.find(rules.survivors(self.queue), end, glance.sent, self._packet_units)
        self._cut(seam.at, (), glance)
        self._handover = Handover(self.generation, seam.at)
        seam.sew(rules.survivors(self.queue))
        self._passage.known_to = seam.at

    def _recover(self, glance: Glance) -> None:
        """It is known what was heard of those that a worker has let go; another can make the rest."""
        self._loss = None
        for utterance in rules.survivors(self.queue):
            if not utterance.heard or utterance.done is None:
                utterance.go_on_at(utterance.heard)

    def _may_be_heard(self, utterance: Utterance, laid_at: int | None, glance: Glance) -> bool:
        """Whether the pacer may yet send some of an unqueued utterance before it acts on a cut.

        Without ``laid_at`` it does not lie in the ring, or a cut that is under way takes it along.
        """
        if laid_at is None and utterance.laying is not None and self._cut_pending:
            laid_at = utterance.laying.at
        return laid_at is not None and laid_at < glance.sent + 2 * self._packet_units

    def _hear(self, utterance: Utterance, glance: Glance, late: Laying | None = None) -> None:
        self._hearing.hear(utterance, glance, paused=self.paused, late=late)

    def _settle(self, utterance: Utterance, glance: Glance) -> None:
        """End an utterance that was cut, unless it had come to its end before the cut took hold."""
        assert utterance.ending is not None
        if utterance.heard and utterance.done == "finish":
            self._end(utterance, "finish", utterance.finish, glance)
        else:
            self._end(utterance, "stop", utterance.ending, glance)

    def _end(self, utterance: Utterance, happening: Happening, cause: Cause, glance: Glance) -> None:
        at = self._hearing.finish(utterance, glance) if happening == "finish" else glance.now_ns
        utterance.end(happening, cause)
        self.queue.end(utterance)
        self._outbox.publish(f"utterance.{utterance.state}", at, utterance.account(), utterance)
