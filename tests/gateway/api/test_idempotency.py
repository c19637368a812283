"""Idempotency keys: the memory by itself, and over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.idempotency import Answer, Answers
from gateway.errors import Refusal

NAME = (b"", "/v1/calls?", b"k")
OK = Answer(201, (), b"body")
BODY = {"rtp": {"address": "127.0.0.1", "port": 40000}}
KEY = {"Idempotency-Key": "k-1"}


def test_the_first_answer_is_kept_until_it_is_too_old() -> None:
    answers = Answers(entries=10, seconds=60)
    assert answers.begin(NAME, b"f", now=0) is None
    answers.finish(NAME, OK, now=1)
    assert answers.begin(NAME, b"f", now=60.9) is OK
    assert answers.begin(NAME, b"f", now=61) is None


def test_in_flight_and_mismatch() -> None:
    answers = Answers(entries=10, seconds=60)
    answers.begin(NAME, b"f", now=0)
    with pytest.raises(Refusal, match="idempotency_in_flight"):
        answers.begin(NAME, b"f", now=0)
    with pytest.raises(Refusal, match="idempotency_mismatch"):
        answers.begin(NAME, b"g", now=0)
    answers.release(NAME)
    assert answers.begin(NAME, b"g", now=0) is None
    answers.finish(NAME, OK, now=0)
    with pytest.raises(Refusal, match="idempotency_mismatch"):
        answers.begin(NAME, b"f", now=0)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30), st.booleans()), max_size=60))
def test_memory_is_bounded_whatever_comes(steps: list[tuple[int, int, bool]]) -> None:
    answers = Answers(entries=4, seconds=50, octets=60)
    now = 0.0
    for number, octets, finished in steps:
        now += 1
        name = (b"", "/", b"%d" % number)
        if answers.begin(name, b"f", now) is None:
            if finished:
                answers.finish(name, Answer(200, (), b"x" * octets), now)
            else:
                answers.release(name)
        assert len(answers) <= 4


async def test_a_repeated_request_is_answered_and_not_repeated(api: Any) -> None:
    first = await api.http.post("/v1/calls", json=BODY, headers=KEY)
    again = await api.http.post("/v1/calls", json=BODY, headers=KEY)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert len(api.board.opened) == 1


async def test_a_changed_body_is_422(api: Any) -> None:
    await api.http.post("/v1/calls", json=BODY, headers=KEY)
    answer = await api.http.post("/v1/calls", json=BODY | {"codec": "PCMA"}, headers=KEY)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")
    assert len(api.board.opened) == 1


async def test_one_in_flight_is_409_and_then_replayed(api: Any) -> None:
    api.board.gate = asyncio.Event()
    first = asyncio.create_task(api.http.post("/v1/calls", json=BODY, headers=KEY))
    await asyncio.sleep(0.05)
    early = await api.http.post("/v1/calls", json=BODY, headers=KEY)
    assert (early.status_code, early.json()["code"]) == (409, "idempotency_in_flight")
    assert early.json()["retryable"] is True
    assert "retry-after" in early.headers
    api.board.gate.set()
    assert (await first).status_code == 201
    late = await api.http.post("/v1/calls", json=BODY, headers=KEY)
    assert late.headers["idempotent-replayed"] == "true"
    assert late.json() == (await first).json()


async def test_a_key_counts_within_its_path_and_api_key(in_process: Callable[..., Any]) -> None:
    async with in_process(api_keys=("one", "two")) as api:
        for key in ("one", "two"):
            answer = await api.http.post("/v1/calls", json=BODY, headers=KEY | {"X-API-Key": key})
            assert "idempotent-replayed" not in answer.headers
        assert len(api.board.opened) == 2
        for call_id in ("c_0", "c_1"):
            path = f"/v1/calls/{call_id}/utterances"
            answer = await api.http.post(path, json={"text": "a"}, headers=KEY | {"X-API-Key": "one"})
            assert "idempotent-replayed" not in answer.headers


async def test_a_refusal_is_replayed_and_an_outage_is_not(api: Any) -> None:
    bad = await api.http.post("/v1/calls", json={}, headers=KEY)
    again = await api.http.post("/v1/calls", json={}, headers=KEY)
    assert bad.status_code == again.status_code == 422
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["content-type"] == "application/problem+json"
    for trouble in (Refusal("unavailable", "x"), Refusal("queue_full", "x"), RuntimeError("bug")):
        api.board.breaks = trouble
        headers = {"Idempotency-Key": str(trouble)}
        failed = await api.http.post("/v1/calls", json=BODY, headers=headers)
        assert failed.status_code in {429, 500, 503}
        well = await api.http.post("/v1/calls", json=BODY, headers=headers)
        assert well.status_code == 201
        assert "idempotent-replayed" not in well.headers


async def test_an_action_without_body_is_not_repeated(api: Any) -> None:
    call_id = await api.open()
    for _ in range(2):
        answer = await api.http.post(f"/v1/calls/{call_id}/pause", headers=KEY)
        assert (answer.status_code, answer.json()["paused"]) == (200, True)
    assert (await api.http.post(f"/v1/calls/{call_id}/pause")).status_code == 409


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "é"])
async def test_a_key_that_is_none_is_400(api: Any, key: str) -> None:
    answer = await api.http.post("/v1/calls", json=BODY, headers=[("Idempotency-Key", key.encode())])
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


async def test_only_posts_have_keys(api: Any) -> None:
    for _ in range(2):
        assert "idempotent-replayed" not in (await api.http.get("/v1/calls", headers=KEY)).headers


async def test_a_client_that_left_gets_its_answer_when_it_comes_again(on_port: Callable[..., Any]) -> None:
    async with on_port() as api:
        api.board.gate = asyncio.Event()
        body = b'{"rtp":{"address":"127.0.0.1","port":40000}}'
        _, writer = await asyncio.open_connection(api.http.base_url.host, api.http.base_url.port)
        writer.write(b"POST /v1/calls HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: gone\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()
        await writer.wait_closed()
        headers = {"Idempotency-Key": "gone"}
        waiting = await api.http.post("/v1/calls", content=body, headers=headers)
        assert waiting.status_code == 409
        api.board.gate.set()
        for _ in range(100):
            answer = await api.http.post("/v1/calls", content=body, headers=headers)
            if answer.status_code != 409:
                break
            await asyncio.sleep(0.01)
        assert answer.status_code == 201
        assert answer.headers["idempotent-replayed"] == "true"
        assert len(api.board.opened) == 1


async def test_a_client_that_leaves_in_mid_body_holds_no_key(on_port: Callable[..., Any]) -> None:
    async with on_port() as api:
        _, writer = await asyncio.open_connection(api.http.base_url.host, api.http.base_url.port)
        writer.write(b"POST /v1/calls HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k-1\r\n")
        writer.write(b"Content-Length: 500\r\n\r\n{")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()
        await writer.wait_closed()
        assert (await api.http.post("/v1/calls", json=BODY, headers=KEY)).status_code == 201
