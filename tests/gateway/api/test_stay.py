"""A stream lasts no longer than what it was asked with: not when that is revoked and read again, either."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import httpx
import jwt
import pytest
import websockets

from gateway.rpc import speech_pb2 as pb
from gateway.rpc.server import speaking
from gateway.rpc.speech_pb2_grpc import SpeechStub

BOSS = {"X-API-Key": "boss-key"}
SECRET = "0123456789abcdef0123456789abcdef"
ISSUER = f"""
[[issuers]]
name = "app"
issuer = "https://app.example"
audience = "voxtrunk"
secret = "{SECRET}"
"""


def write(file: Path, more: str = "", **keys: str) -> Path:
    """A keys' file: ``boss``, and ``keys`` by name with what else is said of each."""
    entries = (f'[[keys]]\nname = "{name}"\nkey = "{name}-key"\n{what}\n' for name, what in keys.items())
    file.write_text("\n".join(['[[keys]]\nname = "boss"\nkey = "boss-key"\nadmin = true\n', *entries, more]))
    return file


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


async def reload(api: Any) -> list[str]:
    answer = await api.http.post("/v1/admin/reload", headers=BOSS)
    assert answer.status_code == 200
    assert answer.json()["errors"] == {}
    changed: list[str] = answer.json()["changed"]["keys"]
    return changed


