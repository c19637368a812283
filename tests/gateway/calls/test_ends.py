"""How utterances and calls come to an end otherwise: failures, deaths, closing, nothing to say."""

from __future__ import annotations

import pytest

from gateway.errors import Refusal
from gateway.messages import Described, Laying, LegStatistics, MarkAt, SpeechFailed


def test_underruns_belong_to_the_one_that_is_spoken(world):
    utterance = world.say(3)
    world.write()
    world.make(1)
    world.write()
    world.read()
    world.pace(5)  # the first word has been sent, the second is not made
    count = int(world.ring.underruns[0])
    assert count == 1
    world.call.advance(world.glance(), count)
    world.act()
    assert utterance.underruns == 1
    assert world.happened(utterance) == ["started", "mark", "underrun"]
    world.finish()
    assert utterance.state == "finished"


def test_a_failing_engine_speaks_what_there_is_and_fails(world):
    utterance, queued = world.say(4), world.say(1)
    world.write()
    world.make(2)
    world.write()
    world.fail()
    world.finish()
    assert (utterance.state, utterance.cause, utterance.heard) == ("failed", "error", 12)
    assert (utterance.spoken_text, utterance.remaining_text) == ("u1w0, u1w1,", " u1w2, u1w3")
    failed = next(event for event in world.events if event.type == "utterance.failed")
    assert (failed.data["error"], failed.data["detail"]) == ("engine", "it broke")
    assert queued.state == "finished"


def test_one_that_cannot_be_made_at_all_fails_at_once(world):
    first, second = world.say(5), world.say(1)
    world.run(1)
    world.call.playlist.speech_failed(SpeechFailed(0, 0, second.key, "engine", "no", 0), world.glance())
    world.act()
    assert (first.state, second.state) == ("speaking", "failed")


def test_an_utterance_without_audio_finishes_in_its_turn(world):
    first, empty, last = world.say(2), world.say(0), world.say(1)
    world.finish()
    assert [entry.state for entry in (first, empty, last)] == ["finished"] * 3
    ends = [event.utterance_id for event in world.events if event.type == "utterance.finished"]
    assert ends == [first.id, empty.id, last.id]
    assert world.happened(empty) == ["finished"]
    assert empty.first_audio_ms is None


def test_marks_of_one_without_audio_and_at_the_very_end(world):
    """SSML may be nothing but a mark, and an end may become known after all of it was sent."""
    silent = world.say(0)
    playlist = world.call.playlist
    playlist.describe(Described(0, 0, silent.key, 0, True, (), (MarkAt("only", 0),), False), world.glance())
    world.act()
    assert world.happened(silent) == ["mark", "finished"]
    assert silent.last_mark == "only"

    late = world.say(0)
    playlist.describe(Described(0, 0, late.key, 2, False, (), (MarkAt("end", 2),), False), world.glance())
    playlist.laid(Laying(0, 0, late.key, playlist.generation, 0, 0), world.glance())
    world.ring.sent[0], world.ring.sent_ns[0] = 2, world.now_ns
    sent_ns = world.now_ns
    world.look()
    world.now_ns += 50_000_000
    assert world.happened(late) == ["started"]
    playlist.describe(Described(0, 0, late.key, 2, True, (), (), False), world.glance())
    world.act()
    assert world.happened(late) == ["started", "mark", "finished"]
    assert [event.at_ns for event in world.events if event.utterance_id == late.id] == [sent_ns] * 3


def test_a_dead_writer_fails_what_was_begun_and_another_says_the_rest(world):
    begun, queued = world.say(5), world.say(2)
    world.run(3)
    world.kill_writer()
    world.acknowledge()
    world.look()
    assert (begun.state, begun.cause, begun.heard) == ("failed", "worker_died", 6)
    assert begun.spoken_text == "u1w0,"
    late = world.say(1)  # nobody is there to make it
    assert (queued.state, late.state) == ("queued", "queued")
    world.start_writer()
    world.act()
    world.finish()
    assert (queued.state, late.state) == ("finished", "finished")
    assert (world.truly_heard(begun), world.truly_heard(queued)) == (6, 12)


def test_without_a_writer_queued_ones_can_be_stopped(world):
    world.kill_writer()
    world.acknowledge()
    world.look()
    protected, queued = world.say(1, interruptible="none"), world.say(1)
    assert world.stop_one(queued) == [queued]
    assert queued.state == "stopped"
    assert protected.state == "queued"


def test_closing_ends_everything_once(world):
    utterance, queued = world.say(5), world.say(5)
    world.run(2)
    world.call.close("closed", world.glance())
    world.act()
    with pytest.raises(Refusal) as refusal:
        world.say(1)
    assert refusal.value.code == "wrong_state"
    world.run(1)
    assert (utterance.cause, queued.cause, utterance.heard) == ("call_closed", "call_closed", 4)
    statistics = LegStatistics(1, 2, 3, 4, 5, 6, 7, 8, None, None, None, None, 9, 10)
    world.call.closed("closed", statistics, world.call.opened_at, world.glance())
    world.act()
    assert (world.call.state, world.call.cause, world.call.statistics) == ("closed", "closed", statistics)
    last = world.events[-1]
    assert (last.type, last.data["cause"]) == ("call.closed", "closed")
    assert last.data["statistics"]["packets"] == 1


def test_a_dead_media_worker_ends_the_call_with_what_was_heard(world):
    utterance, queued = world.say(5), world.say(5)
    world.run(2)
    world.call.closed("media_worker_died", None, world.call.opened_at, world.glance())
    world.act()
    assert (utterance.state, utterance.cause, utterance.heard) == ("stopped", "call_closed", 4)
    assert queued.state == "stopped"
    assert world.events[-1].data == {"cause": "media_worker_died", "statistics": None}


def test_giving_up_ends_those_that_wait_with_what_is_known(world):
    utterance, queued = world.say(5), world.say(5, interruptible="none")
    world.run(2)
    world.stop()
    world.call.playlist.give_up(world.glance())  # the pacer never acted
    world.act()
    assert (utterance.state, utterance.heard) == ("stopped", 4)
    world.finish()  # it does now
    assert world.truly_heard(queued) == queued.heard == 30
