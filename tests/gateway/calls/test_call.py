"""What a call does with its queue, step by step, against the real pacer's and writer's arithmetic."""

from __future__ import annotations

import pytest

from gateway.calls.actions import Publish
from gateway.errors import Refusal
from gateway.messages.media import LegTrouble, Quality
from gateway.ring import NEVER


def test_an_utterance_is_spoken_and_told(world):
    utterance = world.say(3)
    assert (utterance.state, utterance.position, utterance.duration_ms) == ("queued", 0, None)
    requested_ns = world.now_ns
    world.finish()
    assert (utterance.state, utterance.cause, utterance.position) == ("finished", "normal", None)
    assert world.truly_heard(utterance) == utterance.heard == 18
    assert utterance.spoken_text == utterance.text
    assert (utterance.remaining_text, utterance.spoken_ms, utterance.duration_ms) == ("", 180, 180)
    assert world.happened(utterance) == ["started", "mark", "mark", "mark", "finished"]
    started, *marks, finished = world.events[1:]
    assert started.at_ns - requested_ns == pytest.approx(utterance.first_audio_ms * 1e6)
    # a mark is passed with the packet that holds its unit; the end is the last packet's time
    assert [mark.at_ns - started.at_ns for mark in marks] == [0, 60_000_000, 120_000_000]
    assert finished.at_ns - started.at_ns == 160_000_000


def test_two_utterances_follow_without_a_gap(world):
    first, second = world.say(3), world.say(2)
    assert (first.position, second.position) == (0, 1)
    world.finish()
    assert int(world.ring.sent[0]) == 30
    ends = {(e.utterance_id, e.type): e.at_ns for e in world.events}
    gap = ends[second.id, "utterance.started"] - ends[first.id, "utterance.finished"]
    assert gap == 20_000_000


def test_events_count_up_and_echo_the_nearest_client_state(world):
    world.say(1)
    world.say(1, client_state="its own")
    world.finish()
    assert [event.seq for event in world.events] == list(range(1, len(world.events) + 1))
    assert {event.client_state for event in world.events if event.utterance_id == "u_1"} == {"the call's"}
    assert {event.client_state for event in world.events if event.utterance_id == "u_2"} == {"its own"}


def test_stop_tells_what_was_heard_to_the_word(world):
    utterance = world.say(5)
    world.run(4)  # 80 ms: the first word and a third of the second
    assert world.stop() == [utterance]
    assert utterance.ending == "stopped"
    world.run(3)
    assert (utterance.state, utterance.cause) == ("stopped", "stopped")
    assert utterance.spoken_ms == 80
    assert world.truly_heard(utterance) == 8
    assert utterance.spoken_text == "u1w0,"
    assert utterance.remaining_text == " u1w1, u1w2, u1w3, u1w4"
    assert utterance.last_mark == "m1"
    assert world.happened(utterance)[-1] == "stopped"
    data = world.events[-1].data
    assert data["spoken_text"] == "u1w0,"
    assert data["cause"] == "stopped"


def test_the_queue_goes_on_after_the_current_is_stopped(world):
    first, second, third = world.say(5), world.say(2), world.say(1)
    world.run(2)
    assert world.stop("current") == [first]
    world.finish()
    assert (second.state, third.state) == ("finished", "finished")
    assert world.truly_heard(second) == 12
    assert world.truly_heard(third) == 6


def test_stop_all_names_the_current_first(world):
    every = [world.say(2) for _ in range(4)]
    world.run(1)
    assert world.stop("all") == every
    world.run(2)
    assert [entry.state for entry in every] == ["stopped"] * 4
    assert [entry.heard for entry in every] == [2, 0, 0, 0]
    assert world.stop("all") == []


def test_interrupt_cuts_the_current_and_keeps_the_queue(world):
    current, queued = world.say(5), world.say(2)
    world.run(2)
    new = world.say(1, mode="interrupt")
    assert (new.position, queued.position, current.position) == (0, 1, None)
    world.finish()
    assert (current.state, current.cause) == ("stopped", "interrupted")
    assert (new.state, queued.state) == ("finished", "finished")
    order = [event.utterance_id for event in world.events if event.type == "utterance.started"]
    assert order == [current.id, new.id, queued.id]
    assert world.truly_heard(queued) == 12


