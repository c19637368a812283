"""Errors reach each surface's clients in the words that they read, from the very edge on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.api import problems
from gateway.api.doors.shapes import shaped
from gateway.errors import KINDS, Refusal

OPENAI, ELEVENLABS, DEEPGRAM = "/v1/audio/speech", "/v1/text-to-speech/x/stream", "/v1/speak"


def told(path: str, code: str) -> tuple[int, Any]:
    found = shaped(path, problems.of_refusal(Refusal(code, "Why", field="voice")), "r-1")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("code", "openai", "elevenlabs", "deepgram"),
    [
        ("unauthorized", (401, "invalid_api_key"), (401, "invalid_api_key"), (401, "INVALID_AUTH")),
        ("unknown_voice", (400, "unknown_voice"), (404, "voice_not_found"), (400, "UNKNOWN_VOICE")),
        (
            "text_too_long",
            (400, "string_above_max_length"),
            (400, "max_character_limit_exceeded"),
            (413, "PAYLOAD_TOO_LARGE"),
        ),
        ("at_capacity", (503, "at_capacity"), (429, "system_busy"), (503, "AT_CAPACITY")),
        (
            "too_many_requests",
            (429, "rate_limit_exceeded"),
            (429, "too_many_concurrent_requests"),
            (429, "TOO_MANY_REQUESTS"),
        ),
    ],
)
def test_each_has_its_own_words(
    code: str, openai: tuple[int, str], elevenlabs: tuple[int, str], deepgram: tuple[int, str]
) -> None:
    status, body = told(OPENAI, code)
    assert (status, body["error"]["code"], body["error"]["message"], body["error"]["param"]) == (
        *openai,
        "Why",
        "voice",
    )
    status, body = told(ELEVENLABS, code)
    assert (status, body["detail"]["status"], body["detail"]["message"]) == (*elevenlabs, "Why")
    status, body = told(DEEPGRAM, code)
    assert (status, body["err_code"], body["err_msg"], body["request_id"]) == (*deepgram, "Why", "r-1")


def test_every_refusal_has_a_shape_and_no_other_path_does() -> None:
    for code in KINDS:
        for path in (OPENAI, ELEVENLABS, DEEPGRAM):
            assert 400 <= told(path, code)[0] < 600
    for path in ("/v1/calls", "/v1/speakers", "/v1/speak/more", "/v1/audio"):
        assert shaped(path, problems.internal(), "r-1") is None


@pytest.mark.parametrize(
    ("path", "headers", "said"),
    [
        (OPENAI, {}, ("error", "code", "invalid_api_key")),
        (OPENAI, {"Authorization": "Bearer wrong"}, ("error", "code", "invalid_api_key")),
        (ELEVENLABS, {"xi-api-key": "wrong"}, ("detail", "status", "invalid_api_key")),
        (DEEPGRAM, {"Authorization": "Token wrong"}, ("err_code", None, "INVALID_AUTH")),
    ],
)
async def test_who_has_no_key_is_told_so_in_the_clients_words(
    in_process: Callable[..., Any], path: str, headers: dict[str, str], said: tuple[str, str | None, str]
) -> None:
    async with in_process(api_keys=("right",)) as api:
        answer = await api.http.post(path, json={}, headers=headers)
    member, inner, value = said
    assert answer.status_code == 401
    assert answer.headers["x-request-id"]
    found = answer.json()[member]
    assert (found if inner is None else found[inner]) == value


@pytest.mark.parametrize(
    "headers", [{"Authorization": "Token right"}, {"Authorization": "Bearer right"}, {"xi-api-key": "right"}]
)
async def test_keys_are_taken_as_each_client_sends_them(
    in_process: Callable[..., Any], headers: dict[str, str]
) -> None:
    async with in_process(api_keys=("right",)) as api:
        assert (await api.http.get("/v1/voices", headers=headers)).status_code == 200


async def test_a_key_speaks_with_its_voices_alone(in_process: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text('[[keys]]\nname = "german"\nkey = "right"\nvoices = ["espeak:de"]\n')
    asked = {"headers": {"Authorization": "Bearer right"}}
    async with in_process(api_keys_file=file) as api:
        body = {"model": "m", "voice": "alloy", "input": "Hello."}
        answers = [
            await api.http.post(OPENAI, json=body, **asked),
            await api.http.post("/v1/text-to-speech/default/stream", json={"text": "Hello."}, **asked),
            await api.http.post(f"{DEEPGRAM}?model=aura-2-zeus-en", json={"text": "Hello."}, **asked),
        ]
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert all("german may not speak with espeak:en-us" in answer.text for answer in answers)
