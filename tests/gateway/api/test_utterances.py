"""Utterances over HTTP: saying, listing, stopping."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


async def test_say_answers_at_once_with_its_place(api: Any) -> None:
    path = f"/v1/calls/{await api.open()}/utterances"
    first = await api.http.post(path, json={"text": "One.", "id": "u-42"})
    second = await api.http.post(path, json={"text": "Two."})
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == {
        "id": "u-42",
        "call_id": "c_0",
        "state": "queued",
        "position": 0,
        "warnings": [],
    }
    assert second.json()["position"] == 1


async def test_everything_asked_for_reaches_the_switchboard(api: Any) -> None:
    path = f"/v1/calls/{await api.open()}/utterances"
    before = time.monotonic_ns()
    await api.http.post(
        path,
        json={
            "text": "Hello.",
            "voice": "espeak:de",
            "rate": 2,
            "volume_db": -3.5,
            "mode": "replace",
            "interruptible": "none",
            "client_state": "é" * 2048,
        },
    )
    say = api.board.opened[0].utterances[0].say
    assert before <= say.requested_ns <= time.monotonic_ns()
    assert say.script.text == say.text == "Hello."
    assert (say.ssml, say.prompt, say.id) == (None, None, None)
    assert (say.voice, say.rate, say.volume_db) == ("espeak:de", 2.0, -3.5)
    assert (say.mode, say.interruptible, say.client_state) == ("replace", "none", "é" * 2048)


async def test_ssml_becomes_a_script_with_its_warnings(api: Any) -> None:
    path = f"/v1/calls/{await api.open()}/utterances"
    good = await api.http.post(path, json={"ssml": "<speak>Press <dance>one</dance>.</speak>"})
    assert good.status_code == 202
    assert good.json()["warnings"], "an unknown tag is spoken as its text, and said so"
    assert "dance" in " ".join(good.json()["warnings"])
    assert "one" in api.board.opened[0].utterances[0].say.script.text
    for wrong in ("<speak>", "no tag", "<speak>&nope;</speak>", "<voice/>"):
        answer = await api.http.post(path, json={"ssml": wrong})
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_ssml"), wrong
        assert answer.json()["errors"][0]["field"] == "ssml"


@pytest.mark.parametrize("field", ["text", "ssml"])
async def test_text_over_the_limit_is_413(in_process: Callable[..., Any], field: str) -> None:
    async with in_process(text_limit=30) as api:
        path = f"/v1/calls/{await api.open()}/utterances"
        fits = "<speak>" + "a" * 15 + "</speak>"
        assert len(fits) == 30
        assert (await api.http.post(path, json={field: fits})).status_code == 202
        answer = await api.http.post(path, json={field: fits + " "})
        assert (answer.status_code, answer.json()["code"]) == (413, "text_too_long")
        assert "30" in answer.json()["detail"]
        assert "VOXTRUNK_TEXT_LIMIT" in answer.json()["detail"]


async def test_twenty_thousand_characters_are_taken(api: Any) -> None:
    path = f"/v1/calls/{await api.open()}/utterances"
    assert (await api.http.post(path, json={"text": "é" * 20_000})).status_code == 202
    assert (await api.http.post(path, json={"text": "é" * 20_001})).status_code == 413


@pytest.mark.parametrize(
    "text",
    [
        "\x00\x01\x1b[31m",
        "\u202eright to left\u202c",
        "👩‍👩‍👧 family",
        "שלום",
        "\ufffe\uffff",
        "a\u0300" * 500,
    ],
)
async def test_any_unicode_comes_back_as_it_was(api: Any, text: str) -> None:
    call_id = await api.open()
    said = await api.http.post(f"/v1/calls/{call_id}/utterances", json={"text": text})
    assert said.status_code == 202
    listed = await api.http.get(f"/v1/calls/{call_id}/utterances/{said.json()['id']}")
    assert listed.json()["text"] == text
    assert listed.json()["remaining_text"] == text


async def test_half_a_surrogate_pair_is_replaced_and_echoed(api: Any) -> None:
    call_id = await api.open()
    body = rb'{"text": "a\ud800b \ud83d\ude00 \udc00", "client_state": "\uDBFF"}'
    said = await api.http.post(f"/v1/calls/{call_id}/utterances", content=body)
    assert said.status_code == 202
    listed = (await api.http.get(f"/v1/calls/{call_id}/utterances/{said.json()['id']}")).json()
    assert listed["text"] == "a\ufffdb 😀 \ufffd"
    assert listed["client_state"] == "\ufffd"


async def test_prompts_are_found_and_others_refused(in_process: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "hello.wav").write_bytes(b"RIFF")
    async with in_process(prompts_folder=tmp_path) as api:
        path = f"/v1/calls/{await api.open()}/utterances"
        assert (await api.http.post(path, json={"prompt": "hello"})).status_code == 202
        say = api.board.opened[0].utterances[0].say
        assert (say.prompt, say.script) == (str(tmp_path / "hello.wav"), None)
        answer = await api.http.post(path, json={"prompt": "../../etc/passwd"})
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_prompt")


async def test_a_taken_id_is_409_and_a_full_queue_429(in_process: Callable[..., Any]) -> None:
    async with in_process(queue_limit=2) as api:
        path = f"/v1/calls/{await api.open()}/utterances"
        assert (await api.http.post(path, json={"text": "a", "id": "same"})).status_code == 202
        taken = await api.http.post(path, json={"text": "b", "id": "same"})
        assert (taken.status_code, taken.json()["code"]) == (409, "duplicate_utterance")
        assert taken.json()["errors"][0]["field"] == "id"
        assert (await api.http.post(path, json={"text": "c"})).status_code == 202
        full = await api.http.post(path, json={"text": "d"})
        assert (full.status_code, full.json()["code"]) == (429, "queue_full")
        assert full.headers["retry-after"] == "5"


UTTERANCE_FIELDS = {
    "id", "call_id", "state", "cause", "text", "duration_ms", "spoken_ms", "spoken_text", "remaining_text",
    "last_mark", "first_audio_ms", "underruns",
}  # fmt: skip


async def test_stop_answers_in_the_utterances_shape(api: Any) -> None:
    call_id = await api.open()
    for text in ("one", "two", "three"):
        await api.http.post(f"/v1/calls/{call_id}/utterances", json={"text": text, "id": text})
    bare = await api.http.post(f"/v1/calls/{call_id}/stop", json={"scope": "current"})
    assert bare.status_code == 200
    assert [utterance["id"] for utterance in bare.json()["stopped"]] == ["one"]
    assert bare.json()["stopped"][0].keys() >= UTTERANCE_FIELDS
    assert bare.json()["stopped"][0]["state"] == "stopped"
    rest = await api.http.post(f"/v1/calls/{call_id}/stop", json={"scope": "all"})
    assert [utterance["id"] for utterance in rest.json()["stopped"]] == ["two", "three"]
    listed = (await api.http.get(f"/v1/calls/{call_id}/utterances")).json()
    assert [utterance["state"] for utterance in listed["utterances"]] == ["stopped"] * 3
    assert (await api.http.post(f"/v1/calls/{call_id}/stop")).json() == {"stopped": []}


async def test_delete_stops_this_one_and_never_another(api: Any) -> None:
    call_id = await api.open()
    for name in ("one", "two"):
        await api.http.post(f"/v1/calls/{call_id}/utterances", json={"text": name, "id": name})
    path = f"/v1/calls/{call_id}/utterances/two"
    first, second = await api.http.delete(path), await api.http.delete(path)
    assert [utterance["id"] for utterance in first.json()["stopped"]] == ["two"]
    assert (second.status_code, second.json()) == (200, {"stopped": []})
    unknown = await api.http.delete(f"/v1/calls/{call_id}/utterances/three")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_utterance")
    one = (await api.http.get(f"/v1/calls/{call_id}/utterances/one")).json()
    assert one["state"] == "queued"


async def test_a_closed_call_says_nothing(api: Any) -> None:
    call_id = await api.open()
    await api.http.delete(f"/v1/calls/{call_id}")
    answer = await api.http.post(f"/v1/calls/{call_id}/utterances", json={"text": "hello"})
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    missing = await api.http.post("/v1/calls/c_9/utterances", json={"text": "hello"})
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown_call")
