"""The schedule and the port allocator, in virtual time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.ports import SHARED_AT_ONCE, NoPorts, PortAllocator
from gateway.media.schedule import CATCH_UP_TICKS, TICK_NS, Due, Schedule, period

S = 1_000_000_000


@given(st.lists(st.integers(0, 200_000_000), max_size=50))
def test_every_tick_is_done_once_or_skipped_and_never_early(pauses):
    schedule, now, done = Schedule(S), S, []
    skipped = 0
    for pause in pauses:
        now += pause
        due = schedule.due(now)
        if due is not None:
            skipped += due.skipped
            assert due.last - due.first < CATCH_UP_TICKS
            assert all(schedule.time_of(t) <= now for t in range(due.first, due.last + 1))
            done += range(due.first, due.last + 1)
    assert done == sorted(set(done))
    assert len(done) + skipped == (done[-1] + 1 if done else 0)


def test_ticks_in_which_nobody_sends_are_never_due_and_come_back_when_somebody_does():
    schedule = Schedule(S)
    assert schedule.due(S).last == 0
    schedule.skip_to(8)
    assert schedule.due(S + 7 * TICK_NS) is None
    assert schedule.due(S + 8 * TICK_NS) == Due(8, 8, 0), "and none counts as skipped"
    schedule.skip_to(16)
    schedule.resume(S + 10 * TICK_NS + 1)
    assert schedule.next_tick == 11
    schedule.resume(S + 20 * TICK_NS)
    assert schedule.next_tick == 11, "what is due and not done yet is not lost"


def test_periods_in_ticks():
    assert [period(p) for p in (10, 20, 30, 40, 60)] == [4, 8, 12, 16, 24]
    assert TICK_NS * 8 == 20_000_000


def test_a_leg_gets_a_port_of_its_own_until_the_range_is_used_up():
    ports = PortAllocator([20002, 20000, 20004], S)
    taken = [ports.take(("127.0.0.1", 4000 + i), 0) for i in range(3)]
    assert taken == [20002, 20000, 20004], "in the order given"
    shared = ports.take(("127.0.0.1", 4003), 0)
    assert shared in taken
    same = {ports.take(("127.0.0.1", 5000), 0) for _ in range(3)}
    assert same == set(taken), "each port carries this remote once"
    with pytest.raises(NoPorts):
        ports.take(("127.0.0.1", 5000), 0)


def test_sharing_goes_round_a_block_of_legs_at_a_time():
    ports = PortAllocator([20000, 20002], S)
    taken = [ports.take((f"127.0.{n // 250}.{1 + n % 250}", 4000), 0) for n in range(2 + 4 * SHARED_AT_ONCE)]
    block = SHARED_AT_ONCE
    assert taken[:2] == [20000, 20002], "each has one"
    first, second, third, fourth = 20000, 20002, 20000, 20002
    turns = [first] * (block - 1) + [second] * (block - 1) + [third] * block + [fourth] * block
    assert taken[2:] == [*turns, 20000, 20000], "and what is shared next is the first again"


def test_a_closed_port_rests():
    ports = PortAllocator([20000], S)
    remote = ("127.0.0.1", 4000)
    assert ports.take(remote, 0) == 20000
    ports.release(20000, remote, now_ns=5 * S)
    with pytest.raises(NoPorts):
        ports.take(remote, 5 * S + S // 2)
    assert ports.take(remote, 6 * S) == 20000


@given(st.data())
def test_no_two_legs_of_a_port_have_the_same_remote(data):
    ports, now, legs = PortAllocator(range(30002, 30012, 2), S), 0, []
    for _ in range(data.draw(st.integers(1, 60))):
        now += data.draw(st.integers(0, S))
        remote = ("127.0.0.1", data.draw(st.integers(1, 6)))
        if legs and data.draw(st.booleans()):
            port, old = legs.pop(data.draw(st.integers(0, len(legs) - 1)))
            if data.draw(st.booleans()):
                ports.release(port, old, now)
            elif (port, remote) in legs:
                with pytest.raises(NoPorts):
                    ports.move(port, old, remote)
                legs.append((port, old))
            else:
                ports.move(port, old, remote)
                legs.append((port, remote))
            continue
        try:
            legs.append((ports.take(remote, now), remote))
        except NoPorts:
            used = {port for port, _ in legs}
            free_of_remote = used - {port for port, other in legs if other == remote}
            assert not free_of_remote, "a port that could be shared was refused"
    assert len(set(legs)) == len(legs)
    for port, remote in legs:
        ports.release(port, remote, now)
    assert sorted(ports.take(("127.0.0.1", 7), now + S) for _ in range(5)) == [
        30002,
        30004,
        30006,
        30008,
        30010,
    ]
    assert all(port % 2 == 0 and 30001 < port < 30012 for port, _ in legs)
