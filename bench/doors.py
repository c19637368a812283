"""What a door costs: speech over the APIs that people's clients already speak, beside the native one.

First audio, from the text's leaving to the first of its audio at the client: on an RTP leg the first packet by
the kernel's stamp, through a door the first octets of audio out of the client's socket. All take turns, with a
connection that is there, text that was never said, and G.711 or PCM; a door is judged by what it adds to the
native API's p50 and p95. Then many clients of one door at once, beside legs that play from the cache. The verdict
is about the legs alone, at the receiving socket: what is lost, missing, late or broken off. Meanwhile others are
called, spoken to and cut off, which tells what is left of the gateway for them. How many clients were refused,
and how much speech the others were given, is told and not judged: what a core cannot make must be refused.

The media worker has core 1; clients and receiver use what it leaves of it, and the gateway's other processes have
core 0. A door that the gateway under test does not have is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from bench.door import Door, Say, doors, port_for_grpc
from bench.judge import judge
from bench.peers.peer import OTHER_CPU, SENDER_CPU
from bench.quantiles import quantiles
from bench.speaking import fresh_text
from bench.traffic import PARAGRAPH_SECONDS, Callers, Refused, texts
from bench.under_test import processes
from bench.window import Watch
from gateway.listen.process import ReceiverProcess
from gateway.running import RunningGateway

ADDS_MS: Final = 10.0
"""What a door may add to first audio."""
GAP_MS: Final = 2.0
"""The p99 that gaps between the legs' packets may be wrong by."""
_SETTLE_SECONDS: Final = 2.0
_QUIET_SECONDS: Final = 0.1
_RETRY_SECONDS: Final = 1.0
_SPOKEN_SECONDS: Final = 0.5
"""How long those are spoken to who are cut off."""
_SAID: Final = texts(20)
"""What the legs beside a crowd say, from the cache."""


@contextlib.contextmanager
def _gateway(voice: str, **settings: object) -> Any:
    """A gateway with all its doors; yields it and them."""
    pinned: dict[str, Any] = {"media_cpus": SENDER_CPU, "other_cpus": OTHER_CPU, "warm_voices": voice}
    port = port_for_grpc()
    if port is not None:
        pinned["grpc_port"] = port
    with RunningGateway(cpus=(OTHER_CPU,), **pinned | settings) as gateway:
        yield gateway, port


# -- first audio --------------------------------------------------------------------------------------------


async def _hear(say: Say, text: str, told: Callable[[int], None] = lambda size: None) -> tuple[float, int]:
    """Milliseconds to the first audio of a text, and all the octets of it; ``told`` of them as they come."""
    begin, first, octets = time.monotonic(), float("nan"), 0
    async for size in say(text):
        if not octets:
            first = 1000 * (time.monotonic() - begin)
        octets += size
        told(size)
    if not octets:
        raise RuntimeError("no audio came")
    return first, octets


async def _measure_first(count: int, voice: str, **settings: object) -> list[dict[str, Any]]:
    dice = random.Random(1)
    with _gateway(voice, **settings) as (gateway, port), ReceiverProcess("127.0.0.1", [0]) as receiver:
        callers = Callers(gateway.url, receiver.local_ports, voice=voice)
        asked: list[tuple[int, int]] = []
        took: dict[str, list[float]] = {}
        async with aiohttp.ClientSession(gateway.url) as http, contextlib.AsyncExitStack() as stack:
            says = {
                door.name: await stack.enter_async_context(door.connect(http, voice))
                for door in await doors(http, port)
            }
            for turn in range(count + 2):
                call = await callers.open(silence="suppress")
                await asyncio.sleep(dice.uniform(0.02, 0.06))  # no particular place in the leg's packet time
                begin_ns = time.monotonic_ns()
                said = await callers.say(call["id"], fresh_text(dice))
                await asyncio.sleep(_QUIET_SECONDS + 0.1)
                path = f"/v1/calls/{call['id']}"
                await callers.ask("DELETE", f"{path}/utterances/{said['id']}")
                await callers.ask("DELETE", path)
                if turn > 1:  # the first two are for warming up
                    asked.append((call["rtp"]["ssrc"], begin_ns))
                for name, say in says.items():
                    await asyncio.sleep(dice.uniform(0.02, 0.06))
                    first, _ = await _hear(say, fresh_text(dice))
                    if turn > 1:
                        took.setdefault(name, []).append(first)
        capture = await asyncio.to_thread(receiver.stop)
        await callers.close()
    packets = capture.packets
    native = [(int(packets["t_ns"][packets["ssrc"] == ssrc].min()) - at) / 1e6 for ssrc, at in asked]
    base = quantiles(native)
    rows: list[dict[str, Any]] = [{"door": "native, RTP", "first_audio_ms": base}]
    for name, values in took.items():
        figures = quantiles(values)
        adds = {each: round(figures[each] - base[each], 1) for each in ("p50", "p95")}
        within = max(adds.values()) <= ADDS_MS
        rows.append({"door": name, "first_audio_ms": figures, "adds_ms": adds, "within": within})
    return [row | {"requests": count, "voice": voice} for row in rows]


