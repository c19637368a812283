"""The recipe, step by step: from a teacher to a corpus, to networks, to a voice package with its figures."""

from __future__ import annotations

import importlib.util
import itertools
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tts_core.neural import engine
from tts_core.neural import package as packages
from tts_core.neural.learn import corpus as corpora
from tts_core.neural.learn import prompts, prose
from tts_core.neural.learn.imitation import VoiceTeacher
from tts_core.neural.learn.recordings import RecordingsTeacher
from tts_core.neural.learn.sentences import LANGUAGES, english_words, sentences
from tts_core.neural.learn.teachers import CannotTeach, EspeakTeacher, FliteTeacher, Teacher
from tts_core.neural.package import Package

TEACHERS = "espeak:LANGUAGE, flite:VOICE, neural:NAME, a voice package's folder, or recordings:FOLDER"
_NOTICES = Path(__file__).parent / "notices"
_NEEDED = ("torch", "onnx", "safetensors", "pesq", "pystoi", "matplotlib")
_SHOWN = 6  # sentences on the page
_HEARD = 40  # clauses of the lesson that tell how late the voiced source comes up
_SHARES = {"vocoder": 0.2, "acoustic": 0.5, "timing": 0.15, "tune": 0.15}  # of the minutes


@dataclass(frozen=True, slots=True)
class Amount:
    """How many clauses a teacher says: made up and in prose; of each kind for durations; to measure with."""

    clauses: int = 3600
    prose: int = 4400
    timed: int = 6000
    held_out: int = 60


def check_installed() -> None:
    """Raise CannotTeach unless everything that training needs is installed."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise CannotTeach(f"{', '.join(missing)} missing: pip install 'voxtrunk[train]'")


def find_teacher(name: str, language: str) -> Teacher:
    """The teacher of this name; `language` is of recordings. Raises CannotTeach, UnknownVoice or BadPackage."""
    kind, _, voice = name.partition(":")
    if kind == "espeak":
        return EspeakTeacher(voice)
    if kind == "flite":
        return FliteTeacher(voice)
    if kind == "recordings":
        return RecordingsTeacher(Path(voice), language)
    return VoiceTeacher(find_package(name, TEACHERS))


def find_package(name: str, offered: str) -> Package:
    """The shipped voice `neural:NAME`, or the package in the folder `name`. Raises CannotTeach, BadPackage."""
    folder = engine.SHIPPED / name.removeprefix("neural:") if name.startswith("neural:") else Path(name)
    if not (folder / packages.MANIFEST).is_file():
        raise CannotTeach(f"{name!r} is none of {offered}")
    return packages.read(folder)


def find_start(name: str) -> Path:
    """The folder of a voice to begin from: a package, or a working folder with what was trained in it."""
    folder = Path(name)
    if (folder / "acoustic.pt").is_file():
        return folder
    return find_package(name, "neural:NAME, a voice package's folder, a working folder, or none").folder


def texts_in(file: Path) -> list[str]:
    """The sentences of a file, one a line. Raises CannotTeach when it cannot be read or is empty."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CannotTeach(f"the texts cannot be read: {error}") from error
    found = list(dict.fromkeys(filter(None, map(str.strip, lines))))
    if not found:
        raise CannotTeach(f"no sentence is in {file}")
    return found


