"""``voxtrunk bench``: each command is a bench, prints its figures, and keeps them in bench/results/."""

from __future__ import annotations

import json
import os
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bench import ceiling as ceiling_bench
from bench import machine, pace, precision, sip, soak, synth, words

app = typer.Typer(help="Load benches. Each runs a gateway of its own on this machine.", no_args_is_help=True)
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


@app.command()
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


@app.command("pace")
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
        rows.append(pace.run_limit(legs, plain_seconds))
    for count in plain:
        with _log.status(f"the plain way: {count} legs, {plain_seconds:.0f} s"):
            rows.append(pace.run_plain(count, plain_seconds))
    _present("pace", rows, as_json)


@app.command("first-word")
def first_word_command(
    legs: Annotated[list[int], typer.Option(help="Legs that speak meanwhile.")] = [0, 500],  # noqa: B006
    count: Annotated[int, typer.Option(help="Requests.")] = 100,
    as_json: Json = False,
) -> None:
    """Request to first speech packet on the wire."""
    rows = []
    for speaking in legs:
        with _log.status(f"{count} requests beside {speaking} speaking legs"):
            rows.append(words.first_word(speaking, count))
    _present("first-word", rows, as_json)


@app.command("cut")
def cut_command(
    count: Annotated[int, typer.Option(help="Stops.")] = 50,
    as_json: Json = False,
) -> None:
    """Stop request to last speech packet, and whether spoken_ms is what arrived."""
    with _log.status(f"{count} cuts"):
        rows = [words.cut(count)]
    _present("cut", rows, as_json)


@app.command("memory")
def memory_command(
    legs: Annotated[int, typer.Option(help="Legs.")] = 1000,
    as_json: Json = False,
) -> None:
    """Memory and descriptors of an idle and of a speaking leg."""
    with _log.status(f"{legs} legs"):
        rows = [soak.memory(legs)]
    _present("memory", rows, as_json)


@app.command("soak")
def soak_command(
    seconds: Annotated[float, typer.Option(help="How long; 3600 is the whole of it.")] = 180,
    requests: Annotated[float, typer.Option(help="API requests a second; five make a call.")] = 200,
    as_json: Json = False,
) -> None:
    """Calls opened and closed by the thousand: what grows, and what is left."""
    _present("soak", [soak.soak(seconds, requests)], as_json)


@app.command("sip")
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


@app.command("synth")
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


@app.command("precision")
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


if __name__ == "__main__":
    app()
