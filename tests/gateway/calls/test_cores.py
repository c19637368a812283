"""Shares of cores that control and synthesis have together."""

from __future__ import annotations

import pytest

from gateway.calls.cores import Cores

S = 1_000_000_000


def looked(cores: Cores, *taken: float, beside: float = 0.0) -> float:
    """After looks a second apart, between which control took so much of a core."""
    busy_s = 0.0
    cores.look(busy_s, beside, 0)
    for second, each in enumerate(taken, 1):
        busy_s += each
        cores.look(busy_s, beside, second * S)
    return cores.share


def test_what_control_takes_of_a_lone_core_is_not_there_for_speech():
    assert looked(Cores(1, 1)) == 1
    assert looked(Cores(1, 1), 0.3) == pytest.approx(0.7)
    assert looked(Cores(1, 2), 0.3) == pytest.approx(0.35)
    assert looked(Cores(1, 1), 1.0) == 0.1, "some is always there"


def test_a_burst_is_remembered_for_a_while():
    shares = [looked(Cores(1, 1), 0.5, *[0.1] * quiet) for quiet in range(40)]
    assert shares == sorted(shares)
    assert shares[0] == pytest.approx(0.5)
    assert 0.7 < shares[6] < 0.8
    assert shares[-1] == pytest.approx(0.9)


def test_with_cores_enough_each_has_one():
    assert looked(Cores(2, 1), 0.8) == 1
    assert looked(Cores(4, 3), 0.8) == 1
    assert looked(Cores(2, 1), 0.8, beside=0.6) == pytest.approx(0.6), "media workers run there, too"
