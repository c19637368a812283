"""The rest of an utterance joins what another worker had said: the same octets, words and marks, each once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gateway.calls.requests import Say
from gateway.calls.utterance import Utterance
from gateway.messages.synthesis import Described, Resume
from gateway.ring import UNIT_OCTETS
from gateway.speech.prompt import PromptSource
from gateway.speech.recipe import Recipe
from gateway.speech.track import Stretch
from gateway.speech.voice import VoiceSource
from telephony_codecs import Law, decode, write_wav
from tts_core import Script, open_default

SSML = (
    "<speak><mark name='a'/>Good morning<mark name='b'/>, this is the clinic. <break time='700ms'/>Your "
    "<mark name='c'/>appointment is on Monday, at nine, and please bring your card with you. <mark name='d'/>"
    "Thank you.<mark name='e'/></speak>"
)
TEXT = Script.from_ssml(SSML).text


@pytest.fixture(scope="module")
def voices() -> VoiceSource:
    return VoiceSource(open_default(), -20.0, "espeak:en-us")


class Whole:
    """The undisturbed utterance, and an utterance of control's that was told all of it."""

    def __init__(self, voices: VoiceSource, voice: str, ptime_ms: int) -> None:
        self.voices = voices
        self.recipe = Recipe("ssml", SSML, None, voice, 1.0, 0.0, "PCMU", ptime_ms)
        self.octets, self.words, self.marks = read(voices, self.recipe)

    def told(self) -> Utterance:
        script = Script.from_ssml(SSML)
        say = Say(0, script, ssml=SSML)
        utterance = Utterance("u", "c", 1, script.text, self.recipe.voice, "any", None, say)
        units = len(self.octets) // UNIT_OCTETS
        words, marks = tuple(self.words), tuple(self.marks)
        utterance.describe(Described(0, 0, 1, units, True, words, marks, False))
        return utterance


def read(voices: VoiceSource, recipe: Recipe):
    stretches: list[Stretch] = list(voices(recipe))
    return (
        b"".join(stretch.payload for stretch in stretches),
        [word for stretch in stretches for word in stretch.words],
        [mark for stretch in stretches for mark in stretch.marks],
    )


@pytest.fixture(scope="module", params=["espeak:en-us", "neural:en-us-slt"])
def whole(request, voices: VoiceSource) -> Whole:
    if request.param.startswith("neural"):
        pytest.importorskip("onnxruntime")
    return Whole(voices, request.param, 20)


def joins(whole: Whole, unit: int) -> float:
    """Go on at ``unit``; returns how much like the whole the rest is: 1 for the same."""
    utterance = whole.told()
    utterance.go_on_at(unit)
    resume = utterance.resume
    assert resume is not None
    assert resume.unit == utterance.units == unit
    assert resume.skip > -6 * UNIT_OCTETS, "the rest begins within a packet of its word"
    recipe = Recipe("ssml", SSML, None, whole.recipe.voice, 1.0, 0.0, "PCMU", 20, resume)
    octets, words, marks = read(whole.voices, recipe)
    told = [(word.char_start, word.char_end) for word in [*utterance.words, *words]]
    assert told == [(word.char_start, word.char_end) for word in whole.words], "each word once"
    for word, true in zip(words, whole.words[len(utterance.words) :], strict=True):
        assert abs(word.start_unit + unit - true.start_unit) <= 1
        assert abs(word.end_unit + unit - true.end_unit) <= 1
    told_marks = [mark.name for mark in [*utterance.marks, *marks]]
    assert told_marks == ["a", "b", "c", "d", "e"], "each mark once"
    expected = whole.octets[unit * UNIT_OCTETS :]
    assert abs(len(octets) - len(expected)) <= 4 * UNIT_OCTETS
    ours, theirs = (
        np.abs(decode(Law.PCMU, np.frombuffer(part, np.uint8)).astype(float)) for part in (octets, expected)
    )
    # the energy of every 20 ms, so that 10 ms at the seam do not count as another voice
    frames = min(len(ours), len(theirs)) // 160
    if frames < 10:
        return 1.0
    levels = [part[: frames * 160].reshape(frames, 160).mean(axis=1) for part in (ours, theirs)]
    if whole.recipe.voice.startswith("neural"):
        return float(np.mean(ours[: frames * 160] == theirs[: frames * 160]))
    return float(np.corrcoef(*levels)[0, 1])


