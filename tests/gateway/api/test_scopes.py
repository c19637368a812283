"""What a key may: its scopes on every route, its voices, its targets, its time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import websockets
from starlette.routing import Route, WebSocketRoute

from gateway.api.keyring import Keyring
from gateway.api.scopes import OPEN_PATHS, TABLE, WEBSOCKET, methods_of
from gateway.calls.requests import OpenCall, Say
from gateway.calls.targets import check_target
from gateway.errors import Refusal
from tts_core import Script


def routes(found: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Path and method of every route, those of routers in routers too."""
    for route in found:
        if hasattr(route, "effective_candidates"):
            yield from routes(route.effective_candidates())
            continue
        inner = getattr(route, "original_route", route)
        assert isinstance(inner, Route | WebSocketRoute), f"{route} is neither a route nor a WebSocket"
        methods = {WEBSOCKET} if isinstance(inner, WebSocketRoute) else set(inner.methods or ()) - {"HEAD"}
        for method in methods:
            yield str(route.path or route.starlette_route.path), method


async def test_every_route_has_a_scope_and_every_scope_a_route(api: Any) -> None:
    found = set(routes(api.app.routes))
    described = (await api.http.get("/openapi.json")).json()["paths"]
    assert {(path, method.upper()) for path, methods in described.items() for method in methods} < found
    lacking = {each for each in found if each[0] not in OPEN_PATHS and each[1] not in TABLE.get(each[0], {})}
    assert not lacking, f"gateway/api/scopes.py lacks {sorted(lacking)}"
    assert {(path, method) for path, methods in TABLE.items() for method in methods} <= found


def test_a_path_is_found_as_it_is_routed() -> None:
    for template, methods in TABLE.items():
        assert methods_of(template.replace("{", "").replace("}", "")) == methods
    for path in (
        "/v1/calls/",
        "/v1/calls/x/",
        "/v1/calls/a/b/speech",
        "//v1/calls",
        "/v1/calls\n",
        "/v1",
        "",
    ):
        assert methods_of(path) == {}


def keys_file(path: Path, **keys: str) -> Path:
    entries = (f'[[keys]]\nname = "{name}"\nkey = "{name}-key"\n{more}\n' for name, more in keys.items())
    path.write_text("\n".join(entries))
    return path


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}-key"}


async def test_a_scope_opens_its_routes_and_no_others(in_process: Callable[..., Any], tmp_path: Path) -> None:
    file = keys_file(
        tmp_path / "k",
        speak='scopes = ["speak"]',
        read='scopes = ["read"]',
        admin='scopes = ["admin"]',
        usual="",
    )
    has = {"speak": {"speak"}, "read": {"read"}, "admin": {"admin"}, "usual": {"speak", "read"}}
    async with in_process(api_keys_file=file) as api:
        await api.board.reception.open_call(request_of(api))
        tried = 0
        for template, methods in TABLE.items():
            path = re.sub(r"\{[^}]+\}", "x", template)
            # what streams without an end is tried with those that are refused
            endless = path == "/v1/events"
            for method, needed in methods.items():
                if method == WEBSOCKET or path == "/metrics":
                    continue
                for name, scopes in has.items():
                    if needed in scopes and endless:
                        continue
                    answer = await api.http.request(method, path, headers=bearer(name))
                    refused = answer.status_code == 403  # each door says so in its own words
                    assert refused == (needed not in scopes), (method, path, name, answer.text)
                    tried += 1
        assert tried > 80


def request_of(api: Any) -> Any:
    return OpenCall("127.0.0.1", 40000)


async def test_what_the_table_does_not_list_exists_for_administrators_alone(
    in_process: Callable[..., Any], tmp_path: Path
) -> None:
    file = keys_file(tmp_path / "k", usual="", boss="admin = true")
    async with in_process(api_keys_file=file) as api:

        @api.app.get("/v1/new")
        async def new() -> str:
            return "there"

        assert (await api.http.get("/v1/new", headers=bearer("usual"))).status_code == 404
        assert (await api.http.get("/v1/new", headers=bearer("boss"))).json() == "there"
        answer = await api.http.put("/v1/calls", headers=bearer("usual"))
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
        assert answer.json()["code"] == "method_not_allowed"


async def test_a_key_expires(in_process: Callable[..., Any], tmp_path: Path) -> None:
    def at(**ago: float) -> str:
        return f"expires = {(datetime.now(UTC) + timedelta(**ago)).isoformat()}"

    file = keys_file(tmp_path / "k", old=at(seconds=-1), new=at(days=1))
    async with in_process(api_keys_file=file) as api:
        assert (await api.http.get("/v1/calls", headers=bearer("old"))).status_code == 401
        assert (await api.http.get("/v1/calls", headers=bearer("new"))).status_code == 200


async def test_a_stream_ends_with_the_key_that_opened_it(on_port: Callable[..., Any], tmp_path: Path) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=0.5)).isoformat()
    async with (
        on_port(api_keys_file=keys_file(tmp_path / "k", brief=f"expires = {soon}")) as api,
        asyncio.timeout(10),
        api.http.stream("GET", "/v1/events", headers=bearer("brief")) as answer,
    ):
        texts = answer.aiter_text()
        assert await anext(texts) == ": connected\n\n"
        with pytest.raises(httpx.RemoteProtocolError):
            await anext(texts)


