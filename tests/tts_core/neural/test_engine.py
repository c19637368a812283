"""The voices that ship, as a caller hears them; what every engine must do is in the contract suite."""

import json
import threading

import numpy as np
import pytest

from tts_core import Script
from tts_core.neural import package
from tts_core.neural.engine import SHIPPED, NeuralEngine
from tts_core.neural.frame import RATE

LARGEST = 10_000_000  # bytes of a voice


@pytest.fixture(scope="module")
def engine() -> NeuralEngine:
    return NeuralEngine()


def audio(engine: NeuralEngine, text: str, voice: str, rate: float = 1.0) -> np.ndarray:
    return np.concatenate([chunk.pcm for chunk in engine.speak(Script.from_text(text), voice, rate)])


def pitches(pcm: np.ndarray) -> np.ndarray:
    """Hz of the voiced 10 ms frames, by the plainest autocorrelation."""
    found = []
    for start in range(0, len(pcm) - 400, 80):
        frame = pcm[start : start + 400].astype(np.float64)
        frame -= frame.mean()
        correlation = np.correlate(frame, frame, "full")[399:]
        lag = 22 + int(np.argmax(correlation[22:115]))
        if correlation[0] > 400 * 300**2 and correlation[lag] > 0.4 * correlation[0]:
            found.append(RATE / lag)
    return np.array(found)


def test_ships_voices_that_say_what_they_are(engine: NeuralEngine) -> None:
    assert "neural:en-us-slt" in {voice.name for voice in engine.voices()}
    for voice in engine.voices():
        folder = SHIPPED / voice.name.removeprefix("neural:")
        manifest = package.read(folder).manifest
        assert manifest.teacher
        assert manifest.licence
        assert manifest.sample_rate == engine.sample_rate == 8000
        assert sum(file.stat().st_size for file in folder.iterdir()) < LARGEST
        metrics = json.loads((folder / "metrics.json").read_text())
        assert metrics["text_to_speech_teacher_durations"]["sentences"] >= 60


def test_a_question_rises_and_a_statement_does_not(engine: NeuralEngine) -> None:
    for text in ("Are you coming home today", "Is this your number", "Would you like a receipt"):
        asked = pitches(audio(engine, f"{text}?", "neural:en-us-slt"))
        told = pitches(audio(engine, f"{text}.", "neural:en-us-slt"))
        assert np.median(asked[-8:]) > 1.15 * np.median(asked[:-20]), text
        assert np.median(asked[-8:]) > 1.2 * np.median(told[-8:]), text


@pytest.mark.parametrize("rate", [0.5, 0.8, 1.25, 2.0])
def test_a_rate_changes_the_length_and_not_the_pitch(engine: NeuralEngine, rate: float) -> None:
    text = "The weather tomorrow will be cloudy with a chance of rain"
    plain, other = audio(engine, text, "neural:en-us-slt"), audio(engine, text, "neural:en-us-slt", rate)
    assert abs(len(plain) / len(other) / rate - 1) < 0.1
    assert abs(np.median(pitches(other)) / np.median(pitches(plain)) - 1) < 0.08


def test_one_phoneme_and_none(engine: NeuralEngine) -> None:
    assert len(audio(engine, "a", "neural:en-us-slt")) > 400
    assert list(engine.speak(Script.from_text("…"), "neural:en-us-slt", 1.0)) == []


def test_an_engine_belongs_to_its_thread(engine: NeuralEngine) -> None:
    caught: list[BaseException] = []

    def elsewhere() -> None:
        try:
            next(engine.speak(Script.from_text("hello"), "neural:en-us-slt", 1.0))
        except AssertionError as error:
            caught.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(caught) == 1
