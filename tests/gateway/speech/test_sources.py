"""What the makers' threads make: real espeak, real files, the line's level and times."""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from math import log10
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from gateway.messages.synthesis import MarkAt, VoiceInfo
from gateway.speech.maker import Maker, Opened, Outcome, Unusable
from gateway.speech.making import Source, Step, Stretches
from gateway.speech.prompt import PromptSource
from gateway.speech.recipe import Recipe
from gateway.speech.track import Failure, Stretch, Track
from gateway.speech.voice import VoiceSource
from telephony_codecs import DBM0_FULL_SCALE, Law, active_speech_level, decode, write_wav
from tts_core import Chunk, EngineError, Script, Speech, Voice, open_default

TEXT = "The quick brown fox jumps over the lazy dog. It is twenty past nine, and all is well."


def recipe(source: str, kind: str = "text", voice: str = "espeak:en-us", **others: object) -> Recipe:
    return Recipe(
        kind, source, None, voice, **({"rate": 1.0, "gain_db": 0.0, "law": "PCMU", "ptime_ms": 20} | others)
    )  # type: ignore[arg-type]


def line(stretches: Iterator[Stretch], law: Law = Law.PCMU) -> np.ndarray:
    """The audio on the line, float32[n], full scale 1.0."""
    octets = np.frombuffer(b"".join(stretch.payload for stretch in stretches), np.uint8)
    return decode(law, octets).astype(np.float32) / np.float32(32768)


def dbm0(audio: np.ndarray) -> float:
    return active_speech_level(audio, 8000).dbov + DBM0_FULL_SCALE


@pytest.fixture(scope="module")
def voices() -> VoiceSource:
    return VoiceSource(open_default(), -20.0, "espeak:en-us")


@pytest.mark.parametrize(
    ("voice", "text"),
    [
        ("espeak:en-us", TEXT),
        ("espeak:de", "Ihre Bestellung wird am Montag geliefert. Bitte bleiben Sie am Apparat."),
        ("espeak:fr-fr", "Votre commande sera livrée lundi entre neuf et onze heures."),
        ("espeak:ru", "Ваш заказ будет доставлен в понедельник с девяти до одиннадцати."),
        ("espeak:cmn", "您的订单将于星期一九点到十一点之间送达。"),
    ],
)
def test_every_voice_is_at_the_level(voices: VoiceSource, voice: str, text: str) -> None:
    assert dbm0(line(voices(recipe(text, voice=voice)))) == pytest.approx(-20, abs=1.5)


@pytest.mark.parametrize(("law", "ptime_ms"), [("PCMU", 20), ("PCMA", 30), ("PCMA", 60), ("PCMU", 10)])
def test_stretches_are_whole_packets_and_only_the_last_is_last(
    voices: VoiceSource, law: str, ptime_ms: int
) -> None:
    stretches = list(voices(recipe(TEXT, law=law, ptime_ms=ptime_ms)))
    assert all(len(stretch.payload) % (8 * ptime_ms) == 0 for stretch in stretches)
    assert [stretch.last for stretch in stretches] == [False] * (len(stretches) - 1) + [True]
    assert dbm0(line(iter(stretches), Law(law))) == pytest.approx(-20, abs=1.5)


def test_gain_is_added_to_the_level(voices: VoiceSource) -> None:
    plain, soft = (dbm0(line(voices(recipe(TEXT, gain_db=gain)))) for gain in (0.0, -9.0))
    assert soft - plain == pytest.approx(-9, abs=0.3)


def test_the_first_stretch_is_short_and_describes_its_clause(voices: VoiceSource) -> None:
    first = next(voices(recipe(TEXT)))
    assert 0 < len(first.payload) <= 8 * 250
    assert [TEXT[word.char_start : word.char_end] for word in first.words][:3] == ["The", "quick", "brown"]


