"""Control, pacer and writer in every order: whatever happens, what is told is what was heard.

The truth is read from the packets: each unit of audio says whose it is (see ``World``).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gateway.calls.life import TERMINAL
from gateway.calls.requests import BargeIn
from gateway.errors import Refusal

PROTECTION = st.sampled_from(["any", "any", "dtmf", "none"])
CHANGES = st.one_of(
    st.just({"held": True}),
    st.just({"held": True, "address": None}),
    st.just({"held": False, "address": "127.0.0.1"}),
    st.sampled_from(["PCMU", "PCMA"]).map(lambda codec: {"codec": codec}),
    st.sampled_from([("PCMU", 96), ("PCMA", 97)]).map(lambda coded: dict(zip(CODING, coded, strict=True))),
    st.just({"port": 5000}),
)
"""What a peer wants differently."""
CODING = ("codec", "payload_type")
STEPS = st.lists(
    st.sampled_from(["hear", "write", "make", "pace", "pace", "acknowledge", "look", "read"]), max_size=16
)
MODES = st.sampled_from(["append", "append", "interrupt", "replace"])


YIELDING = st.sampled_from([None, None, BargeIn(voice=True), BargeIn(voice=True, confirm_ms=300)])


class Interleavings(RuleBasedStateMachine):
    """Each rule is one step of one process, or a few; nobody need be prompt."""

    new_world: ClassVar[Callable[..., Any]]

    @initialize(ptime=st.sampled_from([10, 20, 30]), sip=st.sampled_from([None, "in", "out"]))
    def open(self, ptime: int, sip: str | None) -> None:
        self.world = type(self).new_world(ptime, sip=sip)
        self.ends: dict[str, tuple[str, int]] = {}

    # -- people

    @rule(words=st.integers(0, 12), mode=MODES, interruptible=PROTECTION, barge_in=YIELDING)
    def say(self, words: int, mode: str, interruptible: str, barge_in: BargeIn | None) -> None:
        with suppress(Refusal):  # queue_full
            self.world.say(words, mode, interruptible, barge_in=barge_in)

    @rule(scope=st.sampled_from(["current", "all"]))
    def stop(self, scope: str) -> None:
        victims = self.world.stop(scope)
        assert all(entry.ending == "stopped" or entry.ended for entry in victims)

    @rule(data=st.data())
    @precondition(lambda self: self.world.said)
    def delete(self, data: st.DataObject) -> None:
        utterance = data.draw(st.sampled_from(self.world.said))
        others = {entry.id for entry in self.world.call.playlist.queue if entry.survives} - {utterance.id}
        self.world.stop_one(utterance)
        after = {entry.id: entry for entry in self.world.call.utterances}
        for uid in others:  # nobody else is ended by it, unless it had been heard to its end
            assert after[uid].survives or after[uid].cause == "normal"

    @rule()
    def digit(self) -> None:
        self.world.call.digit("1", None, self.world.glance())
        self.world.act()

    @rule(kind=st.sampled_from(["started", "confirmed", "stopped"]))
    def caller(self, kind: str) -> None:
        """He begins to speak, goes on or stops, in whatever order a detector may tell it."""
        self.world.voice(kind)

    @rule(at_word=st.booleans())
    def hold_or_go_on(self, at_word: bool = False) -> None:
        call = self.world.call
        if call.paused:
            call.resume(self.world.glance())
        else:
            call.pause(self.world.glance(), at_word=at_word)
        self.world.act()

    # -- a SIP peer

    @rule(changed=CHANGES)
    @precondition(lambda self: self.world.call.state == "ringing")
    def answer(self, changed: dict[str, Any]) -> None:
        self.world.answer(**changed)

    @rule()
    @precondition(lambda self: self.world.call.state == "ringing" and self.world.call.remote)
    def early(self) -> None:
        self.world.call.early(self.world.glance())
        self.world.act()

    @rule(changed=CHANGES)
    @precondition(lambda self: self.world.call.sip and self.world.call.state == "open")
    def change(self, changed: dict[str, Any]) -> None:
        self.world.change(**changed)

    @rule(changed=CHANGES, words=st.integers(1, 8), steps=STEPS)
    @precondition(lambda self: self.world.call.sip and self.world.writer)
    def change_in_mid_speech(self, changed: dict[str, Any], words: int, steps: list[str]) -> None:
        """A call that rings is answered, one that speaks is changed; then some are prompter than others."""
        world = self.world
        with suppress(Refusal):  # queue_full
            world.say(words)
        world.run(2)
        (world.answer if world.call.state == "ringing" else world.change)(**changed)
        for step in steps:
            getattr(world, step)()

    # -- processes

    @rule(packets=st.integers(0, 6))
    @precondition(lambda self: self.world.writer)
    def all_are_prompt(self, packets: int) -> None:
        self.world.run(packets)

    @rule(messages=st.sampled_from([1, None]))
    def hear(self, messages: int | None) -> None:
        self.world.hear(messages)

    @rule(packets=st.integers(1, 12))
    def pace(self, packets: int) -> None:
        self.world.pace(packets)

    @rule()
    def acknowledge(self) -> None:
        self.world.acknowledge()

    @rule(messages=st.sampled_from([1, 2, None]))
    @precondition(lambda self: self.world.writer)
    def write(self, messages: int | None) -> None:
        self.world.write(messages)

    @rule(words=st.integers(1, 6))
    @precondition(lambda self: self.world.writer)
    def make(self, words: int) -> None:
        self.world.make(words)

    @rule(messages=st.sampled_from([1, 2, None]))
    def read(self, messages: int | None) -> None:
        self.world.read(messages)

    @rule()
    def look(self) -> None:
        self.world.look()

    @rule()
    @precondition(lambda self: self.world.writer)
    def kill_writer(self) -> None:
        self.world.kill_writer()

    @rule()
    @precondition(lambda self: self.world.writer and self.world.call.playlist.movable)
    def move(self) -> None:
        self.world.move()

    @rule()
    @precondition(lambda self: not self.world.writer)
    def start_writer(self) -> None:
        self.world.start_writer()
        self.world.act()

    # -- what always holds

    @invariant()
    def seq_has_no_gap(self) -> None:
        events = self.world.events
        assert [event.seq for event in events] == list(range(1, len(events) + 1))

    @invariant()
    def nothing_is_told_that_was_not_heard(self) -> None:
        for utterance in self.world.said:
            assert 0 <= utterance.heard <= utterance.units
            assert utterance.heard <= self.world.truly_heard(utterance)
            assert utterance.spoken_text + utterance.remaining_text == utterance.text

    @invariant()
    def an_end_is_for_ever(self) -> None:
        for utterance in self.world.said:
            if utterance.ended:
                end = self.ends.setdefault(utterance.id, (utterance.state, utterance.heard))
                assert end == (utterance.state, utterance.heard)

    def teardown(self) -> None:
        world = getattr(self, "world", None)
        if world is None:
            return
        if world.writer is None:
            self.start_writer()
        if world.call.state == "ringing":
            world.answer()
        if world.call.held:
            world.change(held=False, address="127.0.0.1", port=4000)
        if world.call.paused:
            self.hold_or_go_on()
        world.voice("stopped")
        world.finish()
        self.seq_has_no_gap()
        self.an_end_is_for_ever()
        for utterance in world.said:
            told = world.happened(utterance)
            assert utterance.state in TERMINAL
            assert [kind for kind in told if kind in TERMINAL] == [utterance.state] == told[-1:]
            assert ("started" in told) == (utterance.heard > 0)
            assert told.count("started") <= 1
            assert world.truly_heard(utterance) == utterance.heard
            times = [event.at_ns for event in world.events if event.utterance_id == utterance.id]
            assert times == sorted(times)
            if utterance.state == "finished":
                assert utterance.heard == utterance.units
                assert utterance.cause == "normal"
                assert utterance.remaining_text == ""
        world.close()


def test_every_interleaving(new_world: Callable[..., Any], pytestconfig: pytest.Config) -> None:
    Interleavings.new_world = new_world
    run_state_machine_as_test(
        Interleavings,
        settings=settings(
            max_examples=80,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
