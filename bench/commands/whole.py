"""Commands of the benches of the whole gateway: calls by the thousand, what they weigh, and what breaks."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from bench import (
    chaos,
    check,
    load,
    soak,
)
from bench.commands.present import Json, log, present, runs
from bench.peers.peer import OTHER_CPU, Missing


@runs.command("load")
def load_command(
    profile: Annotated[
        list[str] | None, typer.Option(help=f"Only these: {', '.join(load.PROFILES)}.")
    ] = None,
    calls: Annotated[list[int], typer.Option(help="The steps, in calls at once.")] = list(load.STEPS),  # noqa: B006
    seconds: Annotated[float, typer.Option(help="How long each is judged.")] = 45,
    compress: Annotated[float, typer.Option(help="Calls so many times as short and as many.")] = 5,
    as_json: Json = False,
) -> None:
    """Call load with Locust, over HTTP and SIP, more calls at each step until a service level breaks."""
    unknown = set(profile or ()) - set(load.PROFILES)
    if unknown:
        raise typer.BadParameter(f"no profile {', '.join(unknown)}: {', '.join(load.PROFILES)}")
    steps = sorted(load.PROFILES[name] for name in profile) if profile else sorted(calls)
    os.sched_setaffinity(0, {OTHER_CPU})
    rows = []
    try:
        for row in load.climb(steps, seconds, compress):
            rows.append(row)
            log.print(f"{row['profile']}: {'; '.join(row['broke']) or 'held'}")
    except Missing as error:
        typer.echo(f"voxtrunk: {error}", err=True)
        raise typer.Exit(1) from error
    present("load", rows, as_json)


@runs.command("memory")
def memory_command(
    legs: Annotated[int, typer.Option(help="Legs.")] = 1000,
    as_json: Json = False,
) -> None:
    """Memory and descriptors of an idle and of a speaking leg."""
    with log.status(f"{legs} legs"):
        rows = [soak.memory(legs)]
    present("memory", rows, as_json)


@runs.command("soak")
def soak_command(
    seconds: Annotated[float, typer.Option(help="How long; 3600 is the whole of it.")] = 180,
    requests: Annotated[float, typer.Option(help="API requests a second; five make a call.")] = 200,
    as_json: Json = False,
) -> None:
    """Calls opened and closed by the thousand: what grows, and what is left."""
    present("soak", [soak.soak(seconds, requests)], as_json)


@runs.command("chaos")
def chaos_command(
    legs: Annotated[int, typer.Option(help="Speaking legs.")] = 500,
    only: Annotated[list[str] | None, typer.Option(help="Blows with this in their names.")] = None,
    as_json: Json = False,
) -> None:
    """What breaks under speaking legs, which calls notice, and what is left behind (needs root)."""
    try:
        chaos.in_namespaces(sys.argv[1:])
        rows = chaos.run(legs, only or ())
    except RuntimeError as error:
        typer.echo(f"voxtrunk: {error}", err=True)
        raise typer.Exit(1) from error
    present("chaos", rows, as_json)


@runs.command("check")
def check_command(
    legs: Annotated[int, typer.Option(help="Legs, each with a text of its own.")] = 100,
    turns: Annotated[int, typer.Option(help="Turns of engine and C loop.")] = 7,
    as_json: Json = False,
) -> None:
    """The short profile that CI runs: wrong or missing audio, missed ticks, a slower send path; fails on any."""
    row = check.measure(legs, turns)
    present("check", [row], as_json)
    if row["broke"]:
        typer.echo(f"voxtrunk: {'; '.join(row['broke'])}", err=True)
        raise typer.Exit(1)
