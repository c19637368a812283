"""Wrong requests: each is refused by the name of its field, and nothing that can be sent is a 500."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

RTP = {"address": "127.0.0.1", "port": 40000}
CALLS = "/v1/calls"
SAY = "/v1/calls/c_0/utterances"
DTMF = "/v1/calls/c_0/dtmf"
STOP = "/v1/calls/c_0/stop"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (CALLS, {}, "rtp"),
        (CALLS, {"rtp": None}, "rtp"),
        (CALLS, {"rtp": []}, "rtp"),
        (CALLS, {"rtp": {"address": "127.0.0.1"}}, "rtp.port"),
        (CALLS, {"rtp": {"port": 4000}}, "rtp.address"),
        (CALLS, {"rtp": RTP | {"port": 0}}, "rtp.port"),
        (CALLS, {"rtp": RTP | {"port": 65536}}, "rtp.port"),
        (CALLS, {"rtp": RTP | {"port": 10**30}}, "rtp.port"),
        (CALLS, {"rtp": RTP | {"port": "40000"}}, "rtp.port"),
        (CALLS, {"rtp": RTP | {"port": 40000.5}}, "rtp.port"),
        (CALLS, {"rtp": RTP | {"port": True}}, "rtp.port"),
        (CALLS, {"rtp": RTP | {"address": 2130706433}}, "rtp.address"),
        (CALLS, {"rtp": RTP | {"address": ""}}, "rtp.address"),
        (CALLS, {"rtp": RTP | {"host": "a"}}, "rtp.host"),
        (CALLS, {"rtp": RTP | {"rtcp_mux": True, "rtcp_port": 40001}}, "rtp"),
        (CALLS, {"rtp": RTP, "codec": "G729"}, "codec"),
        (CALLS, {"rtp": RTP, "codec": "pcmu"}, "codec"),
        (CALLS, {"rtp": RTP, "codec": None}, "codec"),
        (CALLS, {"rtp": RTP, "ptime": "20"}, "ptime"),
        (CALLS, {"rtp": RTP, "ptime": 25}, "ptime"),
        (CALLS, {"rtp": RTP, "ptime": True}, "ptime"),
        (CALLS, {"rtp": RTP, "ptime": 50}, "ptime"),
        (CALLS, {"rtp": RTP, "dtmf_payload_type": 95}, "dtmf_payload_type"),
        (CALLS, {"rtp": RTP, "dtmf_payload_type": 128}, "dtmf_payload_type"),
        (CALLS, {"rtp": RTP, "silence": "comfort"}, "silence"),
        (CALLS, {"rtp": RTP, "voice": ""}, "voice"),
        (CALLS, {"rtp": RTP, "client_state": "é" * 2049}, "client_state"),
        (CALLS, {"rtp": RTP, "client_state": {"a": 1}}, "client_state"),
        (CALLS, {"rtp": RTP, "max_seconds": 0}, "max_seconds"),
        (CALLS, {"rtp": RTP, "max_seconds": 10**400}, "max_seconds"),
        (CALLS, {"rtp": RTP, "webhook_url": "ftp://example.org/"}, "webhook_url"),
        (CALLS, {"rtp": RTP, "webhook_url": "http://"}, "webhook_url"),
        (CALLS, {"rtp": RTP, "webhook_url": "http://a b/"}, "webhook_url"),
        (CALLS, {"rtp": RTP, "webhook_url": "http://a/\r\nx: y"}, "webhook_url"),
        (CALLS, {"rtp": RTP, "webhook_url": "/hook"}, "webhook_url"),
        (CALLS, {"rtp": RTP, "webhook_url": "http://example.org/" + "a" * 2048}, "webhook_url"),
        (CALLS, {"rtp": RTP, "Codec": "PCMU"}, "Codec"),
        (SAY, {}, "body"),
        (SAY, {"text": None}, "body"),
        (SAY, {"text": "a", "ssml": "<speak>a</speak>"}, "body"),
        (SAY, {"text": "a", "prompt": "b"}, "body"),
        (SAY, {"text": ""}, "text"),
        (SAY, {"text": " \n\t"}, "text"),
        (SAY, {"ssml": ""}, "ssml"),
        (SAY, {"prompt": ""}, "prompt"),
        (SAY, {"text": 5}, "text"),
        (SAY, {"text": ["a"]}, "text"),
        (SAY, {"text": "a", "id": ""}, "id"),
        (SAY, {"text": "a", "id": "a/b"}, "id"),
        (SAY, {"text": "a", "id": ".."}, "id"),
        (SAY, {"text": "a", "id": "a\n"}, "id"),
        (SAY, {"text": "a", "id": "a" * 129}, "id"),
        (SAY, {"text": "a", "id": 42}, "id"),
        (SAY, {"text": "a", "rate": 0.49}, "rate"),
        (SAY, {"text": "a", "rate": 2.01}, "rate"),
        (SAY, {"text": "a", "rate": "1"}, "rate"),
        (SAY, {"text": "a", "rate": True}, "rate"),
        (SAY, {"text": "a", "rate": 10**400}, "rate"),
        (SAY, {"text": "a", "volume_db": 10.5}, "volume_db"),
        (SAY, {"text": "a", "volume_db": -41}, "volume_db"),
        (SAY, {"text": "a", "mode": "prepend"}, "mode"),
        (SAY, {"text": "a", "interruptible": True}, "interruptible"),
        (SAY, {"text": "a", "client_state": "a" * 4097}, "client_state"),
        (SAY, {"text": "a", "speed": 1.0}, "speed"),
        (DTMF, {}, "digits"),
        (DTMF, {"digits": ""}, "digits"),
        (DTMF, {"digits": "1" * 33}, "digits"),
        (DTMF, {"digits": "12x"}, "digits"),
        (DTMF, {"digits": "1\n"}, "digits"),
        (DTMF, {"digits": "١"}, "digits"),
        (DTMF, {"digits": 12}, "digits"),
        (DTMF, {"digits": "1", "duration_ms": 39}, "duration_ms"),
        (DTMF, {"digits": "1", "duration_ms": 5001}, "duration_ms"),
        (DTMF, {"digits": "1", "duration_ms": 100.5}, "duration_ms"),
        (STOP, {"scope": "everything"}, "scope"),
        (STOP, {"scope": None}, "scope"),
        (STOP, {"scop": "all"}, "scop"),
    ],
)
async def test_a_wrong_field_is_named(api: Any, path: str, body: dict[str, Any], field: str) -> None:
    await api.open()
    answer = await api.http.post(path, json=body)
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert problem["code"] == "invalid"
    assert [error["field"] for error in problem["errors"]] == [field]
    assert field in problem["detail"]
    pointer = "#" if field == "body" else "#/" + field.replace(".", "/")
    assert problem["errors"][0]["pointer"] == pointer
    assert problem["errors"][0]["detail"]
    assert len(api.board.opened) == 1, "a refused request did something"


@pytest.mark.parametrize("filled", [" ", 5, {"prompt": ""}, {}])
async def test_a_field_of_several_types_is_called_as_it_is_in_the_request(api: Any, filled: Any) -> None:
    await api.open()
    answer = await api.http.post(SAY, json={"template": "{a}", "slots": {"a": filled}})
    named = {error["field"] for error in answer.json()["errors"]}
    assert "slots.a" in named
    assert named <= {"slots.a", "slots.a.prompt"}
    answer = await api.http.post("/v1/audio/speech", json={"input": "a", "model": "m", "voice": 5})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "voice")


async def test_elevenlabs_is_told_that_the_query_is_wrong(api: Any) -> None:
    answer = await api.http.post("/v1/text-to-speech/x?output_format=midi", json={"text": "a"})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "output_format"]


async def test_all_wrong_fields_are_named_at_once(api: Any) -> None:
    answer = await api.http.post(CALLS, json={"rtp": {"address": 1, "port": 0}, "ptime": 21, "x": 1})
    named = {error["field"] for error in answer.json()["errors"]}
    assert named == {"rtp.address", "rtp.port", "ptime", "x"}


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"{'rtp': 1}",
        b'{"rtp": 1,}',
        b'{"rtp": NaN}',
        b'{"rtp": Infinity}',
        b"\xff\xfe",
        b'{"rtp": "\xed\xa0\x80"}',
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"port":' + b"9" * 5000 + b"}",
        b'{"a": "\\ud"}',
        b"\x00",
        b"{} {}",
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", None])
async def test_what_is_not_json_is_400(api: Any, content: bytes, content_type: str | None) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    answer = await api.http.post(CALLS, content=content, headers=headers)
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] == "bad_request"
    assert "JSON" in answer.json()["detail"]


@pytest.mark.parametrize("content", [b"[]", b"3", b'"text"', b"true", b"null", b""])
async def test_json_that_is_no_object_is_422(api: Any, content: bytes) -> None:
    answer = await api.http.post(CALLS, content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert "JSON object" in answer.json()["detail"]


async def test_another_content_type_is_told_the_right_one(api: Any) -> None:
    answer = await api.http.post(CALLS, data={"rtp": "x"})
    assert answer.status_code == 422
    assert "application/json" in answer.json()["detail"]


# -- anything at all ----------------------------------------------------------------------------------------

_text = st.text(st.characters(codec=None, exclude_categories=()), max_size=20)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4),
    max_leaves=10,
)
_fields = st.sampled_from(
    [
        "rtp", "codec", "ptime", "dtmf_payload_type", "silence", "voice", "client_state", "webhook_url",
        "max_seconds", "text", "ssml", "prompt", "id", "rate", "volume_db", "mode", "interruptible", "scope",
        "digits", "duration_ms",
    ]
)  # fmt: skip
_plausible = st.sampled_from(
    [
        RTP,
        "PCMA",
        20,
        101,
        "send",
        "espeak:de",
        "x" * 5000,
        1.0,
        "append",
        "any",
        "all",
        "12",
        "hello",
        "\ud800",
    ]
)
_bodies = _json | st.dictionaries(_fields | _text, _plausible | _json, max_size=6)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=_bodies, path=st.sampled_from([CALLS, SAY, DTMF, STOP]))
def test_no_json_is_a_500(in_process: Any, body: Any, path: str) -> None:
    async def ask() -> None:
        async with in_process() as api:
            await api.open()
            answer = await api.http.post(path, content=json.dumps(body).encode("ascii"))
            assert answer.status_code in {200, 201, 202, 413, 422}, answer.text
            assert answer.json()
            for read in ("/v1/calls", SAY, "/v1/calls/c_0/events"):
                assert (await api.http.get(read)).status_code == 200

    asyncio.run(ask())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200), path=st.sampled_from([CALLS, SAY, DTMF, STOP]))
def test_no_octets_are_a_500(in_process: Any, body: bytes, path: str) -> None:
    async def ask() -> None:
        async with in_process() as api:
            await api.open()
            answer = await api.http.post(path, content=body, headers={"content-type": "application/json"})
            assert answer.status_code in {200, 400, 422}

    asyncio.run(ask())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(min_size=1, max_size=30), tail=st.sampled_from(["", "/utterances/x", "/events?after=-1"]))
def test_no_path_is_a_500(in_process: Any, name: str, tail: str) -> None:
    from urllib.parse import quote

    async def ask() -> None:
        async with in_process() as api:
            answer = await api.http.get(f"/v1/calls/{quote(name, safe='')}{tail}")
            assert answer.status_code in {200, 404, 405, 422}
            assert answer.json()

    asyncio.run(ask())
