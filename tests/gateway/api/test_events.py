"""Events by poll and as a stream, on a real port: resumption, leaving, lagging, the server's end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from gateway.api import events as api_events

MEMBERS = {"id", "seq", "type", "time", "call_id", "utterance_id", "client_state", "data"}


async def test_poll_answers_what_came_after(api: Any) -> None:
    call_id = await api.open(client_state="mine")
    for name in ("one", "two"):
        api.board.publish(api.board.opened[0], "utterance.mark", name=name)
    everything = (await api.http.get(f"/v1/calls/{call_id}/events")).json()
    assert [event["seq"] for event in everything["events"]] == [1, 2, 3]
    assert all(event.keys() == MEMBERS for event in everything["events"])
    last = everything["events"][-1]
    assert (last["type"], last["call_id"], last["client_state"]) == ("utterance.mark", call_id, "mine")
    assert last["data"] == {"name": "two"}
    assert last["time"].endswith("Z")
    assert everything["next"] == 3
    rest = (await api.http.get(f"/v1/calls/{call_id}/events?after=2")).json()
    assert [event["seq"] for event in rest["events"]] == [3]
    assert (await api.http.get(f"/v1/calls/{call_id}/events?after=3")).json() == {"events": [], "next": 3}
    for wrong in ("-1", "x", "1.5"):
        answer = await api.http.get(f"/v1/calls/{call_id}/events?after={wrong}")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "after")


async def frames(response: httpx.Response) -> AsyncIterator[dict[str, str]]:
    """The fields of each event of a stream; a comment is under ``comment``."""
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line:
            name, _, value = line.partition(":")
            fields[name or "comment"] = value.strip()
        elif fields:
            yield fields
            fields = {}


async def connected(response: httpx.Response) -> AsyncIterator[dict[str, str]]:
    """The frames after the first comment, which says that nothing is missed from here on."""
    stream = frames(response)
    assert await anext(stream) == {"comment": "connected"}
    return stream


async def test_the_stream_has_id_event_and_data(on_port: Callable[..., Any]) -> None:
    async with on_port() as api, api.http.stream("GET", "/v1/events") as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        stream = await connected(response)
        await api.open(client_state="line\nbreak \u2028")
        frame = await anext(stream)
        event = json.loads(frame["data"])
        assert event.keys() == MEMBERS
        assert (frame["id"], frame["event"]) == (event["id"], "call.opened")
        assert event["client_state"] == "line\nbreak \u2028"


async def test_a_stream_resumes_after_the_last_event_seen(on_port: Callable[..., Any]) -> None:
    async with on_port() as api:
        await api.open()
        call = api.board.opened[0]
        ids = [api.board.publish(call, "utterance.mark", n=n).id for n in range(5)]
        async with api.http.stream("GET", "/v1/events", headers={"Last-Event-ID": ids[1]}) as response:
            stream = await connected(response)
            new = api.board.publish(call, "utterance.mark", n=5).id
            assert [(await anext(stream))["id"] for _ in range(4)] == [*ids[2:], new]


@pytest.mark.parametrize("last", ["e_run_1", "e_earlier_3", "nonsense", "e_run_99"])
async def test_what_is_too_old_or_unknown_is_410(on_port: Callable[..., Any], last: str) -> None:
    async with on_port(events_retained=16) as api:
        await api.open()
        for n in range(20):
            api.board.publish(api.board.opened[0], "utterance.mark", n=n)
        answer = await api.http.get("/v1/events", headers={"Last-Event-ID": last})
        assert (answer.status_code, answer.json()["code"]) == (410, "events_gone")
        assert api.app.state.context.streams == set()


async def test_a_silent_stream_is_kept_alive(
    on_port: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_events, "KEEP_ALIVE_SECONDS", 0.05)
    async with on_port() as api, api.http.stream("GET", "/v1/events") as response:
        stream = await connected(response)
        for _ in range(3):
            assert await anext(stream) == {"comment": "alive"}
        await api.open()
        assert (await anext(stream))["event"] == "call.opened"


async def test_a_reader_that_leaves_is_forgotten(on_port: Callable[..., Any]) -> None:
    async with on_port() as api:
        for _ in range(10):
            async with api.http.stream("GET", "/v1/events") as response:
                await connected(response)
        for _ in range(100):
            if not api.app.state.context.streams:
                break
            await asyncio.sleep(0.01)
        assert api.app.state.context.streams == set()
        assert not api.board.events._subscriptions


async def test_a_reader_that_does_not_read_blocks_nobody(on_port: Callable[..., Any]) -> None:
    async with on_port() as api:
        await api.open()
        call = api.board.opened[0]
        reader, writer = await asyncio.open_connection(
            api.http.base_url.host, api.http.base_url.port, limit=1024
        )
        writer.write(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"connected" in await reader.readuntil(b"connected\n\n")
        async with api.http.stream("GET", "/v1/events") as response:
            stream = await connected(response)
            seen = 0
            for n in range(3000):
                api.board.publish(call, "utterance.mark", text="x" * 4000, n=n)
                if n % 100 == 99:
                    for _ in range(100):
                        assert json.loads((await anext(stream))["data"])["data"]["n"] == seen
                        seen += 1
            assert seen == 3000
        assert (await api.http.get("/v1/calls")).status_code == 200
        assert len(api.app.state.context.streams) <= 1
        writer.transport.abort()


async def test_a_reader_that_lags_is_cut_off_and_can_resume(on_port: Callable[..., Any]) -> None:
    async with on_port() as api:
        await api.open()
        call = api.board.opened[0]
        async with api.http.stream("GET", "/v1/events") as response:
            stream = await connected(response)
            for n in range(2000):  # in one go: no reader could have kept up
                api.board.publish(call, "utterance.mark", n=n)
            got = [frame async for frame in stream]
        assert 0 < len(got) < 2000
        headers = {"Last-Event-ID": got[-1]["id"]}
        async with api.http.stream("GET", "/v1/events", headers=headers) as response:
            stream = await connected(response)
            rest = [json.loads((await anext(stream))["data"])["data"]["n"] for _ in range(2000 - len(got))]
        assert [json.loads(frame["data"])["data"]["n"] for frame in got] + rest == list(range(2000))


async def test_streams_end_with_the_server(on_port: Callable[..., Any]) -> None:
    async with on_port() as api, api.http.stream("GET", "/v1/events") as response:
        stream = await connected(response)
        api.app.state.context.end_streams()
        assert [frame async for frame in stream] == []
