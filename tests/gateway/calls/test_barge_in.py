"""What the caller's keys and voice do to a call's queue."""

from __future__ import annotations

import math

import pytest

from gateway.calls.requests import BargeIn

VOICE = BargeIn(voice=True)
UNSURE = BargeIn(voice=True, confirm_ms=300)


def test_only_digits_of_the_map_cut_and_others_are_told(world):
    utterance = world.say(6, barge_in=BargeIn(digits=frozenset("#")))
    queued = world.say(2, barge_in=BargeIn(digits=frozenset("#5")))
    world.run(2)
    world.digit("1")
    world.run(1)
    assert (utterance.state, queued.state) == ("speaking", "queued")
    world.digit("5")
    world.run(1)
    assert (utterance.state, queued.state) == ("speaking", "stopped")
    world.digit("#")
    world.run(2)
    assert (utterance.state, utterance.cause) == ("stopped", "barge_in")
    told = [event.data["digit"] for event in world.events if event.type == "call.dtmf"]
    assert told == ["1", "5", "#"]


@pytest.mark.parametrize(
    ("interruptible", "states"),
    [
        (("any", "dtmf", "any"), ("stopped", "finished", "stopped")),
        (("none", "any", "dtmf"), ("finished", "stopped", "finished")),
        (("dtmf", "none", "none"), ("finished", "finished", "finished")),
    ],
)
def test_a_voice_cuts_what_it_may_at_once(world, interruptible, states):
    every = [world.say(4, interruptible=kind, barge_in=VOICE) for kind in interruptible]
    world.run(3)
    world.voice("started")
    world.finish()
    assert tuple(entry.state for entry in every) == states
    assert {entry.cause for entry in every if entry.state == "stopped"} <= {"barge_in"}
    (told,) = [event for event in world.events if event.type == "call.speech_started"]
    assert told.data == {"voice_ms": 60, "barge_in": "cut" if "stopped" in states else "none"}
    for entry in every:
        assert world.truly_heard(entry) == entry.heard


def test_a_voice_cuts_nothing_that_does_not_listen_to_it(world):
    deaf, listening = world.say(4), world.say(4, barge_in=VOICE)
    assert world.call.confirm_ms == 0, "somebody listens while it waits"
    world.run(3)
    world.voice("started")
    world.voice("stopped", 200)
    world.finish()
    assert (deaf.state, listening.state) == ("finished", "stopped")
    assert world.call.confirm_ms is None
    kinds = [event.type for event in world.events if event.type.startswith("call.speech")]
    assert kinds == ["call.speech_started", "call.speech_stopped"]


def test_a_cough_holds_speech_which_then_goes_on_from_the_same_unit(world):
    utterance, queued = world.say(5, barge_in=UNSURE), world.say(2, barge_in=UNSURE)
    assert world.call.confirm_ms == 300
    world.run(4)
    world.voice("started")
    world.run(3)
    assert utterance.state == "paused"
    assert utterance.spoken_ms == 80
    assert not world.call.paused, "the controller did not ask for it"
    world.voice("stopped", 120)
    world.finish()
    assert (utterance.state, queued.state) == ("finished", "finished")
    assert world.truly_heard(utterance) == 30
    told = [event.data["barge_in"] for event in world.events if event.type.startswith("call.speech")]
    assert told == ["held", "dismissed"]


def test_a_caller_who_goes_on_speaking_cuts_what_was_held_and_no_more(world):
    current, queued = world.say(5, barge_in=UNSURE), world.say(2, barge_in=UNSURE)
    world.run(4)
    world.voice("started")
    world.run(3)
    answer = world.say(2, barge_in=UNSURE)  # queued while it was not yet sure
    world.voice("confirmed", 300)
    world.finish()
    assert (current.state, current.cause, current.spoken_ms) == ("stopped", "barge_in", 80)
    assert (queued.state, queued.cause, queued.spoken_ms) == ("stopped", "barge_in", 0)
    assert answer.state == "finished"
    account = next(event.data for event in world.events if event.type == "utterance.stopped")
    assert account["spoken_text"] == "u1w0,"
    assert account["remaining_text"] == " u1w1, u1w2, u1w3, u1w4"
    world.voice("stopped", 900)
    assert world.events[-1].data == {"voice_ms": 900, "barge_in": "none"}


