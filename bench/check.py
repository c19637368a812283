"""A short profile for CI: is what is heard what was said, and does the send path still come near the limit?

It fails on any hole, missing or wrong frame, another leg's words, an underrun or a missed tick, on a ratio to the
C loop, and on memory; never on a time. A tick that the hypervisor took, as far as it tells, is no missed one.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any, Final

import numpy as np

from bench import ceiling
from bench.load import Script
from bench.machine import stolen_seconds
from bench.speaking import fresh_text
from bench.traffic import VOICE, Callers
from bench.under_test import processes
from bench.usage import memory_mb
from gateway.listen.analysis import by_ssrc
from gateway.listen.content import audible, compare, cut
from gateway.listen.process import ReceiverProcess
from gateway.running import RunningGateway

LEAST_RATIO: Final = 0.6
"""Of the C loop's packets a second: 0.93 at rest. What halves it is found, what a neighbour takes is not."""
MOST_MB: Final = 260.0
"""Of the whole gateway, both shipped voices warm: 190 at rest. A library too many in two processes is found."""
_TICK_S: Final = 0.02
_POLL_S: Final = 0.5
_LONGEST_S: Final = 40.0


async def _speak(texts: list[str]) -> dict[str, Any]:
    """Every text on a leg of its own; what the gateway says of it and what the receiver heard."""
    with (
        RunningGateway(default_voice=VOICE, rtp_ports="23000-23999") as gateway,
        ReceiverProcess("127.0.0.1", [0], record=True, realtime=True) as receiver,
    ):
        callers = Callers(gateway.url, receiver.local_ports)
        stolen_s = stolen_seconds()
        calls = [await callers.open(silence="suppress") for _ in texts]
        for call, text in zip(calls, texts, strict=True):
            await callers.say(call["id"], text)  # a busy gateway may ask us to come again
        async with asyncio.timeout(_LONGEST_S):
            for call in calls:
                await _until_over(callers, call["id"])
        stolen_s = stolen_seconds() - stolen_s
        weight = memory_mb(processes(gateway).values())
        ended = [await callers.ask("DELETE", f"/v1/calls/{call['id']}") for call in calls]
        capture = await asyncio.to_thread(receiver.stop)
        await callers.close()
    script = Script(VOICE)
    said = {c["rtp"]["ssrc"]: cut(script.octets(text)) for c, text in zip(calls, texts, strict=True)}
    everybody = audible(np.concatenate(list(said.values())))
    heard = [
        compare(stream, capture.payloads, [said[int(stream["ssrc"][0])]], everybody)
        for stream in by_ssrc(capture.packets)
    ]
    figures = {
        name: sum(getattr(content, name) for content in heard)
        for name in ("right", "holes", "missing", "unsaid", "wrong_leg", "wrong")
    }
    statistics = [call["statistics"] for call in ended]
    return {
        "legs": len(texts),
        "heard": len(heard),
        **figures,
        "underruns": sum(each["underruns"] for each in statistics),
        "missed_ticks": sum(each["missed_ticks"] for each in statistics),
        "stolen_ticks": round(stolen_s / _TICK_S),
        "receiver_drops": capture.kernel_drops,
        "memory_mb": round(weight, 1),
    }


async def _until_over(callers: Callers, call_id: str) -> None:
    state = None
    while state not in ("finished", "failed", "stopped"):
        (utterance,) = (await callers.ask("GET", f"/v1/calls/{call_id}/utterances"))["utterances"]
        state = utterance["state"]
        await asyncio.sleep(0.0 if state == "finished" else _POLL_S)


def measure(legs: int, turns: int) -> dict[str, Any]:
    """The send path against the C loop, then ``legs`` legs with a text each; what broke is in ``broke``."""
    dice = random.Random(legs)
    texts = [f"Caller {number}. {fresh_text(dice)}" for number in range(legs)]
    row = {"ratio": ceiling.measure(400, turns, shared=True)["ratio"]} | asyncio.run(_speak(texts))
    return row | {"broke": broken(row)}


def broken(row: dict[str, Any]) -> list[str]:
    """What must not be, in words; nothing when all is well."""
    why = []
    if row["ratio"] < LEAST_RATIO:
        why.append(f"the send path makes {row['ratio']} of what the C loop makes; {LEAST_RATIO} is the least")
    if row["heard"] != row["legs"]:
        why.append(f"{row['heard']} of {row['legs']} legs heard")
    if row["memory_mb"] > MOST_MB:
        why.append(f"the gateway weighs {row['memory_mb']:.0f} MB; {MOST_MB:.0f} is the most")
    faults = [name for name in ("holes", "missing", "unsaid", "wrong_leg", "wrong") if row[name]]
    why += [f"{row[name]} frames {name.replace('_', ' ')}" for name in faults]
    late = row["missed_ticks"] + row["underruns"]
    if late > row["legs"] * row["stolen_ticks"]:
        why.append(f"{row['missed_ticks']} missed ticks and {row['underruns']} underruns")
    return why
