"""Keys, and without them: loopback only, by address and by name."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

KEYED = {"api_keys": ("first-key", "second-key")}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer first-key"}, 200),
        ({"Authorization": "bearer second-key"}, 200),
        ({"X-API-Key": "second-key"}, 200),
        ({"X-API-Key": "third-key"}, 401),
        ({"X-API-Key": ""}, 401),
        ({"X-API-Key": "first-key second-key"}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": "Bearer first-ke"}, 401),
        ({"Authorization": "Bearer FIRST-KEY"}, 401),
        ({"Authorization": "Basic first-key"}, 401),
        ({"Authorization": "Basic eDp5", "X-API-Key": "first-key"}, 200),
        ({"Authorization": "first-key"}, 401),
    ],
)
async def test_a_key_opens_and_nothing_else_does(
    in_process: Callable[..., Any], headers: dict[str, str], status: int
) -> None:
    async with in_process(**KEYED) as api:
        answer = await api.http.get("/v1/calls", headers=headers)
        assert answer.status_code == status
        if status == 401:
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert answer.json()["code"] == "unauthorized"
            assert "x-request-id" in answer.headers


async def test_a_key_that_is_not_ascii_can_be_sent(in_process: Callable[..., Any]) -> None:
    async with in_process(api_keys=("clé",)) as api:
        assert (await api.http.get("/v1/calls", headers=[("X-API-Key", "clé".encode())])).status_code == 200
        assert (await api.http.get("/v1/calls", headers=[("X-API-Key", b"cl\xff")])).status_code == 401


@pytest.mark.parametrize("path", ["/health/live", "/openapi.json", "/docs"])
async def test_some_paths_are_open(in_process: Callable[..., Any], path: str) -> None:
    async with in_process(client=("203.0.113.7", 5), **KEYED) as api:
        assert (await api.http.get(path)).status_code == 200


async def test_metrics_are_open_to_this_machine_only(in_process: Callable[..., Any]) -> None:
    async with in_process(**KEYED) as api:
        assert (await api.http.get("/metrics")).status_code == 200
        for spoken_for in ({"X-Forwarded-For": "203.0.113.7"}, {"Forwarded": "for=203.0.113.7"}):
            assert (await api.http.get("/metrics", headers=spoken_for)).status_code == 401
    async with in_process(client=("203.0.113.7", 5), **KEYED) as api:
        assert (await api.http.get("/metrics")).status_code == 401
        keyed = await api.http.get("/metrics", headers={"X-API-Key": "first-key"})
        assert keyed.status_code == 200


async def test_an_unknown_path_needs_a_key_too(in_process: Callable[..., Any]) -> None:
    async with in_process(**KEYED) as api:
        for path in ("/nothing", "/health/../v1/calls", "/docs/x", "//health"):
            assert (await api.http.get(path)).status_code == 401


async def test_a_body_is_not_read_before_the_key(in_process: Callable[..., Any]) -> None:
    async def body() -> Any:
        raise AssertionError("the body was read")
        yield b""

    async with in_process(**KEYED) as api:
        assert (await api.http.post("/v1/calls", content=body())).status_code == 401


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "127.9.9.9", "[::1]:8080", "a.localhost"]
)
async def test_loopback_names_are_served_without_keys(api: Any, host: str) -> None:
    assert (await api.http.get("/v1/calls", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "10.0.0.1", "localhost.evil.example", "127.0.0.1.evil.example", "[", ""]
)
async def test_other_names_are_not(api: Any, host: str) -> None:
    answer = await api.http.get("/v1/calls", headers={"Host": host})
    assert (answer.status_code, answer.json()["code"]) == (421, "misdirected")


async def test_a_foreign_page_may_not_call_the_keyless_api(api: Any) -> None:
    for origin in ("https://evil.example", "null"):
        answer = await api.http.post("/v1/calls/c_0/stop", headers={"Origin": origin})
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_origin")
    assert (await api.http.get("/v1/calls", headers={"Origin": "http://localhost:3000"})).status_code == 200


async def test_any_name_is_served_with_keys(in_process: Callable[..., Any]) -> None:
    async with in_process(**KEYED) as api:
        headers = {"Host": "voice.example.org", "X-API-Key": "first-key", "Origin": "https://app.example.org"}
        assert (await api.http.get("/v1/calls", headers=headers)).status_code == 200


async def test_serving_without_keys_is_said_at_the_start(
    in_process: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        async with in_process() as api:
            await api.http.get("/v1/calls")
        assert "VOXTRUNK_API_KEYS" in caplog.text
        caplog.clear()
        async with in_process(**KEYED) as api:
            await api.http.get("/health/live")
        assert not caplog.text
