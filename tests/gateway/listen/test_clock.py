import time

import numpy as np
import pytest

from gateway.listen.clock import ClockSample, StepFreeClock, sample_clocks

MS = 1_000_000
WALL = 1_700_000_000_000_000_000


def _sample(monotonic_ns, offset, width_ns=200):
    return ClockSample(monotonic_ns, monotonic_ns + offset, width_ns)


def test_both_clocks_are_read_at_one_moment():
    sample = sample_clocks()
    assert sample.realtime_ns == pytest.approx(time.time_ns(), abs=5_000 * MS)
    assert sample.width_ns >= 0


def test_without_a_step_it_is_one_subtraction():
    clock = StepFreeClock(_sample(0, WALL))
    arrivals = np.arange(5) * MS
    noisy = ClockSample(10 * MS, 10 * MS + WALL + 30_000, 200)
    assert (clock.to_monotonic(arrivals + WALL, 0, noisy) == arrivals).all()
    assert clock.steps == 0


def test_a_reading_that_was_interrupted_is_no_step():
    clock = StepFreeClock(_sample(0, WALL))
    slow = ClockSample(10 * MS, 10 * MS + WALL + 4 * MS, 9 * MS)
    clock.to_monotonic(np.array([WALL]), 0, slow)
    assert clock.steps == 0


@pytest.mark.parametrize("step", [3600 * 10**9, -3600 * 10**9, 50 * MS, -50 * MS])
def test_packets_before_and_after_a_step_keep_their_places(step):
    clock = StepFreeClock(_sample(0, WALL))
    arrivals = np.arange(100, 110) * MS
    stamps = arrivals + WALL + np.where(arrivals >= 105 * MS, step, 0)
    found = clock.to_monotonic(stamps, 99 * MS, _sample(110 * MS, WALL + step))
    assert (found == arrivals).all()
    # another socket's queue, drained after the step was seen
    found = clock.to_monotonic(stamps, 99 * MS, _sample(111 * MS, WALL + step))
    assert (found == arrivals).all()
    later = np.arange(200, 210) * MS
    assert (clock.to_monotonic(later + WALL + step, 199 * MS, _sample(210 * MS, WALL + step)) == later).all()
    assert clock.steps == 1
    much_later = np.array([5000 * MS])
    found = clock.to_monotonic(much_later + WALL + step, 0, _sample(5001 * MS, WALL + step))
    assert (found == much_later).all()