def test_the_rest_from_every_word_on_is_the_whole_ones(whole: Whole) -> None:
    for word in whole.words[::3]:
        unit = word.start_unit - word.start_unit % 2
        if unit:
            assert joins(whole, unit) > 0.95


def test_the_rest_from_within_a_word_or_a_pause_is_the_whole_ones(whole: Whole) -> None:
    pause = max(
        (after.start_unit - word.end_unit, word.end_unit)
        for word, after in zip(whole.words, whole.words[1:], strict=False)
    )
    assert pause[0] > 60
    units = len(whole.octets) // UNIT_OCTETS
    for unit in (2, pause[1] + 30, units // 2, units):
        assert joins(whole, unit - unit % 2) > 0.95


def test_a_prompt_goes_on_at_its_unit(tmp_path) -> None:
    path = tmp_path / "noise.wav"
    write_wav(path, np.random.default_rng(1).integers(-9000, 9000, 16000).astype(np.int16), 8000)
    source = PromptSource(-20.0, 60)
    (whole,) = source(Recipe("prompt", str(path), None, "", 1.0, 0.0, "PCMA", 30))
    (rest,) = source(
        Recipe("prompt", str(path), None, "", 1.0, 0.0, "PCMA", 30, Resume(63, None, 63 * UNIT_OCTETS, 0))
    )
    assert rest.payload == whole.payload[63 * UNIT_OCTETS :]
    assert rest.last


def test_speech_with_a_recording_in_it_goes_on_in_it_and_around_it(voices: VoiceSource, tmp_path) -> None:
    path = tmp_path / "noise.wav"
    write_wav(path, np.random.default_rng(1).integers(-9000, 9000, 16000).astype(np.int16), 8000)
    files = (("noise", str(path), None),)
    ssml = "<speak>One, two. <mark name='a'/><audio src='noise'>noise</audio> three<mark name='b'/> four.</speak>"
    script = Script.from_ssml(ssml, lambda _: "")
    recipe = Recipe("ssml", ssml, None, "espeak:en-us", 1.0, 0.0, "PCMU", 20, files=files)
    octets, words, marks = read(voices, recipe)
    texts = [script.text[word.char_start : word.char_end] for word in words]
    assert texts == ["One", "two", "noise", "three", "four"]
    noise, three = words[2], words[3]
    assert noise.end_unit - noise.start_unit in (200, 201)
    for unit in (noise.start_unit + 20, noise.start_unit + 101, three.start_unit + 20):
        utterance = Utterance(
            "u", "c", 1, script.text, "espeak:en-us", "any", None, Say(0, script, ssml=ssml)
        )
        units = len(octets) // UNIT_OCTETS
        utterance.describe(Described(0, 0, 1, units, True, tuple(words), tuple(marks), False))
        utterance.go_on_at(unit - unit % 2)
        rest, others, left = read(voices, replace(recipe, resume=utterance.resume))
        assert len(utterance.words) + len(others) == len(words), "each word once"
        assert len(utterance.marks) + len(left) == len(marks)
        ours, theirs = (
            decode(Law.PCMU, np.frombuffer(part, np.uint8)).astype(float)
            for part in (rest, octets[(unit - unit % 2) * UNIT_OCTETS :])
        )
        assert abs(len(ours) - len(theirs)) <= 4 * UNIT_OCTETS
        if unit < noise.end_unit:
            left_of_it = (noise.end_unit - unit - 8) * UNIT_OCTETS
            assert np.corrcoef(ours[:left_of_it], theirs[:left_of_it])[0, 1] > 0.99, "to the sample"
