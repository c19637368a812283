"""The recogniser that a corpus teaches: its search, and that it hears words in what it learned from."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tts_core.neural.frame import HOP  # noqa: E402
from tts_core.neural.learn import corpus as corpora  # noqa: E402
from tts_core.neural.learn import hearing  # noqa: E402
from tts_core.neural.learn.teachers import EspeakTeacher  # noqa: E402

TEXTS = ["Seven, nine, monday, hello.", "Hello, seven, monday, nine.", "Nine, hello, seven, monday."]


def test_the_search_finds_the_spelling_that_fits() -> None:
    frames = np.full((12, 5), -5.0, np.float32)
    for begin, end, phoneme in ((0, 2, 1), (2, 6, 2), (6, 10, 3), (10, 12, 1)):
        frames[begin:end, phoneme] = 0
    spelled = [[1, 3, 2, 1], [1, 2, 3, 1], [1, 2, 3, 4, 1], [1, 2, 2, 1]]
    assert hearing._best(frames, spelled) == 1
    assert hearing._best(frames, [[1, 2, 4, 3, 1], [1, 3, 2, 4, 1]]) == 0  # what has no time is skipped


def test_a_word_lies_in_noise_of_the_level_asked_for() -> None:
    tone = 0.3 * np.sin(np.arange(4000) * 0.3).astype(np.float32)
    padded = hearing._padded(tone, 10)
    edge = padded[: hearing._SILENCE * HOP - 10]
    assert abs(20 * np.log10(corpora.LEVEL / edge.std()) - 10) < 0.5
    assert len(hearing._padded(np.zeros(0, np.float32), 10)) == 2 * hearing._SILENCE * HOP


def test_words_are_heard(tmp_path: Path) -> None:
    teacher = EspeakTeacher("en-us")
    corpus = corpora.make(teacher, TEXTS, ["Goodbye."], tmp_path)
    ear = hearing.Recogniser(corpus, minutes=0.3)
    words = ("seven", "nine", "monday", "hello")
    assert ear.words_right(lambda word: teacher.audio(f"{word}."), words, 30) >= 0.75
    assert ear.words_right(lambda word: teacher.audio("goodbye."), words, 30) <= 0.25
