"""Demand against limit: who fits beside whom."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calls.demand import START_S, Burden, Demand
from gateway.messages.work import VoiceCost

COSTS = (VoiceCost("n:fast", 0.1, 0.06), VoiceCost("n:slow", 1.2, 1.0), VoiceCost("n:free", 0.0, 0.0))


def demand(limit: float = 0.85) -> Demand:
    made = Demand(limit)
    made.learn(COSTS)
    return made


def test_streams_add_up_and_a_first_stretch_more():
    made = demand()
    assert (made.total, made.headroom) == (0, 1)
    made.change(None, Burden("n:fast", False))
    assert made.total == pytest.approx(0.1 + 0.06 / START_S)
    made.change(Burden("n:fast", False), Burden("n:fast", True))
    assert made.total == pytest.approx(0.1)
    assert made.headroom == pytest.approx(1 - 0.1 / 0.85)
    made.change(Burden("n:fast", True), None)
    assert made.total == 0


def test_no_more_fit_than_the_limit_holds():
    made, taken = demand(), 0
    while made.fits(Burden("n:fast", False), None):
        made.change(None, Burden("n:fast", True))
        taken += 1
    assert taken == 7, "the eighth would have a first stretch besides"
    assert made.headroom > 0
    assert made.fits(Burden("n:fast", False), Burden("n:fast", False)), "a leg asks for one stream at a time"
    assert made.fits(Burden("n:free", False), None)


def test_a_voice_slower_than_real_time_never_fits():
    made = demand(1.0)
    assert not made.fits(Burden("n:slow", False), None)


def test_more_than_the_limit_is_told_and_nobody_else_fits():
    made = demand()
    for _ in range(20):  # a dead worker's streams came
        made.change(None, Burden("n:fast", True))
    assert made.headroom < 0
    assert not made.fits(Burden("n:fast", False), None)
    assert made.fits(Burden("n:fast", False), Burden("n:fast", False))


BURDENS = st.none() | st.builds(
    Burden,
    st.sampled_from(["n:fast", "n:slow", "x:unknown"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, "hello", "goodbye"]),
)


@given(st.lists(st.tuples(st.integers(0, 5), BURDENS), max_size=60))
def test_the_total_is_what_the_legs_ask_for(changes):
    made, legs = demand(), dict.fromkeys(range(6))
    for leg, burden in changes:
        made.change(legs[leg], burden)
        legs[leg] = burden
        here = [each for each in legs.values() if each is not None]
        shared = {each._replace(begun=False) for each in here if each.speech is not None}
        asked = [each for each in here if each.speech is None]
        asked += [each._replace(begun=each._replace(begun=True) in here) for each in shared]
        assert made.total == pytest.approx(sum(map(made.weight, asked)))


def test_a_patient_stream_takes_no_room_from_calls_and_gets_what_they_leave():
    made = demand()
    for _ in range(8):
        made.change(None, Burden("n:fast", True, patient=True))
    assert made.total == pytest.approx(0.8)
    assert made.headroom == 1
    assert made.fits(Burden("n:fast", False), None)
    assert not made.fits(Burden("n:fast", False, patient=True), None)
    made.change(None, Burden("n:fast", True))
    assert made.headroom == pytest.approx(1 - 0.1 / 0.85)


def test_legs_that_say_the_same_count_as_one_stream():
    made = demand()
    same, other = Burden("n:fast", False, speech="hello"), Burden("n:fast", False, speech="goodbye")
    for _ in range(100):
        assert made.fits(same, None)
        made.change(None, same)
    assert made.total == pytest.approx(0.1 + 0.06 / START_S)
    made.change(same, same._replace(begun=True))
    assert made.total == pytest.approx(0.1), "who has its first stretch has it for all"
    for _ in range(6):
        made.change(None, Burden("n:fast", True))
    assert not made.fits(other, None)
    assert not made.fits(other, same), "the others still say what this one said"
    assert made.fits(same, None)
    assert not made.fits(same._replace(patient=True), None), "another stream"
    for _ in range(99):
        made.change(same, None)
    made.change(same._replace(begun=True), None)
    assert made.total == pytest.approx(0.6)


def test_without_a_cache_nothing_is_shared():
    made = Demand(0.85, shares=False)
    made.learn(COSTS)
    for _ in range(3):
        made.change(None, Burden("n:fast", True, speech="hello"))
    assert made.total == pytest.approx(0.3)
    made.change(Burden("n:fast", True, speech="hello"), None)
    assert made.total == pytest.approx(0.2)


def test_an_idle_worker_takes_one_whatever_its_first_stretch_took():
    demand = Demand(0.85)
    demand.learn([VoiceCost("a:slow-start", 0.02, 5.0), VoiceCost("a:slow", 0.9, 0.1)])
    assert demand.fits(Burden("a:slow-start", False), None)
    assert not demand.fits(Burden("a:slow", False), None)
    demand.change(None, Burden("a:slow-start", True))
    assert not demand.fits(Burden("a:slow-start", False), None), "a second one would wait too long beside it"
    demand.change(Burden("a:slow-start", True), None)
    assert demand.fits(Burden("a:slow-start", False), None)
