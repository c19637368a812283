"""The speech socket's door: keys and origins as for any request, and an end with the call's and the server's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from starlette.websockets import WebSocket

KEY = {"X-API-Key": "first-key"}


def _url(api: Any, call: str) -> str:
    return f"{api.http.base_url}/v1/calls/{call}/speech".replace("http", "ws")


@pytest.mark.parametrize(
    ("given", "headers", "call", "status"),
    [
        ({"api_keys": ("first-key",)}, {}, "c_0", 401),
        ({"api_keys": ("first-key",)}, {"X-API-Key": "second-key"}, "c_0", 401),
        ({"api_keys": ("first-key",)}, KEY, "c_1", 404),
        ({}, {"Origin": "https://elsewhere.example"}, "c_0", 403),
        ({}, {"Host": "elsewhere.example"}, "c_0", 421),
    ],
)
async def test_who_may_not_is_refused_before_it_opens(
    on_port: Callable[..., Any], given: Any, headers: dict[str, str], call: str, status: int
) -> None:
    async with on_port(**given) as api, aiohttp.ClientSession() as http:
        api.http.headers.update(KEY)
        await api.open()
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(_url(api, call), headers=headers)
        assert refused.value.status == status
        assert refused.value.headers is not None
        assert refused.value.headers["x-request-id"].startswith("req_")


async def test_a_socket_ends_with_its_call(on_port: Callable[..., Any]) -> None:
    async with on_port() as api, aiohttp.ClientSession() as http:
        call = await api.open()
        async with http.ws_connect(_url(api, call)) as socket:
            await socket.send_str("{")
            told = await socket.receive_json()
            assert (told["type"], told["code"]) == ("error", "bad_request")
            await api.board.registry.close_call(call)
            assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
            assert socket.close_code == 1000


async def test_nobody_may_speak_on_a_call_that_is_closed(on_port: Callable[..., Any]) -> None:
    async with on_port() as api, aiohttp.ClientSession() as http:
        call = await api.open()
        await api.board.registry.close_call(call)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(_url(api, call))
        assert refused.value.status == 409


async def test_a_socket_ends_with_a_call_that_ends_as_it_is_accepted(
    on_port: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with on_port() as api, aiohttp.ClientSession() as http:
        call = await api.open()
        accept = WebSocket.accept

        async def ends(socket: WebSocket) -> None:
            await accept(socket)
            await api.board.registry.close_call(call)

        monkeypatch.setattr(WebSocket, "accept", ends)
        async with http.ws_connect(_url(api, call)) as socket, asyncio.timeout(5):
            assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
            assert socket.close_code == 1000


async def test_a_socket_ends_with_the_server(on_port: Callable[..., Any]) -> None:
    async with on_port() as api, aiohttp.ClientSession() as http:
        call = await api.open()
        async with http.ws_connect(_url(api, call)) as socket:
            api.app.state.context.end_streams()
            assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
            assert socket.close_code == 1012
