"""A short soak: calls that have come and gone leave nothing behind. The long one is `bench run soak`."""

from __future__ import annotations

from bench.soak import soak


def test_calls_that_have_gone_leave_nothing_behind() -> None:
    found = soak(seconds=8, requests=50)
    assert found["calls"] > 30
    assert found["errors"] == []
    assert found["open_calls_after"] == 0
    for what in ("descriptors", "threads", "tasks"):
        assert found[what]["after"] <= found[what]["first"], what
    assert found["memory_mb"]["last"] - found["memory_mb"]["first"] < 10
