"""`python -m tts_core.neural.learn`: the steps of `voxtrunk train` one by one, and a recogniser's opinion."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import soxr
import typer
from rich.console import Console

from tts_core import EspeakEngine, Script, Synthesiser
from tts_core.neural.engine import SHIPPED, NeuralEngine
from tts_core.neural.exporting import find
from tts_core.neural.frame import RATE, Floats
from tts_core.neural.learn import corpus as corpora
from tts_core.neural.learn import phrases, recipe
from tts_core.neural.learn.recipe import TEACHERS, Amount

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
Work = Annotated[Path, typer.Argument(help="the voice's working folder: corpus, checkpoints, metrics")]
Minutes = Annotated[float, typer.Option(help="minutes of processor time")]


@app.command()
def prepare(
    work: Work,
    teacher: Annotated[str, typer.Option(help=TEACHERS)],
    language: Annotated[str, typer.Option(help="of recordings: espeak's tag, such as en-us")] = "en-us",
    texts: Annotated[
        Path | None, typer.Option(help="a file of sentences, one a line, instead of made-up ones")
    ] = None,
    clauses: Annotated[int, typer.Option(help="how many clauses to learn from")] = 3600,
    prose: Annotated[int, typer.Option(help="how many clauses of prose as well; English only")] = 4400,
    timed: Annotated[int, typer.Option(help="how many more to learn durations from")] = 6000,
    held_out: Annotated[int, typer.Option(help="how many more to measure with, beside the prompts")] = 60,
    start: Annotated[
        str | None,
        typer.Option(help="the voice that goes on from itself, neural:NAME: it keeps its phonemes"),
    ] = None,
    library: Annotated[
        list[Path], typer.Option(help="more Python libraries, or WordNet's folder, to read prose in")
    ] = [],  # noqa: B006
    seed: int = 0,
) -> None:
    """Have a teacher say sentences, and cache their features."""
    given = recipe.texts_in(texts) if texts is not None else []
    amount = Amount(clauses, prose, timed, held_out)
    kept = recipe.find_package(start, "neural:NAME or a voice package's folder").folder if start else None
    recipe.prepare(recipe.find_teacher(teacher, language), given, amount, seed, work, kept, library)


@app.command()
def train(
    work: Work,
    vocoder: Minutes = 10,
    acoustic: Minutes = 30,
    timing: Minutes = 10,
    tune: Minutes = 8,
    pace: Annotated[
        float,
        typer.Option(help="share of the usual learning rates: less for a voice that goes on from itself"),
    ] = 1.0,
    seed: int = 0,
    start: Annotated[
        str | None, typer.Option(help="a voice to begin from: neural:NAME, a package's or working folder")
    ] = None,
) -> None:
    """Train on what was prepared; run it again to go on where it was interrupted."""
    minutes = {"vocoder": vocoder, "acoustic": acoustic, "timing": timing, "tune": tune}
    recipe.train(work, minutes, seed, recipe.find_start(start) if start is not None else None, pace)


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
    metrics = recipe.deliver(work, folder, name, description, licence, gender, version)
    Console().print_json(data=metrics)


@app.command()
def redraw(
    voice: Annotated[str, typer.Argument(help="such as neural:en-us-slt, or a package's folder")],
    folder: Annotated[Path, typer.Argument(help="where the voice package goes")],
    version: Annotated[str, typer.Option(help="the voice's new version")],
) -> None:
    """Write a voice with its graphs made anew of its weights: after a change in how networks are exported."""
    from tts_core.neural.learn.export import redrawn

    redrawn(find(voice), version, folder)


@app.command()
def words(
    voices: Annotated[list[str], typer.Argument(help="such as neural:en-us-slt, espeak:en-us")],
    teacher: Annotated[
        str, typer.Option(help="flite:slt, espeak:en-us: also measured, by itself")
    ] = "flite:slt",
    folder: Annotated[Path, typer.Option(help="where neural voices lie")] = SHIPPED,
) -> None:
    """How many isolated English words pocketsphinx understands, of a closed vocabulary, at 8 kHz."""
    from tts_core.neural.learn.words import words_right

    Console().print_json(data=_shares(voices, teacher, folder, words_right))


@app.command()
def hear(
    work: Work,
    voices: Annotated[list[str], typer.Argument(help="such as neural:de-espeak")],
    teacher: Annotated[str, typer.Option(help="also measured, by itself")] = "espeak:de",
    folder: Annotated[Path, typer.Option(help="where neural voices lie")] = SHIPPED,
    minutes: Minutes = 3,
    snr_db: Annotated[list[float], typer.Option(help="signal to noise, may be repeated")] = [40, 5],  # noqa: B006
    seed: int = 0,
) -> None:
    """The same by a recogniser that the corpus in WORK has taught: German and English words, in noise."""
    from tts_core.neural.learn.hearing import Recogniser

    corpus = corpora.load(work / "corpus")
    vocabulary = phrases.GERMAN_VOCABULARY if corpus.language == "de" else phrases.VOCABULARY
    ear = Recogniser(corpus, minutes, seed)
    figures = {}
    for snr in snr_db:
        heard = partial(ear.words_right, words=vocabulary, snr_db=snr)
        figures[f"{snr:g} dB"] = _shares(voices, teacher, folder, heard)
    Console().print_json(data=figures)


def _shares(
    voices: list[str], teacher: str, folder: Path, heard: Callable[[Callable[[str], Floats]], float]
) -> dict[str, float]:
    """The share of words that are `heard` of the teacher and of each voice."""
    door = Synthesiser((EspeakEngine(), NeuralEngine(folder)))
    teaching = recipe.find_teacher(teacher, "")
    figures = {teacher: heard(lambda word: teaching.audio(f"{word}."))}
    for voice in voices:
        figures[voice] = heard(partial(_audio, door, voice))
    return {name: round(share, 4) for name, share in figures.items()}


def _audio(door: Synthesiser, voice: str, word: str) -> Floats:
    chunks = list(door.speak(Script.from_text(f"{word}."), voice))
    pcm = np.concatenate([chunk.pcm for chunk in chunks]).astype(np.float32) / 32768
    return np.asarray(soxr.resample(pcm, chunks[0].sample_rate, RATE), np.float32)


@app.callback()
def main() -> None:
    """Make a voice of your own from a teacher's speech, step by step; `voxtrunk train` takes all steps."""


if __name__ == "__main__":
    app()