def prepare(
    teacher: Teacher,
    given: Sequence[str],
    amount: Amount,
    seed: int,
    work: Path,
    start: Path | None = None,
    beside: Sequence[Path] = (),
) -> None:
    """Have `teacher` say its lesson, and cache it in `work`.

    `given` are the texts; without any, those of its recordings are taken, or sentences are made up. `start` is
    the package of the same voice when it goes on from itself: no sound that it knows is forgotten. `beside` are
    more folders of Python sources to read prose in. Raises CannotTeach when there are no texts for its language,
    or when nothing of it can be used.
    """
    if not given and isinstance(teacher, RecordingsTeacher):
        given = teacher.texts
    if given:
        test = given[: min(amount.held_out, len(given) // 5)]
        rest = given[len(test) :]
        learn, timed = rest[: amount.clauses], rest[amount.clauses :][: amount.timed]
    else:
        learn, timed, test = _made_up(teacher.language, amount, seed, beside)
    known = packages.read(start).manifest.phonemes if start is not None else ()
    corpora.make(teacher, learn, test, work / "corpus", timed, known)


def _made_up(
    tag: str, amount: Amount, seed: int, beside: Sequence[Path]
) -> tuple[list[str], list[str], list[str]]:
    """Clauses to learn, for durations, and to measure with, which are in neither."""
    language = next((one for one in LANGUAGES if one.partition("-")[0] == tag.partition("-")[0]), None)
    if language is None:
        raise CannotTeach(f"sentences are made up in {', '.join(LANGUAGES)}; for {tag} give --texts FILE")
    kept = set(prompts.GERMAN_MADE_UP)
    fresh = (text for text in sentences(language, seed) if text not in kept)
    made = list(itertools.islice(fresh, amount.clauses + amount.timed))
    learn, timed = made[: amount.clauses], made[amount.clauses :]
    if language == "en-us" and amount.prose:
        words = english_words()
        plain = prose.clauses(words, seed, [*prose.libraries(), *beside])
        learn += plain[: amount.prose]
        timed += plain[amount.prose :][: amount.timed]
        anything = prose.crossed([*plain, *made], sorted(filter(str.isalpha, words)), seed)
        timed += itertools.islice(anything, amount.timed)
    if language == "de":
        return learn, timed, [*prompts.GERMAN_MADE_UP[: amount.held_out], *prompts.GERMAN]
    known = {*learn, *timed}
    fresh = (text for text in sentences(language, seed + 1) if text not in known)
    return learn, timed, [*itertools.islice(fresh, amount.held_out), *prompts.ENGLISH]


def train(
    work: Path, minutes: float | dict[str, float], seed: int, start: Path | None, pace: float = 1.0
) -> None:
    """Train what is not yet trained, `minutes` of processor time in all or for each stage; see learn.train.

    `pace` is the share of the usual learning rates.
    """
    from tts_core.neural.learn import train as training

    shares = (
        minutes if isinstance(minutes, dict) else {name: minutes * part for name, part in _SHARES.items()}
    )
    stages = {
        name: replace(stage, minutes=shares[name], rate=stage.rate * pace)
        for name, stage in training.DEFAULTS.items()
    }
    training.train(corpora.load(work / "corpus"), work, stages, seed, start)


def deliver(
    work: Path, folder: Path, name: str, description: str, licence: str, gender: str, version: str
) -> dict[str, object]:
    """Measure the latest checkpoints, write the package into `folder` and the page to WORK/voice.html.

    The metrics lie in the package too, and are returned.
    """
    from tts_core.neural.learn import export, measure, onset, page
    from tts_core.neural.learn import train as training

    corpus = corpora.load(work / "corpus")
    model, vocoder = training.load(corpus, work)
    minutes = training.spent(work)
    if minutes["vocoder"] or minutes.get("tune"):  # one that learned nothing stays what it was
        onset.settle(vocoder, corpus.training[:_HEARD])
    export.halved(model)
    export.halved(vocoder)
    folder.mkdir(parents=True, exist_ok=True)
    for notice in sorted(_NOTICES.glob("*.txt")):  # a voice owes what its teacher and its start owe
        if any(notice.stem in origin for origin in (corpus.teacher, *training.origins(work))):
            shutil.copy(notice, folder / f"NOTICE-{notice.name}")
    metrics = measure.report(model, vocoder, corpus.testing) | {"minutes": minutes}
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    about = export.About(name, version, corpus.language, gender, description, corpus.teacher, licence)
    export.export(model, vocoder, corpus.phonemes, about, folder)
    (work / "voice.html").write_text(page.page(name, metrics, model, vocoder, corpus.testing[-_SHOWN:]))
    return metrics
