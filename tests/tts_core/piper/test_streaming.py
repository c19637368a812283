"""Cut in two and decoded in pieces a voice says what Piper's own graph says, and the same every time."""

import itertools
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts_core import EngineError, Pause, Say, Script
from tts_core.neural.package import read_as
from tts_core.neural.runtime import open_session
from tts_core.piper import networks
from tts_core.piper import package as packages
from tts_core.piper.engine import PiperEngine
from tts_core.piper.networks import Networks
from tts_core.piper.package import PIPER, Package
from tts_core.piper.speaker import Loaded, Speaker
from tts_core.plan import Clause

from .shelf import LETTERS, LOW, MEDIUM, PAIR, added, unpacked

NAMES = (MEDIUM, LOW, LETTERS, PAIR)
TOLERANCE = 1e-6  # of full scale; 16-bit audio has steps of 3e-5
TEXT = "Bitte warten, wir verbinden. Nine, nine, nine."


@cache
def package(name: str) -> Package:
    return read_as(added(*NAMES) / name.lower().replace("_", "-"), PIPER)


def voice(name: str) -> Loaded:
    """Loaded once: a stochastic duration predictor takes ONNX Runtime a second."""
    own = package(name).manifest.name
    engine().load(next(each.name for each in engine().voices() if each.name.startswith(f"piper:{own}")))
    return engine()._loaded[own]


@cache
def engine() -> PiperEngine:
    return PiperEngine(added(*NAMES))


def clause(text: str) -> Clause:
    return Clause(text, 0, (), 0, False)


def score(name: str, text: str = TEXT, rate: float = 1.0, scale: float = 1.0) -> networks.Score:
    loaded = voice(name)
    return loaded.networks.compose(loaded.phonemes.read(clause(text)).ids, rate, 0, scale)


@cache
def whole(name: str) -> tuple[networks.Score, np.ndarray]:
    made = score(name)
    audio = voice(name).networks.decode(made, 0, len(made))
    assert len(audio) == len(made) * 256
    assert 0.02 < audio.std() < 0.5, "a voice that is heard"
    return made, audio


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=6, deadline=None)
@given(ramp=st.lists(st.integers(1, 40), min_size=1, max_size=12))
def test_streamed_equals_whole(name: str, ramp: list[int]) -> None:
    made, audio = whole(name)
    streamed = np.concatenate(list(voice(name).networks.pieces(made, ramp)))
    assert np.abs(streamed - audio).max() < TOLERANCE


