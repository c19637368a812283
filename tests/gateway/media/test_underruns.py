"""Speech that breaks off, and whose fault it was: each cause provoked alone."""

import errno

import pytest

from gateway.media.schedule import Schedule
from gateway.ring import RingBlock

from .conftest import Writer


class Full:
    """A socket whose send buffer is full while ``full``."""

    def __init__(self, socket):
        self._socket, self.full = socket, True

    def send(self, packet):
        if self.full:
            raise BlockingIOError(errno.EAGAIN, "the send buffer is full")
        return self._socket.send(packet)

    def __getattr__(self, name):
        return getattr(self._socket, name)


class Laid:
    """A row's flags, between whose reading and that of the positions the writer lays."""

    def __init__(self, flags, lay):
        self._flags, self._lay = flags, lay

    def take(self, *where, **how):
        self._lay()
        self._lay = lambda: None
        return self._flags.take(*where, **how)

    def __getattr__(self, name):
        return getattr(self._flags, name)

    def __setitem__(self, row, value):
        self._flags[row] = value


@pytest.fixture
def speaking(rig, peer, speech):
    """A rig with a leg that speaks on row 0 and one that is silent on row 1."""
    made = rig()
    for row in (0, 1):
        made.open(row, peer())
        assert Writer(made.ring, row).adopt()
    made.schedule = Schedule(made.now)
    made.writer = Writer(made.ring, 0)
    made.writer.lay(speech(100), unfinished=True)
    return made


def turn(rig, ms):
    """The worker's loop wakes ``ms`` after the last time."""
    rig.now += int(ms * 1_000_000)
    due = rig.schedule.due(rig.now)
    for tick in range(due.first, due.last + 1):
        rig.engine.tick(tick, rig.now)


def run(rig, ms):
    for _ in range(int(ms / 2.5)):
        turn(rig, 2.5)


def causes(rig, row=0):
    return {name: count for name, count in account(rig, row).underrun_causes.items() if count}


def account(rig, row):
    rig.engine.publish(rig.now)
    return rig.engine.close(row, rig.now).statistics


def test_none(speaking):
    run(speaking, 500)
    assert causes(speaking) == {}


def test_synthesis_that_is_late_runs_the_ring_dry(speaking, speech):
    run(speaking, 1100)
    speaking.writer.lay(speech(20), unfinished=True)
    run(speaking, 100)
    statistics = account(speaking, 0)
    assert statistics.underrun_causes == {"synthesis": 1, "pacer": 0, "socket": 0}
    assert statistics.underruns == 1
    assert statistics.dry_ticks >= 3


class Slow:
    """An array of the ring whose writer loses its core after each store, for so long as ``meanwhile`` takes."""

    def __init__(self, array, meanwhile):
        self._array, self._meanwhile = array, meanwhile

    def __getitem__(self, row):
        return self._array[row]

    def __setitem__(self, row, value):
        self._array[row] = value
        self._meanwhile()


def test_a_writer_that_loses_its_core_between_two_stores_is_not_late(speaking, speech):
    """At the beginning of what it lays, and at its end: 60 ms, in which the pacer looks three times."""
    block = RingBlock(speaking.ring.fd, speaking.ring.legs)
    for name in ("written", "unfinished"):
        setattr(block, name, Slow(getattr(block, name), lambda: run(speaking, 60)))
    writer = Writer(block, 1)
    run(speaking, 100)
    writer.lay(speech(20), unfinished=True)
    writer.lay(speech(20), unfinished=True)
    writer.lay(speech(2), unfinished=False)
    run(speaking, 500)
    assert speaking.ring.sent[1] == 42
    assert causes(speaking, 1) == {}


@pytest.mark.parametrize("stall_ms", [45, 60, 300])
def test_a_pacer_that_was_held_up_is_late_with_what_was_there(speaking, stall_ms):
    """Whether the ticks are made up for or skipped: one stall is one underrun, of those that spoke."""
    run(speaking, 100)
    turn(speaking, stall_ms)
    run(speaking, 100)
    assert int(speaking.ring.stalls[1]) == 0, "nobody missed its silence"
    speaking.engine.publish(speaking.now)
    assert causes(speaking) == {"pacer": 1}
    run(speaking, 5)
    turn(speaking, stall_ms)
    assert causes(speaking, 1) == {}


def test_two_stalls_are_two(speaking):
    run(speaking, 100)
    turn(speaking, 100)
    run(speaking, 100)
    turn(speaking, 100)
    run(speaking, 20)
    assert causes(speaking) == {"pacer": 2}


def test_a_tick_that_is_a_little_late_is_none(speaking):
    for _ in range(30):
        turn(speaking, 15)
    assert causes(speaking) == {}


def test_a_full_socket_is_named_and_a_run_of_lost_packets_is_one(speaking):
    for row in (0, 1):
        port = speaking.engine.port_of[row]
        port.rtp = Full(port.rtp)
        leg = speaking.engine.legs[row]
        speaking.engine._lanes[leg.group_key].changed(leg)
    run(speaking, 100)
    speaking.engine.port_of[0].rtp.full = False
    run(speaking, 100)
    speaking.engine.port_of[0].rtp.full = True
    run(speaking, 40)
    statistics = account(speaking, 0)
    assert statistics.underrun_causes == {"synthesis": 0, "pacer": 0, "socket": 2}
    assert statistics.send_errors >= 7, "many packets, two runs"
    assert causes(speaking, 1) == {}, "only silence was lost"


def test_what_is_laid_between_two_looks_of_the_pacer_is_no_underrun(rig, peer, speech):
    """It has looked how far is laid, then the writer lays and says that more follows, then it reads that."""
    made, far = rig(), peer()
    made.open(0, far)
    made.schedule = Schedule(made.now)
    writer = Writer(made.ring, 0)
    assert writer.adopt()
    run(made, 20)
    made.ring.unfinished = Laid(made.ring.unfinished, lambda: writer.lay(speech(40), unfinished=True))
    run(made, 200)
    assert made.ring.sent[0] > 10
    assert causes(made) == {}