def first(count: int, voice: str, **settings: object) -> list[dict[str, Any]]:
    """First audio of ``count`` fresh texts over the native API and every door, in turns."""
    os.sched_setaffinity(0, {SENDER_CPU})
    return asyncio.run(_measure_first(count, voice, **settings))


# -- many clients -------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Crowd:
    """What became of a door's clients. ``heard_s``: seconds of speech that they were handed."""

    first_ms: list[float] = field(default_factory=list)
    heard_s: float = 0.0
    refused: int = 0
    errors: list[str] = field(default_factory=list)


async def _client(door: Door, url: str, voice: str, number: int, until: float, crowd: _Crowd) -> None:
    """Ask for a fresh text whenever the one before would have been played out; one that is refused waits."""

    def hear(octets: int) -> None:
        crowd.heard_s += octets / door.rate

    dice = random.Random(f"{door.name} {number}")  # not what another door has in the cache
    await asyncio.sleep(dice.uniform(0, 2))
    async with aiohttp.ClientSession(url) as http:
        while time.monotonic() < until:
            try:
                async with door.connect(http, voice) as say:
                    while time.monotonic() < until:
                        begin = time.monotonic()
                        first, octets = await _hear(say, fresh_text(dice), hear)
                        crowd.first_ms.append(first)
                        await asyncio.sleep(begin + octets / door.rate - time.monotonic())
            except RuntimeError as error:
                if "VOXTRUNK_SYNTHESIS_LIMIT" in str(error):
                    crowd.refused += 1
                else:
                    crowd.errors.append(str(error)[:200])
                await asyncio.sleep(_RETRY_SECONDS)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                crowd.errors.append(repr(error)[:200])
                await asyncio.sleep(_RETRY_SECONDS)


@dataclass(slots=True)
class _Others:
    """Calls that come beside. ``cut``: SSRC, and when a stop was asked for, ns. ``refused``: cached speech."""

    cut: list[tuple[int, int]] = field(default_factory=list)
    refused: int = 0


async def _cut_off(callers: Callers, until: float, others: _Others) -> None:
    """One call after the other is opened, spoken to from the cache, and stopped."""
    while time.monotonic() < until - 1:
        call = await callers.open(silence="suppress")
        path = f"/v1/calls/{call['id']}"
        try:
            await callers.ask("POST", f"{path}/utterances", {"text": _SAID[0]})
        except Refused:
            others.refused += 1
        else:
            await asyncio.sleep(_SPOKEN_SECONDS)
            others.cut.append((call["rtp"]["ssrc"], time.monotonic_ns()))
            await callers.ask("POST", f"{path}/stop", {"scope": "all"})
        await callers.ask("DELETE", path)


async def _measure_crowd(
    clients: int, cached: int, seconds: float, voice: str, only: list[str], **settings: object
) -> list[dict[str, Any]]:
    with _gateway(voice, **settings) as (gateway, port):
        async with aiohttp.ClientSession(gateway.url) as http:
            found = await doors(http, port)
        chosen = [None, *(door for door in found if not only or door.name in only)]
        await _fill_cache(gateway.url)
        return [await _beside(door, gateway, clients, cached, seconds, voice) for door in chosen]


async def _fill_cache(url: str) -> None:
    """Have what the legs say said once."""
    with ReceiverProcess("127.0.0.1", [0]) as receiver:
        callers = Callers(url, receiver.local_ports)
        calls = []
        for text in _SAID:
            calls.append(await callers.open())
            await callers.say(calls[-1]["id"], text)
            await asyncio.sleep(_QUIET_SECONDS)  # all at once they might be more than a worker takes on
        await asyncio.sleep(PARAGRAPH_SECONDS + 2 * _SETTLE_SECONDS)
        for call in calls:
            await callers.ask("DELETE", f"/v1/calls/{call['id']}")
        await callers.close()


