"""What a teacher said, cached as one folder of arrays: audio, features and tokens of every clause.

`corpus.json` holds the texts, the phoneme alphabet, the teacher and the gain; the arrays lie beside it as .npy.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track as shown

from tts_core.neural.frame import HOP, Floats, log_mels, pack
from tts_core.neural.frontend import alphabet, tokens, tone_of
from tts_core.neural.learn import pitch
from tts_core.neural.learn.teachers import Lesson, NoLesson, Teacher
from tts_core.neural.learn.telephone import lift

LEVEL = 0.08  # RMS of full scale that the corpus is brought to: about -22 dBov


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One clause: `ids` int64[P, 3], `durations` int64[P], `features` float32[T, 42], `audio` float32[80 T].

    The features are the teacher's own; the audio is what a telephone should hear of it, lifted where that is due.
    """

    text: str
    ids: NDArray[np.int64]
    durations: NDArray[np.int64]
    features: Floats
    audio: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """All that a teacher said; the last `held_out` items are never trained on."""

    teacher: str
    language: str
    phonemes: dict[str, int]
    items: Sequence[Item]
    held_out: int

    @property
    def training(self) -> Sequence[Item]:
        """The items to learn from."""
        return self.items[: len(self.items) - self.held_out]

    @property
    def testing(self) -> Sequence[Item]:
        """The items to measure with."""
        return self.items[len(self.items) - self.held_out :]


def make(teacher: Teacher, learn: Iterable[str], test: Iterable[str], folder: Path) -> Corpus:
    """Have `teacher` say all texts, and cache it in `folder`. Texts that it reads otherwise are left out."""
    lessons, testing = _say(teacher, learn, "learning"), _say(teacher, test, "held out")
    gain = LEVEL / _loudness([lesson.audio for lesson in lessons])
    heard = [lift(lesson.audio) if teacher.dark else lesson.audio for lesson in [*lessons, *testing]]
    heard_gain = LEVEL / _loudness(heard)
    ids = alphabet([one.name for lesson in lessons for one in lesson.phonemes])
    voiced = np.concatenate([hz[hz > 0] for hz in (pitch.track(one.audio) for one in lessons[:100])])
    middle = float(np.median(voiced))
    items = [
        _item(lesson, ids, gain, (0.6 * middle, 1.8 * middle), np.clip(audio * heard_gain, -1, 1))
        for lesson, audio in shown(list(zip([*lessons, *testing], heard, strict=True)), "features")
    ]
    corpus = Corpus(teacher.name, teacher.language, ids, items, len(testing))
    _save(corpus, folder)
    return corpus


def _say(teacher: Teacher, texts: Iterable[str], what: str) -> list[Lesson]:
    lessons = []
    for text in shown(list(texts), what):
        try:
            lessons.append(teacher.say(text))
        except NoLesson:
            continue
    return lessons


def _loudness(audio: Sequence[Floats]) -> float:
    """RMS over all of them."""
    return float(np.sqrt(np.mean(np.concatenate(audio) ** 2)))


def _item(
    lesson: Lesson, ids: dict[str, int], gain: float, reach: tuple[float, float], heard: Floats
) -> Item:
    audio = np.clip(lesson.audio * gain, -1, 1)
    features = pack(log_mels(audio), pitch.track(audio, *reach))
    read = tokens(lesson.phonemes, ids, tone_of(lesson.text))
    return Item(lesson.text, read.ids, lesson.durations, features, heard)


def _save(corpus: Corpus, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("ids", "durations", "features", "audio"):
        np.save(folder / f"{name}.npy", np.concatenate([getattr(item, name) for item in corpus.items]))
    about = {
        "teacher": corpus.teacher,
        "language": corpus.language,
        "phonemes": corpus.phonemes,
        "held_out": corpus.held_out,
        "texts": [item.text for item in corpus.items],
        "tokens": [len(item.ids) for item in corpus.items],
        "frames": [len(item.features) for item in corpus.items],
    }
    (folder / "corpus.json").write_text(json.dumps(about, ensure_ascii=False))


def load(folder: Path) -> Corpus:
    """The corpus cached in `folder`. Raises FileNotFoundError."""
    about = json.loads((folder / "corpus.json").read_text())
    arrays = {name: np.load(folder / f"{name}.npy") for name in ("ids", "durations", "features", "audio")}
    items = []
    token, frame = 0, 0
    for text, count, frames in zip(about["texts"], about["tokens"], about["frames"], strict=True):
        spans = slice(token, token + count), slice(frame, frame + frames)
        audio = arrays["audio"][frame * HOP : (frame + frames) * HOP]
        ids, durations = arrays["ids"][spans[0]], arrays["durations"][spans[0]]
        items.append(Item(text, ids, durations, arrays["features"][spans[1]], audio))
        token, frame = token + count, frame + frames
    return Corpus(about["teacher"], about["language"], about["phonemes"], items, about["held_out"])