def test_speech_that_cannot_be_cut_is_not_held(world):
    notice, queued = world.say(4, interruptible="none", barge_in=UNSURE), world.say(3, barge_in=UNSURE)
    world.run(2)
    world.voice("started")
    world.run(2)
    assert notice.state == "speaking"
    world.voice("confirmed", 300)
    world.finish()
    assert (notice.state, queued.state) == ("finished", "stopped")
    assert world.truly_heard(notice) == 24


@pytest.mark.parametrize("how", ["stop", "digit", "interrupt"])
def test_nothing_waits_for_a_caller_when_what_he_may_cut_is_gone(world, how):
    held = world.say(5, barge_in=UNSURE)
    world.run(3)
    world.voice("started")
    world.run(2)
    after = None
    if how == "stop":
        world.stop()
    elif how == "digit":
        world.digit("1")
    else:
        after = world.say(2, mode="interrupt")
    after = after or world.say(2)
    world.run(2)
    assert held.state == "stopped"
    assert after.state == "speaking", "without waiting for the caller to be silent"
    world.finish()
    assert after.state == "finished"


@pytest.mark.parametrize(("then", "state"), [("stopped", "finished"), ("confirmed", "stopped")])
def test_speech_may_be_ducked_while_it_is_not_sure(world, then, state):
    utterance = world.say(5, barge_in=BargeIn(voice=True, confirm_ms=300, meanwhile="duck"))
    world.run(3)
    world.voice("started")
    assert [round(20 * math.log10(mix.gain)) for mix in world.mixes] == [-18]
    world.run(2)
    assert utterance.state == "speaking"
    world.voice(then, 300)
    assert [mix.gain for mix in world.mixes[1:]] == [1.0]
    world.finish()
    assert utterance.state == state


def test_a_call_that_closes_speaks_as_before_at_once_and_not_when_its_leg_may_be_gone(world):
    world.say(5, barge_in=BargeIn(voice=True, confirm_ms=300, meanwhile="duck"))
    world.run(3)
    world.voice("started")
    world.call.close("closed", world.glance())
    world.act()
    assert [mix.gain for mix in world.mixes[1:]] == [1.0]
    world.idle(2)  # the leg may be closed from here on: the media worker is told no more of it
    world.call.advance(world.glance())
    world.act()
    assert len(world.mixes) == 2


def test_holds_of_the_controller_and_the_caller_do_not_undo_each_other(world):
    utterance = world.say(5, barge_in=UNSURE)
    world.run(3)
    world.voice("started")
    world.call.pause(world.glance())
    world.act()
    world.voice("stopped", 100)
    world.run(3)
    assert utterance.state == "paused"
    world.call.resume(world.glance())
    world.act()
    world.finish()
    assert world.truly_heard(utterance) == 30


def test_a_pause_at_a_word_is_at_its_end(world):
    utterance = world.say(5)
    world.run(3)  # six units: the second word begins
    world.call.pause(world.glance(), at_word=True)
    world.act()
    assert utterance.state == "paused"
    world.run(5)
    assert utterance.spoken_ms == 120
    assert utterance.spoken_text == "u1w0, u1w1,"
    world.call.resume(world.glance())
    world.act()
    world.finish()
    assert world.truly_heard(utterance) == 30


def test_a_pause_at_a_word_that_is_cut_is_at_once(world):
    utterance, queued = world.say(5), world.say(3)
    world.run(4)
    world.call.pause(world.glance(), at_word=True)
    world.act()
    world.stop()
    world.run(4)
    assert (utterance.state, utterance.spoken_ms) == ("stopped", 80)
    assert (queued.state, queued.heard) == ("queued", 0)
    world.call.resume(world.glance())
    world.act()
    world.finish()
    assert queued.state == "finished"