def test_speech_in_small_chunks_begins_with_no_less_than_a_tenth_of_a_second(voices: VoiceSource) -> None:
    stretches = list(voices(recipe(TEXT, voice="neural:en-us-slt")))
    assert 8 * 100 <= len(stretches[0].payload) <= 8 * 300
    assert all(len(stretch.payload.rstrip(b"\xff")) <= 8 * 320 for stretch in stretches), "but for pauses"
    assert len(stretches) > 15
    words = [word for stretch in stretches for word in stretch.words]
    assert [TEXT[word.char_start : word.char_end] for word in words] == re.findall(r"\w+", TEXT)
    made = 0
    for stretch in stretches:
        assert all(word.start_unit * 80 >= made - 80 for word in stretch.words), "told before it is heard"
        made += len(stretch.payload)


def test_chunks_without_audio_lose_no_mark(voices: VoiceSource) -> None:
    inner = '<mark name="a"/>Hi.<break time="0ms"/><mark name="b"/><break time="50ms"/><mark name="c"/>'
    for voice in ("espeak:en-us", "neural:en-us-slt"):
        stretches = list(voices(recipe(f"<speak>{inner}</speak>", "ssml", voice)))
        assert [mark.name for stretch in stretches for mark in stretch.marks] == ["a", "b", "c"]
        assert [stretch.last for stretch in stretches] == [False] * (len(stretches) - 1) + [True]


@pytest.mark.parametrize("text", ["Hi.", "a", "7"])
def test_an_utterance_shorter_than_that_is_whole(voices: VoiceSource, text: str) -> None:
    for rate in (1.0, 2.0):
        stretches = list(voices(recipe(text, voice="neural:en-us-slt", rate=rate)))
        assert [len(stretch.words) for stretch in stretches if stretch.words] == [1]
        assert sum(len(stretch.payload) for stretch in stretches) % 160 == 0
        assert dbm0(line(iter(stretches))) > -35


class Choir:
    """A synthesiser of three voices, one of which has lost its own."""

    resets = 0

    def __init__(self) -> None:
        self.said: list[str] = []
        self.loaded: list[str] = []

    def voices(self) -> tuple[Voice, ...]:
        return tuple(Voice(name, "en", name[0], "", "") for name in ("a:one", "a:mute", "b:two"))

    def voice(self, name: str) -> Voice:
        return next(voice for voice in self.voices() if voice.name == name)

    def remote(self, voice: str) -> None:
        return None

    def speak(self, script: Script, voice: str, rate: float = 1.0) -> Speech:
        self.said.append(voice)
        if voice == "a:mute":
            raise EngineError("hoarse")
        return Speech(Chunk(np.full(8000, 3000, np.int16), 8000) for _ in range(1))

    def load(self, voice: str) -> None:
        self.loaded.append(voice)
        if voice == "a:mute":
            raise EngineError("hoarse")


def test_what_is_warmed_has_spoken_and_what_cannot_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    choir = Choir()
    source = VoiceSource(choir, -20.0, "b:two")  # type: ignore[arg-type]
    assert choir.said == ["b:two"], "the default voice is always ready"
    source.warm(("a:*", "b:three"))
    assert choir.said == ["b:two", "a:one"]
    assert set(source.tried) == {"b:two", "a:one"}, "what they cost was measured, too"
    assert [voice.name for voice in source.voices()] == ["a:one", "b:two"]
    assert "a:mute is left out: hoarse" in caplog.text
    assert "no voice 'b:three'" in caplog.text
    choir.loaded.clear()
    source.load(("*",))
    assert choir.loaded[-3:] == ["a:one", "a:mute", "b:two"]
    assert "a:mute does not speak: hoarse" in caplog.text


def test_words_lie_where_they_sound(voices: VoiceSource) -> None:
    stretches = list(voices(recipe("Wait. <mark/> Go.".replace("<mark/>", ""))))
    audio = line(iter(stretches))
    words = [word for stretch in stretches for word in stretch.words]
    assert len(words) == 2
    for word in words:
        sound = audio[word.start_unit * 80 : word.end_unit * 80]
        assert 10 * log10(float(np.mean(sound**2))) > -40
    pause = audio[words[0].end_unit * 80 + 400 : words[1].start_unit * 80 - 400]
    assert float(np.abs(pause).max()) < 0.01


