"""Where generations end, in whatever order control learns of it."""

from __future__ import annotations

import itertools

from gateway.calls.timeline import Timeline


def test_without_a_cut_all_that_was_sent_counts():
    assert Timeline(3, 0).limit(3, 77) == 77


def test_a_cut_limits_older_generations_at_once_and_exactly_later():
    line = Timeline(1, 0)
    line.cut(2, 50)
    assert (line.limit(1, 40), line.limit(1, 90), line.limit(2, 90)) == (40, 50, 90)
    line.begun(2, 52)  # the pacer was just sending a packet
    assert (line.limit(1, 90), line.limit(2, 90)) == (52, 90)
    assert line.begun_generation == 2


def test_a_nearer_cut_holds_and_a_skipped_generation_ends_with_the_next():
    line = Timeline(1, 0)
    line.cut(2, 100)
    line.cut(3, 30)
    assert line.limit(1, 200) == 30
    line.begun(3, 30)
    assert (line.limit(1, 200), line.limit(2, 200)) == (30, 30)


def test_what_is_learnt_late_counts_as_much():
    """Generations 2, 3, 4 began at 10, 20, 30; control hears of it in any order."""
    for order in itertools.permutations([(2, 10), (3, 20), (4, 30)]):
        line = Timeline(1, 0)
        for generation, position in order:
            line.begun(generation, position)
        assert [line.limit(generation, 99) for generation in (1, 2, 3, 4)] == [10, 20, 30, 99]


def test_it_does_not_grow():
    line = Timeline(0, 0)
    for generation in range(1, 1000):
        line.cut(generation, generation)
        line.begun(generation, generation)
    assert len(line._begins) <= 16
    assert line.limit(998, 5000) == 999
