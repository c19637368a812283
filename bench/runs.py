"""``voxtrunk bench run NAME``: a bench a command; it prints its figures and keeps them in bench/results/."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bench import ceiling as ceiling_bench
from bench import (
    chaos,
    check,
    doors,
    engines,
    flame,
    growth,
    load,
    machine,
    overload,
    pace,
    precision,
    priority,
    schedule,
    sip,
    soak,
    speaking,
    step,
    synth,
    tokens,
    words,
)
from bench.peers import ladder
from bench.peers.everybody import PEERS
from bench.peers.paced import Paced
from bench.peers.peer import OTHER_CPU, Missing
from bench.peers.plain import Plain
from bench.traffic import VOICE

runs = typer.Typer(help="Run a bench, or all of them; each has options of its own.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON and keep nothing.")]
_log = Console(stderr=True)


def _flat(figures: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in figures.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name} ")
        elif not (isinstance(value, list) and len(value) > 5):
            flat[prefix + name] = value
    return flat


def _present(name: str, rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"bench": name, "machine": machine.describe(), "figures": rows}))
        return
    flat = [_flat(row) for row in rows]
    table = Table("", *(str(number) for number in range(1, len(rows) + 1)), box=None, show_header=False)
    for key in dict.fromkeys(key for row in flat for key in row):
        table.add_row(key.replace("_", " "), *(str(row.get(key, "")) for row in flat))
    Console().print(table)
    typer.echo(f"kept in {machine.save(name, {'rows': rows})}")


@runs.command()
def ceiling(
    legs: Annotated[list[int], typer.Option(help="Legs in one tick.")] = [400, 3000],  # noqa: B006
    turns: Annotated[int, typer.Option(help="Turns of engine and C loop.")] = 15,
    as_json: Json = False,
) -> None:
    """The engine's send path against a C sendmmsg loop: packets per second on one core."""
    rows = []
    for count in legs:
        for shared in (True, False):
            with _log.status(f"{count} legs, {'one shared socket' if shared else 'a socket each'}"):
                rows.append(ceiling_bench.measure(count, turns, shared=shared))
    _present("ceiling", rows, as_json)


@runs.command("pace")
def pace_command(
    legs: Annotated[int, typer.Option(help="Speaking legs.")] = 3000,
    seconds: Annotated[float, typer.Option(help="How long.")] = 60,
    requests: Annotated[float, typer.Option(help="API requests a second meanwhile.")] = 20,
    ports: Annotated[list[str], typer.Option(help="RTP port ranges to try: many, few.")] = [  # noqa: B006
        "20000-29999",
        "20000-20031",
    ],
    plain: Annotated[list[int], typer.Option(help="Legs of the plain way, beside it.")] = [100, 500, 2000],  # noqa: B006
    plain_seconds: Annotated[float, typer.Option(help="How long each of those.")] = 15,
    noise: Annotated[bool, typer.Option(help="Broken messages at the SIP port as well.")] = False,
    as_json: Json = False,
) -> None:
    """Thousands of speaking legs on one core, and the plain asyncio way beside them."""
    rows = []
    for each in ports:
        with _log.status(f"{legs} legs on ports {each}: opening, then {seconds:.0f} s"):
            rows.append(pace.run_voxtrunk(legs, seconds, requests, each, noise=noise))
    with _log.status(f"the limit: {legs} legs in C"):
        rows.append(pace.run_beside(Paced(), legs, plain_seconds))
    for count in plain:
        with _log.status(f"the plain way: {count} legs, {plain_seconds:.0f} s"):
            rows.append(pace.run_beside(Plain(), count, plain_seconds))
    _present("pace-noise" if noise else "pace", rows, as_json)


@runs.command("priority")
def priority_command(
    legs: Annotated[list[int], typer.Option(help="Speaking legs.")] = [1000, 3000],  # noqa: B006
    seconds: Annotated[float, typer.Option(help="How long each turn is judged.")] = 10,
    turns: Annotated[int, typer.Option(min=1, help="Turns of each priority.")] = 2,
    as_json: Json = False,
) -> None:
    """What real time is worth to the media worker: SCHED_FIFO, niceness and neither, in turns (needs root)."""
    rows: list[dict[str, Any]] = []
    try:
        for count in legs:
            with _log.status(f"{count} legs: opening, then {6 * turns} times {seconds:.0f} s"):
                rows += priority.run(count, seconds, turns)
    except Missing as error:
        typer.echo(f"voxtrunk: {error}", err=True)
        raise typer.Exit(1) from error
    _present("priority", rows, as_json)


@runs.command("receiver")
def receiver_command(
    legs: Annotated[list[int], typer.Option(help="Streams of the C loop.")] = [1000, 3000, 5000, 6000, 7000],  # noqa: B006
    seconds: Annotated[float, typer.Option(help="How long each.")] = 10,
    as_json: Json = False,
) -> None:
    """The receiver's own limit: streams that it hears and judges without losing one, and what it costs."""
    os.sched_setaffinity(0, {OTHER_CPU})
    with tempfile.TemporaryDirectory() as folder:
        recording = ladder.write_speech(Path(folder))
        rows = []
        for count in legs:
            with _log.status(f"{count} streams, {seconds:.0f} s"):
                rows.append(ladder.rung(Paced(), count, seconds, recording))
    _present("receiver", rows, as_json)


