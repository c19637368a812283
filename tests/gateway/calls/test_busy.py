"""What a pacer's ticks take, and when one more leg would be too many."""

from __future__ import annotations

import pytest

from gateway.calls.busy import Busy

S = 1_000_000_000


def test_it_is_measured_from_look_to_look() -> None:
    busy = Busy(0.8)
    busy.look(5_000_000, 0, 10 * S)  # whatever came before
    assert (busy.utilisation, busy.headroom(0)) == (0, 1)
    busy.look(5_400_000, 1000, 11 * S)
    assert busy.utilisation == pytest.approx(0.4)
    assert busy.headroom(1000) == pytest.approx(0.5)
    busy.look(100_000, 1000, 12 * S)  # another process sits there
    assert busy.utilisation == 0


def test_legs_that_came_since_are_reckoned_with() -> None:
    busy = Busy(0.8)
    busy.look(0, 1000, 0)
    busy.look(400_000, 1000, S)
    assert busy.predicted(1500) == pytest.approx(0.6)
    assert busy.headroom(2000) == pytest.approx(0)
    assert busy.headroom(2001) < 0
    assert busy.predicted(500) == pytest.approx(0.4), "those that went are not until it is measured"


def test_a_few_legs_are_no_measure_of_many() -> None:
    busy = Busy(0.8)
    busy.look(0, 2, 0)
    busy.look(20_000, 2, S)
    assert busy.predicted(1002) == pytest.approx(0.02 + 0.3)
