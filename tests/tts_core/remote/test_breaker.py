"""When a provider is left alone, and what it may cost: decisions alone, the time passed in."""

from hypothesis import given
from hypothesis import strategies as st

from tts_core.remote.asking import Unanswered
from tts_core.remote.breaker import OPEN, SHUT, TRYING, Breaker
from tts_core.remote.desk import Desk, Limits


def test_it_opens_after_failures_in_a_row_and_tries_one_after_a_rest():
    breaker = Breaker(after=3, rest_s=5, most_s=20)
    for _ in range(2):
        breaker.begin(0)
        breaker.failed(0)
    breaker.succeeded()
    for _ in range(3):
        assert breaker.allows(0)
        breaker.begin(0)
        breaker.failed(0)
    assert (breaker.state(0), breaker.allows(4.9), breaker.rests_s(1)) == (OPEN, False, 4)
    for rest_s, at in ((10, 5), (20, 15), (20, 35)):
        assert breaker.state(at) == TRYING
        assert breaker.allows(at)
        breaker.begin(at)
        assert not breaker.allows(at), "one is tried, not all"
        breaker.failed(at)
        assert breaker.rests_s(at) == rest_s
    breaker.begin(55)
    breaker.succeeded()
    assert (breaker.state(55), breaker.allows(55)) == (SHUT, True)


def test_many_that_fail_together_are_one_reason_to_rest():
    breaker = Breaker(after=3, rest_s=5, most_s=60)
    for _ in range(20):
        breaker.begin(0)
    for _ in range(20):
        breaker.failed(1)
    assert breaker.rests_s(1) == 5
    breaker.begin(6)
    breaker.failed(6)
    assert breaker.rests_s(6) == 10


def test_a_trial_that_nobody_waited_for_is_none():
    breaker = Breaker(after=1)
    breaker.failed(0)
    breaker.begin(5)
    breaker.dropped()
    assert breaker.allows(5)


def test_who_asks_for_peace_has_it_at_once():
    breaker = Breaker()
    breaker.failed(0, wait_s=30)
    assert not breaker.allows(29.9)
    assert breaker.allows(30)


@given(st.lists(st.tuples(st.sampled_from(["well", "ill", "dropped"]), st.floats(0, 30)), max_size=60))
def test_it_never_rests_for_longer_than_it_may(steps):
    breaker, now = Breaker(after=2, rest_s=1, most_s=8), 0.0
    for what, passed in steps:
        now += passed
        assert 0 <= breaker.rests_s(now) <= 8
        if breaker.allows(now):
            breaker.begin(now)
            if what == "ill":
                breaker.failed(now)
            else:
                {"well": breaker.succeeded, "dropped": breaker.dropped}[what]()
    assert breaker.allows(now + 8)


def test_a_desk_counts_what_it_costs_and_refuses_beyond_a_day_s_cap():
    now = [0.0]
    desk = Desk("p", Limits(at_once=2, price=10.0, day=0.05), clock=lambda: now[0])
    assert desk.price(1000) == 0.01
    for _ in range(2):
        assert desk.obstacle(1000) == ""
        desk.begin(1000)
    assert desk.load == 1
    assert "2 requests under way, of 2 (at_once)" in desk.obstacle(1)
    desk.over(None)
    desk.over(Unanswered("dropped", "nobody waited"))
    assert desk.load == 0
    desk.begin(2000)
    desk.over(None)
    assert "has cost 0.04 today, of 0.05 (spend_day)" in desk.obstacle(1001)
    assert desk.obstacle(1000) == ""
    now[0] += 86_400
    assert desk.obstacle(5000) == ""
    account = desk.account()
    assert (account.characters, round(account.spent, 6), account.requests) == (
        4000, 0.04, (2, 0, 0, 0, 0, 0, 0, 0, 1, 0),
    )  # fmt: skip


def test_only_what_ails_a_provider_opens_its_breaker():
    desk = Desk("p", clock=lambda: 0.0)
    for kind in ("refused", "dropped") * 3:
        desk.begin(1)
        desk.over(Unanswered(kind, "?"))
    assert desk.obstacle(1) == ""
    for _ in range(3):
        desk.begin(1)
        desk.over(Unanswered("late", "?"))
    assert desk.obstacle(1) == "p is left alone for 5 s"
    assert desk.account().open
