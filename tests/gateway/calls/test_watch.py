"""The vector compare over a real ring, and the time at which a unit left."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calls.actions import Glance
from gateway.calls.rows import Rows
from gateway.calls.watch import Watch, left_at
from gateway.ring import NEVER, RingBlock

PACKET_NS = 20_000_000


@pytest.fixture
def ring():
    block = RingBlock.create(300)
    yield block
    block.close()


def test_only_rows_that_reached_their_position_are_due(ring):
    watch = Watch(ring)
    for row in range(300):
        watch.open(row)
    assert watch.due() == []
    ring.sent[:] = np.arange(300)
    assert watch.due() == []
    watch.expect(7, 8)
    watch.expect(9, 9)
    watch.expect(299, 10)
    assert watch.due() == [9, 299]
    watch.expect(9, NEVER)
    watch.close(299)
    assert watch.due() == []
    ring.sent[7] = 8
    assert watch.due() == [7]


def test_underruns_are_told_once_and_only_of_this_leg(ring):
    ring.underruns[5] = 3  # the leg before it on this row
    watch = Watch(ring)
    ring.underruns[6] = 1  # not open
    watch.open(5)
    assert watch.due() == []
    ring.underruns[5] += 2
    assert watch.due() == [5]
    assert watch.underruns(5) == {"synthesis": 2}
    assert watch.due() == []
    assert watch.underruns(5) == {}
    ring.stalls[5] += 1
    ring.blocked[5] += 4
    assert watch.due() == [5]
    assert watch.underruns(5) == {"pacer": 1, "socket": 4}
    assert watch.due() == []


def test_a_glance_is_what_the_ring_says(ring):
    ring.sent[3], ring.sent_ns[3] = 44, 12345
    assert Watch(ring).glance(3, 99) == Glance(99, 44, 12345)


@given(st.sampled_from([1, 2, 3, 4, 6]), st.integers(1, 50), st.integers(0, 49), st.data())
def test_a_unit_left_with_its_packet(units, packets, ago, data):
    """Against a list of packets: packet p left at p packet times and held the units from p * units on."""
    ago = min(ago, packets - 1)
    packet_ns = units * 10_000_000
    left = {unit: 10**9 + unit // units * packet_ns for unit in range(packets * units)}
    unit = data.draw(st.integers((packets - 1 - ago) * units, packets * units - 1))
    glance = Glance(10**12, packets * units, left[packets * units - 1])
    assert left_at(glance, unit, units) == left[unit]


def test_what_has_not_left_is_given_the_time_of_looking():
    assert left_at(Glance(500, 10, 400), 10, 2) == 500
    assert left_at(Glance(500, 10, 0), 3, 2) == 500


def test_a_row_is_free_only_when_all_have_let_go():
    rows = Rows(2)
    assert (rows.take("media"), rows.take("media"), rows.take("media")) == (0, 1, None)
    rows.hold(0, "synthesis-0")
    rows.hold(1, "synthesis-1")
    rows.let_go(0, "media")
    rows.let_go(0, "media")
    assert rows.free == 0
    rows.let_go(0, "synthesis-0")
    rows.let_go(0, "synthesis-0")
    assert rows.free == 1
    rows.let_go(1, "synthesis-1")
    rows.let_go_all("media")
    assert rows.free == 2
    assert rows.take("media") == 1, "the row used last, whose memory is there"
