"""How utterances and calls come to an end otherwise: failures, deaths, closing, nothing to say."""

from __future__ import annotations

import pytest

from gateway.errors import Refusal
from gateway.messages.media import LegStatistics
from gateway.messages.synthesis import Described, Laying, MarkAt, SpeechFailed


def test_underruns_belong_to_the_one_that_is_spoken(world):
    utterance = world.say(3)
    world.write()
    world.make(1)
    world.write()
    world.read()
    world.pace(5)  # the first word has been sent, the second is not made
    count = int(world.ring.underruns[0])
    assert count == 1
    world.call.advance(world.glance(), {"synthesis": count})
    world.act()
    assert utterance.underruns == 1
    assert world.happened(utterance) == ["started", "mark", "underrun"]
    told = next(event for event in world.events if event.type == "utterance.underrun")
    assert told.data == {"underruns": 1, "cause": "synthesis"}
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


def test_another_writer_says_what_a_dead_one_has_not_laid(world):
    begun, queued = world.say(60), world.say(2)
    world.run(3)
    world.kill_writer()
    world.idle(200)
    assert (begun.state, begun.heard) == ("speaking", 240), "40 words, and no more fits into the ring"
    assert begun.spoken_text.endswith("u1w39,")
    late = world.say(1)  # nobody is there to make it
    assert (queued.state, late.state) == ("queued", "queued")
    world.start_writer()
    world.act()
    world.finish()
    told = [event.data for event in world.events if event.type == "utterance.underrun"]
    assert told == [{"underruns": 1, "cause": "synthesis"}], "it was silent until then"
    assert [entry.state for entry in (begun, queued, late)] == ["finished"] * 3
    assert [world.truly_heard(entry) for entry in (begun, queued, late)] == [360, 12, 6]
    assert begun.duration_ms == 3600
    assert world.happened(begun).count("mark") == 60


