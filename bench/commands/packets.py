"""Commands of the benches of packets: who paces them, how late, at what cost, and how well they are heard."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from bench import ceiling as ceiling_bench
from bench import (
    flame,
    growth,
    machine,
    pace,
    priority,
    sip,
)
from bench.commands.present import Json, log, present, runs
from bench.peers import ladder
from bench.peers.everybody import PEERS
from bench.peers.paced import Paced
from bench.peers.peer import OTHER_CPU, Missing
from bench.peers.plain import Plain


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
            with log.status(f"{count} legs, {'one shared socket' if shared else 'a socket each'}"):
                rows.append(ceiling_bench.measure(count, turns, shared=shared))
    present("ceiling", rows, as_json)


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
    plain_seconds: Annotated[float, typer.Option(max=ladder.LONGEST_S, help="How long each of those.")] = 15,
    noise: Annotated[bool, typer.Option(help="Broken messages at the SIP port as well.")] = False,
    as_json: Json = False,
) -> None:
    """Thousands of speaking legs on one core, and the plain asyncio way beside them."""
    rows = []
    for each in ports:
        with log.status(f"{legs} legs on ports {each}: opening, then {seconds:.0f} s"):
            rows.append(pace.run_voxtrunk(legs, seconds, requests, each, noise=noise))
    with log.status(f"the limit: {legs} legs in C"):
        rows.append(pace.run_beside(Paced(), legs, plain_seconds))
    for count in plain:
        with log.status(f"the plain way: {count} legs, {plain_seconds:.0f} s"):
            rows.append(pace.run_beside(Plain(), count, plain_seconds))
    present("pace-noise" if noise else "pace", rows, as_json)


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
            with log.status(f"{count} legs: opening, then {6 * turns} times {seconds:.0f} s"):
                rows += priority.run(count, seconds, turns)
    except Missing as error:
        typer.echo(f"voxtrunk: {error}", err=True)
        raise typer.Exit(1) from error
    present("priority", rows, as_json)


@runs.command("receiver")
def receiver_command(
    legs: Annotated[list[int], typer.Option(help="Streams of the C loop.")] = [1000, 3000, 5000, 6000, 7000],  # noqa: B006
    seconds: Annotated[float, typer.Option(max=ladder.LONGEST_S, help="How long each.")] = 10,
    as_json: Json = False,
) -> None:
    """The receiver's own limit: streams that it hears and judges without losing one, and what it costs."""
    os.sched_setaffinity(0, {OTHER_CPU})
    with tempfile.TemporaryDirectory() as folder:
        recording = ladder.write_speech(Path(folder))
        rows = []
        for count in legs:
            with log.status(f"{count} streams, {seconds:.0f} s"):
                rows.append(ladder.rung(Paced(), count, seconds, recording))
    present("receiver", rows, as_json)


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
            with log.status(peer.name) as status:
                for tried in ladder.climb(peer, sorted(legs), seconds, 60 * minutes):
                    row["tries"].append(tried)
                    status.update(f"{peer.name}: {tried['legs']} legs: {'; '.join(tried['broke']) or 'held'}")
                    log.print(f"{peer.name}: {tried['legs']} legs: {'; '.join(tried['broke']) or 'held'}")
        except Missing as error:
            row["missing"] = str(error)
        except ladder.OutOfTime as error:
            row["out_of_time"] = str(error)
            log.print(f"{peer.name}: {error}")
        if not as_json:  # what half an hour has measured is not lost in the next minute
            every = [by_name[each] for each in PEERS if each in by_name]
            typer.echo(f"kept in {machine.save('peers', {'rows': every})}")
    if as_json:
        typer.echo(json.dumps({"bench": "peers", "machine": machine.describe(), "figures": rows}))


@runs.command("growth")
def growth_command(
    legs: Annotated[list[int], typer.Option(help="The rungs.")] = [1, 10, 100, 300, 1000, 2000, 3000, 5000],  # noqa: B006
    seconds: Annotated[float, typer.Option(max=ladder.LONGEST_S, help="How long each is judged.")] = 10,
    as_json: Json = False,
) -> None:
    """What the gateway costs with more and more legs: processor time and memory."""
    os.sched_setaffinity(0, {OTHER_CPU})
    with log.status("one leg") as status:
        rows = []
        for row in growth.climb(sorted(legs), seconds, awake=True):
            rows.append(row)
            status.update(f"{row['legs']} legs: {'; '.join(row['broke']) or 'held'}")
    present("growth", rows, as_json)


@runs.command("flame")
def flame_command(
    legs: Annotated[int, typer.Option(help="Legs that play.")] = 3000,
    seconds: Annotated[float, typer.Option(help="How long it is watched, twice.")] = 10,
    as_json: Json = False,
) -> None:
    """Where the media worker's time goes: a flame graph in bench/report/, by py-spy (scripts/peers first)."""
    os.sched_setaffinity(0, {OTHER_CPU})
    try:
        with log.status(f"{legs} legs, {2 * seconds:.0f} s"):
            rows = [flame.measure(legs, seconds)]
    except Missing as error:
        typer.echo(f"voxtrunk: {error}", err=True)
        raise typer.Exit(1) from error
    present("flame", rows, as_json)


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
        with log.status(f"{each:g} SIP calls a second beside {legs} speaking legs"):
            rows.append(sip.run(legs, each, seconds, noise=noise))
    present("sip", rows, as_json)
