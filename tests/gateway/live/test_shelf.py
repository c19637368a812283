"""Voices come and go while the gateway runs: what is added is offered once it is loaded, nobody is cut off."""

import json
import shutil
import time
from pathlib import Path

import pytest

from tests.tts_core.piper.shelf import PAIR, added
from tts_core import adding
from tts_core.neural.engine import SHIPPED

PIPER = "piper:de-de-pair-high#speaker-1"
MINE = "neural:mine"


def offered(api) -> set[str]:
    return {voice["name"] for voice in api.ask("GET", "/v1/voices")["voices"]}


def until(met, seconds=40) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def mine(tmp_path_factory) -> Path:
    source = tmp_path_factory.mktemp("source") / "mine"
    shutil.copytree(SHIPPED / "en-us-slt", source)
    manifest = json.loads((source / "voice.json").read_text())
    (source / "voice.json").write_text(json.dumps(manifest | {"name": "mine"}))
    return source


def test_voices_come_and_go_in_a_running_gateway(own_gateway, ear, tmp_path, capfd, mine) -> None:
    listening, folder = ear(), tmp_path / "voices"
    _, api = own_gateway(voices_folder=folder)
    before = offered(api)
    call = api.open(listening.port)
    utterances = f"/v1/calls/{call['id']}/utterances"
    refused = api.ask("POST", utterances, {"text": "Hello.", "voice": PIPER}, expect=422)
    assert refused["code"] == "unknown_voice"

    # a folder that is damaged and one that is another's leave all as it was
    folder.mkdir()
    shutil.copytree(mine, folder / "hurt")
    (folder / "hurt" / "decoder.onnx").write_bytes(b"no")
    adding.add(added(PAIR) / "de-de-pair-high", folder)
    adding.add(mine, folder)
    until(lambda: {PIPER, MINE} <= offered(api))
    assert offered(api) - before == {MINE, *(f"piper:de-de-pair-high#speaker-{n}" for n in range(2))}
    for _ in range(2):  # what is left out is told whenever somebody asks
        answer = api.ask("POST", "/v1/admin/reload")
        assert answer["changed"]["voices"] == []
        (why,) = answer["errors"]["voices"]
        assert "hurt: decoder.onnx is damaged" in why

    said = {voice: api.wait(call, api.say(call, "Hello there.", voice=voice)) for voice in (PIPER, MINE)}
    assert {each["state"] for each in said.values()} == {"finished"}
    assert said[PIPER]["underruns"] == 0
    assert said[PIPER]["first_audio_ms"] < 2000, "its graphs were loaded before it was offered"
    assert said[PIPER]["spoken_ms"] > 300

    # a voice that is damaged later goes on as it was, and an answer says why
    (folder / "mine" / "decoder.onnx").write_bytes(b"no")
    answer = api.ask("POST", "/v1/admin/reload")
    assert any("mine: decoder.onnx is damaged" in why for why in answer["errors"]["voices"])
    assert api.wait(call, api.say(call, "Hello again.", voice=MINE))["state"] == "finished"

    # speech under way in a voice that is removed ends as it would
    text = "One, two, three. Four, five, six. Seven, eight, nine."
    under_way = api.say(call, text, voice=PIPER)
    api.wait(call, under_way, states=("speaking",))
    adding.remove("piper:de-de-pair-high", folder)
    until(lambda: PIPER not in offered(api))
    ended = api.wait(call, under_way)
    assert ended["state"] == "finished"
    assert ended["spoken_text"] == text
    assert offered(api) == before | {MINE}
    api.end(call)
    log = capfd.readouterr().err
    assert log.count("hurt: decoder.onnx is damaged") == 1 + 3, "by itself, and to each reload"
    assert "Traceback" not in log
