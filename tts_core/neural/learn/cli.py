"""`voxtrunk train`: a voice of your own in one command, which goes on where it was interrupted."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from tts_core.errors import TtsError
from tts_core.neural.learn import recipe
from tts_core.neural.learn.recipe import TEACHERS, Amount
from tts_core.neural.learn.teachers import CannotTeach

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
_ORDER = "order.json"
_START = "neural:en-us-slt"


@app.command()
def train(
    name: Annotated[str, typer.Argument(help="The voice will be neural:NAME; a-z, 0-9 and dashes.")],
    teacher: Annotated[str, typer.Option(help=f"Whom it learns from: {TEACHERS}.")],
    texts: Annotated[
        Path | None, typer.Option(help="Sentences to learn with, one a line; else they are made up.")
    ] = None,
    language: Annotated[str, typer.Option(help="Of recordings: espeak's tag, such as en-us.")] = "en-us",
    minutes: Annotated[float, typer.Option(min=0, help="Of one core, for all stages of training.")] = 60,
    clauses: Annotated[int, typer.Option(min=1, help="How many clauses the teacher says at most.")] = 8000,
    start: Annotated[
        str, typer.Option(help="A voice to begin from: neural:NAME, a package's or working folder, or none.")
    ] = _START,
    work: Annotated[Path | None, typer.Option(help="Where all of it is kept; by default NAME.")] = None,
    description: Annotated[str, typer.Option(help="A line for whoever chooses a voice.")] = "",
    licence: Annotated[str, typer.Option(help="Its terms, an SPDX expression.")] = "LicenseRef-unknown",
    gender: Annotated[str, typer.Option(help="female, male, or nothing.")] = "",
    seed: int = 0,
) -> None:
    """Teach a voice: the teacher speaks, networks learn, held-out sentences are measured, a package is made.

    Run the same command again to go on where it was stopped; with more minutes, to learn on. WORK/voice is the
    package, WORK/voice.html shows spectrograms and plays samples.
    """
    folder = work or Path(name)
    try:
        _check_name(name)
        recipe.check_installed()
        chosen = recipe.find_teacher(teacher, language)
        begin = None if start == "none" else recipe.find_start(start)
        order = {"teacher": chosen.name, "texts": str(texts or ""), "clauses": clauses, "seed": seed}
        if _is_new(folder, order):
            given = recipe.texts_in(texts) if texts is not None else []
            recipe.prepare(chosen, given, Amount(clauses // 2, clauses // 2, clauses // 2), seed, folder)
            (folder / _ORDER).write_text(json.dumps(order, ensure_ascii=False))
        recipe.train(folder, minutes, seed, begin)
        about = description or f"{chosen.language}, taught by {chosen.name}"
        metrics = recipe.deliver(folder, folder / "voice", name, about, licence, gender, "1.0")
    except (CannotTeach, TtsError, OSError) as error:
        _fail(str(error))
    console = Console()
    console.print_json(data=metrics)
    console.print(f"neural:{name} is in {folder / 'voice'}; see and hear it in {folder / 'voice.html'}")


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise CannotTeach(f"{name[:64]!r} is no name for a voice: a-z, 0-9 and single dashes")


def _is_new(folder: Path, order: dict[str, object]) -> bool:
    """Whether `folder` is still to be prepared. Raises CannotTeach when it was for another order."""
    if not (folder / _ORDER).exists():
        return True
    held = json.loads((folder / _ORDER).read_text())
    other = [f"{what} {held.get(what)!r}" for what in order if held.get(what) != order[what]]
    if other:
        raise CannotTeach(f"{folder} was prepared with {', '.join(other)}: name another folder with --work")
    return False


def _fail(message: str) -> NoReturn:
    typer.echo(f"voxtrunk: {message}", err=True)
    raise typer.Exit(1)