@pytest.mark.parametrize("name", NAMES)
def test_less_context_would_be_heard(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With less than the reach the seams are there, and the less the louder."""
    made, audio = whole(name)
    held = package(name).manifest
    short = Networks.__new__(Networks)
    short._decoder = voice(name).networks._decoder
    apart = []
    for less in (0, 8, held.back):
        short._held = msgspec.structs.replace(held, back=held.back - less, ahead=held.ahead - less)
        streamed = np.concatenate(list(short.pieces(made, (8,))))
        apart.append(float(np.abs(streamed - audio).max()))
    assert apart[0] < TOLERANCE < apart[1] < apart[2]


def test_without_noise_it_is_piper_s_own_graph(tmp_path: Path) -> None:
    """Here at other words and to the last bit of 16; every voice that was added was compared, too."""
    session = open_session(unpacked(LETTERS, tmp_path))
    made = score(LETTERS, scale=0.0)
    ids = voice(LETTERS).phonemes.read(clause(TEXT)).ids
    scales = np.array([0, 1, 0], np.float32)
    feed = {"input": ids[None], "input_lengths": np.array([len(ids)]), "scales": scales}
    said = session.run(None, feed)[0].reshape(-1)
    ours = voice(LETTERS).networks.decode(made, 0, len(made))
    assert said.shape == ours.shape
    assert np.abs(said - ours).max() < TOLERANCE


def test_noise_is_in_the_encoder_and_the_same_every_time() -> None:
    with_noise, again, without = score(LOW), score(LOW), score(LOW, scale=0.0)
    assert np.array_equal(with_noise.latent, again.latent)
    assert np.array_equal(with_noise.ends, again.ends)
    assert not np.array_equal(with_noise.ends, without.ends), "rhythm is drawn by chance"
    steady, shaken = score(LETTERS, scale=0.0), score(LETTERS)
    assert np.array_equal(steady.ends, shaken.ends), "this voice's durations are not"
    assert np.abs(steady.latent - shaken.latent).max() > 0.01


@pytest.mark.parametrize("name", [LOW, MEDIUM])
@pytest.mark.parametrize("rate", [0.5, 0.8, 1.3, 2.0])
def test_rate_is_exact(name: str, rate: float) -> None:
    plain, paced = score(name), score(name, rate=rate)
    assert len(paced) == pytest.approx(len(plain) / rate, abs=0.51)
    assert np.abs(paced.ends - plain.ends / rate).max() <= 0.51


@pytest.mark.parametrize("name", NAMES)
def test_chunks_grow_and_words_lie_where_durations_say(name: str) -> None:
    held = package(name).manifest
    loaded = voice(name)
    speaker = Speaker(loaded, 0)
    said = clause("bitte warten, danke")
    tokens = speaker.read(said)
    chunks = list(speaker.speak(said, tokens, 1.0, 0))
    assert {chunk.sample_rate for chunk in chunks} == {held.sample_rate}
    lengths = [len(chunk.pcm) / held.hop for chunk in chunks]
    assert lengths[0] <= 24, "breath may take the first chunk, and is left out"
    assert max(lengths) <= 64
    later = [len(chunk.pcm) / held.hop for chunk in speaker.speak(said, tokens, 1.0, 1000)]
    assert len(later) < len(lengths), "only an utterance's beginning is in a hurry"
    words = [word for chunk in chunks for word in chunk.words]
    assert [said.text[word.char_start : word.char_end] for word in words] == ["bitte", "warten", "danke"]
    assert words[0].start_sample == 0
    ends = loaded.networks.compose(tokens.ids, 1.0, 0).ends * held.hop
    starts = [int(ends[token - 1]) for _, token in tokens.words]
    for word, start in itertools.islice(zip(words, starts, strict=True), 1, None):
        early = (
            held.sample_rate // 100
        )  # it may fade in before its time, and breath is left out before the first
        assert abs(word.start_sample - (start - starts[0])) <= 3 * early
    assert words[1].end_sample < words[2].start_sample


def test_speakers_differ_and_each_is_repeatable() -> None:
    names = [each.name for each in engine().voices() if "crowd" in each.name]
    assert len(names) == 3

    def say(name: str) -> bytes:
        return b"".join(
            chunk.pcm.tobytes() for chunk in engine().speak(Script.from_text("Hello there."), name, 1.0)
        )

    said = [say(name) for name in names]
    assert len(set(said)) == 3
    assert [say(name) for name in names] == said


def test_a_pause_is_that_long_at_16_000_hz() -> None:
    script = Script("One. Two.", (Say(0, 4), Pause(123), Say(5, 9)))
    chunks = list(engine().speak(script, "piper:en-gb-crowd-low#speaker-1", 1.0))
    pcm = np.concatenate([chunk.pcm for chunk in chunks])
    first, second = (word for chunk in chunks for word in chunk.words)
    assert second.start_sample - first.end_sample == 1968
    assert not pcm[first.end_sample : second.start_sample].any()


def test_what_is_no_number_is_silenced_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    own = PiperEngine(added(*NAMES))
    name = "piper:de-de-letters-high"
    script = Script.from_text("bitte warten sie auf uns bis morgen")
    sound = list(own.speak(script, name, 1.0))
    real, calls = Networks.decode, itertools.count()

    def spoiled(self: Networks, *given: object) -> np.ndarray:
        made = real(self, *given)
        return made * np.nan if next(calls) == 3 else made

    monkeypatch.setattr(Networks, "decode", spoiled)
    hurt = list(own.speak(script, name, 1.0))
    assert own.resets == 1
    assert [len(chunk.pcm) for chunk in hurt] == [len(chunk.pcm) for chunk in sound]
    (lost,) = (one for one, other in zip(hurt, sound, strict=True) if not np.array_equal(one.pcm, other.pcm))
    assert not lost.pcm.any()


def test_a_network_that_fails_is_an_engine_s_error() -> None:
    loaded = voice(LETTERS)
    with pytest.raises(EngineError, match="network fails"):
        loaded.networks.compose(np.array([0, 1, 10_000]), 1.0)
    assert packages.LARGEST > 130 * 2**20, "Piper's largest voices"
