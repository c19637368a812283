"""The CI profile's verdict: each fault alone breaks it."""

import pytest

from bench.check import LEAST_RATIO, MOST_MB, broken

WELL = {
    "ratio": 0.9, "legs": 100, "heard": 100, "holes": 0, "missing": 0, "unsaid": 0, "wrong_leg": 0, "wrong": 0,
    "underruns": 0, "missed_ticks": 0, "stolen_ticks": 0, "memory_mb": 190.0,
}  # fmt: skip


def test_all_well():
    assert broken(WELL) == []


@pytest.mark.parametrize(
    "fault",
    [
        {"ratio": LEAST_RATIO - 0.01}, {"heard": 99}, {"holes": 1}, {"missing": 1}, {"unsaid": 1},
        {"wrong_leg": 1}, {"wrong": 1}, {"underruns": 1}, {"missed_ticks": 1},
        {"memory_mb": MOST_MB + 1},
    ],
    ids=str,
)  # fmt: skip
def test_each_fault_breaks_it(fault):
    assert len(broken(WELL | fault)) == 1


def test_what_the_hypervisor_took_is_not_ours():
    assert broken(WELL | {"missed_ticks": 30, "stolen_ticks": 1}) == []
