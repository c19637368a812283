"""SSML's <audio> at the far end: recordings between words, what was heard of them, and what is said instead."""

import time

import numpy as np
import pytest

from gateway.settings import Settings
from gateway.speech.offline import encode_text
from telephony_codecs import Law, decode

VOICE = "espeak:en-us"


def _tone(pcm, hz=1000, window=160):
    """Which windows of 20 ms are that tone and little else."""
    frames = pcm[: len(pcm) // window * window].reshape(-1, window).astype(float)
    size = np.abs(np.fft.rfft(frames * np.hanning(window), axis=1))
    at = hz * window // 8000
    return (size[:, at - 1 : at + 2].sum(axis=1) > 0.8 * size.sum(axis=1)) & (size.max(axis=1) > 1000)


def _run(flags):
    """The longest run: first and last window, the latter not in it."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags, [0])))).reshape(-1, 2)
    return max(edges.tolist(), key=lambda run: run[1] - run[0])


def test_a_recording_in_the_midst_of_speech(api, ear):
    listening = ear()
    call = api.open(listening.port, voice=VOICE)
    ssml = "<speak>Wait for it <mark name='m'/><audio src='prompt:bell'>a bell</audio> that was it.</speak>"
    answer = api.say(call, ssml=ssml)
    assert answer["warnings"] == []
    said = api.wait(call, answer)
    api.end(call)
    assert said["spoken_text"] == "Wait for it a bell that was it."
    pcm = listening.recording(call["rtp"]["ssrc"]).pcm
    first, last = _run(_tone(pcm))
    assert (last - first) * 20 == pytest.approx(700, abs=140), "all of it, but for two fades of 60 ms"
    (mark,) = [e["data"] for e in api.events(call) if e["type"] == "utterance.mark"]
    assert mark["at_ms"] == pytest.approx(first * 20, abs=90)
    rms = 20 * np.log10(np.std(pcm[160 * first + 800 : 160 * last - 800] / 32768)) + 6.15
    assert rms == pytest.approx(-20, abs=0.6), "at a prompt's level"
    before = decode(Law.PCMU, np.frombuffer(encode_text("Wait for it", VOICE, "PCMU", Settings()), np.uint8))
    head = pcm[: 160 * first - 800].astype(float)
    like = np.corrcoef(head, before[: len(head)].astype(float))[0, 1]
    assert like > 0.98, "what stands before it sounds as it does alone"
    joint = pcm[160 * first - 800 : 160 * first + 800].astype(int)
    steady = np.abs(np.diff(pcm[160 * first + 800 : 160 * last - 800].astype(int))).max()
    assert np.abs(np.diff(joint)).max() < 1.5 * max(steady, np.abs(np.diff(before.astype(int))).max())


def test_what_was_heard_of_a_recording_that_is_cut_and_the_rest_of_it(api, ear):
    listening = ear()
    call = api.open(listening.port, voice=VOICE)
    ssml = "<speak>One two three <audio src='prompt:tone-1000'/> four.</speak>"
    said = api.say(call, ssml=ssml, id="u")
    api.wait(call, said, ["speaking"])
    time.sleep(1.5)
    (cut,) = api.ask("POST", f"/v1/calls/{call['id']}/stop", {"scope": "all"})["stopped"]
    assert cut["spoken_text"] == "One two three", "less than half of the recording was heard"
    assert cut["remaining_text"] == " \ufffc four."
    at = len(listening.octets(call["rtp"]["ssrc"]))
    rest = api.ask("POST", f"/v1/calls/{call['id']}/utterances/u/resume_from", {})
    ended = api.wait(call, rest)
    api.end(call)
    assert ended["state"] == "finished"
    first, last = _run(_tone(listening.recording(call["rtp"]["ssrc"]).pcm[at:]))
    assert (last - first) * 20 == pytest.approx(2000, abs=80), "it begins again, whole"
    assert first * 20 < 400


def test_what_cannot_be_had_is_read_instead_and_what_is_unsafe_is_refused(api, ear):
    listening = ear()
    call = api.open(listening.port, voice=VOICE)
    ssml = "<speak>Hello <audio src='prompt:nothing'>dear friend</audio>.</speak>"
    answer = api.say(call, ssml=ssml)
    (warning,) = answer["warnings"]
    assert "cannot be played" in warning
    assert "No prompt 'nothing'" in warning
    said = api.wait(call, answer)
    assert said["spoken_text"] == "Hello dear friend."
    offline = encode_text("Hello dear friend.", VOICE, "PCMU", Settings())
    assert listening.octets(call["rtp"]["ssrc"]) == offline
    for src in ("prompt:../secret", "file:///etc/passwd", "http://169.254.169.254/latest/meta-data"):
        refused = api.ask(
            "POST", f"/v1/calls/{call['id']}/utterances",
            {"ssml": f"<speak><audio src='{src}'>x</audio></speak>"}, expect=403,
        )  # fmt: skip
        assert refused["code"] == "audio_not_allowed"
    api.end(call)


def test_a_file_from_the_network(api, ear, files):
    listening = ear()
    call = api.open(listening.port, voice=VOICE)
    answer = api.say(call, ssml=f"<speak>Listen <audio src='{files}bell.wav'/></speak>")
    assert answer["warnings"] == []
    assert api.wait(call, answer)["state"] == "finished"
    api.end(call)
    first, last = _run(_tone(listening.recording(call["rtp"]["ssrc"]).pcm))
    assert (last - first) * 20 == pytest.approx(700, abs=80)
