"""Twice the calls that a gateway carries, and twice the speech: who is accepted must not notice.

So many legs may be open (VOXTRUNK_MAX_CALLS); twice as many are asked for, evenly over the run, and each that is
opened says a text that is in the cache until it is closed again. Beside them twice the fresh speech is asked for
that one core makes. What is accepted is judged as ever: at the receiving socket, and by the gateway's own account
of holes and first words. What is refused must be told so at once, with 503 and Retry-After.

Cores as in `bench.speaking`, which lends its callers.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from bench.judge import judge
from bench.peers.peer import OTHER_CPU, SENDER_CPU
from bench.quantiles import quantiles
from bench.speaking import Account, talk
from bench.traffic import PARAGRAPH_SECONDS, Callers, texts
from bench.under_test import processes
from bench.window import Watch, Window
from gateway.listen.process import ReceiverProcess
from gateway.running import RunningGateway

GAP_P99_MS: Final = 2.0
FIRST_AUDIO_P95_MS: Final = 200.0
_SETTLE_SECONDS: Final = 4.0


@dataclass(slots=True)
class _Offered:
    """What became of the calls that were asked for."""

    accepted: int = 0
    refused_ms: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    statistics: list[dict[str, Any]] = field(default_factory=list)


async def _call(http: aiohttp.ClientSession, port: int, text: str, hold: float, offered: _Offered) -> None:
    """One caller: asks for a call, and if it gets one, lets a text be said for ``hold`` seconds."""
    begin = time.perf_counter()
    order = {"rtp": {"address": "127.0.0.1", "port": port}, "voice": "espeak:en-us"}
    async with http.post("/v1/calls", json=order) as answer:
        said = await answer.json()
    if answer.status == 503 and said["code"] == "at_capacity" and int(answer.headers["retry-after"]) > 0:
        offered.refused_ms.append(1000 * (time.perf_counter() - begin))
        return
    if answer.status != 201:
        offered.wrong.append(f"{answer.status} {said}"[:200])
        return
    offered.accepted += 1
    path = f"/v1/calls/{said['id']}"
    for _ in range(int(hold) // PARAGRAPH_SECONDS + 1):
        async with http.post(f"{path}/utterances", json={"text": text}) as answer:
            if answer.status != 202:
                offered.wrong.append(f"{answer.status} {await answer.text()}"[:200])
    await asyncio.sleep(hold)
    async with http.delete(path) as answer:
        offered.statistics.append((await answer.json())["statistics"])


async def _last(seconds: float, until: float, gateway: RunningGateway, receiver: ReceiverProcess) -> Window:
    """The last of it, when there are as many calls as there will be."""
    await asyncio.sleep(until - seconds - time.monotonic())
    watch = Watch(receiver, processes(gateway))
    await asyncio.sleep(until - time.monotonic())
    return watch.end()


async def _measure(legs: int, streams: int, seconds: float, voice: str) -> dict[str, Any]:
    """``legs`` and ``streams`` are what is carried; twice that is offered."""
    pinned: dict[str, Any] = {
        "media_cpus": SENDER_CPU, "other_cpus": OTHER_CPU, "warm_voices": voice, "max_calls": legs + 2 * streams,
    }  # fmt: skip
    hold = seconds / 2
    with (
        RunningGateway(cpus=(OTHER_CPU,), **pinned) as gateway,
        ReceiverProcess("0.0.0.0", [0], cpu=SENDER_CPU) as receiver,
    ):
        callers = Callers(gateway.url, receiver.local_ports)
        cached = texts(20)
        speaking = await callers.open_speaking(len(cached), cached, 1)
        await asyncio.sleep(PARAGRAPH_SECONDS + _SETTLE_SECONDS)  # until all of them is in the cache
        for call in speaking:
            await callers.ask("DELETE", f"/v1/calls/{call['id']}")
        talkers = [await callers.open() for _ in range(2 * streams)]
        account, offered = Account(), _Offered()
        connector = aiohttp.TCPConnector(limit=64)
        async with (
            aiohttp.ClientSession(gateway.url) as following,
            aiohttp.ClientSession(gateway.url, connector=connector) as http,
            asyncio.TaskGroup() as group,
        ):
            follower = group.create_task(account.follow(following))
            await asyncio.sleep(_SETTLE_SECONDS)
            until = time.monotonic() + seconds
            watching = group.create_task(_last(hold, until, gateway, receiver))
            talks = [
                group.create_task(talk(callers, account, call["id"], voice, number, until))
                for number, call in enumerate(talkers)
            ]
            # held for half of the run, twice as many at once as are carried are four times as many in all
            count = 4 * legs
            tasks = []
            for number in range(count):
                text = cached[number % len(cached)]
                tasks.append(group.create_task(_call(http, receiver.local_ports[0], text, hold, offered)))
                await asyncio.sleep(
                    max(0.0, until - seconds + (number + 1) * seconds / count - time.monotonic())
                )
            told = [each for task in talks for each in await task]
            window = await watching
            await asyncio.gather(*tasks)
            follower.cancel()
        for call in talkers:
            offered.statistics.append((await callers.ask("DELETE", f"/v1/calls/{call['id']}"))["statistics"])
        capture = await asyncio.to_thread(receiver.stop)
        await callers.close()
    offered.wrong += [
        each["detail"] for each in told if each["type"] == "refused" and ": 503 " not in each["detail"]
    ]
    row: dict[str, Any] = {
        "legs_carried": legs,
        "streams_carried": streams,
        "voice": voice,
        "calls_offered": count,
        "calls_accepted": offered.accepted,
        "calls_refused": len(offered.refused_ms),
        "refused_after_ms": quantiles(offered.refused_ms, "p50", "p95", "p99"),
        "answered_otherwise": sorted(set(offered.wrong))[:5],
        **_speech(told),
        "underruns": sum(each["underruns"] for each in offered.statistics),
        "missed_ticks": sum(each["missed_ticks"] for each in offered.statistics),
        "cores": dict(window.cores),
        "stolen_s": window.stolen_s,
        "load_average": os.getloadavg()[0],
        "received": judge(capture, window),
    }
    return row | {"broke": broken(row)}


def _speech(told: list[dict[str, Any]]) -> dict[str, Any]:
    finished = [each for each in told if each["type"] == "utterance.finished"]
    return {
        "utterances_accepted": len(told) - sum(each["type"] == "refused" for each in told),
        "utterances_refused": sum(each["type"] == "refused" for each in told),
        "utterances_failed": sum(each["type"] not in ("utterance.finished", "refused") for each in told),
        "first_audio_ms": quantiles([each["first_audio_ms"] for each in finished], "p50", "p95", "p99"),
    }


def broken(row: dict[str, Any]) -> list[str]:
    """Which bars did not hold for what was accepted, in words; and whether it was an overload at all."""
    why, received = [], row["received"]
    if received["receiver_drops"]:
        why.append(f"the receiver dropped {received['receiver_drops']}: no verdict")
    if not row["calls_refused"] or not row["utterances_refused"]:
        why.append("nothing was refused: that was no overload")
    if row["answered_otherwise"]:
        why.append(f"answers that are neither yes nor at_capacity: {row['answered_otherwise'][0]}")
    if row["utterances_failed"]:
        why.append(f"{row['utterances_failed']} accepted utterances failed")
    if received["lost"] or received["missed"] or row["missed_ticks"]:
        lost, missed = received["lost"], received["missed"]
        why.append(f"{lost} packets lost, {missed} missing, {row['missed_ticks']} ticks missed")
    if row["underruns"]:
        why.append(f"{row['underruns']} underruns")
    if received["gap_error_ms"]["p99"] >= GAP_P99_MS:
        why.append(f"gap error p99 {received['gap_error_ms']['p99']} ms")
    if not row["first_audio_ms"]["p95"] <= FIRST_AUDIO_P95_MS:
        why.append(f"first audio p95 {row['first_audio_ms']['p95']} ms")
    return why


def run(legs: int, streams: int, seconds: float, voice: str) -> dict[str, Any]:
    """Offer twice ``legs`` calls and twice ``streams`` of fresh speech for ``seconds``."""
    os.sched_setaffinity(0, {SENDER_CPU})
    return asyncio.run(_measure(legs, streams, seconds, voice))
