"""What was heard of a leg's utterances: the ring's ``sent`` turned into starts, marks and the time of each."""

from __future__ import annotations

from gateway.calls.actions import Glance, Outbox
from gateway.calls.timeline import Timeline
from gateway.calls.utterance import Utterance
from gateway.calls.watch import left_at
from gateway.messages.synthesis import Laying, MarkAt
from gateway.ring import UNIT_MS


class Hearing:
    """Accounts for what was sent, and tells it. ``packet_units``: the length of a packet, set by its owner."""

    def __init__(self, timeline: Timeline, outbox: Outbox) -> None:
        self.packet_units = 1
        self.lag_ms: float | None = None
        """How long audio is on its way to the ear, as far as its reports tell."""
        self._timeline = timeline
        self._outbox = outbox

    def hear(self, utterance: Utterance, glance: Glance, *, paused: bool, late: Laying | None = None) -> None:
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
            utterance.first_audio_ms = (at - utterance.requested_ns) / 1e6
            started = {"first_audio_ms": utterance.first_audio_ms, "cached": utterance.cached}
            self._outbox.publish("utterance.started", at, started, utterance)
            if paused:
                utterance.apply("pause")
        utterance.lag_ms = self.lag_ms
        if utterance.say.listener is not None:
            self._tell_words(utterance)
        for mark in utterance.due_marks():
            at = utterance.heard_ns
            if laying is not None and mark.unit < utterance.heard:
                at = self._left_at(laying, mark.unit, glance)
            self._tell_mark(utterance, mark, at)

    def finish(self, utterance: Utterance, glance: Glance) -> int:
        """It is at its end: tell the marks there. Returns when its last packet left, on CLOCK_MONOTONIC."""
        at = utterance.heard_ns if utterance.heard else glance.now_ns
        for mark in utterance.due_marks():  # of one without any audio
            self._tell_mark(utterance, mark, at)
        return at

    def _tell_words(self, utterance: Utterance) -> None:
        for word in utterance.due_words():
            if utterance.tells_words:
                self._outbox.tell(utterance, "word", utterance.told(word))
        draft = utterance.say.draft
        if draft is not None and draft.eases(utterance.buffered_chars):
            self._outbox.tell(utterance, "resumed", {"buffered_chars": utterance.buffered_chars})

    def _tell_mark(self, utterance: Utterance, mark: MarkAt, at_ns: int) -> None:
        data = {"name": mark.name, "at_ms": mark.unit * UNIT_MS}
        self._outbox.publish("utterance.mark", at_ns, data, utterance)

    def _left_at(self, laying: Laying, unit: int, glance: Glance) -> int:
        return left_at(glance, laying.at - laying.offset + unit, self.packet_units)
