"""Fresh neural speech on many legs beside legs that play from the cache: first words, holes, and the pace.

The media worker has core 1, with the receiver and the callers in what it leaves of it: they are no part of the
gateway. Control and synthesis share core 0. Every speaking leg says a text that nobody has said before, about six
seconds of it, waits a moment, and says the next. What is told of first words and holes is the gateway's own
account (`first_audio_ms` and `underruns` of every utterance), the pace is judged at the receiving socket. All
begin within three seconds, which are not judged: `refused_at_first` is who was refused in them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

import aiohttp

from bench.judge import judge
from bench.peers.peer import OTHER_CPU, SENDER_CPU
from bench.quantiles import quantiles
from bench.traffic import PARAGRAPH_SECONDS, Callers, Refused, texts
from bench.under_test import processes
from bench.window import Watch, Window
from gateway.listen.process import ReceiverProcess
from gateway.running import RunningGateway

_SETTLE_SECONDS: Final = 4.0
_BEGIN_SECONDS: Final = 3.0
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
                    ended_ns = time.monotonic_ns()
                    waiting.set_result({"type": event["type"], "ended_ns": ended_ns, **event["data"]})


async def _events(session: aiohttp.ClientSession) -> AsyncIterator[dict[str, Any]]:
    async with session.get("/v1/events", timeout=aiohttp.ClientTimeout(None)) as answer:
        async for line in answer.content:
            if line.startswith(b"data:"):
                yield json.loads(line[5:])


async def talk(
    callers: Callers, account: Account, call_id: str, voice: str, number: int, until: float
) -> list[dict[str, Any]]:
    """Say one text after the other; what became of each, and when it was asked for."""
    dice = random.Random(number)
    loop = asyncio.get_running_loop()
    told: list[dict[str, Any]] = []
    await asyncio.sleep(dice.uniform(0, _BEGIN_SECONDS))
    while time.monotonic() < until:
        uid = f"s{number}-{len(told)}"
        account.over[uid] = loop.create_future()
        over = account.over[uid]
        asked = {"asked_ns": time.monotonic_ns()}
        order = {"text": fresh_text(dice), "voice": voice, "id": uid}
        try:
            await callers.ask("POST", f"/v1/calls/{call_id}/utterances", order)
        except RuntimeError as error:
            told.append(asked | {"type": "refused", "detail": str(error)})
            await asyncio.sleep(error.retry_after if isinstance(error, Refused) else 1)
            continue
        told.append(asked | await asyncio.wait_for(over, 60))
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
            until = time.monotonic() + _BEGIN_SECONDS + seconds
            talks = asyncio.gather(
                *(talk(callers, account, call["id"], voice, n, until) for n, call in enumerate(calls))
            )
            await asyncio.sleep(_BEGIN_SECONDS)
            watch = Watch(receiver, processes(gateway))
            await asyncio.sleep(until - time.monotonic())
            window = watch.end()
            told = [each for talk in await talks for each in talk]
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following
        ended = [await callers.ask("DELETE", f"/v1/calls/{call['id']}") for call in calls]
        capture = await asyncio.to_thread(receiver.stop)
        await callers.close()
    finished = [each for each in told if each["type"] == "utterance.finished"]
    asked = [each for each in told if window.holds(each["asked_ns"])]
    refused = sum(each["type"] == "refused" for each in asked)
    statistics = [call["statistics"] for call in ended]
    return {
        "streams": streams,
        "cached_legs": cached,
        "voice": voice,
        "utterances": len(asked) - refused,
        "refused": refused,
        "refused_at_first": sum(each["type"] == "refused" for each in told) - refused,
        "failed": sum(each["type"] not in ("utterance.finished", "refused") for each in told),
        "audio_seconds_a_second": round(spoken_s(finished, window) / window.seconds, 1),
        "first_audio_ms": quantiles(
            [each["first_audio_ms"] for each in asked if each["type"] == "utterance.finished"]
        ),
        "underruns": sum(each["underruns"] for each in finished),
        "dry_ticks": sum(each["dry_ticks"] for each in statistics),
        "missed_ticks": sum(each["missed_ticks"] for each in statistics),
        "cores": dict(window.cores),
        "stolen_s": window.stolen_s,
        "received": judge(capture, window),
    }


def spoken_s(finished: Iterable[dict[str, Any]], window: Window) -> float:
    """Seconds of speech that utterances, each with its end and how long it was, put into a window."""
    spoken_ns = 0
    for each in finished:
        end_ns = each["ended_ns"]
        begin_ns = end_ns - 1_000_000 * each["duration_ms"]
        spoken_ns += max(0, min(end_ns, window.end_ns) - max(begin_ns, window.begin_ns))
    return spoken_ns / 1e9


def run(streams: int, cached: int, seconds: float, voice: str, **settings: object) -> dict[str, Any]:
    """``streams`` legs of fresh speech beside ``cached`` legs that play what is in the cache, for ``seconds``.

    ``settings`` are the gateway's, as RunningGateway takes them.
    """
    os.sched_setaffinity(0, {SENDER_CPU})
    return asyncio.run(_measure(streams, cached, seconds, voice, **settings))