@pytest.mark.parametrize("laid", [0, 1, 5, 6, 7, 12, 29, 30])
@pytest.mark.parametrize("ptime", [10, 20, 30])
def test_the_next_writer_begins_at_the_word_that_is_not_whole(new_world, ptime, laid):
    """Ring, word and packet ends in every combination; the next writer is there at once, and there is no gap."""
    world = new_world(ptime)
    utterance = world.say(60)
    world.run(2)
    packets = world.ring.written[0] // (ptime // 10)
    at = utterance.begin + int(packets * (ptime // 10)) - laid * (ptime // 10)
    world.ring.written[0] = at  # it had not laid more
    world.kill_writer()
    assert utterance.resume is not None
    word = utterance.resume.unit
    assert word <= at
    assert at - word < 6 + ptime // 10, "no whole word is said again"
    world.start_writer()
    world.act()
    before = world.ticks, sum(map(len, world.heard.values()))
    world.run(60)
    ticks, units = world.ticks - before[0], sum(map(len, world.heard.values())) - before[1]
    assert units == ticks * ptime // 10, "a packet of speech in every packet time"
    world.finish()
    assert world.truly_heard(utterance) == 360
    assert (utterance.state, utterance.underruns) == ("finished", 0)
    assert [event.data["name"] for event in world.events if event.type == "utterance.mark"] == [
        f"m{n}" for n in range(60)
    ]
    world.close()


@pytest.mark.parametrize("late", [0, 1, 3])
@pytest.mark.parametrize("ptime", [10, 20, 30])
def test_another_writer_goes_on_in_mid_speech_and_nobody_hears_it(new_world, ptime, late):
    """``late``: packets that leave before the first one has let go, of which it lays more meanwhile."""
    world = new_world(ptime)
    utterance, queued = world.say(60), world.say(2)
    world.run(4)
    assert world.call.playlist.movable
    before = world.ticks, sum(map(len, world.heard.values()))
    world.move()
    assert not world.call.playlist.movable, "it is on its way"
    world.pace(late)
    world.write(0)
    world.run(60)
    ticks, units = world.ticks - before[0], sum(map(len, world.heard.values())) - before[1]
    assert units == ticks * ptime // 10, "a packet of speech in every packet time"
    world.finish()
    assert [(entry.state, entry.underruns) for entry in (utterance, queued)] == [("finished", 0)] * 2
    assert [world.truly_heard(entry) for entry in (utterance, queued)] == [360, 12]
    assert world.happened(utterance).count("mark") == 60
    world.close()


@pytest.mark.parametrize("goes", ["kill_writer", "move"])
def test_what_was_held_and_let_go_on_is_not_cut_where_it_was_held(new_world, goes):
    """The pacer finds all three at once: it goes on, and is cut further on, where the next writer begins."""
    world = new_world(20, sip="in")
    world.answer()
    first, second = world.say(3), world.say(4)
    world.run(4)
    world.call.pause(world.glance())
    world.act()
    world.run(3)
    world.call.resume(world.glance())
    world.act()
    getattr(world, goes)()
    if world.writer is None:
        world.start_writer()
        world.act()
    world.finish()
    assert [entry.state for entry in (first, second)] == ["finished"] * 2
    assert [world.truly_heard(entry) for entry in (first, second)] == [18, 24]
    world.close()


def test_what_lies_whole_in_the_ring_is_not_ordered_again(world):
    first, second = world.say(3), world.say(2)
    world.run(2)
    world.kill_writer()
    world.start_writer()
    world.act()
    assert [type(message).__name__ for message in world.to_writer] == ["AttachLeg"]
    third = world.say(2)
    world.finish()
    assert [entry.state for entry in (first, second, third)] == ["finished"] * 3
    assert [world.truly_heard(entry) for entry in (first, second, third)] == [18, 12, 12]


def test_a_second_death_before_the_second_writer_began(world):
    utterance = world.say(60)
    world.run(3)
    for _ in range(2):
        world.kill_writer()
        world.start_writer()
        world.act()
        world.pace(2)
        world.look()
    world.finish()
    assert world.truly_heard(utterance) == 360
    assert (utterance.state, utterance.duration_ms) == ("finished", 3600)


def test_an_utterance_that_three_workers_died_over_fails_and_the_next_is_said(world):
    poison, queued = world.say(60), world.say(2)
    for _ in range(2):
        world.kill_writer()
        world.acknowledge()
        world.look()
        world.start_writer()
        world.act()
    world.kill_writer()
    world.acknowledge()
    world.look()
    world.start_writer()
    world.act()
    world.finish()
    assert (poison.state, poison.cause, poison.heard) == ("failed", "worker_died", 0)
    failed = next(event for event in world.events if event.type == "utterance.failed")
    assert failed.data["detail"] == "3 synthesis workers died over it"
    assert queued.state == "finished"
    assert world.truly_heard(queued) == 12


@pytest.mark.parametrize("there", [False, True])
def test_what_cuts_into_a_handover_is_exact(new_world, there):
    """Pause, a stop, an interruption behind a protected one, while the ring still holds a dead writer's work."""

    def pause(world):
        world.call.pause(world.glance())
        world.act()
        world.idle(5)
        world.call.resume(world.glance())
        world.act()

    for cut in (
        pause,
        lambda world: world.stop(),
        lambda world: world.stop_one(world.said[1]),
        lambda world: world.say(4, mode="interrupt"),
        lambda world: world.say(4, mode="replace"),
    ):
        world = new_world(20)
        protected, other, last = world.say(5, interruptible="none"), world.say(60), world.say(3)
        world.run(4)
        world.kill_writer()
        if there:
            world.start_writer()
            world.act()
            world.write()
        world.idle(3)
        cut(world)
        world.idle(3)
        if not there:
            world.start_writer()
            world.act()
        world.finish()
        assert all(entry.ended for entry in world.said)
        for entry in world.said:
            assert world.truly_heard(entry) == entry.heard
            assert entry.state == ("finished" if entry.heard == entry.units and entry.units else "stopped")
        assert last.state == "finished" or cut not in (pause,)
        assert {protected.state, other.state} <= {"finished", "stopped"}
        world.close()


def test_what_nobody_makes_in_time_fails_after_what_is_laid(world):
    whole, begun, queued = world.say(2), world.say(60), world.say(2)
    world.run(3)
    world.kill_writer()
    world.call.playlist.forsake("no worker", world.glance())
    world.act()
    assert [entry.state for entry in (whole, begun, queued)] == ["speaking", "queued", "queued"]
    world.idle(200)
    assert [entry.state for entry in (whole, begun, queued)] == ["finished", "failed", "failed"]
    assert begun.cause == queued.cause == "worker_died"
    assert world.truly_heard(begun) == begun.heard == 228
    failed = next(event for event in world.events if event.type == "utterance.failed")
    assert (failed.data["error"], failed.data["detail"]) == ("worker_died", "no worker")
    world.start_writer()
    world.act()
    late = world.say(1)
    world.finish()
    assert late.state == "finished"


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
    statistics = LegStatistics(1, 2, 3, 4, 5, 6, 7, 8, None, None, None, None, 9, 10, {})
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
