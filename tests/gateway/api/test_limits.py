"""What a client may do to a real connection: large, slow, broken and half-sent requests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from gateway.api import connection
from gateway.api.limits import BodyLimit

HEAD = b"POST /v1/calls HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


async def talk(api: Any, *pieces: bytes, pause: float = 0.0) -> tuple[int, dict[str, Any]]:
    """Send the pieces over a bare connection; the first answer's status and problem."""
    reader, writer = await asyncio.open_connection(api.http.base_url.host, api.http.base_url.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = next(
            int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length")
        )
        return int(head.split()[1]), json.loads(await reader.readexactly(length))
    finally:
        writer.close()
        await writer.wait_closed()


async def still_serves(api: Any) -> bool:
    return bool((await api.http.get("/health/live")).status_code == 200)


async def test_a_body_may_be_as_long_as_the_setting(on_port: Callable[..., Any]) -> None:
    async with on_port(max_body_octets=2048) as api:
        exact = b'{"rtp":1,"x":"' + b"a" * (2048 - 16) + b'"}'
        assert len(exact) == 2048
        assert (await api.http.post("/v1/calls", content=exact)).status_code == 422
        answer = await api.http.post("/v1/calls", content=exact + b" ")
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
        assert "VOXTRUNK_MAX_BODY_OCTETS" in answer.json()["detail"]


async def test_a_body_in_chunks_is_limited_too(on_port: Callable[..., Any]) -> None:
    async def endless(chunks: int) -> AsyncIterator[bytes]:
        for _ in range(chunks):
            yield b"x" * 1000

    async with on_port(max_body_octets=100_000) as api:
        assert (await api.http.post("/v1/calls", content=endless(100))).status_code == 400
        assert (await api.http.post("/v1/calls", content=endless(101))).status_code == 413
        assert (await api.http.post("/v1/calls", content=endless(5000))).status_code == 413
        assert await still_serves(api)


async def test_a_length_that_is_announced_is_refused_before_it_is_sent(on_port: Callable[..., Any]) -> None:
    async with on_port() as api:
        status, problem = await talk(api, HEAD + b"Content-Length: 99999999999\r\n\r\n")
        assert (status, problem["code"]) == (413, "body_too_large")


async def test_a_body_of_many_small_pieces_is_read(on_port: Callable[..., Any]) -> None:
    body = b'{"rtp": {"address": "127.0.0.1", "port": 40000}}'
    pieces = [body[i : i + 1] for i in range(len(body))]
    async with on_port() as api:
        status, call = await talk(api, HEAD + b"Content-Length: %d\r\n\r\n" % len(body), *pieces, pause=0.001)
        assert (status, call["state"]) == (201, "open")


async def test_a_body_that_does_not_come_is_408() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the app was asked")

    async def receive() -> Any:
        await asyncio.sleep(60)

    async def send(message: Any) -> None:
        raise AssertionError("something was sent")

    layer = BodyLimit(app, octets=10, seconds=0.05)
    with pytest.raises(Exception, match="request_timeout"):
        await layer({"type": "http", "method": "POST", "headers": []}, receive, send)


async def test_a_client_that_leaves_in_mid_body_leaves_no_trace(on_port: Callable[..., Any]) -> None:
    async with on_port() as api:
        for _ in range(20):
            _, writer = await asyncio.open_connection(api.http.base_url.host, api.http.base_url.port)
            writer.write(HEAD + b'Content-Length: 500\r\n\r\n{"rtp":')
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        assert await still_serves(api)
        assert api.board.opened == []


@pytest.mark.parametrize(
    "octets",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 not http\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"NOPE / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nBroken header\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 1e3\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_not_http_is_400(on_port: Callable[..., Any], octets: bytes) -> None:
    async with on_port() as api:
        status, problem = await talk(api, octets)
        assert status == 400
        assert problem["code"] == "bad_request"
        assert await still_serves(api)


async def test_a_head_without_end_is_cut_off(on_port: Callable[..., Any]) -> None:
    async with on_port() as api:
        lines = [b"GET / HTTP/1.1\r\n", *(b"X-%d: %s\r\n" % (i, b"a" * 1000) for i in range(400))]
        try:
            status, problem = await talk(api, *lines)
        except ConnectionError:
            status = 400  # cut off before the answer could be read
        else:
            assert "head" in problem["detail"]
        assert status == 400
        assert await still_serves(api)


async def test_a_head_that_does_not_come_is_not_waited_for(
    on_port: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.1)
    async with on_port() as api:
        for begun in (b"", b"GET /health/live HTTP/1.1\r\nHo"):
            reader, writer = await asyncio.open_connection(api.http.base_url.host, api.http.base_url.port)
            writer.write(begun)
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
        assert await still_serves(api)


async def test_a_connection_lives_on_after_its_first_request(
    on_port: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.05)
    async with on_port() as api:
        reader, writer = await asyncio.open_connection(api.http.base_url.host, api.http.base_url.port)
        for _ in range(3):
            writer.write(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.15)
        writer.close()
        await writer.wait_closed()


async def test_two_requests_at_once_on_one_connection(on_port: Callable[..., Any]) -> None:
    async with on_port() as api:
        reader, writer = await asyncio.open_connection(api.http.base_url.host, api.http.base_url.port)
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2)
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")
        writer.close()
        await writer.wait_closed()
