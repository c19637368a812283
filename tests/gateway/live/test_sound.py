"""At the far end: a call's volume and what sounds behind its speech, by level and spectrum."""

import time

import numpy as np
import pytest


def _size(pcm, hz):
    t = np.arange(len(pcm)) / 8000
    return 2 * abs(np.mean(pcm * np.exp(-2j * np.pi * hz * t)))


def _db(a, b):
    return 20 * np.log10(a / b)


def _pcm(listening, call):
    return listening.recording(call["rtp"]["ssrc"]).pcm.astype(float)


def test_volume_changes_while_it_is_said(api, ear):
    listening = ear()
    call = api.open(listening.port, volume_db=-6)
    assert call["volume_db"] == -6
    said = api.say(call, prompt="tone-1000")
    api.wait(call, said, ["speaking"])
    time.sleep(0.4)
    assert api.ask("POST", f"/v1/calls/{call['id']}/volume", {"volume_db": -20})["volume_db"] == -20
    time.sleep(0.5)
    api.ask("POST", f"/v1/calls/{call['id']}/volume", {"volume_db": 11}, expect=422)
    api.end(call)
    pcm = _pcm(listening, call)
    own = 32768 * 10 ** ((-20 - 6.15) / 20) * np.sqrt(2)
    assert _db(_size(pcm[400:2800], 1000), own) == pytest.approx(-6, abs=0.7)
    assert _db(_size(pcm[-2800:-400], 1000), own) == pytest.approx(-20, abs=0.7)
    assert np.abs(np.diff(pcm)).max() < 0.9 * own


def test_a_background_is_heard_in_silence_and_gives_way_to_speech(api, ear):
    listening = ear()
    call = api.open(listening.port)
    body = {"prompt": "tone-230", "volume_db": -10, "duck_db": -12}
    now = api.ask("POST", f"/v1/calls/{call['id']}/background", body)
    assert now["background"] == body
    time.sleep(0.9)
    before = len(listening.octets(call["rtp"]["ssrc"]))
    api.wait(call, api.say(call, prompt="tone-1000"), ["speaking"])
    time.sleep(0.8)
    api.ask("POST", f"/v1/calls/{call['id']}/stop", {"scope": "all"})
    time.sleep(0.2)
    assert api.ask("DELETE", f"/v1/calls/{call['id']}/background")["background"] is None
    time.sleep(0.5)
    last = len(listening.octets(call["rtp"]["ssrc"]))
    time.sleep(0.1)
    assert len(listening.octets(call["rtp"]["ssrc"])) == last, "silence is suppressed again"
    refused = api.ask("POST", f"/v1/calls/{call['id']}/background", {"prompt": "nothing"}, expect=422)
    assert refused["code"] == "unknown_prompt"
    api.end(call)
    pcm = _pcm(listening, call)
    own = 32768 * 10 ** ((-30 - 6.15) / 20) * np.sqrt(2)
    assert before > 6000
    assert _db(_size(pcm[before - 2400 : before], 230), own) == pytest.approx(0, abs=0.7)
    under = pcm[before + 2400 : before + 2400 + 3200]
    assert _db(_size(under, 230), own) == pytest.approx(-12, abs=0.7)
    assert _db(_size(under, 1000), own) == pytest.approx(10, abs=0.7)
    assert np.abs(pcm[-80:]).max() <= 8, "it has faded out"


def test_a_template_is_said_with_its_slots_filled(api, ear):
    listening = ear()
    call = api.open(listening.port, voice="espeak:en-us")
    body = {"template": "Your balance is {amount}.", "slots": {"amount": "42 dollars"}}
    said = api.wait(call, api.say(call, **body))
    again = api.wait(call, api.say(call, **body | {"slots": {"amount": "7 dollars"}}))
    for wrong in ({"slots": {}}, {"slots": {"amount": "1", "name": "x"}}, {"text": "Hello."}):
        api.ask("POST", f"/v1/calls/{call['id']}/utterances", body | wrong, expect=422)
    api.end(call)
    assert (said["state"], again["state"]) == ("finished", "finished")
    assert said["text"] == said["spoken_text"] == "Your balance is 42 dollars."
    heard = listening.octets(call["rtp"]["ssrc"])
    first, second = heard[: 8 * said["spoken_ms"]], heard[8 * said["spoken_ms"] :]
    assert len(second) == 8 * again["spoken_ms"]
    same = next(n for n, (a, b) in enumerate(zip(first, second, strict=False)) if a != b)
    assert same > 8 * 600, "what never changes is the same, octet for octet"
