"""A neural voice from request to RTP: the far end's octets are the offline audio's, and it comes soon."""

import json
import shutil

import numpy as np
import pytest

from gateway.settings import Settings
from gateway.speech.offline import encode_text
from telephony_codecs import Law, decode, encode, gain_to_dbm0
from tts_core import Script
from tts_core.neural import shelf
from tts_core.neural.engine import SHIPPED, NeuralEngine
from tts_core.neural.package import NEURAL

VOICE = "neural:en-us-slt"
SENTENCE = "Thank you for calling. Your order, number 4 7 1, has been shipped."


def offline_pcm(text, rate=1.0, voice=VOICE):
    """The engine's own int16 at 8 kHz, without any of the gateway."""
    chunks = NeuralEngine().speak(Script.from_text(text), voice, rate)
    return np.concatenate([chunk.pcm for chunk in chunks])


def levelled(pcm, voice=VOICE):
    """`pcm` at the line's level, int16: what G.711 is given. Nothing here comes near the limiter's threshold."""
    reference = offline_pcm("1 2 3 1985", voice=voice) / np.float32(32768)
    gain = np.float32(gain_to_dbm0(reference, 8000, Settings().level_dbm0))
    line = np.rint(pcm * np.float32(1 / 32768) * gain * np.float32(32768))
    assert np.abs(line).max() < 20_000
    return line.astype(np.int16)


@pytest.mark.parametrize(
    ("text", "codec", "ptime", "rate"),
    [
        (SENTENCE, "PCMU", 20, 1.0),
        ("Press 1, please.", "PCMA", 30, 1.0),
        ("Hello?", "PCMU", 10, 0.5),
        ("Goodbye, and thank you.", "PCMU", 20, 2.0),
    ],
)
def test_the_far_end_hears_the_offline_audio_octet_for_octet(api, ear, text, codec, ptime, rate):
    listening = ear()
    call = api.open(listening.port, codec=codec, ptime=ptime, voice=VOICE)
    said = api.wait(call, api.say(call, text, rate=rate))
    api.end(call)
    pcm = levelled(offline_pcm(text, rate))
    listening.wait(call["rtp"]["ssrc"], len(pcm))  # the ear may be behind
    heard = np.frombuffer(listening.octets(call["rtp"]["ssrc"]), np.uint8)
    assert 0 <= len(heard) - len(pcm) < 8 * ptime, "whole packets"
    assert np.array_equal(heard[: len(pcm)], encode(Law(codec), pcm))
    assert set(heard[len(pcm) :]) <= set(encode(Law(codec), np.zeros(1, np.int16))), "filled with silence"
    assert said["spoken_ms"] == len(heard) // 8
    assert said["spoken_text"] == text
    error = decode(Law(codec), heard[: len(pcm)]).astype(float) - pcm
    assert 10 * np.log10(np.mean(pcm.astype(float) ** 2) / np.mean(error**2)) > 33, "G.711's own noise"


