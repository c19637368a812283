"""A short look at every parser: what was kept and some of what can be made of it; `scripts/fuzz` looks longer."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import LONGEST, TARGETS, kept

_EXAMPLES = 60
_edits = st.lists(
    st.tuples(st.integers(0, LONGEST), st.integers(0, 12), st.binary(max_size=8), st.integers(0, 40)),
    max_size=4,
)


def _edited(whole: bytes, edits: list[tuple[int, int, bytes, int]]) -> bytes:
    """`whole` with bytes taken out, put in, and stretches of its own repeated."""
    for at, gone, put, again in edits:
        at = at % (len(whole) + 1)
        whole = whole[:at] + put + whole[at : at + again] + whole[at + gone :]
    return whole[:LONGEST]


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_kept(name: str) -> None:
    inputs = kept(name)
    assert inputs
    for each in inputs:
        TARGETS[name](each)


@pytest.mark.parametrize("name", TARGETS)
def test_what_can_be_made_of_it(name: str) -> None:
    inputs = st.sampled_from(kept(name))

    @settings(max_examples=_EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.builds(_edited, inputs, _edits) | st.builds(_edited, inputs, _edits) | st.binary(max_size=200))
    def look(data: bytes) -> None:
        TARGETS[name](data)

    look()
