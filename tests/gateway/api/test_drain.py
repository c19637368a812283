"""Draining by the API: begun, looked at, taken back."""

from __future__ import annotations

from typing import Any

import pytest


async def test_a_drain_is_begun_and_taken_back(api: Any) -> None:
    await api.open()
    assert (await api.http.get("/v1/drain")).json() == {"draining": False, "calls": 1, "seconds": None}
    began = await api.http.post("/v1/drain")
    assert (began.status_code, began.json()) == (202, {"draining": True, "calls": 1, "seconds": None})
    assert (await api.http.get("/health/ready")).json()["status"] == "draining"
    refused = await api.http.post("/v1/calls", json={"rtp": {"address": "127.0.0.1", "port": 40000}})
    assert (refused.status_code, refused.json()["code"]) == (503, "draining")
    limited = await api.http.post("/v1/drain", json={"seconds": 600})
    assert limited.json()["seconds"] == 600
    await api.http.delete("/v1/calls/c_0")
    assert (await api.http.get("/v1/drain")).json()["calls"] == 0
    assert (await api.http.delete("/v1/drain")).json() == {"draining": False, "calls": 0, "seconds": None}
    await api.open()


async def test_after_sigterm_it_is_not_taken_back(api: Any) -> None:
    await api.board.draining.finish(30)
    again = await api.http.delete("/v1/drain")
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")


@pytest.mark.parametrize("body", [{"seconds": -1}, {"seconds": 1e9}, {"seconds": "1"}, {"minutes": 1}])
async def test_a_wrong_limit_is_refused(api: Any, body: dict[str, object]) -> None:
    assert (await api.http.post("/v1/drain", json=body)).status_code == 422
    assert not api.board.draining.on