@pytest.mark.parametrize("protection", ["none", "dtmf"])
def test_interrupt_goes_right_behind_a_protected_current(world, protection):
    current, queued = world.say(3, interruptible=protection), world.say(2)
    world.run(2)  # both lie in the ring by now
    assert queued.laying is not None
    new = world.say(1, mode="interrupt")
    assert (current.position, new.position, queued.position) == (0, 1, 2)
    world.finish()
    order = [event.utterance_id for event in world.events if event.type == "utterance.finished"]
    assert order == [current.id, new.id, queued.id]
    assert [world.truly_heard(entry) for entry in (current, new, queued)] == [18, 6, 12]


def test_what_was_laid_before_control_knew_is_not_overtaken(world):
    """The writer has laid the queued one, which control has not read yet when it puts one before it."""
    current = world.say(3, interruptible="none")
    world.run(2)
    queued = world.say(2)
    world.write()
    world.make(100)
    world.write()
    new = world.say(1, mode="interrupt")
    assert [entry.position for entry in (current, new, queued)] == [0, 1, 2]
    world.write()
    world.read()
    assert [entry.position for entry in (current, queued, new)] == [0, 1, 2]
    world.finish()
    order = [event.utterance_id for event in world.events if event.type == "utterance.finished"]
    assert order == [current.id, queued.id, new.id]
    assert [world.truly_heard(entry) for entry in (current, queued, new)] == [18, 12, 6]


def test_replace_drops_all_but_the_protected(world):
    current, protected, queued = world.say(5), world.say(2, interruptible="none"), world.say(2)
    world.run(2)
    new = world.say(1, mode="replace")
    world.finish()
    assert (current.cause, queued.cause) == ("replaced", "replaced")
    assert (current.state, queued.state, queued.heard) == ("stopped", "stopped", 0)
    order = [event.utterance_id for event in world.events if event.type == "utterance.finished"]
    assert order == [new.id, protected.id]


@pytest.mark.parametrize(
    ("interruptible", "states"),
    [
        (("any", "any", "any"), ("stopped", "stopped", "stopped")),
        (("dtmf", "none", "any"), ("stopped", "finished", "stopped")),
        (("none", "any", "dtmf"), ("finished", "stopped", "stopped")),
        (("none", "none", "none"), ("finished", "finished", "finished")),
    ],
)
def test_a_digit_cuts_what_it_may(world, interruptible, states):
    every = [world.say(4, interruptible=kind) for kind in interruptible]
    world.run(3)
    world.call.digit("5", None, world.glance())
    world.act()
    world.finish()
    assert tuple(entry.state for entry in every) == states
    assert {entry.cause for entry in every if entry.state == "stopped"} <= {"barge_in"}
    told = [event for event in world.events if event.type == "call.dtmf"]
    assert [event.data for event in told] == [{"digit": "5", "duration_ms": None}]
    for entry in every:
        assert world.truly_heard(entry) == entry.heard


def test_deleting_a_queued_one_leaves_the_current_unbroken(world):
    current, queued, last = world.say(6), world.say(3), world.say(2)
    world.run(3)
    assert world.stop_one(queued) == [queued]
    assert world.stop_one(queued) == []  # it is on its way out
    world.finish()
    assert (current.state, queued.state, last.state) == ("finished", "stopped", "finished")
    assert (queued.heard, current.heard, last.heard) == (0, 36, 12)
    assert world.truly_heard(queued) == 0
    starts = {e.utterance_id: e.at_ns for e in world.events if e.type == "utterance.started"}
    ends = {e.utterance_id: e.at_ns for e in world.events if e.type == "utterance.finished"}
    assert ends[current.id] - starts[current.id] == 340_000_000  # 18 packets, no gap


def test_deleting_one_that_has_just_ended_touches_nobody(world):
    first, second = world.say(2), world.say(2)
    world.turn()
    world.pace(7)  # the first is over and the second has begun; control has not looked yet
    assert first.state == "queued"
    assert world.stop_one(first) == []
    assert (first.state, second.state) == ("finished", "speaking")
    world.finish()
    assert second.state == "finished"
    assert second.cause == "normal"


