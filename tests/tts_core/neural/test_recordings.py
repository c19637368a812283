"""Recordings as a teacher: boundaries found on speech whose boundaries are known."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from tts_core.neural import package
from tts_core.neural.frame import HOP
from tts_core.neural.learn.imitation import VoiceTeacher
from tts_core.neural.learn.recordings import RecordingsTeacher, warp
from tts_core.neural.learn.teachers import EspeakTeacher, NoLesson

TEXTS = ["Please hold the line, Bob.", "Seven people were waiting outside.", "Is that your number?"]


@pytest.fixture
def recorded(tmp_path: Path) -> RecordingsTeacher:
    """espeak's British English, 1.25 times slower in half of the sentences, as if recorded with noise."""
    from tts_core.neural.phonemes import PhonemeReader

    (tmp_path / "wavs").mkdir()
    reader, dice = PhonemeReader("en-us"), np.random.default_rng(0)
    for index, text in enumerate(TEXTS):
        _, pcm = reader.read(text, wpm=130 if index % 2 else 165)
        noisy = (
            np.concatenate((np.zeros(9000), pcm, np.zeros(4000)))
            + dice.standard_normal(len(pcm) + 13_000) * 20
        )
        wavfile.write(tmp_path / "wavs" / f"s{index}.wav", reader.sample_rate, noisy.astype(np.int16))
    lines = [f"s{index}|{text}" for index, text in enumerate(TEXTS)]
    (tmp_path / "metadata.csv").write_text("\n".join([*lines, "s9|Missing."]))
    return RecordingsTeacher(tmp_path, "en-us")


def test_boundaries_are_found(recorded: RecordingsTeacher) -> None:
    known = EspeakTeacher("en-us")
    for index, text in enumerate(TEXTS):
        lesson = recorded.say(text)
        assert lesson.durations.sum() * HOP == len(lesson.audio)
        wanted = known.say(text).durations
        assert len(wanted) == len(lesson.durations)
        if index % 2 == 0:  # the same speech: the same boundaries, within two frames for nine in ten
            gap = np.abs(np.cumsum(lesson.durations) - np.cumsum(wanted))
            assert np.mean(gap <= 2) > 0.9
        else:
            assert 1.1 < lesson.durations.sum() / wanted.sum() < 1.5


def test_what_is_missing_is_no_lesson(recorded: RecordingsTeacher) -> None:
    assert recorded.texts == [*TEXTS, "Missing."]
    for text in ("Missing.", "Never said."):
        with pytest.raises(NoLesson, match="not recorded"):
            recorded.say(text)


def test_a_voice_teaches_too(small: Path) -> None:
    lesson = VoiceTeacher(package.read(small)).say("Nine to one, Bob.")
    assert lesson.durations.sum() * HOP == len(lesson.audio)
    assert len(lesson.durations) == len(lesson.phonemes) + 2
    assert np.isfinite(lesson.audio).all()


def test_warping_finds_a_stretch() -> None:
    one = np.random.default_rng(0).standard_normal((30, 5))
    assert warp(one, one).tolist() == list(range(30))
    slow = np.repeat(one, 3, axis=0)
    assert np.abs(warp(one, slow) // 3 - np.arange(30)).max() == 0
    assert (np.diff(warp(one, slow[:40])) >= 0).all()
