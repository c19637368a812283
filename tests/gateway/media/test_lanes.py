"""In which ticks legs send, and with whom."""

import collections
from types import SimpleNamespace

from .conftest import ports


def test_few_legs_share_a_tick_and_many_are_spread(rig):
    rig = rig(legs=1100, rtp_ports=ports(2))
    engine = rig.engine

    def in_ticks():
        every = collections.Counter(leg.group_key[1] for leg in engine.legs.values())
        return [every[phase] for phase in range(8)]

    assert engine.next_busy(100) == 108, "nobody sends: a look now and then"
    open_apart(rig, range(140))
    assert in_ticks() == [128, 12, 0, 0, 0, 0, 0, 0]
    assert [engine.next_busy(tick) for tick in (8, 9, 10, 15)] == [8, 9, 16, 16]
    for row in range(30):
        engine.close(row, rig.now)
    open_apart(rig, range(140, 1054))
    assert in_ticks() == [128] * 8
    open_apart(rig, [*range(30), *range(1054, 1100)])
    assert sum(in_ticks()) == 1100
    assert max(in_ticks()) - min(in_ticks()) <= 64, "evenly, but for those that leave together"


def test_the_fuller_tick_is_filled_and_another_may_fall_empty(rig):
    rig = rig(legs=150, rtp_ports=ports(300))
    engine = rig.engine
    open_apart(rig, range(140))
    rows = [[row for row, leg in engine.legs.items() if leg.group_key[1] == phase] for phase in (0, 1)]
    assert [len(part) for part in rows] == [128, 12]
    for row in (*rows[0][:20], *rows[1][:6]):
        engine.close(row, rig.now)
    open_apart(rig, range(140, 146))
    for row in rows[1][6:]:
        engine.close(row, rig.now)
    assert {leg.group_key[1] for leg in engine.legs.values()} == {0}
    assert engine.next_busy(1) == 8


def test_legs_that_share_a_port_leave_together(rig, monkeypatch):
    """As many ports as the README has for thousands of legs."""
    rig = rig(legs=1000, rtp_ports=ports(32))
    open_apart(rig, range(1000))
    calls = []

    def send(fd, address, begin, end):
        calls.append(end - begin)
        return ()

    monkeypatch.setattr("gateway.media.lane.send_messages", send)
    rig.run(20)
    assert sum(calls) == 1000
    assert len(calls) < 45, "128 when each port has legs in each tick"


def open_apart(rig, rows):
    """Legs to addresses of their own, which may share a port. Nobody is there."""
    for row in rows:
        rig.open(row, SimpleNamespace(host=f"127.2.{row // 250}.{1 + row % 250}", port=40000))