@runs.command("peers")
def peers_command(
    only: Annotated[list[str], typer.Option(help=f"Of {', '.join(PEERS)}.")] = list(PEERS),  # noqa: B006
    legs: Annotated[list[int], typer.Option(help="The rungs.")] = list(ladder.RUNGS),  # noqa: B006
    seconds: Annotated[float, typer.Option(max=ladder.LONGEST_S, help="How long each rung is judged.")] = 6,
    minutes: Annotated[float, typer.Option(help="Of each peer; no rung is begun after them.")] = 15,
    as_json: Json = False,
) -> None:
    """Who else sends RTP: the same file, core and receiver; legs held, cost, lateness (scripts/peers first)."""
    os.sched_setaffinity(0, {OTHER_CPU})
    unknown = set(only) - PEERS.keys()
    if unknown:
        raise typer.BadParameter(f"no peer {', '.join(unknown)}: {', '.join(PEERS)}")
    # who is not measured again stands as he was, with his own time, if that was on a machine like this one
    here = machine.describe()
    before = machine.kept("peers")
    alike = before is not None and all(before["machine"][what] == here[what] for what in machine.ALIKE)
    by_name = {row["peer"]: row for row in before["figures"]["rows"]} if before and alike else {}
    rows: list[dict[str, Any]] = []
    for name in only:
        peer = PEERS[name]()
        row: dict[str, Any] = {"peer": name, "way": peer.name, "command": peer.command, "tries": []}
        row |= {what: machine.describe()[what] for what in ("time", "commit")}
        rows.append(row)
        by_name[name] = row
        try:
            row["version"] = peer.version()
            with _log.status(peer.name) as status:
                for tried in ladder.climb(peer, sorted(legs), seconds, 60 * minutes):
                    row["tries"].append(tried)
                    status.update(f"{peer.name}: {tried['legs']} legs: {'; '.join(tried['broke']) or 'held'}")
                    _log.print(f"{peer.name}: {tried['legs']} legs: {'; '.join(tried['broke']) or 'held'}")
        except Missing as error:
            row["missing"] = str(error)
        except ladder.OutOfTime as error:
            row["out_of_time"] = str(error)
            _log.print(f"{peer.name}: {error}")
        if not as_json:  # what half an hour has measured is not lost in the next minute
            every = [by_name[each] for each in PEERS if each in by_name]
            typer.echo(f"kept in {machine.save('peers', {'rows': every})}")
    if as_json:
        typer.echo(json.dumps({"bench": "peers", "machine": machine.describe(), "figures": rows}))


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
            _log.print(f"{row['profile']}: {'; '.join(row['broke']) or 'held'}")
    except Missing as error:
        typer.echo(f"voxtrunk: {error}", err=True)
        raise typer.Exit(1) from error
    _present("load", rows, as_json)


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
        with _log.status(f"{count} legs of fresh speech beside {cached} cached ones, {seconds:.0f} s"):
            rows.append(speaking.run(count, cached, seconds, voice))
    _present("speaking", rows, as_json)


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
    with _log.status(f"{count} texts over each door"):
        rows = doors.first(count, voice)
    if clients:
        with _log.status(f"{clients} clients of each door beside {cached} legs, {seconds:.0f} s each"):
            rows += doors.crowds(clients, cached, seconds, voice, door or [])
    _present("doors", rows, as_json)


@runs.command("overload")
def overload_command(
    legs: Annotated[int, typer.Option(help="Calls that the gateway is set to carry.")] = 1000,
    streams: Annotated[int, typer.Option(help="Legs of fresh speech that one core carries.")] = 100,
    seconds: Annotated[float, typer.Option(help="How long.")] = 40,
    voice: Annotated[str, typer.Option(help="Of the fresh speech.")] = "neural:en-us-slt",
    as_json: Json = False,
) -> None:
    """Twice the calls and twice the speech that are carried: what is accepted keeps every bar."""
    with _log.status(f"{2 * legs} calls and {2 * streams} legs of fresh speech at once, {seconds:.0f} s"):
        row = overload.run(legs, streams, seconds, voice)
    _present("overload", [row], as_json)
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
    with _log.status("the trace three ways"):
        rows = schedule.compare(voice, loads, seconds, (40, 300))
    _present("schedule", rows + schedule.cost(), as_json)


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
        with _log.status(f"{count} requests beside {others} speaking legs"):
            rows.append(words.first_word(others, count, voice))
    _present("first-word", rows, as_json)


