"""Fresh neural speech on many legs beside legs that play from the cache: first words, holes, and the pace.

The media worker has core 1, with the receiver and the callers in what it leaves of it: they are no part of the
gateway. Control and synthesis share core 0. Every speaking leg says a text that nobody has said before, about six
seconds of it, waits a moment, and says the next. What is told of first words and holes is the gateway's own
account (`first_audio_ms` and `underruns` of every utterance), the pace is judged at the receiving socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import time
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
import numpy as np

from bench.judge import cpu_seconds, judge
from bench.machine import stolen_seconds
from bench.peers.peer import OTHER_CPU, SENDER_CPU
from bench.traffic import PARAGRAPH_SECONDS, Callers, texts
from bench.under_test import processes
from gateway.listen.process import ReceiverProcess
from gateway.running import RunningGateway

_SETTLE_SECONDS: Final = 4.0
_GAP_SECONDS: Final = (0.1, 1.0)
_NAMES: Final = ("Miller", "Garcia", "Novak", "Okafor", "Lindqvist", "Tanaka", "Rossi", "Dubois")
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")


def fresh_text(dice: random.Random) -> str:
    """About six seconds that were never said before."""
    return (
        f"Hello {dice.choice(_NAMES)}. Your order {dice.randrange(10**6):06d} leaves on {dice.choice(_DAYS)}, "
        f"and the balance is {dice.randrange(10, 10**4)} dollars. Is that right?"
    )


class Account:
    """What became of every utterance, from the gateway's event stream."""

    def __init__(self) -> None:
        self.over: dict[str, asyncio.Future[dict[str, Any]]] = {}

    async def follow(self, session: aiohttp.ClientSession) -> None:
        async for event in _events(session):
            if event["type"] in ("utterance.finished", "utterance.failed", "utterance.stopped"):
                waiting = self.over.pop(event["utterance_id"], None)
                if waiting is not None and not waiting.done():
                    waiting.set_result({"type": event["type"], **event["data"]})


async def _events(session: aiohttp.ClientSession) -> AsyncIterator[dict[str, Any]]:
    async with session.get("/v1/events", timeout=aiohttp.ClientTimeout(None)) as answer:
        async for line in answer.content:
            if line.startswith(b"data:"):
                yield json.loads(line[5:])


async def talk(
    callers: Callers, account: Account, call_id: str, voice: str, number: int, until: float
) -> list[dict[str, Any]]:
    """Say one text after the other; what became of each."""
    dice = random.Random(number)
    loop = asyncio.get_running_loop()
    told: list[dict[str, Any]] = []
    await asyncio.sleep(dice.uniform(0, 3))
    while time.monotonic() < until:
        uid = f"s{number}-{len(told)}"
        account.over[uid] = loop.create_future()
        over = account.over[uid]
        try:
            await callers.say(call_id, fresh_text(dice), voice=voice, id=uid)
        except RuntimeError as error:
            told.append({"type": "refused", "detail": str(error)})
            await asyncio.sleep(1)
            continue
        told.append(await asyncio.wait_for(over, 60))
        await asyncio.sleep(dice.uniform(*_GAP_SECONDS))
    return told


async def _measure(
    streams: int, cached: int, seconds: float, voice: str, **settings: object
) -> dict[str, Any]:
    pinned: dict[str, Any] = {"media_cpus": SENDER_CPU, "other_cpus": OTHER_CPU, "warm_voices": voice}
    with (
        RunningGateway(cpus=(OTHER_CPU,), **pinned | settings) as gateway,
        ReceiverProcess("0.0.0.0", [0], cpu=SENDER_CPU) as receiver,
    ):
        callers = Callers(gateway.url, receiver.local_ports, apart=True)
        if cached:
            said_before = texts(20)
            await callers.open_speaking(len(said_before), said_before, 1)
            await asyncio.sleep(PARAGRAPH_SECONDS + _SETTLE_SECONDS)  # until all of them is in the cache
            repeats = int(seconds + cached / 60 + 10) // PARAGRAPH_SECONDS + 2
            await callers.open_speaking(cached, said_before, repeats)
        calls = [await callers.open() for _ in range(streams)]
        account = Account()
        async with aiohttp.ClientSession(gateway.url) as session:
            following = asyncio.create_task(account.follow(session))
            await asyncio.sleep(_SETTLE_SECONDS)
            pids = processes(gateway)
            before = {kind: cpu_seconds(pid) for kind, pid in pids.items()}
            begin_ns, stolen_s = time.monotonic_ns(), stolen_seconds()
            until = time.monotonic() + seconds
            talks = [
                talk(callers, account, call["id"], voice, number, until) for number, call in enumerate(calls)
            ]
            told = [each for talk in await asyncio.gather(*talks) for each in talk]
            end_ns, stolen_s = time.monotonic_ns(), stolen_seconds() - stolen_s
            took_s = (end_ns - begin_ns) / 1e9
            cores = {kind: round((cpu_seconds(pid) - before[kind]) / took_s, 3) for kind, pid in pids.items()}
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following
        ended = [await callers.ask("DELETE", f"/v1/calls/{call['id']}") for call in calls]
        capture = await asyncio.to_thread(receiver.stop)
        await callers.close()
    packets = capture.packets
    packets = packets[(packets["t_ns"] > begin_ns) & (packets["t_ns"] < end_ns)]
    finished = [each for each in told if each["type"] == "utterance.finished"]
    first = np.array([each["first_audio_ms"] for each in finished] or [np.nan])
    statistics = [call["statistics"] for call in ended]
    return {
        "streams": streams,
        "cached_legs": cached,
        "voice": voice,
        "utterances": len(finished),
        "refused": sum(each["type"] == "refused" for each in told),
        "failed": sum(each["type"] not in ("utterance.finished", "refused") for each in told),
        "audio_seconds_a_second": round(sum(each["duration_ms"] for each in finished) / 1000 / took_s, 1),
        "first_audio_ms": {
            name: round(float(np.quantile(first, share)), 1)
            for name, share in (("p50", 0.5), ("p95", 0.95), ("max", 1.0))
        },
        "underruns": sum(each["underruns"] for each in finished),
        "dry_ticks": sum(each["dry_ticks"] for each in statistics),
        "missed_ticks": sum(each["missed_ticks"] for each in statistics),
        "cores": cores,
        "stolen_s": round(stolen_s, 2),
        "received": judge(capture, packets),
    }


def run(streams: int, cached: int, seconds: float, voice: str, **settings: object) -> dict[str, Any]:
    """``streams`` legs of fresh speech beside ``cached`` legs that play what is in the cache, for ``seconds``.

    ``settings`` are the gateway's, as RunningGateway takes them.
    """
    os.sched_setaffinity(0, {SENDER_CPU})
    return asyncio.run(_measure(streams, cached, seconds, voice, **settings))
