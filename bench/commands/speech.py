"""Commands of the benches of speech: who makes it, how soon it begins, and how much of it there is at once."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from bench import (
    doors,
    engines,
    overload,
    precision,
    schedule,
    speaking,
    step,
    synth,
    tokens,
    words,
)
from bench.commands.present import Json, log, present, runs
from bench.peers.peer import OTHER_CPU
from bench.traffic import VOICE


@runs.command("speaking")
def speaking_command(
    streams: Annotated[list[int], typer.Option(help="Legs of fresh speech.")] = [40, 50, 100],  # noqa: B006
    cached: Annotated[int, typer.Option(help="Legs beside them that play from the cache.")] = 300,
    seconds: Annotated[float, typer.Option(help="How long each.")] = 20,
    voice: Annotated[str, typer.Option(help="Of the fresh speech.")] = "neural:en-us-slt",
    as_json: Json = False,
) -> None:
    """Fresh speech on many legs, synthesised on one core, beside legs that play from the cache."""
    rows = []
    for count in streams:
        with log.status(f"{count} legs of fresh speech beside {cached} cached ones, {seconds:.0f} s"):
            rows.append(speaking.run(count, cached, seconds, voice))
    present("speaking", rows, as_json)


@runs.command("doors")
def doors_command(
    count: Annotated[int, typer.Option(help="Fresh texts over each door, in turns.")] = 40,
    clients: Annotated[int, typer.Option(help="Clients of a door at once; 0: only first audio.")] = 200,
    cached: Annotated[int, typer.Option(help="Legs beside them that play from the cache.")] = 300,
    seconds: Annotated[float, typer.Option(help="How long each crowd.")] = 15,
    voice: Annotated[str, typer.Option(help="Who speaks.")] = VOICE,
    door: Annotated[list[str] | None, typer.Option(help="Crowds of these alone.")] = None,
    as_json: Json = False,
) -> None:
    """What each speech API adds to first audio, and 200 clients of it beside speaking legs."""
    with log.status(f"{count} texts over each door"):
        rows = doors.first(count, voice)
    if clients:
        with log.status(f"{clients} clients of each door beside {cached} legs, {seconds:.0f} s each"):
            rows += doors.crowds(clients, cached, seconds, voice, door or [])
    present("doors", rows, as_json)


@runs.command("overload")
def overload_command(
    legs: Annotated[int, typer.Option(help="Calls that the gateway is set to carry.")] = 1000,
    streams: Annotated[int, typer.Option(help="Legs of fresh speech that one core carries.")] = 100,
    seconds: Annotated[float, typer.Option(help="How long.")] = 40,
    voice: Annotated[str, typer.Option(help="Of the fresh speech.")] = "neural:en-us-slt",
    as_json: Json = False,
) -> None:
    """Twice the calls and twice the speech that are carried: what is accepted keeps every bar."""
    with log.status(f"{2 * legs} calls and {2 * streams} legs of fresh speech at once, {seconds:.0f} s"):
        row = overload.run(legs, streams, seconds, voice)
    present("overload", [row], as_json)
    if row["broke"]:
        raise typer.Exit(1)


@runs.command("schedule")
def schedule_command(
    voice: Annotated[str, typer.Option(help="Who speaks.")] = "neural:en-us-slt",
    loads: Annotated[list[float], typer.Option("--load", help="Of one core.")] = [0.7, 0.8, 0.9],  # noqa: B006
    seconds: Annotated[float, typer.Option(help="Of the trace.")] = 30,
    as_json: Json = False,
) -> None:
    """By deadline, first in first out, and in turn: the same callers, at the edge of what a core can speak."""
    with log.status("the trace three ways"):
        rows = schedule.compare(voice, loads, seconds, (40, 300))
    present("schedule", rows + schedule.cost(), as_json)


@runs.command("first-word")
def first_word_command(
    legs: Annotated[list[int], typer.Option(help="Legs that speak meanwhile.")] = [0, 500],  # noqa: B006
    count: Annotated[int, typer.Option(help="Requests.")] = 100,
    voice: Annotated[str, typer.Option(help="Who speaks.")] = VOICE,
    as_json: Json = False,
) -> None:
    """Request to first speech packet on the wire."""
    rows = []
    for others in legs:
        with log.status(f"{count} requests beside {others} speaking legs"):
            rows.append(words.first_word(others, count, voice))
    present("first-word", rows, as_json)


@runs.command("tokens")
def tokens_command(
    voice: Annotated[list[str], typer.Option(help="Who speaks.")] = [VOICE, "neural:en-us-slt"],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Streamed text, token by token with stalls: first clause to first packet, and holes inside clauses."""
    rows = []
    for each in voice:
        with log.status(f"twelve answers, {each}"):
            rows.append(tokens.run(each))
    present("tokens", rows, as_json)


