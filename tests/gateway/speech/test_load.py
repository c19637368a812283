"""What speech costs, in virtual time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.messages.work import VoiceCost
from gateway.speech.load import Load, guess

S = 1_000_000_000
VOICE = "neural:a"


def cost(load: Load, now_ns: int = 0, voice: str = VOICE) -> VoiceCost:
    return next(each for each in load.costs(now_ns) if each.name == voice)


def test_an_unknown_voice_is_guessed_by_its_engine_and_a_stranger_is_dear():
    assert guess("espeak:de").ratio < guess("neural:x").ratio < guess("remote:y").ratio
    assert Load().costs(0) == ()


def test_what_was_tried_is_what_it_costs_until_it_is_used():
    load = Load()
    load.begin(VOICE, 0.06, 3.0)
    assert cost(load, 900 * S).ratio == pytest.approx(0.02)
    assert cost(load).first_s == pytest.approx(0.06)


def test_the_cost_is_learned_and_follows_a_change():
    load = Load()
    for n in range(600):
        load.made(VOICE, 0.03, 1.0, n * S, first=False)
    assert cost(load, 600 * S).ratio == pytest.approx(0.03, rel=0.01)
    for n in range(180):  # steps are shared now
        load.made(VOICE, 0.01, 1.0, (600 + n) * S, first=False)
    assert cost(load, 780 * S).ratio == pytest.approx(0.011, rel=0.1)


def test_one_stall_does_not_refuse_a_voice():
    load = Load()
    load.made(VOICE, 2.0, 0.25, 0, first=True)
    assert cost(load).ratio < 0.1


def test_a_machine_that_stood_still_for_seconds_costs_a_quick_voice_next_to_nothing():
    load = Load()
    load.begin("espeak:de", 0.012, 3.0)
    for _ in range(20):
        load.made("espeak:de", 0.012, 3.0, 0, first=False)
    load.made("espeak:de", 5.0, 3.0, 0, first=True)
    load.made("espeak:de", 5.0, 3.0, 0, first=False)
    found = cost(load, voice="espeak:de")
    assert found.ratio < 0.02
    assert found.first_s < 0.05


def test_an_engine_slower_than_real_time_shows_within_a_minute_of_audio():
    load = Load()
    for n in range(30):
        load.made("remote:slow", 3.0, 2.0, n * S, first=not n)
    assert cost(load, 30 * S, "remote:slow").ratio > 1.2


def test_what_was_bad_long_ago_is_forgotten():
    load = Load()
    for _ in range(60):
        load.made(VOICE, 2.0, 1.0, 0, first=False)
    assert cost(load).ratio > 1.5
    assert cost(load, 300 * S).ratio == pytest.approx((cost(load).ratio + guess(VOICE).ratio) / 2)
    assert cost(load, 3600 * S).ratio == pytest.approx(guess(VOICE).ratio, rel=0.02)


def test_utilisation_is_the_busy_part_of_the_last_second():
    load = Load()
    assert load.utilisation(5 * S) == 0
    load.worked(0.5, 5 * S)
    assert load.utilisation(5 * S) == pytest.approx(0.5)
    assert load.utilisation(5 * S + 3 * S // 4) == pytest.approx(0.25)
    assert load.utilisation(6 * S) == 0
    load.worked(30.0, 40 * S)
    assert load.utilisation(40 * S) == pytest.approx(1)


@given(
    st.lists(
        st.tuples(st.floats(0, 60), st.floats(0, 600), st.booleans(), st.integers(0, 10**12)), max_size=40
    )
)
def test_a_cost_is_between_the_least_and_the_most_that_was_seen(work):
    load, now = Load(), 0
    ratios, firsts = [guess(VOICE).ratio], [guess(VOICE).first_s]
    for busy_s, audio_s, first, step in work:
        now += step
        load.made(VOICE, busy_s, audio_s, now, first=first)
        ratios.append(busy_s / audio_s if audio_s else float("inf"))
        firsts.append(busy_s)
        held = cost(load, now)
        assert min(ratios) * 0.999999 - 1e-12 <= held.ratio <= max(ratios) * 1.000001
        assert min(firsts) - 1e-9 <= held.first_s <= max(firsts) + 1e-9
