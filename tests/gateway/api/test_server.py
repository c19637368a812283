"""The server's life: ports, signals, draining, readers that stall."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvloop

from gateway.api import server
from gateway.api.server import listen, serve, serving


def test_port_0_takes_a_free_one_and_a_taken_one_is_an_error() -> None:
    with listen("127.0.0.1", 0) as first, listen("::1", 0) as second:
        assert first.getsockname()[1] > 0
        assert second.family is socket.AF_INET6
        with pytest.raises(OSError, match="in use"):
            listen("127.0.0.1", first.getsockname()[1])


@asynccontextmanager
async def running(board: Any) -> AsyncIterator[tuple[asyncio.Task[None], httpx.AsyncClient]]:
    """``serve`` with a client of it; it has ended when the context has."""
    where: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(board, board.settings, where.set_result))
    async with httpx.AsyncClient(base_url=await asyncio.wait_for(where, 10)) as http:
        yield task, http
    await asyncio.wait_for(task, 20)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_ends(make_board: Callable[..., Any], number: signal.Signals) -> None:
    async def run() -> None:
        board = make_board(drain_seconds=7)
        async with running(board) as (task, http):
            assert board.started
            body = {"rtp": {"address": "127.0.0.1", "port": 40000}}
            assert (await http.post("/v1/calls", json=body)).status_code == 201
            async with http.stream("GET", "/v1/events") as stream:
                board.draining.begun = asyncio.Event()
                os.kill(os.getpid(), number)
                await asyncio.wait_for(board.draining.begun.wait(), 10)
                assert board.draining.finishes == 7
                assert (await http.get("/health/ready")).json()["status"] == "draining"
                refused = await http.post("/v1/calls", json=body)
                assert (refused.status_code, refused.json()["code"]) == (503, "draining")
                assert (await http.get("/v1/calls/c_0")).status_code == 200
                board.draining.may_end.set()
                await stream.aread()
        assert task.done()
        assert board.closed
        assert board.registry.call("c_0").cause == "closed"
        board.ring.close()

    uvloop.run(run())


def test_a_second_signal_ends_the_wait(make_board: Callable[..., Any]) -> None:
    async def run() -> None:
        board = make_board(drain_seconds=3600)
        board.draining.begun = asyncio.Event()
        async with running(board):
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.wait_for(board.draining.begun.wait(), 10)
            os.kill(os.getpid(), signal.SIGTERM)
        assert board.closed
        board.ring.close()

    uvloop.run(run())


def test_a_gateway_that_does_not_start_is_closed(make_board: Callable[..., Any]) -> None:
    async def run() -> None:
        board = make_board()
        board.start_fails = RuntimeError("no worker")
        with pytest.raises(RuntimeError, match="no worker"):
            await serve(board, board.settings)
        assert board.closed
        board.ring.close()

    uvloop.run(run())


def test_a_taken_port_ends_the_gateway(make_board: Callable[..., Any]) -> None:
    async def run() -> None:
        with listen("127.0.0.1", 0) as taken:
            board = make_board(http_port=taken.getsockname()[1])
            with pytest.raises(OSError, match="in use"):
                await serve(board, board.settings)
        assert board.closed
        board.ring.close()

    uvloop.run(run())


async def test_a_reader_that_takes_nothing_in_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "STALLED_SECONDS", 1.0)
    left = asyncio.Event()

    async def flood(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not left.is_set():
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            disconnected = asyncio.create_task(receive())
            await asyncio.wait({disconnected}, timeout=0.001)
            if disconnected.done() and disconnected.result()["type"] == "http.disconnect":
                left.set()
            disconnected.cancel()

    async with serving(flood, "127.0.0.1", 0) as (host, port):
        reader, writer = await asyncio.open_connection(host, port, limit=1024)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readexactly(100)
        await asyncio.wait_for(left.wait(), 30)
        writer.transport.abort()