@runs.command("cut")
def cut_command(
    count: Annotated[int, typer.Option(help="Stops.")] = 50,
    as_json: Json = False,
) -> None:
    """Stop request to last speech packet, and whether spoken_ms is what arrived."""
    with log.status(f"{count} cuts"):
        rows = [words.cut(count)]
    present("cut", rows, as_json)


@runs.command("synth")
def synth_command(
    voice: Annotated[str, typer.Option(help="A neural voice.")] = "neural:en-us-slt",
    runtime: Annotated[str, typer.Option(help="ort-cpu, torch-cpu, torch-cudagraph, tensorrt.")] = "ort-cpu",
    streams: Annotated[list[int], typer.Option(help="Streams that speak at once.")] = [1, 20, 60],  # noqa: B006
    seconds: Annotated[float, typer.Option(help="How long each.")] = 20,
    chunk_ms: Annotated[int, typer.Option(help="Audio made in one step.")] = 80,
    core: Annotated[int, typer.Option(help="The one core to run on.")] = (os.cpu_count() or 1) - 1,
    as_json: Json = False,
) -> None:
    """The neural core alone, text to mu-law on one core: real-time factor, first audio, missed ticks."""
    rows = []
    for count in streams:
        with log.status(f"{count} streams, {seconds:.0f} s"):
            rows.append(synth.measure(voice, runtime, count, seconds, chunk_ms, core=core))
    present("synth", rows, as_json)


@runs.command("step")
def step_command(
    voice: Annotated[
        list[str], typer.Option(help="A neural voice, or a folder of one; several in turns.")
    ] = [  # noqa: B006
        "neural:en-us-slt"
    ],
    runtime: Annotated[str, typer.Option(help="ort-cpu, torch-cpu, torch-cudagraph, tensorrt.")] = "ort-cpu",
    rows: Annotated[list[int], typer.Option(help="Streams in one step.")] = [1, 4, 8, 16],  # noqa: B006
    chunk_ms: Annotated[int, typer.Option(help="Audio made in one step.")] = 80,
    turns: Annotated[int, typer.Option(help="Turns that each voice has.")] = 21,
    as_json: Json = False,
) -> None:
    """One step of the vocoder alone, hot and after a pause: what a change of a voice's graphs costs or gains."""
    present("step", step.measure(voice, runtime, rows, chunk_ms, turns), as_json)


@runs.command("precision")
def precision_command(
    voice: Annotated[str, typer.Option(help="A neural voice that speaks English.")] = "neural:en-us-slt",
    seconds: Annotated[float, typer.Option(help="How long each of three timings.")] = 10,
    core: Annotated[int, typer.Option(help="The one core to run on.")] = (os.cpu_count() or 1) - 1,
    as_json: Json = False,
) -> None:
    """A voice in float32, float16 and int8: what it costs to the ear, what it gains in time."""
    rows = []
    for each in ("fp32", "fp16", "int8"):
        with log.status(f"{voice} in {each}"):
            rows.append(precision.measure(voice, each, seconds, core))
    present("precision", rows, as_json)


@runs.command("engines")
def engines_command(
    voices: Annotated[list[str], typer.Option(help="Who speaks.")] = [  # noqa: B006
        "espeak:en-us",
        "neural:en-us-slt",
        "neural:de-espeak",
    ],
    offered: Annotated[int, typer.Option(help="Legs that want to speak at once.")] = 300,
    seconds: Annotated[float, typer.Option(help="How long each.")] = 15,
    as_json: Json = False,
) -> None:
    """Every voice in every runtime: real-time factor, first audio, and how many speak at once on one core."""
    rows = []
    for voice, runtime in engines.pairs(voices):
        with log.status(f"{voice} in {runtime}"):
            rows.append(engines.measure(voice, runtime, offered, seconds, OTHER_CPU))
        told = [f"{name} {rows[-1][name]}" for name in ("rtf", "held", "missing") if name in rows[-1]]
        log.print(f"{voice} in {runtime}: {', '.join(told)}")
    present("engines", rows, as_json)
