"""Text to ids: phonemes with stress, words by their characters, and the espeak engine undisturbed."""

import numpy as np
import pytest

from tts_core import EspeakEngine, Script, UnknownVoice
from tts_core.neural.frontend import (
    PAUSE,
    Frontend,
    alphabet,
    clean_phonemes,
    nearest,
    places,
    tone_of,
)
from tts_core.neural.phonemes import PhonemeReader


def names(text: str, language: str = "en-us") -> list[str]:
    phonemes, _ = PhonemeReader(language).read(text)
    return [one.name for one in clean_phonemes(phonemes)]


def test_reads_phonemes_with_stress_and_words() -> None:
    phonemes, pcm = PhonemeReader("en-us").read("Hello there, Bob.")
    kept = clean_phonemes(phonemes)
    assert [one.name for one in kept] == ["h", "@", "l", "oU", "D", "e@", PAUSE, "b", "0", "b"]
    assert [one.stress for one in kept] == [0, 0, 0, 2, 0, 2, 0, 0, 2, 0]
    assert [one.char for one in kept if one.name != PAUSE] == [0] * 4 + [6] * 2 + [13] * 3
    samples = [one.sample for one in kept]
    assert samples == sorted(samples)
    assert samples[-1] < len(pcm)


def test_pauses_collapse_and_leave_the_ends() -> None:
    found = names("One, two;  three...")
    assert found[0] != PAUSE
    assert found[-1] != PAUSE
    assert found.count(PAUSE) == 2


def test_same_text_same_phonemes_whatever_came_before() -> None:
    reader = PhonemeReader("en-us")
    first = reader.read("Please hold the line.")
    for before in ("Zebras?", "a", "Why!"):
        reader.read(before)
        again = reader.read("Please hold the line.")
        assert again[0] == first[0]
        assert np.array_equal(again[1], first[1])


@pytest.mark.parametrize("language", ["en-us", "de", "fr-fr"])
def test_hurrying_changes_no_phoneme(language: str) -> None:
    reader = PhonemeReader(language)
    for text in (
        "Nine, nine; well: 42 of them. Yes",
        "I don't know... 3 o'clock?",
        "Zug um 12 Uhr",
        "a",
        "Oh no!",
    ):
        slow = [(one.name, one.stress, one.char) for one in reader.read(text)[0]]
        assert [(one.name, one.stress, one.char) for one in reader.names(text)] == slow


def test_the_espeak_engine_is_left_as_it_was() -> None:
    engine = EspeakEngine()

    def audio() -> tuple[bytes, tuple[object, ...]]:
        (chunk,) = engine.speak(Script.from_text("Hello, nine bottles."), "espeak:en-us", 1.0)
        return chunk.pcm.tobytes(), chunk.words

    before = audio()
    PhonemeReader("de").read("Guten Tag, wie geht es?")
    assert audio() == before


@pytest.mark.parametrize(
    ("text", "tone"),
    [
        ("Yes.", 0),
        ("Yes", 0),
        ("Yes?", 1),
        ('"Yes?" ', 1),
        ("Yes?!", 2),
        ("Yes!", 2),
        ("Yes,", 3),
        ("你好吗？", 1),
    ],
)
def test_tone(text: str, tone: int) -> None:
    assert tone_of(text) == tone


def test_tokens_have_a_pause_at_each_end_and_know_where_words_begin() -> None:
    ids = alphabet(names("Hello there, Bob."))
    tokens = Frontend("en-us", ids).read("Hello there, Bob.")
    assert tokens.ids.shape == (12, 3)
    assert tokens.ids[0, 0] == tokens.ids[-1, 0] == ids[PAUSE]
    begins = (tokens.ids[:, 1] % 2 == 1) & (tokens.ids[:, 0] != ids[PAUSE])
    assert tokens.chars[begins].tolist() == [0, 6, 13]
    assert set(tokens.ids[:, 0]) <= set(ids.values())


def test_a_phoneme_never_learned_is_read_as_its_neighbour() -> None:
    ids = alphabet(["e", "@", "r"])
    assert nearest("e:", ids) == ids["e"]
    assert nearest("R", ids) == ids["r"]
    assert nearest("ʘ", ids) == ids["@"]


def test_places() -> None:
    token, place = places(np.array([2, 0, 3]))
    assert token.tolist() == [0, 0, 2, 2, 2]
    assert np.allclose(place[:, 0], [0.25, 0.75, 1 / 6, 0.5, 5 / 6])
    assert np.allclose(place[:, 2] + place[:, 3], [0.2, 0.2, 0.3, 0.3, 0.3])


def test_a_language_that_espeak_has_not() -> None:
    with pytest.raises(UnknownVoice):
        PhonemeReader("xx-nowhere")
