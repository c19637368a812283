"""The feeder's promises, one at a time, in virtual time against a real ring."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.messages.synthesis import Described, Laying, LegDetached, Removed, SpeechFailed
from gateway.ring import CAPACITY, UNIT_OCTETS
from gateway.speech.schedule import LOOKAHEAD
from gateway.speech.track import Stretch


def speak_all(rig: Any, *sources: str) -> list[int]:
    """Speak the sources on row 0, all made and in the cache's hands; returns their keys."""
    keys = [rig.speak(source) for source in sources]
    rig.deliver()
    rig.make(100)
    return keys


def test_a_cached_utterance_is_laid_in_the_turn_in_which_it_is_asked_for(rig: Any) -> None:
    speak_all(rig, "1:30")
    rig.finish()
    rig.log.clear()
    key = rig.speak("1:30")
    written = int(rig.block.written[0])
    rig.deliver()
    assert rig.block.written[0] == written + 60
    assert rig.log == [
        Described(0, 0, key, units=60, complete=True, words=(), marks=(), cached=True),
        Laying(0, 0, key, generation=0, at=written, offset=0),
    ]
    assert (rig.library.hits, rig.library.misses) == (1, 1)


def test_who_runs_dry_first_is_laid_for_first(
    new_rig: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The feeder was kept away from its core, and may be again before it has served them all."""
    rig = new_rig((20, 20, 20))
    for row in range(3):
        rig.attach(row)
        rig.speak(f"{row + 1}:200", row)
    rig.deliver()
    rig.step(5)
    rig.make(1000)
    rig.feeder.service(rig.now_ns)
    rig.block.sent[:] = 130, 150, 140
    served: list[int] = []
    lay = rig.block.lay

    def noted(row: int, payload: memoryview, *, unfinished: bool) -> int:
        served.append(row)
        return lay(row, payload, unfinished=unfinished)

    monkeypatch.setattr(rig.block, "lay", noted)
    rig.feeder.service(rig.now_ns)
    assert list(dict.fromkeys(served)) == [1, 2, 0]
    rig.close()


def test_what_is_sought_elsewhere_is_not_made_until_it_is_known_to_be_nowhere(rig: Any) -> None:
    rig.seeking = {"1:10", "2:10"}
    there, nowhere = rig.speak("1:10"), rig.speak("2:10")
    again = rig.speak("1:10")
    rig.deliver()
    rig.make(100)
    first, second = rig.sought
    assert (first.units, second.units) == (0, 0)
    rig.feeder.found(first, Stretch(rig.whole(there), last=True), rig.now_ns)
    assert rig.laying(there) is not None
    rig.make(100)
    assert second.units == 0
    rig.feeder.found(second, None, rig.now_ns)
    rig.make(100)
    assert second.complete
    rig.finish()
    rig.check_all_heard()
    assert [message.key for message in rig.of(Laying)] == [there, nowhere, again]
    rig.speak("1:10")
    rig.deliver()
    assert len(rig.sought) == 2, "it is in the cache"


def test_what_is_found_when_nobody_listens_any_more_is_void(rig: Any) -> None:
    rig.seeking = {"1:10"}
    key = rig.speak("1:10")
    rig.deliver()
    rig.remove(key)
    rig.deliver()
    (track,) = rig.sought
    rig.feeder.found(track, Stretch(rig.whole(key), last=True), rig.now_ns)
    rig.feeder.found(track, None, rig.now_ns)
    assert track.units == 0


def test_utterances_follow_each_other_without_a_gap(rig: Any) -> None:
    keys = speak_all(rig, "1:30", "2:1", "3:200,7", "4:0", "5:50")
    packets = sum(len(rig.whole(key)) for key in keys) // 160
    rig.step(2 * packets, making=True)
    assert rig.packets == [packets], "a packet in every packet time"
    rig.check_all_heard()
    assert [message.key for message in rig.of(Laying)] == keys


def test_nothing_overtakes_an_utterance_that_is_still_being_made(rig: Any) -> None:
    speak_all(rig, "9:20")  # now in the cache
    rig.finish()
    first, second = rig.speak("1:10,10,10"), rig.speak("9:20")
    rig.deliver()
    rig.make(1)
    rig.step(30)
    assert len(rig.heard[first]) == 10 * 160
    assert rig.laying(second) is None
    assert rig.block.unfinished[0], "a dry ring is an underrun now"
    rig.finish()
    rig.check_all_heard()


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 60])
def test_the_ring_wraps_at_every_ptime(new_rig: Callable[..., Any], ptime_ms: int) -> None:
    rig = new_rig((ptime_ms,))
    try:
        rig.attach()
        for seed in range(3):
            rig.speak(f"{seed}:7,41,{3 * CAPACITY * 10 // ptime_ms},1")
        rig.finish()
        rig.check_all_heard()
        assert rig.block.sent[0] > 8 * CAPACITY
    finally:
        rig.close()


def test_a_long_text_is_made_only_as_it_is_spoken(rig: Any) -> None:
    key = rig.speak("1:" + ",".join(["100"] * 300))  # ten minutes in clauses of two seconds
    most = 0
    for _ in range(2 * 300 * 100):
        rig.step(making=True)
        track = next(iter(rig.feeder._readers), None)
        if track is None:
            break
        assert track.units - rig.block.sent[0] <= LOOKAHEAD + 200
        most = max(most, rig.held_octets(track))
    assert rig.heard[key] == rig.whole(key)
    # the cache gives up at a thirty-second of its megabyte; from there on only what is still to be heard is held
    assert most <= (LOOKAHEAD + 3 * 200) * UNIT_OCTETS
    assert len(rig.library) == 0


def test_a_ring_is_filled_by_what_is_made_and_never_beyond(rig: Any) -> None:
    speak_all(rig, "1:500")
    assert rig.block.ahead(0) == CAPACITY
    rig.step(CAPACITY // 2 - 2)
    assert rig.block.ahead(0) < CAPACITY // 2 + 4
    rig.step(4)
    assert rig.block.ahead(0) > CAPACITY - 4, "fed again at half"


def test_interrupt_cuts_the_first_and_lays_the_rest_again(rig: Any) -> None:
    first, second, third = speak_all(rig, "1:20", "2:30", "3:40")
    rig.step(10)
    rig.cut(first)
    urgent = rig.speak("4:10", before=second)
    rig.deliver()
    rig.make(5)
    assert rig.laying(urgent) is None, "the pacer has not let go"
    rig.finish()
    assert 0 < len(rig.heard[first]) < len(rig.whole(first))
    rig.check_all_heard()
    order = [message.key for message in rig.of(Laying) if message.generation == 1]
    assert order == [urgent, second, third]


def test_what_was_half_heard_goes_on_where_it_was_cut(rig: Any) -> None:
    first, second = speak_all(rig, "1:50", "2:50")
    rig.step(20)
    sent = int(rig.block.sent[0])
    rig.cut(second)
    rig.finish()
    rig.check_all_heard()
    again = rig.laying(first)
    assert (again.generation, again.offset, again.at) == (1, sent, sent)
    assert second not in rig.heard


def test_nothing_is_laid_between_the_cut_of_the_ring_and_its_message(rig: Any) -> None:
    speak_all(rig, "1:20")
    rig.step(4)
    rig.block.cut(0)  # the message is still on its way
    rig.speak("2:20")
    rig.deliver()
    rig.make(5)
    rig.step(5)
    assert rig.block.written[0] == 40


def test_removing_what_is_not_laid_needs_no_cut(rig: Any) -> None:
    first, second = rig.speak("1:300"), rig.speak("2:10")
    rig.deliver()
    rig.make(100)
    rig.remove(second)
    rig.deliver()
    assert rig.of(Removed) == [Removed(0, 0, second, None)]
    assert rig.block.generation[0] == 0
    rig.finish()
    rig.check_all_heard()
    assert second not in rig.heard
    assert len(rig.heard[first]) == 300 * 160


def test_removing_what_is_laid_holds_the_row_until_it_is_cut(rig: Any) -> None:
    first, second, third = speak_all(rig, "1:20", "2:60", "3:60")
    rig.step(4)
    rig.remove(second)
    rig.deliver()
    assert rig.of(Removed) == [Removed(0, 0, second, 40)]
    written = int(rig.block.written[0])
    rig.feeder.service(rig.now_ns)
    rig.step(60 + CAPACITY // 2)
    assert rig.block.written[0] == written
    rig.answers.clear()
    rig.cut(second, at=rig.laying(third).at)
    rig.finish()
    rig.check_all_heard()
    assert len(rig.heard[first]) == 20 * 160


def test_a_cut_under_way_takes_along_what_is_removed_behind_it(rig: Any) -> None:
    first, second, third = speak_all(rig, "1:20", "2:20", "3:20")
    rig.step(4)
    rig.cut(second, at=40)
    rig.remove(third)
    rig.deliver()
    assert rig.of(Removed) == [Removed(0, 0, third, None)], "it needs no cut of its own"
    rig.finish()
    assert rig.heard.keys() == {first}


def test_what_is_removed_before_a_cut_under_way_needs_a_nearer_one(rig: Any) -> None:
    first, second, third = speak_all(rig, "1:20", "2:20", "3:20")
    rig.step(4)
    rig.cut(third, at=80)
    rig.remove(second)
    rig.deliver()
    assert rig.of(Removed) == [Removed(0, 0, second, 40)]
    rig.finish()
    assert rig.heard.keys() == {first}


def test_a_newer_cut_is_awaited_instead_of_the_older(rig: Any) -> None:
    first, second = speak_all(rig, "1:40", "2:40")
    rig.step(6)
    rig.cut(second, at=80)
    rig.deliver()
    rig.step(6)
    rig.cut(first)
    third = rig.speak("3:40")
    rig.deliver()
    rig.finish()
    assert len(rig.heard[first]) == 160 * 6
    assert rig.heard[third] == rig.whole(third)


def test_a_dropped_utterance_is_made_no_further(rig: Any) -> None:
    key = rig.speak("1:10,10,10")
    rig.deliver()
    track = rig.make(1)
    rig.cut(key)
    rig.deliver()
    assert rig.dropped == [track]
    assert rig.make(1) is None
    assert not rig.has_speech


def test_those_who_say_the_same_at_once_share_what_is_made(new_rig: Callable[..., Any]) -> None:
    rig = new_rig((20,) * 5)
    try:
        keys = []
        for row in range(5):
            rig.attach(row)
            keys.append(rig.speak("1:50,50,50", row))
            rig.deliver()
            rig.make(1)  # each joins a little later
        rig.cut(keys[0])
        rig.deliver()
        assert not rig.dropped, "the others still listen"
        rig.finish()
        rig.check_all_heard()
        assert rig.library.octets >= 150 * 160
        assert len(rig.library) == 1
    finally:
        rig.close()


def test_a_failure_ends_its_utterance_and_no_other(rig: Any) -> None:
    first, second = rig.speak("1:20,20"), rig.speak("2:20")
    rig.deliver()
    rig.make(1)
    rig.fail()
    assert rig.of(SpeechFailed) == [SpeechFailed(0, 0, first, "engine_error", "no breath", 40)]
    assert not rig.block.unfinished[0]
    rig.finish()
    rig.check_all_heard()
    again = rig.speak("1:20,20")
    rig.finish()
    assert rig.heard[again] == rig.whole(again), "a failure is not cached"
    assert rig.heard[second] == rig.whole(second)


def test_an_utterance_without_sound_takes_its_turn(rig: Any) -> None:
    first, empty, last = speak_all(rig, "1:10", "2:0", "3:10")
    rig.finish()
    rig.check_all_heard()
    layings = {message.key: message.at for message in rig.of(Laying)}
    assert layings == {first: 0, empty: 20, last: 20}


def test_a_new_leg_on_the_row_hears_nothing_of_the_old(rig: Any) -> None:
    speak_all(rig, "1:100")
    rig.step(10)
    rig.detach()
    rig.deliver()
    assert rig.of(LegDetached) == [LegDetached(0, 0)]
    rig.block.sent[0] = 0
    rig.step(2)
    rig.attach()
    key = rig.speak("2:30")
    rig.deliver()
    rig.make(2)
    rig.step(2)
    assert rig.laying(key).at == 0
    rig.finish()
    assert rig.heard[key] == rig.whole(key)


def test_a_ring_reset_forgets_its_legs_without_a_word(rig: Any) -> None:
    rig.speak("1:100,100")
    rig.deliver()
    rig.make(1)
    rig.log.clear()
    rig.reset()
    rig.remove(1)
    rig.deliver()
    assert rig.log == [Removed(0, 0, 1, None)]
    assert not rig.has_speech
    assert rig.feeder.streams == 0
    assert len(rig.dropped) == 1


def test_the_leg_that_runs_dry_first_is_served_first(new_rig: Callable[..., Any]) -> None:
    rig = new_rig((20, 20, 20))
    try:
        keys = []
        for row in range(3):
            rig.attach(row)
            keys.append(rig.speak(f"{row}:{(3 - row) * 20},100", row))
        rig.deliver()
        rig.make(3)  # 600, 400 and 200 ms of audio, in order of arrival
        assert [rig.make(1).recipe.source[0] for _ in range(3)] == ["2", "1", "0"]
        late = rig.speak("7:10", 0)
        rig.cut(keys[0])
        rig.deliver()
        assert rig.make(1).recipe.source[0] == "7", "a leg that has nothing to say is due now"
        rig.finish()
        assert rig.heard[late] == rig.whole(late)
    finally:
        rig.close()


def test_short_utterances_wait_for_one_clause_of_a_long_one_at_most(new_rig: Callable[..., Any]) -> None:
    rig = new_rig((20,) * 51)
    try:
        for row in range(51):
            rig.attach(row)
        rig.speak("0:" + ",".join(["50"] * 1000), 0)
        rig.deliver()
        rig.make(1)
        for row in range(1, 51):
            rig.speak(f"{row}:50,50", row)
        rig.deliver()
        begun = [rig.make(1).recipe.source.partition(":")[0] for _ in range(50)]
        assert begun == [str(row) for row in range(1, 51)], (
            "each once, in order of arrival, the long one after"
        )
    finally:
        rig.close()


def test_a_stream_changes_its_law_where_it_was_cut(rig: Any) -> None:
    current, queued = speak_all(rig, "1:60,60", "2:30")
    rig.step(20)
    heard = len(rig.heard[current]) // UNIT_OCTETS
    generation = rig.recode()
    rig.finish()
    laid = rig.laying(current)
    assert (laid.generation, laid.offset) == (generation, heard), "again from its first unheard unit"
    rig.check_all_heard()
    assert {rig.made_in[key] for key in (current, queued)} == {"PCMU"}


def test_what_is_said_after_a_change_is_made_in_the_new_law(rig: Any) -> None:
    speak_all(rig, "1:60")
    rig.recode()
    key = rig.speak("1:60")
    rig.deliver()
    track = rig.make(1)
    assert (track.recipe.source, track.recipe.law) == ("1:60", "PCMA"), "the old law's copy will not do"
    rig.finish()
    assert rig.made_in[key] == "PCMA"
    rig.check_all_heard()


def test_a_change_there_and_back_costs_nothing_of_what_was_made(rig: Any) -> None:
    (key,) = speak_all(rig, "1:100")
    for _ in range(2):
        rig.step(30)
        rig.recode()
    rig.finish()
    assert bytes(rig.heard[key]) == rig.whole(key)
    rig.check_all_heard()
