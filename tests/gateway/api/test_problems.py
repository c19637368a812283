"""Error answers: RFC 9457, one shape for all, and nothing of our own innards."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from gateway.errors import KINDS, Refusal

MEMBERS = {"type", "title", "status", "detail", "instance", "code", "request_id", "retryable"}


@pytest.mark.parametrize("code", sorted(KINDS))
async def test_every_refusal_becomes_its_problem(api: Any, code: str) -> None:
    api.board.breaks = Refusal(code, "Because \ud800 of this", field="rtp.port", retry_after=7)
    answer = await api.http.get("/v1/calls/c_0", headers={"X-Request-Id": "mine-1"})
    kind = KINDS[code]
    assert answer.status_code == kind.status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem.keys() == MEMBERS | {"errors"}
    assert problem["type"].endswith(code)
    assert (problem["title"], problem["status"], problem["code"]) == (kind.title, kind.status, code)
    assert problem["detail"] == "Because \ud800 of this"
    assert problem["instance"] == "/v1/calls/c_0"
    assert problem["request_id"] == answer.headers["x-request-id"] == "mine-1"
    assert problem["retryable"] is kind.retryable
    assert problem["errors"][0]["pointer"] == "#/rtp/port"
    assert answer.headers.get("retry-after") == ("7" if kind.retryable else None)
    assert ("www-authenticate" in answer.headers) is (kind.status == 401)


def test_all_that_may_be_retried_says_when() -> None:
    assert {kind.status for kind in KINDS.values() if kind.retryable} >= {429, 503}
    assert all(kind.retryable for kind in KINDS.values() if kind.status in {429, 503})


async def test_a_bug_of_ours_is_500_without_innards(api: Any, caplog: pytest.LogCaptureFixture) -> None:
    api.board.breaks = RuntimeError("secret innards")
    with caplog.at_level(logging.ERROR, "gateway.api.limits"):
        answer = await api.http.get("/v1/calls/c_0", headers={"X-Request-Id": "find-me"})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem.keys() == MEMBERS
    assert (problem["code"], problem["request_id"]) == ("internal", "find-me")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    (record,) = [each.__dict__ for each in caplog.records if each.levelname == "ERROR"]
    assert (record["request_id"], record["error"]) == ("find-me", "RuntimeError")
    assert "_broken" in record["traceback"]
    assert "secret innards" not in str(record), "it might be what was to be said"
    assert (await api.http.get("/v1/calls")).status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/call", "/v1/calls/", "/v1/calls/c/utterances/u/x", "/redoc", "/%00"]
)
async def test_an_unknown_route_is_a_problem(api: Any, path: str) -> None:
    answer = await api.http.get(path)
    assert answer.status_code == 404
    assert answer.json().keys() == MEMBERS
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/v1/calls", "GET, POST"),
        ("PATCH", "/v1/calls/c_0", "DELETE, GET"),
        ("GET", "/v1/calls/c_0/stop", "POST"),
        ("OPTIONS", "/v1/calls", "GET, POST"),
        ("POST", "/v1/events", "GET"),
        ("DELETE", "/metrics", "GET"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(api: Any, method: str, path: str, allow: str) -> None:
    answer = await api.http.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == allow
    assert answer.json()["code"] == "method_not_allowed"
    assert allow in answer.json()["detail"]


async def test_request_ids_are_echoed_or_made(api: Any) -> None:
    assert (await api.http.get("/v1/calls", headers={"X-Request-Id": "a-1"})).headers["x-request-id"] == "a-1"
    made = {(await api.http.get("/v1/calls")).headers["x-request-id"] for _ in range(3)}
    assert len(made) == 3
    for bad in ("", "a b", "x" * 129, "é"):
        headers = [("X-Request-Id", bad.encode("utf-8"))]
        answer = await api.http.get("/v1/calls", headers=headers)
        assert answer.status_code == 200
        assert answer.headers["x-request-id"].startswith("req_")