def test_one_that_ends_while_it_is_being_cut_has_finished(world):
    utterance = world.say(2)
    world.turn()
    world.pace(5)
    glance = world.glance()
    world.pace(1)  # its last packet leaves between the look and the cut
    world.call.stop_utterance(utterance.id, glance)
    world.act()
    world.run(2)
    assert (utterance.state, utterance.cause, utterance.heard) == ("finished", "normal", 12)
    started, finished = (
        next(event.at_ns for event in world.events if event.type == f"utterance.{kind}")
        for kind in ("started", "finished")
    )
    assert finished - started == 100_000_000  # when its last packet left, not when that was found out


def test_unknown_and_duplicate_ids(world):
    world.say(1, uid="mine")
    for _ in range(2):
        with pytest.raises(Refusal) as duplicate:
            world.say(1, uid="mine")
        assert duplicate.value.code == "duplicate_utterance"
        world.finish()  # and an ended one's id is not free either
    with pytest.raises(Refusal) as unknown:
        world.call.stop_utterance("theirs", world.glance())
    assert unknown.value.code == "unknown_utterance"


def test_a_full_queue_refuses_and_a_replacing_one_still_fits(world):
    for _ in range(8):
        world.say(1)
    with pytest.raises(Refusal) as full:
        world.say(1)
    assert (full.value.code, full.value.retry_after) == ("queue_full", 5)
    new = world.say(1, mode="replace")
    world.finish()
    assert new.state == "finished"


def test_pause_holds_and_resume_goes_on(world):
    utterance, queued = world.say(3), world.say(1)
    world.run(2)
    world.call.pause(world.glance())
    world.act()
    assert (utterance.state, queued.state, world.call.paused) == ("paused", "queued", True)
    with pytest.raises(Refusal, match="already paused"):
        world.call.pause(world.glance())
    world.run(10)
    assert utterance.heard == 4
    world.call.resume(world.glance())
    world.act()
    assert utterance.state == "speaking"
    with pytest.raises(Refusal, match="not paused"):
        world.call.resume(world.glance())
    world.finish()
    assert world.truly_heard(utterance) == 18


def test_a_stop_while_paused_is_exact_and_the_pause_stays(world):
    utterance = world.say(3)
    world.run(2)
    world.call.pause(world.glance())
    world.act()
    world.stop()
    world.run(1)
    assert (utterance.state, utterance.heard) == ("stopped", 4)
    new = world.say(1)
    world.run(5)
    assert (new.state, new.heard) == ("queued", 0)


def test_deleting_a_queued_one_while_paused_keeps_the_current(world):
    current, queued = world.say(3), world.say(3)
    world.run(2)
    world.call.pause(world.glance())
    world.act()
    world.stop_one(queued)
    world.run(3)
    assert queued.state == "stopped"
    world.call.resume(world.glance())
    world.act()
    world.finish()
    assert world.truly_heard(current) == current.heard == 18


def test_trouble_and_quality_are_told(world):
    call = world.call
    call.report(Quality(0, 0.1, 5, 2.5, 30.0), world.glance())
    call.report(LegTrouble(0, "unreachable", "nobody"), world.glance())
    call.report(LegTrouble(0, "timeout", "silence"), world.glance())
    world.act()
    quality, unreachable, timeout = world.events[1:]
    assert quality.data == {
        "fraction_lost": 0.1,
        "cumulative_lost": 5,
        "jitter_ms": 2.5,
        "round_trip_ms": 30.0,
    }
    assert (unreachable.type, unreachable.data["unreachable"]) == ("call.quality", True)
    assert timeout.type == "call.media_timeout"


def test_next_at_is_where_something_is_to_be_told(world):
    playlist = world.call.playlist
    assert playlist.next_at() == NEVER
    world.say(2)
    assert playlist.next_at() == NEVER
    world.turn()
    assert playlist.next_at() == 1  # its first unit
    world.pace()
    world.look()
    assert playlist.next_at() == 7  # the unit at which m1 stands, sent
    world.pace(3)
    world.look()
    assert playlist.next_at() == 12  # its end
    world.pace(2)
    world.look()
    assert playlist.next_at() == NEVER


def test_only_actions_that_were_asked_for_come_out(world):
    assert world.call.take() == []
    assert all(isinstance(event, Publish) for event in world.events)