async def _beside(
    door: Door | None, gateway: RunningGateway, clients: int, cached: int, seconds: float, voice: str
) -> dict[str, Any]:
    crowd, others = _Crowd(), _Others()
    with ReceiverProcess("0.0.0.0", [0], cpu=SENDER_CPU) as receiver:
        callers = Callers(gateway.url, receiver.local_ports, apart=True)
        repeats = int(seconds + 2 * _SETTLE_SECONDS + cached / 60) // PARAGRAPH_SECONDS + 2
        legs = await callers.open_speaking(cached, _SAID, repeats)
        await asyncio.sleep(_SETTLE_SECONDS)
        until = time.monotonic() + seconds
        works = [_client(door, gateway.url, voice, n, until, crowd) for n in range(clients)] if door else []
        tasks = [asyncio.create_task(work) for work in works]
        beside = asyncio.create_task(_cut_off(callers, until, others))
        broke_off = underruns(await callers.text("/metrics"))
        watch = Watch(receiver, processes(gateway) | {"clients": os.getpid()})
        await asyncio.sleep(seconds)
        window = watch.end()
        later = underruns(await callers.text("/metrics"))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await beside
        for call in legs:
            await callers.ask("DELETE", f"/v1/calls/{call['id']}")
        capture = await asyncio.to_thread(receiver.stop)
        await callers.close()
    packets = capture.packets
    received = judge(capture, window, [call["rtp"]["ssrc"] for call in legs])
    last = {ssrc: int(packets["t_ns"][packets["ssrc"] == ssrc].max(initial=0)) for ssrc, _ in others.cut}
    dying = [(last[ssrc] - at) / 1e6 for ssrc, at in others.cut if last[ssrc]]
    row: dict[str, Any] = {
        "door": door.name if door else "none",
        "clients": clients if door else 0,
        "legs": cached,
        "voice": voice,
        "seconds": seconds,
        "underruns": {cause: later[cause] - broke_off[cause] for cause in later},
        "others_cut_ms": quantiles(dying),
        "others_refused": others.refused,
        "texts_heard": len(crowd.first_ms),
        "heard_seconds_a_second": round(crowd.heard_s / window.seconds, 1),
        "refused": crowd.refused,
        "errors": len(crowd.errors),
        "cores": dict(window.cores),
        "stolen_s": window.stolen_s,
        "received": received,
    }
    row |= {"broke": broken(row)}
    if crowd.first_ms:
        row["first_audio_ms"] = quantiles(crowd.first_ms)
    if crowd.errors:
        row["first_error"] = crowd.errors[0]
    return row


def underruns(metrics: str) -> Counter[str]:
    """How often speech on any leg has broken off so far, by whose fault that was, from what /metrics says."""
    told = re.findall(r'^voxtrunk_underruns_total\{[^}]*cause="(\w+)"[^}]*\} (\S+)', metrics, re.M)
    assert told, "the gateway counts underruns"
    causes = Counter[str]()
    for cause, count in told:
        causes[cause] += int(float(count))
    return causes


def broken(row: dict[str, Any]) -> list[str]:
    """Which bars did not hold for the legs, in words."""
    received = row["received"]
    if received["receiver_drops"]:
        return [f"the receiver dropped {received['receiver_drops']}: no verdict"]
    why = [f"{count} underruns by {cause}" for cause, count in row["underruns"].items() if count]
    if row["others_refused"]:
        why.append(f"{row['others_refused']} texts refused that are in the cache")
    if received["lost"] or received["missed"]:
        why.append(f"{received['lost']} packets lost, {received['missed']} missing")
    if received["gap_error_ms"]["p99"] >= GAP_MS:
        why.append(f"gap error p99 {received['gap_error_ms']['p99']} ms")
    return why


def crowds(
    clients: int, cached: int, seconds: float, voice: str, only: list[str], **settings: object
) -> list[dict[str, Any]]:
    """The pace of ``cached`` speaking legs alone, then beside ``clients`` clients of each door in turn."""
    os.sched_setaffinity(0, {SENDER_CPU})
    return asyncio.run(_measure_crowd(clients, cached, seconds, voice, only, **settings))
