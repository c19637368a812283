"""The voices that ship, as a caller hears them; what every engine must do is in the contract suite."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from tts_core import Chunk, EngineError, Script, Synthesiser, UnknownVoice
from tts_core.neural import package as packages
from tts_core.neural import speech
from tts_core.neural.engine import SHIPPED, NeuralEngine
from tts_core.neural.frame import FEATURES, HOP, RATE, Floats
from tts_core.neural.frontend import Frontend
from tts_core.neural.package import BadPackage
from tts_core.neural.runtime import OrtRuntime, Rows

LARGEST = 10_000_000  # bytes of a voice
VOICE = "neural:en-us-slt"
LONG = (  # nothing in it ends a clause: 200 characters, twelve seconds
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty twenty one twenty two twenty three twenty four twenty five twenty six"
)
TEXTS = (
    "Hi.",
    "Your order has been shipped, and it should arrive before noon on Thursday. Goodbye!",
    f"Would you like {LONG} or not?",
    LONG,
)


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
        manifest = packages.read(folder).manifest
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


def chunks(engine: NeuralEngine, text: str, rate: float = 1.0) -> list[Chunk]:
    return list(engine.speak(Script.from_ssml(f"<speak>{text}</speak>"), VOICE, rate))


def parts(spoken: list[Chunk]) -> tuple[bytes, list[object], list[object]]:
    """Audio, words and marks of an utterance, however it was cut."""
    words = [word for chunk in spoken for word in chunk.words]
    marks = [mark for chunk in spoken for mark in chunk.marks]
    return b"".join(chunk.pcm.tobytes() for chunk in spoken), words, marks


class Spy(OrtRuntime):
    """Notes how many frames are decoded and vocoded."""

    decoded: ClassVar[list[int]] = []
    vocoded: ClassVar[list[int]] = []

    def decode(self, meaning: Floats, token: np.ndarray, place: Floats) -> Floats:
        self.decoded.append(token.shape[1])
        return super().decode(meaning, token, place)

    def step(self, features: Floats, noise: Floats, rows: Rows) -> tuple[Floats, Rows]:
        self.vocoded.append(features.shape[1])
        return super().step(features, noise, rows)


@pytest.mark.parametrize("rate", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("text", TEXTS)
def test_streamed_it_is_the_whole_clause_bit_for_bit(
    engine: NeuralEngine, monkeypatch: pytest.MonkeyPatch, text: str, rate: float
) -> None:
    marked = text.replace(" ", ' <mark name="m"/>', 3) + '<mark name="end"/>'
    streamed = chunks(engine, marked, rate)
    parted = speech.parts
    monkeypatch.setattr(
        speech, "parts", lambda runtime, score, _, spoiled: parted(runtime, score, (10**6,), spoiled)
    )
    monkeypatch.setattr(speech, "_LONG", 10**6)
    whole = chunks(engine, marked, rate)
    assert len(whole) < len(streamed) / 2 or text == "Hi."
    assert parts(streamed) == parts(whole)


def test_the_first_sound_waits_for_a_hundred_frames_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tts_core.neural.runtime.OrtRuntime", Spy)
    engine = NeuralEngine()
    engine.load(VOICE)
    for text in TEXTS:
        Spy.decoded, Spy.vocoded = [], []
        stream = engine.speak(Script.from_text(text), VOICE, 1.0)
        first = next(stream)
        assert len(Spy.decoded) == 1
        assert Spy.decoded[0] < speech._LONG
        assert Spy.vocoded in ([4], [4, 8])
        assert 0 < len(first.pcm) <= 12 * HOP
        assert first.words[0].start_sample == 0
        list(stream)
        assert max(Spy.vocoded) == (16 if text == "Hi." else 32)


def test_a_long_clause_is_begun_with_the_frames_that_the_whole_of_it_has(engine: NeuralEngine) -> None:
    held = packages.read(SHIPPED / "en-us-slt")
    runtime, frontend = OrtRuntime(held), Frontend(held.manifest.language, held.manifest.phonemes)
    for text in TEXTS[2:]:
        score = speech.compose(runtime, frontend.read(text), 1.0)
        assert score.length > 1000
        head = score.first(20)
        assert head.shape == (32, FEATURES)
        assert "features" not in score.__dict__, "the rest was not decoded for it"
        assert np.array_equal(score.first(score.length)[:32], head)


def test_a_state_gone_wrong_is_silence_for_a_chunk_counted_and_nobody_elses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Spoiler(OrtRuntime):
        bad: tuple[int, float] = (-1, 0.0)

        def step(self, features: Floats, noise: Floats, rows: Rows) -> tuple[Floats, Rows]:
            step, Spoiler.bad = Spoiler.bad[0], (Spoiler.bad[0] - 1, Spoiler.bad[1])
            if step == 0:
                rows = self.fresh(1)
                rows.state[:] = Spoiler.bad[1]
            return super().step(features, noise, rows)

    monkeypatch.setattr("tts_core.neural.runtime.OrtRuntime", Spoiler)
    engine = NeuralEngine()
    sound = np.concatenate([chunk.pcm for chunk in chunks(engine, TEXTS[1])])
    for count, value in enumerate((np.nan, np.inf, -np.inf), 1):
        Spoiler.bad = (3, value)
        heard = np.concatenate([chunk.pcm for chunk in chunks(engine, TEXTS[1])])
        assert Synthesiser((engine,)).resets == engine.resets == count
        assert len(heard) == len(sound)
        other = np.flatnonzero(heard != sound)
        assert HOP < len(other) < len(sound) / 4, "one chunk, and what its state leads into"
        assert not heard[other[0] : other[0] + 15 * HOP].any()
        assert np.abs(heard.astype(int)).max() < 32_700
    assert np.array_equal(np.concatenate([chunk.pcm for chunk in chunks(engine, TEXTS[1])]), sound)


@pytest.mark.parametrize("what", ["encode", "decode", "step"])
def test_a_network_that_answers_in_another_shape_fails_the_utterance_and_says_so(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    class Crooked(OrtRuntime):
        crooked = False

    def crooked(self: Crooked, *given: object) -> object:
        answer = getattr(OrtRuntime, what)(self, *given)
        if not Crooked.crooked:
            return answer
        if what == "decode":
            return answer[:, 1:]
        return answer[0][:, 1:], answer[1][:, 1:] if what == "encode" else answer[1]

    setattr(Crooked, what, crooked)
    monkeypatch.setattr("tts_core.neural.runtime.OrtRuntime", Crooked)
    engine = NeuralEngine()
    engine.load(VOICE)
    Crooked.crooked = True
    with pytest.raises(EngineError, match="the voice's network answers"):
        chunks(engine, "Hello.")
    Crooked.crooked = False
    assert chunks(engine, "Hello.")


def test_loaded_in_another_thread_it_speaks_in_its_own() -> None:
    engine = NeuralEngine()
    thread = threading.Thread(target=engine.load, args=(VOICE,))
    thread.start()
    thread.join()
    assert list(engine._speakers) == [VOICE]
    assert len(audio(engine, "Hello.", VOICE)) > RATE / 5
    with pytest.raises(UnknownVoice):
        engine.load("neural:nobody")
    with engine._loading:  # another voice is being loaded: this one does not wait for it
        assert len(audio(engine, "Hello.", VOICE)) > RATE / 5


def test_speaking_tells_nobody_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """No file but espeak's own, no socket, and arithmetic as it was: denormals stay for whoever loads a voice."""
    program = (
        "import os, numpy as np\n"
        "from tts_core import Script, open_default\n"
        "assert list(open_default().speak(Script.from_text('hi'), 'neural:en-us-slt'))\n"
        "held = [os.readlink(f'/proc/self/fd/{fd}') for fd in os.listdir('/proc/self/fd')[:-1]]\n"
        "assert not [one for one in held if 'socket' in one or '.db' in one], held\n"
        "assert np.float64(2.3e-308) / np.float64(16) > 0\n"
    )
    folders = {"TMPDIR": tmp_path / "tmp", "XDG_CACHE_HOME": tmp_path / "cache", "HOME": tmp_path / "home"}
    for folder in folders.values():
        folder.mkdir()
    given = {name: str(folder) for name, folder in folders.items()}
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", program], env=given, cwd=root, check=True, timeout=50)
    left = [str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()]
    assert [file for file in left if not file.startswith("cache/voxtrunk/espeak-")] == []


def test_an_added_voice_that_does_not_speak_is_refused_when_it_is_loaded(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hoarse(*given: object) -> object:
        raise RuntimeError("ORT: non-zero status code returned")

    monkeypatch.setattr(OrtRuntime, "step", hoarse)
    with pytest.raises(BadPackage, match="does not speak: ORT: non-zero"):
        NeuralEngine(package.parent).load(VOICE)
