"""Who is made next: arithmetic, and a worker in virtual time against it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.playout import Caller, Report, play
from gateway.speech.schedule import LOOKAHEAD, LOW, PATIENCE_NS, Scheduler, Waiting, deadlines

NOW = 10**12
MS = 1_000_000
UNIT = 10 * MS


def waiting(*legs: tuple[int, int, bool, int]) -> Waiting:
    """Of (slack, since_ns, begun, voice), none of them patient."""
    slack, since, begun, voice = (np.array(column) for column in zip(*legs, strict=True))
    nobody = np.zeros(len(legs), np.bool_)
    return Waiting(slack, since, begun.astype(np.bool_), voice, np.arange(len(legs)), nobody)


def measured(*voices: tuple[int, float, float]) -> Scheduler:
    """Voices of which (most) share a step that takes (ms), or with a first stretch in it (ms)."""
    scheduler = Scheduler()
    for most, step_ms, first_ms in voices:
        number = scheduler.voice(most)
        scheduler.took(number, int(step_ms * MS), most, 16 * most, first=False)
        scheduler.took(number, int(first_ms * MS), 1, 10, first=True)
    return scheduler


def test_a_deadline_is_when_the_audio_is_sent_and_stays_when_it_was() -> None:
    slack = np.array([0, 1, 100, -3])
    dry = np.array([NOW - 7, NOW, NOW, NOW - 9])
    assert deadlines(NOW, slack, dry).tolist() == [NOW - 7, NOW + 10_000_000, NOW + 10**9, NOW - 9]


def test_nobody_waits() -> None:
    nobody = np.zeros(0, np.int64)
    none = nobody.astype(np.bool_)
    assert Scheduler().choose(NOW, Waiting(nobody, nobody, none, nobody, nobody, none)) == []


def test_who_speaks_goes_by_deadline_in_the_company_of_their_voice() -> None:
    legs = waiting(
        (30, 0, True, 0), (9, 0, True, 1), (20, 0, True, 0), (10, 0, True, 0), (0, NOW - 1, True, 0)
    )
    assert measured((3, 2, 8), (1, 2, 8)).choose(NOW, legs) == [4, 3, 2]
    assert measured((8, 2, 8), (1, 2, 8)).choose(NOW, legs) == [4, 3, 2, 0]


def test_a_first_word_goes_first_when_all_others_can_wait() -> None:
    legs = waiting((3, 0, True, 0), (0, NOW - 5, False, 0), (0, NOW - 9, False, 0), (4, 0, True, 0))
    assert measured((4, 2, 8)).choose(NOW, legs) == [2], "one first word in four; the other one is next"
    assert measured((8, 2, 8)).choose(NOW, legs) == [2, 1]
    assert measured((4, 2, 8)).choose(NOW, waiting((3, 0, True, 0), (0, NOW, False, 0))) == [1]
    assert measured((4, 2, 30)).choose(NOW, legs) == [0, 3, 2, 1], "a step after it would come too late"


def test_many_deadlines_that_lie_close_are_seen_together() -> None:
    """Each alone could wait for 8 ms; the twentieth of them could not."""
    many = [(4, 0, True, 0)] * 20
    new = (0, NOW, False, 0)
    assert measured((1, 2, 8)).choose(NOW, waiting(new, *many[:16])) == [0]
    assert measured((1, 2, 8)).choose(NOW, waiting(new, *many)) == [1]
    assert measured((4, 2, 8)).choose(NOW, waiting(new, *many))[0] == 0, "together they are soon served"


def test_legs_that_say_the_same_are_one() -> None:
    """300 legs that play one announcement keep no first word waiting, and take one place in a step."""
    legs = waiting(*[(5 + index, 0, True, 0) for index in range(300)], (0, NOW, False, 0), (90, 0, True, 0))
    legs = replace(legs, track=np.array([7] * 300 + [8, 9]))
    assert measured((4, 2, 8)).choose(NOW, legs) == [300]
    legs.begun[300] = True
    assert measured((4, 2, 8)).choose(NOW, legs) == [300, 0, 301]


def test_a_first_word_waits_no_longer_than_its_patience_behind_others() -> None:
    late = [(0, NOW - MS, True, 0)] * 3
    legs = waiting(*late, (0, NOW - PATIENCE_NS - 2 * MS, False, 0))
    assert measured((1, 2, 8)).choose(NOW, legs) == [3]


def patiently(legs: Waiting, *which: int) -> Waiting:
    """The same, these of them read as fast as speech is made."""
    legs.patient[list(which)] = True
    return legs


def test_who_is_patient_is_served_when_no_telephone_leg_needs_the_thread() -> None:
    ample, low, door = (LOW, 0, True, 0), (LOW - 2, 0, True, 0), (0, NOW - 10**9, True, 0)
    one = measured((1, 2, 8))
    assert one.choose(NOW, patiently(waiting(low, door), 1)) == [0], "though the door's store is long empty"
    assert one.choose(NOW, patiently(waiting(ample, door), 1)) == [1]
    assert one.choose(NOW, waiting(ample)) == []
    assert measured((4, 2, 8)).choose(NOW, patiently(waiting(low, door), 1)) == [0, 1], "there was room"
    other_voice = (LOW - 2, 0, True, 1)
    assert measured((4, 2, 8), (1, 2, 8)).choose(NOW, patiently(waiting(other_voice, door), 1)) == [0]


def test_a_patient_leg_waits_for_its_first_word_like_any_other() -> None:
    first = (0, NOW, False, 0)
    earlier = (0, NOW - 5, False, 0)
    speaking = (100, 0, True, 0)
    one = measured((1, 2, 8))
    assert one.choose(NOW, patiently(waiting(speaking, first), 1)) == [1]
    assert one.choose(NOW, patiently(waiting(first, earlier), 0)) == [1]
    assert one.choose(NOW, patiently(waiting(earlier, first), 0)) == [0]


def test_any_number_of_patient_legs_keeps_no_first_word_waiting() -> None:
    """They have no deadline that it could miss, and no claim to the thread."""
    doors = [(0, NOW - 10**9, True, 0)] * 500
    legs = patiently(waiting(*doors, (0, NOW, False, 0)), *range(500))
    scheduler = Scheduler()
    scheduler.voice(1)
    scheduler.took(0, 20 * MS, 1, 4, first=False)  # 0.5 s of work for a second of speech
    scheduler.took(0, 20 * MS, 1, 4, first=True)
    assert scheduler.choose(NOW, legs) == [500]


def test_patient_legs_take_turns_by_when_their_listeners_would_hear_a_gap() -> None:
    legs = [(0, NOW + 5 * UNIT, True, 0), (0, NOW - UNIT, True, 0), (0, NOW + UNIT, True, 0)]
    assert measured((2, 2, 8)).choose(NOW, patiently(waiting(*legs), 0, 1, 2)) == [1, 2]
    unread = (LOW, NOW - 10**9, True, 0)  # its client takes nothing: there is no room in its ring
    assert measured((1, 2, 8)).choose(NOW, patiently(waiting(unread, *legs), 0, 1, 2, 3)) == [2]
    assert measured((1, 2, 8)).choose(NOW, patiently(waiting(unread), 0)) == []


# -- in virtual time ----------------------------------------------------------------------------------------


class Work:
    """Speech of given lengths in chunks, the first of ``first_ms`` more; a step of several costs less a row."""

    def __init__(self, lengths: dict[Caller, int], row_ms: float, first_ms: float, chunk: int = 16) -> None:
        self.left = dict(lengths)
        self.row_ms, self.first_ms, self.chunk = row_ms, first_ms, chunk
        self.stall: dict[int, float] = {}
        self.steps = 0

    def make(self, callers: Sequence[Caller]) -> tuple[int, list[tuple[int, bool]]]:
        spent = self.row_ms * (0.3 + 0.7 * len(callers))
        spent += sum(self.first_ms for caller in callers if not caller.made)
        made = []
        for caller in callers:
            units = min(self.chunk, self.left[caller])
            self.left[caller] -= units
            made.append((units, not self.left[caller]))
        self.steps += 1
        return int(spent * self.stall.get(self.steps, 1.0) * MS), made


def run(lengths: dict[Caller, int], work: Work, most: int = 4, scheduler: Scheduler | None = None) -> Report:
    used = scheduler or measured((most, work.row_ms * 4, work.row_ms * 4 + work.first_ms))

    def choose(now_ns: int, legs: Waiting, _: Sequence[Caller]) -> list[int]:
        return used.choose(now_ns, legs)

    return play(list(lengths), choose, work.make)


def crowd(count: int, seed: int, spread_ms: int, units: tuple[int, int] = (50, 400)) -> dict[Caller, int]:
    dice = np.random.default_rng(seed)
    return {
        Caller(int(dice.integers(0, spread_ms * MS + 1))): int(dice.integers(*units)) for _ in range(count)
    }


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(0, 4000))
def test_at_a_feasible_load_no_deadline_is_missed_and_nobody_starves(
    seed: int, count: int, spread_ms: int
) -> None:
    """Up to 60 callers of 0.8 ms a step of 160 ms: a third of what the worker can do, however they come."""
    lengths = crowd(count, seed, spread_ms)
    report = run(lengths, Work(lengths, 0.9, 4.0))
    assert report.missed == 0
    assert len(report.first_ns) == count
    assert report.made == sum(lengths.values())
    assert max(report.first_ns) < (count * 6 + 60) * MS, "each first word costs 5 ms"


def test_everyone_in_the_same_millisecond() -> None:
    lengths = {Caller(0): 300 for _ in range(100)}
    report = run(lengths, Work(lengths, 0.9, 4.0))
    assert report.missed == 0
    assert max(report.first_ns) < 800 * MS


def test_one_very_long_text_beside_fifty_short_ones() -> None:
    lengths = {Caller(0): 120_000} | crowd(50, 1, 60_000)
    report = run(lengths, Work(lengths, 0.9, 4.0))
    assert report.missed == 0
    assert max(report.first_ns) < 60 * MS


@pytest.mark.parametrize("factor", [10.0, 40.0])
def test_a_step_that_takes_many_times_its_usual_time_once(factor: float) -> None:
    """Nobody falls silent: what lies in the rings is longer than the stall."""
    lengths = {Caller(index * 20 * MS): 500 for index in range(60)}
    work = Work(lengths, 0.9, 4.0)
    work.stall = {400: factor}
    assert run(lengths, work).missed == 0


def test_steps_that_take_ten_times_their_usual_time_always_are_late_but_everyone_is_served() -> None:
    lengths = crowd(60, 3, 2000)
    report = run(lengths, Work(lengths, 9.0, 40.0))
    assert report.missed > 0, "60 streams of 0.04 are more than one worker"
    assert len(report.first_ns) == 60
    assert report.made == sum(lengths.values())


def test_those_who_speak_are_spared_when_more_come_than_can_be_served() -> None:
    """20 callers a second of 4 s each, at 0.0175 of a worker: 1.4 of it. They wait, and hear no gap."""
    lengths = {Caller(index * 50 * MS): 400 for index in range(200)}
    report = run(lengths, Work(lengths, 3.5, 4.0))
    assert report.missed == 0
    assert 2000 * MS < max(report.first_ns) < PATIENCE_NS


def test_a_caller_who_cuts_costs_what_lies_ahead_and_one_step_at_most() -> None:
    lengths = {Caller(index * 7 * MS, cut_ns=(200 + 13 * index) * MS): 4000 for index in range(60)}
    report = run(lengths, Work(lengths, 0.9, 4.0))
    assert report.missed == 0
    assert report.wasted <= 60 * (LOOKAHEAD + 16)


def test_ten_thousand_streams_come_and_are_cut_at_random() -> None:
    dice = np.random.default_rng(5)
    lengths = {
        Caller(int(dice.integers(0, 200_000)) * MS, cut_ns=int(dice.integers(0, 2000)) * MS): int(
            dice.integers(1, 200)
        )
        for _ in range(10_000)
    }
    report = run(lengths, Work(lengths, 0.5, 2.0))
    assert len(report.first_ns) == 10_000
    assert report.missed == 0


def test_a_slow_voice_keeps_no_other_from_speaking() -> None:
    """A voice that costs 0.6 of the worker in steps of 48 ms, beside twenty of ours."""
    slow = {Caller(0, voice=1): 400}
    quick = {Caller(index * 30 * MS): 400 for index in range(20)}
    works = {0: Work(quick, 0.9, 4.0), 1: Work(slow, 48.0, 20.0, chunk=8)}
    scheduler = measured((4, 4, 8), (1, 48, 68))

    def make(callers: Sequence[Caller]) -> tuple[int, list[tuple[int, bool]]]:
        assert len({caller.voice for caller in callers}) == 1
        return works[callers[0].voice].make(callers)

    def choose(now_ns: int, legs: Waiting, _: Sequence[Caller]) -> list[int]:
        return scheduler.choose(now_ns, legs)

    report = play([*slow, *quick], choose, make)
    assert report.missed == 0
    assert len(report.first_ns) == 21


def test_choosing_among_a_thousand_takes_no_time() -> None:
    """bench schedule has the figure; this only keeps it from growing tenfold unseen."""
    dice = np.random.default_rng(0)
    legs = Waiting(
        dice.integers(0, LOOKAHEAD, 1000),
        dice.integers(0, NOW, 1000),
        dice.random(1000) < 0.9,
        np.zeros(1000, int),
        np.arange(1000),
        dice.random(1000) < 0.2,
    )
    scheduler = measured((4, 4, 8))
    times = []
    for _ in range(50):
        began = time.perf_counter()
        scheduler.choose(NOW, legs)
        times.append(time.perf_counter() - began)
    assert np.median(times) < 0.002