@runs.command("tokens")
def tokens_command(
    voice: Annotated[list[str], typer.Option(help="Who speaks.")] = [VOICE, "neural:en-us-slt"],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Streamed text, token by token with stalls: first clause to first packet, and holes inside clauses."""
    rows = []
    for each in voice:
        with _log.status(f"twelve answers, {each}"):
            rows.append(tokens.run(each))
    _present("tokens", rows, as_json)


@runs.command("cut")
def cut_command(
    count: Annotated[int, typer.Option(help="Stops.")] = 50,
    as_json: Json = False,
) -> None:
    """Stop request to last speech packet, and whether spoken_ms is what arrived."""
    with _log.status(f"{count} cuts"):
        rows = [words.cut(count)]
    _present("cut", rows, as_json)


@runs.command("memory")
def memory_command(
    legs: Annotated[int, typer.Option(help="Legs.")] = 1000,
    as_json: Json = False,
) -> None:
    """Memory and descriptors of an idle and of a speaking leg."""
    with _log.status(f"{legs} legs"):
        rows = [soak.memory(legs)]
    _present("memory", rows, as_json)


@runs.command("soak")
def soak_command(
    seconds: Annotated[float, typer.Option(help="How long; 3600 is the whole of it.")] = 180,
    requests: Annotated[float, typer.Option(help="API requests a second; five make a call.")] = 200,
    as_json: Json = False,
) -> None:
    """Calls opened and closed by the thousand: what grows, and what is left."""
    _present("soak", [soak.soak(seconds, requests)], as_json)


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
    _present("chaos", rows, as_json)


@runs.command("sip")
def sip_command(
    legs: Annotated[int, typer.Option(help="Legs that speak meanwhile.")] = 1000,
    rate: Annotated[list[float], typer.Option(help="SIP calls a second to offer.")] = [150, 300],  # noqa: B006
    seconds: Annotated[float, typer.Option(help="How long.")] = 20,
    noise: Annotated[bool, typer.Option(help="Broken messages at the SIP port as well.")] = False,
    as_json: Json = False,
) -> None:
    """SIP calls set up beside speaking legs, and noise at the SIP port."""
    rows = []
    for each in rate:
        with _log.status(f"{each:g} SIP calls a second beside {legs} speaking legs"):
            rows.append(sip.run(legs, each, seconds, noise=noise))
    _present("sip", rows, as_json)


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
        with _log.status(f"{count} streams, {seconds:.0f} s"):
            rows.append(synth.measure(voice, runtime, count, seconds, chunk_ms, core=core))
    _present("synth", rows, as_json)


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
    _present("step", step.measure(voice, runtime, rows, chunk_ms, turns), as_json)


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
        with _log.status(f"{voice} in {each}"):
            rows.append(precision.measure(voice, each, seconds, core))
    _present("precision", rows, as_json)


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
        with _log.status(f"{voice} in {runtime}"):
            rows.append(engines.measure(voice, runtime, offered, seconds, OTHER_CPU))
        told = [f"{name} {rows[-1][name]}" for name in ("rtf", "held", "missing") if name in rows[-1]]
        _log.print(f"{voice} in {runtime}: {', '.join(told)}")
    _present("engines", rows, as_json)


@runs.command("growth")
def growth_command(
    legs: Annotated[list[int], typer.Option(help="The rungs.")] = [1, 10, 100, 300, 1000, 2000, 3000, 5000],  # noqa: B006
    seconds: Annotated[float, typer.Option(help="How long each is judged.")] = 10,
    as_json: Json = False,
) -> None:
    """What the gateway costs with more and more legs: processor time and memory."""
    os.sched_setaffinity(0, {OTHER_CPU})
    with _log.status("one leg") as status:
        rows = []
        for row in growth.climb(sorted(legs), seconds):
            rows.append(row)
            status.update(f"{row['legs']} legs: {'; '.join(row['broke']) or 'held'}")
    _present("growth", rows, as_json)


@runs.command("flame")
def flame_command(
    legs: Annotated[int, typer.Option(help="Legs that play.")] = 3000,
    seconds: Annotated[float, typer.Option(help="How long it is watched, twice.")] = 10,
    as_json: Json = False,
) -> None:
    """Where the media worker's time goes: a flame graph in bench/report/, by py-spy (scripts/peers first)."""
    os.sched_setaffinity(0, {OTHER_CPU})
    try:
        with _log.status(f"{legs} legs, {2 * seconds:.0f} s"):
            rows = [flame.measure(legs, seconds)]
    except Missing as error:
        typer.echo(f"voxtrunk: {error}", err=True)
        raise typer.Exit(1) from error
    _present("flame", rows, as_json)


@runs.command("check")
def check_command(
    legs: Annotated[int, typer.Option(help="Legs, each with a text of its own.")] = 100,
    turns: Annotated[int, typer.Option(help="Turns of engine and C loop.")] = 7,
    as_json: Json = False,
) -> None:
    """The short profile that CI runs: wrong or missing audio, missed ticks, a slower send path; fails on any."""
    row = check.measure(legs, turns)
    _present("check", [row], as_json)
    if row["broke"]:
        typer.echo(f"voxtrunk: {'; '.join(row['broke'])}", err=True)
        raise typer.Exit(1)


def benches() -> dict[str, str]:
    """Name and what it is of every bench, in the order of `run all`."""
    return {
        command.name or command.callback.__name__: (command.callback.__doc__ or "").split("\n")[0]
        for command in runs.registered_commands
        if command.callback is not None
    }