def test_marks_fall_between_their_words(voices: VoiceSource) -> None:
    ssml = '<speak>One two <mark name="here"/> three. <mark name="end"/></speak>'
    stretches = list(voices(recipe(ssml, "ssml")))
    words = [word for stretch in stretches for word in stretch.words]
    here, end = (mark for stretch in stretches for mark in stretch.marks)
    assert here == MarkAt("here", words[2].start_unit)
    assert end.name == "end"
    assert end.unit >= words[2].end_unit - 1


@pytest.mark.parametrize("text", ["", "  ", "🙂", "\x00\x01", "\ud800"])
def test_what_nobody_can_say_is_an_utterance_without_words(voices: VoiceSource, text: str) -> None:
    stretches = list(voices(recipe(text)))
    assert stretches[-1].last
    assert not any(stretch.words for stretch in stretches[:-1]) or text == "🙂"


def test_a_prompt_is_at_the_level_and_keeps_its_length(tmp_path: Path, voices: VoiceSource) -> None:
    speech = line(voices(recipe(TEXT)))
    write_wav(tmp_path / "soft.wav", (speech * 3000).astype(np.int16), 8000)
    source = PromptSource(-20.0, 60.0)
    (stretch,) = source(recipe(str(tmp_path / "soft.wav"), "prompt", ""))
    assert stretch.last
    assert len(stretch.payload) == -(-len(speech) // 160) * 160
    assert dbm0(line(iter([stretch]))) == pytest.approx(-20, abs=0.5)


# -- the thread -------------------------------------------------------------------------------------------


class Bench:
    """A maker whose outcomes come through a queue."""

    def __init__(self, source: Source) -> None:
        self.outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self.maker = Maker("test", lambda: (source, ()), self.outcomes.put)
        assert self.next() == Opened(())

    def next(self) -> Outcome:
        return self.outcomes.get(timeout=20)

    def make(self, track: Track) -> Stretch | Failure:
        return self.make_all([track])[track]

    def make_all(self, tracks: Sequence[Track]) -> dict[Track, Stretch | Failure]:
        self.maker.make(tracks)
        results = {}
        seconds = None
        while seconds is None:
            step = self.next()
            assert isinstance(step, Step)
            results |= {made.track: made.result for made in step.made}
            assert all(made.seconds >= 0 for made in step.made)
            seconds = step.seconds
        assert set(results) == set(tracks)
        return results


@pytest.fixture
def bench() -> Iterator[Callable[[Source], Bench]]:
    benches: list[Bench] = []

    def start(source: Source) -> Bench:
        benches.append(Bench(source))
        return benches[-1]

    yield start
    for started in benches:
        started.maker.close(20)


def test_tracks_are_made_by_turns_in_one_thread(bench: Callable[[Source], Bench]) -> None:
    threads: set[int] = set()

    def source(recipe: Recipe) -> Stretches:
        for number in range(3):
            threads.add(threading.get_ident())
            yield Stretch(f"{recipe.source}{number}".encode(), last=number == 2)

    made = bench(source)
    one, two = Track(recipe("a"), kept=False), Track(recipe("b"), kept=False)
    results = [made.make(track) for track in (one, two, one, two, two, one)]
    assert [result.payload for result in results] == [b"a0", b"b0", b"a1", b"b1", b"b2", b"a2"]
    assert len(threads) == 1
    assert threading.get_ident() not in threads


class Turn:
    """A turn that notes its company."""

    taken: ClassVar[list[list[str]]] = []

    def __init__(self, name: str) -> None:
        self.name = name

    def result(self) -> str:
        return self.name

    @staticmethod
    def together(turns: Iterable[Turn]) -> None:
        Turn.taken.append([turn.name for turn in turns])


def test_turns_of_one_order_are_taken_together(bench: Callable[[Source], Bench]) -> None:
    def source(recipe: Recipe) -> Stretches:
        for number in range(int(recipe.source)):
            yield Turn(f"{recipe.source}.{number}")
        if recipe.source == "2":
            raise EngineError("status 7")
        yield Stretch(recipe.source.encode(), last=True)

    made = bench(source)
    tracks = [Track(recipe(name), kept=False) for name in ("2", "0", "3", "1")]
    results = made.make_all(tracks)
    assert Turn.taken == [["2.0", "3.0", "1.0"], ["2.1", "3.1"], ["3.2"]]
    assert [results[track] for track in tracks] == [
        Failure("engine_error", "status 7"),
        *(Stretch(name, last=True) for name in (b"0", b"3", b"1")),
    ]


def test_a_dropped_track_is_closed_in_its_thread(bench: Callable[[Source], Bench]) -> None:
    closed: queue.SimpleQueue[int] = queue.SimpleQueue()

    def source(recipe: Recipe) -> Generator[Stretch, None, None]:
        try:
            while True:
                yield Stretch(b"")
        finally:
            closed.put(threading.get_ident())

    made = bench(source)
    dropped, kept = Track(recipe("a"), kept=False), Track(recipe("b"), kept=False)
    made.make(dropped)
    made.make(kept)
    made.maker.drop(dropped)
    thread = closed.get(timeout=20)
    assert thread != threading.get_ident()
    made.maker.close(20)
    assert closed.get(timeout=20) == thread, "what still grows is closed at the end"


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (EngineError("status 7"), Failure("engine_error", "status 7")),
        (OSError(5, "Input/output error"), Failure("bad_prompt", "[Errno 5] Input/output error")),
        (ZeroDivisionError(), Failure("internal_error", "ZeroDivisionError")),
    ],
)
def test_an_error_fails_its_utterance_only(
    bench: Callable[[Source], Bench], error: Exception, failure: Failure
) -> None:
    def source(recipe: Recipe) -> Stretches:
        yield Stretch(b"first")
        if recipe.source == "bad":
            raise error
        yield Stretch(b"second", last=True)

    made = bench(source)
    bad, good = Track(recipe("bad"), kept=False), Track(recipe("good"), kept=False)
    made.make(bad)
    made.make(good)
    assert made.make(bad) == failure
    assert made.make(good) == Stretch(b"second", last=True)


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        (recipe("hello", voice="espeak:klingonese"), "unknown_voice"),
        (recipe("<speak>", "ssml"), "bad_ssml"),
        (recipe("hello", rate=9.0), "bad_request"),
    ],
)
def test_requests_that_an_engine_refuses_fail_by_name(
    bench: Callable[[Source], Bench], voices: VoiceSource, wrong: Recipe, cause: str
) -> None:
    result = bench(voices).make(Track(wrong, kept=False))
    assert isinstance(result, Failure)
    assert result.cause == cause
    assert result.detail


@pytest.mark.parametrize("content", [None, b"", b"no audio"])
def test_prompts_that_cannot_be_read_fail_by_name(
    bench: Callable[[Source], Bench], tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "prompt.wav"
    if content is not None:
        file.write_bytes(content)
    result = bench(PromptSource(-20.0, 60.0)).make(Track(recipe(str(file), "prompt", ""), kept=False))
    assert isinstance(result, Failure)
    assert result.cause == "bad_prompt"
    assert "prompt.wav" in result.detail


def test_an_engine_that_does_not_load_says_so() -> None:
    def broken() -> tuple[Source, tuple[VoiceInfo, ...]]:
        raise EngineError("no data")

    outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
    Maker("test", broken, outcomes.put).close(20)
    outcome = outcomes.get(timeout=20)
    assert isinstance(outcome, Unusable)
    assert str(outcome.error) == "no data"
