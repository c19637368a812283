"""``voxtrunk size``: what so many calls a day need, by what this machine was measured to do."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from bench.peers.peer import Missing
from bench.sizing.figures import NOW, figures
from bench.sizing.plan import Figures, Traffic, check, plan
from bench.under_test import default_settings
from tts_core.errors import TtsError

_LEAST = 1e-9


def size(
    calls_per_day: Annotated[float, typer.Option(min=0)],
    call_minutes: Annotated[float, typer.Option(min=_LEAST, help="Length of a call.")] = 3,
    utterances: Annotated[float, typer.Option(min=0, help="Said in a call.")] = 10,
    seconds: Annotated[float, typer.Option(min=0, help="Length of one.")] = 5,
    peak: Annotated[float, typer.Option(min=1, help="The busiest hour against the day's mean.")] = 2,
    blocking: Annotated[
        float, typer.Option(min=1e-6, max=1, help="Part of calls that may meet 503.")
    ] = 0.001,
    cached: Annotated[float, typer.Option(min=0, max=1, help="Part of speech that is made already.")] = 0,
    voice: Annotated[str | None, typer.Option(help="Who speaks; none: the default voice.")] = None,
    rtf: Annotated[
        float | None, typer.Option(min=_LEAST, help="Another engine's seconds for a second of speech.")
    ] = None,
    gpu: Annotated[bool, typer.Option("--gpu", help="That is a GPU's: count GPUs.")] = False,
    measure: Annotated[bool, typer.Option("--measure", help="Measure now, whatever is kept.")] = False,
    measured: Annotated[
        Path | None, typer.Option(help="Figures of another machine: what --json wrote there.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Legs, voices at once, cores, memory, bandwidth and GPUs for so many calls, with the sums."""
    if gpu and rtf is None:
        raise typer.BadParameter("--gpu says whose --rtf it is: give that, too")
    traffic = Traffic(calls_per_day, 60 * call_minutes, utterances, seconds, peak, blocking, cached)
    try:
        check(traffic)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    try:
        if measured is not None:
            found = TypeAdapter(Figures).validate_python(json.loads(measured.read_text())["figures"])
        else:
            settings = default_settings()
            with Console(stderr=True, quiet=as_json).status(
                "looking for figures of this machine, or measuring: half a minute at rest, more on a busy one"
            ):
                found = figures(settings, voice or settings.default_voice, measure=measure, rtf=rtf)
        if rtf is not None:
            found = replace(found, rtf=rtf, voice="as given", gpu=gpu)
        needed = plan(traffic, found)
    except (Missing, TtsError, OSError, ValueError, KeyError, TypeError) as error:
        why = "no figures in it" if isinstance(error, KeyError | TypeError | ValidationError) else str(error)
        typer.echo(f"voxtrunk: {f'{measured}: {why}' if measured else why}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        told = {"traffic": asdict(traffic), "figures": asdict(found), "plan": asdict(needed)}
        typer.echo(json.dumps(told, indent=2))
        return
    for line in needed.arithmetic:
        typer.echo(line)
    gpus = f", {needed.gpus} GPU(s)" if needed.gpus else ""
    each_way = f"{needed.packets_a_second:,} packets/s and {needed.wire_mbit:.1f} Mbit/s each way"
    typer.echo(
        f"\n{needed.legs} legs, {needed.speaking} of them speaking: {needed.cores} cores{gpus}, "
        f"{needed.memory_mb:,.0f} MB, {each_way}"
    )
    typer.echo(f"({found.came_from})")
    if NOW in found.came_from:
        typer.echo("what was measured is kept by --json > figures.json, and read by --measured figures.json")
