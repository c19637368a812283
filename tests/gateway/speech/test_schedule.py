"""Earliest deadline first, as plain arithmetic."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gateway.speech.schedule import LOOKAHEAD, deadlines, most_urgent

NOW = 10**12


def test_a_deadline_is_when_the_audio_is_sent_and_stays_when_it_was() -> None:
    slack = np.array([0, 1, 100, -3])
    dry = np.array([NOW - 7, NOW, NOW, NOW - 9])
    assert deadlines(NOW, slack, dry).tolist() == [NOW - 7, NOW + 10_000_000, NOW + 10**9, NOW - 9]


def test_nobody_waits() -> None:
    nobody = np.zeros(3, np.bool_)
    assert most_urgent(NOW, nobody, np.zeros(3, np.int64), np.zeros(3, np.int64)) is None


LEGS = st.lists(
    st.tuples(st.booleans(), st.integers(-5, LOOKAHEAD + 50), st.integers(NOW - 10**9, NOW)), min_size=1
)


@given(LEGS)
def test_the_most_urgent_is_the_earliest_of_those_that_wait(legs: list[tuple[bool, int, int]]) -> None:
    waiting, slack, dry = (np.array(column) for column in zip(*legs, strict=True))
    due = [
        NOW + have * 10_000_000 if have > 0 else since
        for wants, have, since in legs
        if wants and have < LOOKAHEAD
    ]
    chosen = most_urgent(NOW, waiting, slack, dry)
    if chosen is None:
        assert due == []
    else:
        assert legs[chosen[0]][0]
        assert chosen[1] == min(due)
