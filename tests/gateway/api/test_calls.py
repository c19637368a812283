"""Calls over HTTP: the contract's shapes, statuses and paging."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from gateway.api import answers
from gateway.messages.media import LegStatistics

RTP = {"address": "127.0.0.1", "port": 40000}


async def test_open_answers_the_contracts_shape_and_place(api: Any) -> None:
    answer = await api.http.post("/v1/calls", json={"rtp": RTP, "client_state": "ticket 4711"})
    assert answer.status_code == 201
    call = answer.json()
    assert answer.headers["location"] == f"/v1/calls/{call['id']}"
    assert call["state"] == "open"
    assert (call["codec"], call["ptime"], call["voice"]) == ("PCMU", 20, "espeak:en-us")
    assert call["opened_at"] == "2026-01-02T03:04:05Z"
    assert call["rtp"] == {
        "local": {"address": "127.0.0.1", "port": 20000, "rtcp_port": 20001},
        "remote": RTP,
        "ssrc": 305419896,
        "payload_type": 0,
    }
    assert call["client_state"] == "ticket 4711"
    assert call["statistics"] is None
    assert (await api.http.get(answer.headers["location"])).json() == call


async def test_everything_asked_for_reaches_the_switchboard(api: Any) -> None:
    await api.http.post(
        "/v1/calls",
        json={
            "rtp": {"address": "::1", "port": 5004, "rtcp_port": 6000},
            "codec": "PCMA",
            "ptime": 60,
            "dtmf_payload_type": None,
            "silence": "suppress",
            "voice": "espeak:de",
            "client_state": "s",
            "webhook_url": None,
            "max_seconds": 60,
        },
    )
    request = api.board.opened[0].request
    assert (request.address, request.port, request.rtcp_port, request.rtcp_mux) == ("::1", 5004, 6000, False)
    assert (request.codec, request.ptime, request.dtmf_payload_type) == ("PCMA", 60, None)
    assert (request.silence, request.voice, request.max_seconds) == ("suppress", "espeak:de", 60)


async def test_delete_answers_the_final_call_again_and_again(api: Any) -> None:
    call_id = await api.open()
    first = await api.http.delete(f"/v1/calls/{call_id}")
    second = await api.http.delete(f"/v1/calls/{call_id}")
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()
    assert first.json()["state"] == "closed"
    assert first.json()["cause"] == "closed"
    assert first.json()["statistics"] == msgspec.structs.asdict(api.board.opened[0].statistics)


def test_every_figure_of_a_leg_is_in_the_answer() -> None:
    assert list(answers.Statistics.model_fields) == [
        field.name for field in msgspec.structs.fields(LegStatistics)
    ]


async def test_pages_hold_every_call_once_in_order(api: Any) -> None:
    ids = [await api.open() for _ in range(7)]
    seen: list[str] = []
    after: str | None = None
    for _ in range(4):
        query = {"limit": 2} | ({} if after is None else {"after": after})
        page = (await api.http.get("/v1/calls", params=query)).json()
        seen += [call["id"] for call in page["calls"]]
        after = page["next"]
        if after is None:
            break
    assert seen == ids
    assert (await api.http.get("/v1/calls", params={"limit": 7})).json()["next"] is None


async def test_calls_are_listed_by_state(api: Any) -> None:
    ids = [await api.open() for _ in range(4)]
    await api.http.delete(f"/v1/calls/{ids[1]}")
    listed = (await api.http.get("/v1/calls?state=open&limit=2")).json()
    assert [call["id"] for call in listed["calls"]] == [ids[0], ids[2]]
    rest = (await api.http.get(f"/v1/calls?state=open&limit=2&after={listed['next']}")).json()
    assert [call["id"] for call in rest["calls"]] == [ids[3]]
    closed = (await api.http.get("/v1/calls?state=closed")).json()["calls"]
    assert [call["id"] for call in closed] == [ids[1]]


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("limit=0", 422, "limit"),
        ("limit=1001", 422, "limit"),
        ("limit=many", 422, "limit"),
        ("state=ended", 422, "state"),
        ("after=c_unknown", 404, None),
    ],
)
async def test_a_wrong_query_is_refused_by_name(api: Any, query: str, status: int, field: str | None) -> None:
    answer = await api.http.get(f"/v1/calls?{query}")
    assert answer.status_code == status
    if field is not None:
        assert [error["field"] for error in answer.json()["errors"]] == [field]
        assert answer.json()["errors"][0]["in"] == "query"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/calls/c_none"),
        ("DELETE", "/v1/calls/c_none"),
        ("POST", "/v1/calls/c_none/pause"),
        ("POST", "/v1/calls/c_none/resume"),
        ("POST", "/v1/calls/c_none/stop"),
        ("GET", "/v1/calls/c_none/utterances"),
        ("GET", "/v1/calls/c_none/utterances/u"),
        ("DELETE", "/v1/calls/c_none/utterances/u"),
        ("GET", "/v1/calls/c_none/events"),
    ],
)
async def test_an_unknown_call_is_404(api: Any, method: str, path: str) -> None:
    answer = await api.http.request(method, path)
    assert answer.status_code == 404
    assert answer.json()["code"] == "unknown_call"
    assert answer.json()["retryable"] is False


async def test_pause_and_resume_in_and_out_of_turn(api: Any) -> None:
    call_id = await api.open()
    paused = await api.http.post(f"/v1/calls/{call_id}/pause")
    assert (paused.status_code, paused.json()["paused"]) == (200, True)
    again = await api.http.post(f"/v1/calls/{call_id}/pause")
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")
    resumed = await api.http.post(f"/v1/calls/{call_id}/resume")
    assert (resumed.status_code, resumed.json()["paused"]) == (200, False)
    await api.http.delete(f"/v1/calls/{call_id}")
    assert (await api.http.post(f"/v1/calls/{call_id}/pause")).status_code == 409


async def test_digits_are_sent_with_a_default_length(api: Any) -> None:
    call_id = await api.open()
    answer = await api.http.post(f"/v1/calls/{call_id}/dtmf", json={"digits": "12#"})
    assert answer.status_code == 202
    assert answer.json() == {"call_id": call_id, "digits": "12#", "duration_ms": 100}
    assert api.board.digits == [(call_id, "12#", 100)]


async def test_digits_need_telephone_event(api: Any) -> None:
    call_id = await api.open(dtmf_payload_type=None)
    answer = await api.http.post(f"/v1/calls/{call_id}/dtmf", json={"digits": "1"})
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")


async def test_a_full_gateway_says_when_to_come_back(in_process: Callable[..., Any]) -> None:
    async with in_process(max_calls=1) as api:
        await api.open()
        answer = await api.http.post("/v1/calls", json={"rtp": RTP})
        assert (answer.status_code, answer.json()["code"]) == (503, "at_capacity")
        assert answer.json()["retryable"] is True
        assert answer.headers["retry-after"] == "5"
        api.board.draining.on = True
        answer = await api.http.post("/v1/calls", json={"rtp": RTP})
        assert (answer.status_code, answer.json()["code"]) == (503, "draining")
        assert answer.headers["retry-after"] == "30"


async def test_max_seconds_is_bounded_by_the_setting(in_process: Callable[..., Any]) -> None:
    async with in_process(max_call_seconds=100) as api:
        answer = await api.http.post("/v1/calls", json={"rtp": RTP, "max_seconds": 101})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "max_seconds"
        assert "VOXTRUNK_MAX_CALL_SECONDS" in answer.json()["detail"]
        assert "100" in answer.json()["detail"]
        await api.open(max_seconds=100)


async def test_a_webhook_without_a_secret_is_refused(in_process: Callable[..., Any]) -> None:
    url = "http://127.0.0.1:9/hook"
    async with in_process() as api:
        answer = await api.http.post("/v1/calls", json={"rtp": RTP, "webhook_url": url})
        assert answer.status_code == 422
        assert "VOXTRUNK_WEBHOOK_SECRET" in answer.json()["detail"]
        assert answer.json()["errors"][0]["field"] == "webhook_url"
    async with in_process(webhook_secret="whsec_c2VjcmV0") as api:
        assert await api.open(webhook_url=url) == "c_0"


async def test_voices_are_listed_with_the_default(api: Any) -> None:
    listed = (await api.http.get("/v1/voices")).json()
    assert listed["default"] == "espeak:en-us"
    assert [voice["name"] for voice in listed["voices"]] == ["espeak:en-us", "espeak:de"]
    assert listed["voices"][1] == {
        "name": "espeak:de",
        "language": "de",
        "engine": "espeak",
        "description": "German",
        "gender": "male",
        "version": "",
    }


async def test_an_unknown_voice_is_named(api: Any) -> None:
    answer = await api.http.post("/v1/calls", json={"rtp": RTP, "voice": "espeak:tlh"})
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_voice")
    assert "espeak:tlh" in answer.json()["detail"]