def test_cut_in_mid_clause_it_says_to_the_word_what_was_heard(api, ear):
    listening = ear()
    text = " ".join(f"number {n}" for n in ("one", "two", "three", "four", "five", "six") * 4)
    call = api.open(listening.port, voice=VOICE)
    said = api.say(call, text)
    api.wait(call, said, ["speaking"])
    listening.wait(call["rtp"]["ssrc"], 12_000)
    (stopped,) = api.ask("POST", f"/v1/calls/{call['id']}/stop", {"scope": "current"})["stopped"]
    api.end(call)
    octets = listening.octets(call["rtp"]["ssrc"])
    heard = octets[: 8 * stopped["spoken_ms"]]
    assert len(octets) - len(heard) in (0, 160), (
        "the packet in which it dies away, if the leg was there for it"
    )
    assert encode_text(text, VOICE, "PCMU", Settings()).startswith(heard)
    words = [w for c in NeuralEngine().speak(Script.from_text(text), VOICE, 1.0) for w in c.words]
    half = [word for word in words if (word.start_sample + word.end_sample) / 2 <= len(heard)]
    assert stopped["spoken_ms"] == len(heard) // 8
    assert stopped["spoken_text"].strip() in (
        text[: half[-1].char_end],
        text[: words[len(half)].char_end],  # units of 10 ms round half a word up
    )
    assert stopped["spoken_text"] + stopped["remaining_text"] == text
    assert len(half) > 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three added voices: one is sound, one was damaged since, and one has a language that nobody can read."""
    folder, source = tmp_path_factory.mktemp("voices"), tmp_path_factory.mktemp("source") / "en-us-slt"
    shutil.copytree(SHIPPED / "en-us-slt", source)
    manifest = json.loads((source / "voice.json").read_text())
    for name, language in (("mine", "en-us"), ("hurt", "en-us"), ("odd", "tlh")):
        (source / "voice.json").write_text(json.dumps(manifest | {"name": name, "language": language}))
        shelf.add(source, folder, NEURAL)
    (folder / "hurt" / "decoder.onnx").write_bytes(b"no")
    return folder


@pytest.mark.parametrize("background", [False, True])
def test_an_added_voice_speaks_and_a_damaged_one_keeps_nobody_from_starting(
    own_gateway, ear, folder, capfd, background
):
    listening = ear()
    _, api = own_gateway(voices_folder=folder, warm_voices="neural:*", warm_in_background=background)
    offered = {voice["name"] for voice in api.ask("GET", "/v1/voices")["voices"]}
    assert "neural:mine" in offered
    assert "neural:hurt" not in offered
    assert ("neural:odd" in offered) == background, "found out while it is warmed"
    call = api.open(listening.port, voice="neural:mine")
    first = api.wait(call, api.say(call, "Hello."))
    if not background:
        assert first["first_audio_ms"] < 150, "260 ms when its graphs were loaded for it"
    else:
        failed = api.wait(call, api.say(call, "Hello.", voice="neural:odd"))
        assert failed["state"] == "failed"
    api.end(call)
    assert listening.octets(call["rtp"]["ssrc"]) == encode_text("Hello.", VOICE, "PCMU", Settings())
    log = capfd.readouterr().err
    assert "hurt: decoder.onnx is damaged" in log
    assert "espeak-ng cannot read its language" in log
    assert "Traceback" not in log


@pytest.fixture
def unnamed(monkeypatch, own_gateway, ear):
    """What a caller who names no voice hears: `unnamed(**settings) -> (Api, call, octets)`."""

    def say(**settings):
        monkeypatch.delenv("VOXTRUNK_DEFAULT_VOICE")
        _, api = own_gateway(**settings)
        listening = ear()
        call = api.open(listening.port)
        api.wait(call, api.say(call, "Hello there."))
        api.end(call)
        return api, call, listening.octets(call["rtp"]["ssrc"])

    return say


def test_who_names_no_voice_hears_the_neural_one(unnamed):
    _, call, heard = unnamed()
    assert call["voice"] == VOICE
    assert heard == encode_text("Hello there.", VOICE, "PCMU", Settings())


def test_without_onnxruntime_espeak_speaks_and_one_line_of_the_log_says_so(
    unnamed, monkeypatch, tmp_path, capfd
):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['onnxruntime'] = None\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    api, _, heard = unnamed(log_level="WARNING")
    listed = api.ask("GET", "/v1/voices")
    assert listed["default"] == "espeak:en-us"
    assert not [voice for voice in listed["voices"] if voice["name"].startswith("neural:")]
    assert heard == encode_text("Hello there.", "espeak:en-us", "PCMU", Settings())
    log = [line for line in capfd.readouterr().err.splitlines() if "onnxruntime" in line]
    assert len(log) == 1
    assert "espeak:en-us" in log[0]