class Streams:
    """What one key may hold open: both kinds of socket, and a stream of events."""

    def __init__(self, stack: AsyncExitStack, api: Any) -> None:
        self._stack, self._api = stack, api
        self.sockets: list[Any] = []

    async def open(self, shown: dict[str, str]) -> Streams:
        """All of them, and what is said at first is read."""
        url = f"ws://127.0.0.1:{self._api.http.base_url.port}"
        for path in ("/v1/calls/c_0/speech", "/v1/events?call_id=c_0", "/v1/events"):
            socket = websockets.connect(url + path, additional_headers=shown)
            self.sockets.append(await self._stack.enter_async_context(socket))
        stream = self._api.http.stream("GET", "/v1/events", headers=shown)
        self.texts: AsyncIterator[str] = (await self._stack.enter_async_context(stream)).aiter_text()
        assert await anext(self.texts) == ": connected\n\n"
        for socket in self.sockets[1:]:
            assert json.loads(await socket.recv())["type"] == "following"
        assert json.loads(await self.sockets[1].recv())["type"] == "call.opened"
        return self

    async def end(self) -> None:
        """Returns when all have ended, as those of somebody who may ask no more do."""
        with pytest.raises(httpx.RemoteProtocolError):
            await anext(self.texts)
        for socket in self.sockets:
            with pytest.raises(websockets.ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 1008
            assert "revoked" in socket.close_reason

    async def live(self) -> None:
        """Raises unless all of them still do."""
        self._api.board.publish(self._api.board.opened[0], "call.dtmf", digit="5")
        assert "call.dtmf" in await anext(self.texts)
        await self.sockets[0].send('{"type": "flush", "id": "u"}')
        told = [json.loads(await socket.recv()) for socket in self.sockets]
        assert [each.get("code", each["type"]) for each in told] == [
            "unknown_utterance",
            "call.dtmf",
            "call.dtmf",
        ]


@pytest.fixture
def with_call(on_port: Callable[..., Any]) -> Callable[..., Any]:
    """``async with with_call(file) as (api, streams)``: a call is open; ``streams()`` are a client's."""

    @asynccontextmanager
    async def start(file: Path) -> AsyncIterator[Any]:
        async with on_port(api_keys_file=file) as api, AsyncExitStack() as stack, asyncio.timeout(20):
            body = {"rtp": {"address": "127.0.0.1", "port": 40000}}
            assert (await api.http.post("/v1/calls", json=body, headers=BOSS)).status_code == 201
            yield api, lambda: Streams(stack, api)

    return start


async def test_a_key_that_is_revoked_takes_its_streams_with_it_and_no_others(
    with_call: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = write(tmp_path / "k", gone="", kept="")
    async with with_call(file) as (api, streams):
        gone, kept = await streams().open(bearer("gone-key")), await streams().open(bearer("kept-key"))
        assert await reload(api) == []
        await gone.live()
        await kept.texts.__anext__()  # the same event
        for socket in kept.sockets[1:]:
            await socket.recv()
        write(file, kept="")
        assert await reload(api) == ["gone"]
        await gone.end()
        await kept.live()
        assert len(api.app.state.gate._stays) == 4, "of those who have left nothing is kept"
    assert not [each for each in caplog.records if each.name.startswith("gateway") and each.levelno > 30]


async def test_a_key_goes_on_with_what_it_may_now(with_call: Callable[..., Any], tmp_path: Path) -> None:
    file = write(tmp_path / "k", ivr="requests = 100")
    async with with_call(file) as (api, streams):
        opened = await streams().open(bearer("ivr-key"))
        write(file, ivr="requests = 200")
        assert await reload(api) == ["ivr"]
        await opened.live()
        soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
        write(file, ivr=f"expires = {soon}")
        assert await reload(api) == ["ivr"]
        await opened.live()
        began = time.monotonic()
        await opened.end()
        assert time.monotonic() - began > 0.3, "it expires, and is not revoked"


@pytest.mark.parametrize(
    ("now", "ends"),
    [
        ('scopes = ["read"]', [True, False, False]),  # the speech socket needs `speak`
        ('scopes = ["speak"]', [False, True, True]),
        ("own_calls = true", [True, True, True]),  # the call is another's
        ('scopes = ["speak", "read", "admin"]', [False, False, False]),
    ],
)
async def test_what_a_key_may_no_more_ends(
    with_call: Callable[..., Any], tmp_path: Path, now: str, ends: list[bool]
) -> None:
    file = write(tmp_path / "k", ivr="")
    async with with_call(file) as (api, streams):
        opened = await streams().open(bearer("ivr-key"))
        write(file, ivr=now)
        assert await reload(api) == ["ivr"]
        api.board.publish(api.board.opened[0], "call.dtmf", digit="5")
        await opened.sockets[0].send('{"type": "flush", "id": "u"}')
        found = []
        for socket in opened.sockets:
            try:
                await socket.recv()
                found.append(False)
            except websockets.ConnectionClosed:
                found.append(True)
        assert found == ends


@pytest.mark.parametrize("more", ["", ISSUER.replace(SECRET, SECRET[::-1]), ISSUER.replace("voxtrunk", "x")])
async def test_an_issuers_tokens_end_with_it(
    with_call: Callable[..., Any], tmp_path: Path, more: str
) -> None:
    now = int(time.time())
    claims = {"iss": "https://app.example", "aud": "voxtrunk", "iat": now, "exp": now + 600, "call": "c_0"}
    token = jwt.encode(claims | {"scope": "speak"}, SECRET, algorithm="HS256")
    file = write(tmp_path / "k", ISSUER)
    async with with_call(file) as (api, _):
        url = f"ws://127.0.0.1:{api.http.base_url.port}/v1/calls/c_0/speech"
        async with (
            websockets.connect(url, subprotocols=["voxtrunk", f"bearer.{token}"]) as socket,  # type: ignore[list-item]
            websockets.connect(url, additional_headers=bearer("boss-key")) as other,
        ):
            write(file, ISSUER + 'voices = ["espeak:*"]\n')
            assert await reload(api) == ["app"]
            await socket.send('{"type": "flush", "id": "u"}')
            assert "unknown_utterance" in await socket.recv(), "the token is still good"
            write(file, more)
            assert await reload(api) == ["app"]
            with pytest.raises(websockets.ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 1008
            await other.send('{"type": "flush", "id": "u"}')
            assert "unknown_utterance" in await other.recv()


async def test_who_revokes_himself_is_answered(with_call: Callable[..., Any], tmp_path: Path) -> None:
    file = write(tmp_path / "k", chief="admin = true")
    async with with_call(file) as (api, streams):
        opened = await streams().open(bearer("chief-key"))
        write(file)
        answer = await api.http.post("/v1/admin/reload", headers=bearer("chief-key"))
        assert (answer.status_code, answer.json()["changed"]["keys"]) == (200, ["chief"])
        await opened.end()
        answer = await api.http.post("/v1/admin/reload", headers=bearer("chief-key"))
        assert answer.status_code == 401


async def test_a_file_that_cannot_be_used_ends_nothing(with_call: Callable[..., Any], tmp_path: Path) -> None:
    file = write(tmp_path / "k", ivr="")
    async with with_call(file) as (api, streams):
        opened = await streams().open(bearer("ivr-key"))
        file.write_text("nonsense")
        answer = await api.http.post("/v1/admin/reload", headers=BOSS)
        assert answer.json()["errors"]["keys"]
        await opened.live()


async def test_a_grpc_stream_ends_with_its_key(on_port: Callable[..., Any], tmp_path: Path) -> None:
    file = write(tmp_path / "k", gone="")
    async with (
        on_port(api_keys_file=file) as api,
        speaking(api.app, "127.0.0.1", 0) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
        asyncio.timeout(20),
    ):
        stream = SpeechStub(channel).Write(metadata=(("x-api-key", "gone-key"),))
        await stream.wait_for_connection()
        while not api.app.state.gate._stays:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)
        write(file)
        assert await reload(api) == ["gone"]
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await stream.read()
        assert ended.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert "revoked" in ended.value.details()
        with pytest.raises(grpc.aio.AioRpcError):
            await SpeechStub(channel).ListVoices(
                pb.ListVoicesRequest(), metadata=(("x-api-key", "gone-key"),), timeout=5
            )