async def test_a_key_sends_where_it_may(in_process: Callable[..., Any], tmp_path: Path) -> None:
    file = keys_file(tmp_path / "k", near='rtp_allow = ["127.0.0.2/32"]')
    async with in_process(api_keys_file=file) as api:
        body = {"rtp": {"address": "127.0.0.2", "port": 40000}}
        assert (await api.http.post("/v1/calls", json=body, headers=bearer("near"))).status_code == 201
        (call,) = api.board.opened
        settings, allow = api.board.settings, call.request.owner_allow
        assert str(check_target(settings, "127.0.0.2", 40000, owner_allow=allow)) == "127.0.0.2"
        with pytest.raises(Refusal, match="rtp_allow") as caught:
            check_target(settings, "127.0.0.3", 40000, owner_allow=allow)
        assert caught.value.code == "target_not_allowed"
        # and never beyond what the gateway may
        with pytest.raises(Refusal, match="VOXTRUNK_RTP_ALLOW"):
            check_target(settings, "10.0.0.1", 40000, owner_allow=(*allow, *call.request.owner_allow))


async def test_a_key_speaks_with_its_voices(in_process: Callable[..., Any], tmp_path: Path) -> None:
    file = keys_file(tmp_path / "k", german='voices = ["espeak:de*"]', all="")
    async with in_process(api_keys_file=file) as api:

        async def post(path: str, name: str = "german", **body: Any) -> int:
            answer = await api.http.post(path, json=body, headers=bearer(name))
            return int(answer.status_code)

        rtp = {"address": "127.0.0.1", "port": 40000}
        assert await post("/v1/calls", rtp=rtp) == 403  # the default voice is another
        assert await post("/v1/calls", rtp=rtp, voice="espeak:de") == 201
        say = "/v1/calls/c_0/utterances"
        assert await post(say, text="Hallo.") == 202
        assert await post(say, text="Hello.", voice="espeak:en-us") == 403
        other = '<speak>Hallo <voice name="espeak:en-us">hello</voice></speak>'
        assert await post(say, ssml=other) == 403
        assert await post(say, ssml='<speak>Hallo <lang xml:lang="en-US">hello</lang></speak>') == 403
        assert await post(say, "all", ssml=other, id="theirs", voice="espeak:en-us") == 202
        assert await post(say + "/theirs/resume_from") == 403
        plain = {"content-type": "text/plain"} | bearer("german")
        answer = await api.http.post(say + "?voice=espeak:en-us", content="Hello.", headers=plain)
        assert answer.status_code == 403


async def test_a_key_has_its_own_calls(on_port: Callable[..., Any], tmp_path: Path) -> None:
    file = keys_file(tmp_path / "k", one="own_calls = true", two="own_calls = true", all="")
    async with on_port(api_keys_file=file) as api:
        body = {"rtp": {"address": "127.0.0.1", "port": 40000}}
        for name in ("one", "two"):
            assert (await api.http.post("/v1/calls", json=body, headers=bearer(name))).status_code == 201
        for name, seen in {"one": ["c_0"], "two": ["c_1"], "all": ["c_0", "c_1"]}.items():
            listed = (await api.http.get("/v1/calls", headers=bearer(name))).json()["calls"]
            assert [call["id"] for call in listed] == seen
            for call_id in ("c_0", "c_1"):
                for method, path in (
                    ("GET", ""),
                    ("GET", "/events"),
                    ("POST", "/stop"),
                    ("GET", "/utterances"),
                ):
                    answer = await api.http.request(
                        method, f"/v1/calls/{call_id}{path}", headers=bearer(name)
                    )
                    assert answer.status_code == (200 if call_id in seen else 404)
        # that it exists is not told, either
        told = (await api.http.get("/v1/calls/c_1", headers=bearer("one"))).json()
        none = (await api.http.get("/v1/calls/c_9", headers=bearer("one"))).json()
        assert (told["code"], told["title"]) == (none["code"], none["title"])
        assert (await api.http.get("/v1/events", headers=bearer("one"))).status_code == 403
        url = f"ws://127.0.0.1:{api.http.base_url.port}"
        for path, status in {
            "/v1/events": 403,
            "/v1/events?call_id=c_1": 404,
            "/v1/calls/c_1/speech": 404,
            "/v1/events?call_id=c_0": 101,
        }.items():
            try:
                async with websockets.connect(url + path, additional_headers=bearer("one")):
                    found = 101
            except websockets.InvalidStatus as error:
                found = error.response.status_code
            assert found == status, path


async def test_a_door_speaks_with_its_keys_voices(in_process: Callable[..., Any], tmp_path: Path) -> None:
    file = keys_file(tmp_path / "k", german='voices = ["espeak:de*"]', all="")
    async with in_process(api_keys_file=file) as api:
        context, ring = api.app.state.context, Keyring(api.board.settings)
        german, everybody = ring.find(b"german-key"), ring.find(b"all-key")
        context.take("test", everybody, "espeak:en-us")
        with pytest.raises(Refusal, match="may not speak"):
            context.take("test", german, "espeak:en-us")
        take = context.take("test", german, "espeak:de")
        take._call = SimpleNamespace(id="c_0", voice="espeak:de")
        mixed = Script.from_ssml('<speak>Hallo <voice name="espeak:en-us">hello</voice></speak>')
        for say in (Say(0, script=mixed), Say(0, script=Script.from_text("Hello."), voice="espeak:en-us")):
            with pytest.raises(Refusal, match="may not speak"):
                await take.say(say)
