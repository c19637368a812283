"""The door: routing, names, and whose fault an error is."""

from collections.abc import Iterator

import numpy as np
import pytest

from tts_core import (
    BadRate,
    CallerError,
    Chunk,
    EngineError,
    EspeakEngine,
    Script,
    ScriptError,
    Synthesiser,
    TtsError,
    UnknownVoice,
    Voice,
    open_default,
)


class ToneEngine:
    """A second engine: one second of 440 Hz, whatever the text."""

    name = "tone"
    sample_rate = 8000

    def voices(self) -> tuple[Voice, ...]:
        return (Voice("tone:a4", "zxx", "tone", "Concert pitch", ""),)

    def speak(self, script: Script, voice_name: str, rate: float) -> Iterator[Chunk]:
        if voice_name != "tone:a4":
            raise UnknownVoice(voice_name, ["tone:a4"])
        seconds = np.arange(round(8000 / rate)) / 8000
        return iter([Chunk((8000 * np.sin(2 * np.pi * 440 * seconds)).astype(np.int16), 8000)])


@pytest.fixture
def door() -> Synthesiser:
    return Synthesiser((EspeakEngine(), ToneEngine()))


def test_routes_by_voice(door: Synthesiser) -> None:
    (tone,) = door.speak(Script.from_text("x"), "tone:a4", 2.0)
    assert (tone.sample_rate, len(tone.pcm)) == (8000, 4000)
    (speech,) = door.speak(Script.from_text("Hello there."), "espeak:en-us")
    assert (speech.sample_rate, len(speech.words)) == (22_050, 2)


def test_lists_every_voice(door: Synthesiser) -> None:
    voices = door.voices()
    assert len({voice.name for voice in voices}) == len(voices) > 130
    assert {voice.engine for voice in voices} == {"espeak", "tone"}
    american = door.voice("espeak:en-us")
    assert american == Voice(
        "espeak:en-us", "en-us", "espeak", "English (America)", "male", american.version, "GPL-3.0-or-later"
    )
    assert american.version.startswith("1.")
    offered = open_default().voices()
    assert offered[: len(voices) - 1] == voices[:-1]
    assert [voice.name for voice in offered[len(voices) - 1 :]] == ["neural:de-espeak", "neural:en-us-slt"]


def test_unknown_voice_names_its_neighbours(door: Synthesiser) -> None:
    for call in (door.voice, lambda name: door.speak(Script.from_text("x"), name)):
        with pytest.raises(UnknownVoice, match="espeak:en-us") as caught:
            call("espeak:EN_US")
        assert "espeak:en-us" in caught.value.near
    with pytest.raises(UnknownVoice) as caught:
        door.voice("é" * 1_000_000)
    assert len(str(caught.value)) < 500
    assert caught.value.near == ()


def test_bad_rate_is_refused_at_once(door: Synthesiser) -> None:
    with pytest.raises(BadRate, match=r"0\.5 to 2\.0"):
        door.speak(Script.from_text("x"), "tone:a4", 3.0)


def test_the_type_says_whose_fault() -> None:
    for fault in (UnknownVoice, ScriptError, BadRate):
        assert issubclass(fault, CallerError)
    assert issubclass(CallerError, TtsError)
    assert issubclass(EngineError, TtsError)
    assert not issubclass(EngineError, CallerError)


def test_two_engines_of_one_name_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="same name"):
        Synthesiser((ToneEngine(), ToneEngine()))
