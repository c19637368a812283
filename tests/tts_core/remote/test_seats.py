"""Which socket a clause goes to, and what is opened, kept and closed: decisions alone, the time passed in."""

from hypothesis import given
from hypothesis import strategies as st

from tts_core.remote.seats import KEPT_S, OLDEST_S, STAYS_S, Due, Seats


def test_the_one_with_least_to_do_is_taken_then_the_one_that_was_in_use_last():
    seats = Seats(most=2, a_minute=0, limit=9)
    first, second = seats.opened("a", 0), seats.opened("a", 1)
    assert seats.free("b", 1) is None
    assert seats.free("a", 1) is second
    seats.take(second, 2)
    assert seats.free("a", 2) is first
    seats.take(first, 3)
    seats.take(seats.free("a", 3), 3)
    seats.take(seats.free("a", 3), 3)
    assert seats.free("a", 3) is None, "two clauses each"
    seats.leave(second, 4)
    assert seats.free("a", 4) is second
    second.doubted = 1
    assert seats.free("a", 4) is None, "nothing was heard of what was cut there, so it may be dead"


def test_one_more_clause_can_always_be_taken_where_an_address_is_in_use():
    seats = Seats(most=1, a_minute=0, limit=3)
    seat = seats.opened("a", 0)
    assert seats.due(0) == Due(), "nobody has asked yet"
    seats.take(seat, 1)
    assert seats.due(1).open == ("a",)
    assert seats.due(2).open == (), "it is being opened"
    seats.take(seats.opened("a", 3), 3)
    assert seats.due(3).open == ("a",)
    seats.take(seats.opened("a", 4), 4)
    assert seats.due(4).open == (), "three are as many as may be"


def test_who_cannot_be_opened_is_tried_after_a_rest_each_twice_the_last():
    seats = Seats(most=1, a_minute=0, limit=9, home=["a"])
    for at, rest_s in ((0, 1), (1, 2), (3, 4), (7, 8)):
        assert seats.due(at).open == ("a",)
        seats.failed("a", at)
        assert seats.due(at + rest_s - 0.1).open == ()
    seats.gone(seats.opened("a", 15), 16)
    assert seats.due(31.9).open == (), "closed as soon as it is open: that is no success"
    assert seats.due(32).open == ("a",)
    seats.gone(seats.opened("a", 32), 32 + STAYS_S)
    assert seats.due(32 + STAYS_S).open == ("a",), "a success ends the rests"
    seats.failed("a", 50, wait_s=30)
    assert seats.due(79).open == ()


def test_an_idle_socket_is_told_to_stay_and_closed_when_nobody_comes():
    seats = Seats(most=1, a_minute=0, limit=9, home=["home"])
    home, other = seats.opened("home", 0), seats.opened("other", 0)
    assert set(seats.due(STAYS_S).stay) == {home, other}
    assert seats.due(STAYS_S + 1).stay == ()
    due = seats.due(KEPT_S)
    assert (due.close, due.stay) == ((other,), (home,))
    seats.gone(other, KEPT_S)
    due = seats.due(OLDEST_S)
    assert (due.close, due.open) == ((home,), ("home",)), "another, before the provider ends it"


def test_of_two_idle_ones_that_are_kept_warm_one_goes():
    seats = Seats(most=1, a_minute=0, limit=9, home=["a"])
    older, newer = seats.opened("a", 0), seats.opened("a", 1)
    assert seats.due(KEPT_S + 1).close == (older,)
    seats.gone(older, KEPT_S)
    assert seats.due(KEPT_S * 9).close == ()
    assert seats.free("a", KEPT_S * 9) is newer


def test_no_socket_is_asked_more_often_than_a_minute_allows():
    seats = Seats(most=1, a_minute=20, limit=9)
    seat = seats.opened("a", 0)
    for at in range(20):
        assert seats.free("a", at) is seat
        seats.take(seat, at)
        seats.leave(seat, at)
    assert seats.free("a", 59.9) is None
    assert seats.free("a", 60) is seat


def test_the_one_idle_for_longest_makes_room():
    seats = Seats(most=1, a_minute=0, limit=2)
    first, second = seats.opened("a", 0), seats.opened("b", 1)
    assert seats.crowded() is first
    seats.take(first, 2)
    assert seats.crowded() is second
    seats.take(second, 2)
    assert seats.crowded() is None, "all of them speak"


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["ask", "end", "die"]), st.floats(0, 90))))
def test_whatever_happens_nothing_that_speaks_is_closed_and_nothing_leaks(steps):
    seats, now, busy, every = Seats(most=2, a_minute=5, limit=4, home=["a"]), 0.0, [], set()
    for address, what, passed in steps:
        now += passed
        due = seats.due(now)
        for seat in due.close:
            assert not seat.taken
            seats.gone(seat, now)
            every.discard(seat)
        for opened in due.open:
            every.add(seats.opened(opened, now))
        if what == "ask":
            seat = seats.free(address, now)
            if seat is None:
                if (idle := seats.crowded()) is not None:
                    seats.gone(idle, now)
                    every.discard(idle)
                seat = seats.opened(address, now)
                every.add(seat)
            assert seat.address == address
            assert seat.taken < 2
            assert not seat.retired
            seats.take(seat, now)
            busy.append(seat)
        elif what == "end" and busy:
            seats.leave(busy.pop(0), now)
        elif busy:
            seats.gone(busy[0], now)
            every.discard(busy[0])
            busy = [seat for seat in busy if seat is not busy[0]]
    assert all(seat.taken == busy.count(seat) for seat in every)
    now += 2 * OLDEST_S
    for seat in busy:
        seats.leave(seat, now)
    assert set(seats.due(now).close) == every, "in the end all of them are closed"
