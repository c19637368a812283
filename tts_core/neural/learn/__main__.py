"""`python -m tts_core.neural.learn`: prepare, train, measure and export a voice, in that order."""

from __future__ import annotations

import itertools
import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import soxr
import typer
from rich.console import Console

from tts_core import EspeakEngine, Script, Synthesiser
from tts_core.neural import package as packages
from tts_core.neural.engine import SHIPPED, NeuralEngine
from tts_core.neural.frame import RATE, Floats
from tts_core.neural.learn import corpus as corpora
from tts_core.neural.learn import prompts, prose
from tts_core.neural.learn.imitation import VoiceTeacher
from tts_core.neural.learn.recordings import RecordingsTeacher
from tts_core.neural.learn.sentences import LANGUAGES, english_words, sentences
from tts_core.neural.learn.teachers import EspeakTeacher, FliteTeacher, Teacher

app = typer.Typer(no_args_is_help=True, add_completion=False)
_NOTICES = Path(__file__).parent / "notices"
_SHOWN = 6  # sentences on the page
_TEACHERS = "flite:VOICE, espeak:LANGUAGE, neural:NAME or recordings:FOLDER"
Work = Annotated[Path, typer.Argument(help="the voice's working folder: corpus, checkpoints, metrics")]


def _teacher(name: str, language: str = "") -> Teacher:
    kind, _, voice = name.partition(":")
    if kind == "flite":
        return FliteTeacher(voice)
    if kind == "espeak":
        return EspeakTeacher(voice)
    if kind == "neural":
        return VoiceTeacher(packages.read(SHIPPED / voice))
    if kind == "recordings":
        return RecordingsTeacher(Path(voice), language)
    raise typer.BadParameter(f"{name}: a teacher is {_TEACHERS}")


@app.command()
def prepare(
    work: Work,
    teacher: Annotated[str, typer.Option(help=_TEACHERS)] = "flite:slt",
    language: Annotated[str, typer.Option(help="of recordings: espeak's tag, such as en-us")] = "en-us",
    texts: Annotated[
        Path | None, typer.Option(help="a file of sentences, one a line, instead of made-up ones")
    ] = None,
    clauses: Annotated[int, typer.Option(help="how many made-up clauses to learn from")] = 3600,
    plain: Annotated[int, typer.Option(help="how many clauses of prose as well; English only")] = 2600,
    held_out: Annotated[int, typer.Option(help="how many more to measure with, beside the prompts")] = 60,
    seed: int = 0,
) -> None:
    """Have a teacher say sentences, and cache their features."""
    chosen = _teacher(teacher, language)
    given = chosen.texts if isinstance(chosen, RecordingsTeacher) else []
    if texts is not None:
        given = list(dict.fromkeys(filter(None, map(str.strip, texts.read_text("utf-8").splitlines()))))
    if given:
        corpora.make(chosen, given[held_out:][:clauses], given[:held_out], work / "corpus")
        return
    if chosen.language not in LANGUAGES:
        offered = ", ".join(LANGUAGES)
        raise typer.BadParameter(f"sentences are made up in {offered}; for {chosen.language} give --texts")
    learn = list(itertools.islice(sentences(chosen.language, seed), clauses))
    if chosen.language == "en-us":
        learn += prose.clauses(english_words(), seed)[:plain]
    known = set(learn)
    fresh = (text for text in sentences(chosen.language, seed + 1) if text not in known)
    spoken = prompts.GERMAN if chosen.language == "de" else prompts.ENGLISH
    corpora.make(chosen, learn, [*itertools.islice(fresh, held_out), *spoken], work / "corpus")


@app.command()
def train(
    work: Work,
    vocoder: Annotated[float, typer.Option(help="minutes of processor time")] = 10,
    acoustic: Annotated[float, typer.Option(help="minutes of processor time")] = 30,
    tune: Annotated[float, typer.Option(help="minutes of processor time")] = 8,
    seed: int = 0,
    start: Annotated[Path | None, typer.Option(help="working folder of a voice to begin from")] = None,
) -> None:
    """Train on what was prepared; run it again to go on where it was interrupted."""
    from tts_core.neural.learn import train as training

    minutes = {"vocoder": vocoder, "acoustic": acoustic, "tune": tune}
    stages = {name: replace(stage, minutes=minutes[name]) for name, stage in training.DEFAULTS.items()}
    training.train(corpora.load(work / "corpus"), work, stages, seed, start)


@app.command()
def export(
    work: Work,
    folder: Annotated[Path, typer.Argument(help="where the voice package goes")],
    name: Annotated[str, typer.Option(help="the voice is neural:NAME")],
    description: Annotated[str, typer.Option(help="a line for whoever chooses a voice")],
    licence: Annotated[str, typer.Option(help="the voice's terms, an SPDX expression")],
    gender: Annotated[str, typer.Option(help="female, male, or nothing")] = "",
    version: str = "1.0",
) -> None:
    """Measure the latest checkpoints on the held-out sentences, and write the voice package.

    WORK/voice.html shows spectrograms and plays samples.
    """
    from tts_core.neural.learn import export as exporting
    from tts_core.neural.learn import measure, page, train

    corpus = corpora.load(work / "corpus")
    model, vocoder = train.load(corpus, work)
    minutes = train.spent(work)
    exporting.halved(model)
    exporting.halved(vocoder)
    folder.mkdir(parents=True, exist_ok=True)
    for notice in _NOTICES.glob("*.txt"):
        if notice.stem in corpus.teacher:  # a voice taught by a voice owes what that one owes
            shutil.copy(notice, folder / f"NOTICE-{notice.name}")
    metrics = measure.report(model, vocoder, corpus.testing) | {"minutes": minutes}
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    about = exporting.About(name, version, corpus.language, gender, description, corpus.teacher, licence)
    exporting.export(model, vocoder, corpus.phonemes, about, folder)
    (work / "voice.html").write_text(page.page(name, metrics, model, vocoder, corpus.testing[-_SHOWN:]))
    Console().print_json(data=metrics)


@app.command()
def words(
    voices: Annotated[list[str], typer.Argument(help="such as neural:en-us-slt, espeak:en-us")],
    teacher: Annotated[
        str, typer.Option(help="flite:slt, espeak:en-us: also measured, by itself")
    ] = "flite:slt",
    folder: Annotated[Path, typer.Option(help="where neural voices lie")] = SHIPPED,
) -> None:
    """How many isolated English words a recogniser understands, of a closed vocabulary, at 8 kHz."""
    from tts_core.neural.learn.words import words_right

    door = Synthesiser((EspeakEngine(), NeuralEngine(folder)))
    figures = {teacher: words_right(lambda word: _teacher(teacher).audio(f"{word}."))}
    for voice in voices:
        figures[voice] = words_right(partial(_audio, door, voice))
    Console().print_json(data={name: round(share, 4) for name, share in figures.items()})


def _audio(door: Synthesiser, voice: str, word: str) -> Floats:
    chunks = list(door.speak(Script.from_text(f"{word}."), voice))
    pcm = np.concatenate([chunk.pcm for chunk in chunks]).astype(np.float32) / 32768
    return np.asarray(soxr.resample(pcm, chunks[0].sample_rate, RATE), np.float32)


@app.callback()
def main() -> None:
    """Make a voice of your own from a teacher's speech."""


if __name__ == "__main__":
    app()
