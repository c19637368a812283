import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.listen.sequence import MAX_DROPOUT, MAX_MISORDER, follow


def _follow(numbers):
    return follow(np.array(numbers, np.int64).astype(np.uint16))


@pytest.mark.parametrize("start", [0, 1, 30000, 65530, 65535])
def test_a_clean_stream_has_no_faults_over_several_wraps(start):
    numbers = np.arange(start, start + 200_000)
    found = _follow(numbers)
    assert (found.extended == numbers).all()
    assert (found.lost, found.duplicates, found.reordered, found.strays, found.restarts) == (0, 0, 0, 0, 0)


def test_one_packet_alone():
    found = _follow([65535])
    assert (found.lost, found.duplicates, found.reordered) == (0, 0, 0)
    assert found.first.tolist() == [True]


@given(
    start=st.integers(0, 65535),
    lost=st.sets(st.integers(1, 298), max_size=40),
    repeated=st.sets(st.integers(1, 298), max_size=20),
    late=st.dictionaries(st.integers(1, 290), st.integers(1, 50), max_size=10),
)
def test_what_was_done_to_a_stream_is_what_is_found(start, lost, repeated, late):
    sent = [(k + late.get(k, 0) + (0.5 if k in late else 0.0), k) for k in range(300) if k not in lost]
    sent += [(k + 60.0, k) for k in repeated - lost]
    order = [k for _, k in sorted(sent)]
    found = _follow([start + k for k in order])
    seen: set[int] = set()
    reordered = 0
    for k in order:
        reordered += k not in seen and k < max(seen, default=-1)
        seen.add(k)
    assert found.lost == max(order) + 1 - len(seen)
    assert found.duplicates == len(order) - len(seen)
    assert found.reordered == reordered
    assert (found.strays, found.restarts) == (0, 0)
    assert (found.extended - found.extended[0] == np.array(order) - order[0]).all()
    assert found.first.sum() == len(seen)


@pytest.mark.parametrize("jump", [MAX_DROPOUT, 20000, -MAX_MISORDER, -20000])
def test_numbering_that_begins_anew_is_a_restart_and_no_loss(jump):
    found = _follow([*range(1000, 1100), *range(1099 + jump, 1199 + jump)])
    assert (found.restarts, found.lost, found.duplicates, found.reordered) == (1, 0, 0, 0)


@pytest.mark.parametrize("jump", [MAX_DROPOUT - 1, 101, 2])
def test_a_step_forward_below_the_limit_is_a_loss(jump):
    found = _follow([*range(1000, 1100), *range(1099 + jump, 1199 + jump)])
    assert (found.restarts, found.lost) == (0, jump - 1)


def test_a_number_far_off_that_nothing_confirms_is_a_stray():
    found = _follow([*range(100), 40000, *range(100, 200), 50000])
    assert (found.strays, found.restarts, found.lost, found.duplicates) == (2, 0, 0, 0)
    assert np.flatnonzero(~found.first).tolist() == [100, 201]


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=200))
def test_any_numbers_add_up(numbers):
    found = _follow(numbers)
    assert len(found.extended) == len(found.first) == len(numbers)
    assert found.first.sum() + found.duplicates + found.strays == len(numbers)
    assert found.lost >= 0
    heard = found.extended[found.first]
    assert len(np.unique(heard)) == len(heard)
    assert heard.max() - heard.min() + 1 == len(heard) + found.lost
