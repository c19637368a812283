"""What a teacher said, cached as one folder of arrays: audio, features and tokens of every clause.

`corpus.json` holds the texts, the phoneme alphabet and the teacher; the arrays lie beside it as .npy.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track as shown

from tts_core.neural.frame import HOP, Floats, log_mels, pack
from tts_core.neural.frontend import alphabet, tokens, tone_of
from tts_core.neural.learn import pitch
from tts_core.neural.learn.teachers import CannotTeach, Lesson, NoLesson, Teacher
from tts_core.neural.learn.telephone import lift

_ABOUT = "corpus.json"
_OF_TOKENS = ("ids", "durations", "exact", "states")
_LISTENED = 100  # clauses that tell a teacher's range
_MIDDLE_HZ = 150.0  # of a teacher that was never heard voiced
LEVEL = 0.08  # RMS of full scale that the corpus is brought to: about -22 dBov


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """How long each token of a clause lasts: `ids` int64[P, 3], `durations` int64[P] in frames.

    `exact` float32[P] are the teacher's own, before they were rounded to frames; `states` as in Lesson.
    """

    text: str
    ids: NDArray[np.int64]
    durations: NDArray[np.int64]
    exact: Floats
    states: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Item(Reading):
    """One clause as a telephone should hear it: `features` float32[T, 42] of `audio` float32[80 T]."""

    features: Floats
    audio: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """All that a teacher said; the last `held_out` items are never trained on.

    `readings` are more clauses, of which only the durations are learned.
    """

    teacher: str
    language: str
    phonemes: dict[str, int]
    items: Sequence[Item]
    held_out: int
    readings: Sequence[Reading] = ()

    @property
    def training(self) -> Sequence[Item]:
        """The items to learn from."""
        return self.items[: len(self.items) - self.held_out]

    @property
    def testing(self) -> Sequence[Item]:
        """The items to measure with."""
        return self.items[len(self.items) - self.held_out :]


def make(
    teacher: Teacher,
    learn: Iterable[str],
    test: Iterable[str],
    folder: Path,
    timed: Iterable[str] = (),
    known: Iterable[str] = (),
) -> Corpus:
    """Have `teacher` say all texts, and cache it in `folder`. Texts that it reads otherwise are left out.

    Of `timed` only the durations are kept. `known` are phonemes of the voice that this one goes on from: they
    stay in the alphabet even if nothing here has them. Raises CannotTeach when nothing to learn or to test is
    left.
    """
    lessons, testing = list(_say(teacher.say, learn, "learning")), list(_say(teacher.say, test, "held out"))
    if not lessons or not testing:
        raise CannotTeach(
            f"{teacher.name} said {len(lessons)} clauses to learn from and {len(testing)} to test: too few"
        )
    heard = [lift(lesson.audio) if teacher.dark else lesson.audio for lesson in (*lessons, *testing)]
    gain = LEVEL / _loudness(heard)
    ids = alphabet([*known, *(one.name for lesson in lessons for one in lesson.phonemes)])
    reach = _reach([audio * gain for audio in heard[:_LISTENED]])
    items = [
        _item(lesson, ids, np.clip(audio * gain, -1, 1), reach)
        for lesson, audio in shown(list(zip((*lessons, *testing), heard, strict=True)), "features")
    ]
    readings = [_reading(lesson, ids) for lesson in _say(teacher.timed, timed, "durations")]
    corpus = Corpus(teacher.name, teacher.language, ids, items, len(testing), readings)
    _save(corpus, folder)
    return corpus


def _say(say: Callable[[str], Lesson], texts: Iterable[str], what: str) -> Iterator[Lesson]:
    for text in shown(list(texts), what):
        with contextlib.suppress(NoLesson):
            yield say(text)


def _loudness(audio: Sequence[Floats]) -> float:
    """RMS over all of them."""
    return float(np.sqrt(np.mean(np.concatenate(audio) ** 2)))


def _reading(lesson: Lesson, ids: dict[str, int]) -> Reading:
    read = tokens(lesson.phonemes, ids, tone_of(lesson.text))
    return Reading(lesson.text, read.ids, lesson.durations, lesson.exact, lesson.states)


def _item(lesson: Lesson, ids: dict[str, int], audio: Floats, reach: tuple[float, float]) -> Item:
    read = _reading(lesson, ids)
    features = pack(log_mels(audio), _hz(audio, reach))
    return Item(read.text, read.ids, read.durations, read.exact, read.states, features, audio)


def _reach(heard: Sequence[Floats]) -> tuple[float, float]:
    """The lowest and the highest F0 that the teacher has, in Hz, a quarter more at both ends."""
    voiced = np.concatenate([hz[hz > 0] for hz in map(pitch.track, heard)])
    low, high = np.percentile(voiced, (5, 95)) if len(voiced) else (_MIDDLE_HZ, _MIDDLE_HZ)
    return float(0.8 * low), float(1.25 * high)


def _hz(audio: Floats, reach: tuple[float, float]) -> Floats:
    """F0 within the teacher's own `reach`, which no octave error leaves; voiced where any F0 at all is heard."""
    anywhere, own = pitch.track(audio), pitch.track(audio, *reach)
    known = np.flatnonzero(own)
    if not len(known):
        return own
    run_on = np.exp(np.interp(np.arange(len(own)), known, np.log(own[known])))
    return np.where(anywhere > 0, run_on, 0).astype(np.float32)


def _save(corpus: Corpus, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    everything: list[Reading] = [*corpus.items, *corpus.readings]
    for name in _OF_TOKENS:
        np.save(folder / f"{name}.npy", np.concatenate([getattr(each, name) for each in everything]))
    for name in ("features", "audio"):
        np.save(folder / f"{name}.npy", np.concatenate([getattr(item, name) for item in corpus.items]))
    about = {
        "teacher": corpus.teacher,
        "language": corpus.language,
        "phonemes": corpus.phonemes,
        "held_out": corpus.held_out,
        "items": len(corpus.items),
        "texts": [each.text for each in everything],
        "tokens": [len(each.ids) for each in everything],
    }
    fresh = folder / "corpus.new"
    fresh.write_text(json.dumps(about, ensure_ascii=False))
    fresh.replace(folder / _ABOUT)  # last, and whole: what it is there for is complete


def load(folder: Path) -> Corpus:
    """The corpus cached in `folder`. Raises FileNotFoundError."""
    about = json.loads((folder / _ABOUT).read_text())
    of_tokens = [np.load(folder / f"{name}.npy") for name in _OF_TOKENS]
    features, audio = (np.load(folder / f"{name}.npy") for name in ("features", "audio"))
    items: list[Item] = []
    readings: list[Reading] = []
    token, frame = 0, 0
    for text, count in zip(about["texts"], about["tokens"], strict=True):
        mine = slice(token, token + count)
        read = Reading(text, *(each[mine] for each in of_tokens))
        token += count
        if len(items) == about["items"]:
            readings.append(read)
            continue
        end = frame + int(read.durations.sum())
        heard = features[frame:end], audio[frame * HOP : end * HOP]
        items.append(Item(text, read.ids, read.durations, read.exact, read.states, *heard))
        frame = end
    held_out, phonemes = about["held_out"], about["phonemes"]
    return Corpus(about["teacher"], about["language"], phonemes, items, held_out, readings)
