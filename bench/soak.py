"""What a leg weighs, and whether anything is left behind by calls that have come and gone."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from prometheus_client.parser import text_string_to_metric_families
from rich.progress import track

from bench.traffic import VOICE, Callers, texts
from bench.under_test import processes
from bench.usage import memory_mb
from gateway.listen.process import ReceiverProcess
from gateway.running import RunningGateway

_SAMPLE_SECONDS: Final = 2.0


def weigh(pids: dict[str, int]) -> dict[str, float]:
    """Memory (proportional set size, MB, shared pages divided among the processes), descriptors, threads.

    ``own_mb``: of the memory what is in no file, so that nobody else's coming and going shows in it.
    """
    descriptors = sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids.values())
    threads = sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in pids.values())
    return {
        "memory_mb": round(memory_mb(pids.values()), 2),
        "own_mb": round(memory_mb(pids.values(), "Pss_Anon", "Pss_Shmem"), 2),
        "descriptors": descriptors,
        "threads": threads,
    }


def shared_memory_kb() -> int:
    """Shared memory of the whole machine, anonymous files included."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Shmem:"))


async def _weigh_legs(legs: int) -> dict[str, Any]:
    with RunningGateway() as gateway, ReceiverProcess("127.0.0.1", [0] * 4) as receiver:
        callers = Callers(gateway.url, receiver.local_ports)
        pids = processes(gateway)
        await callers.open_speaking(1, texts(20), 1)
        await asyncio.sleep(1)
        empty = weigh(pids)
        calls = await asyncio.gather(*(callers.open() for _ in range(legs)))
        await asyncio.sleep(1)
        idle = weigh(pids)
        for number, call in enumerate(calls):
            await callers.say(call["id"], texts(20)[number % 20])
        await asyncio.sleep(8)
        speaking = weigh(pids)
        await callers.close()
    return {
        "voice": VOICE,
        "legs": legs,
        "gateway_mb": empty["memory_mb"],
        "kb_an_idle_leg": round(1024 * (idle["memory_mb"] - empty["memory_mb"]) / legs, 1),
        "kb_a_speaking_leg": round(1024 * (speaking["memory_mb"] - empty["memory_mb"]) / legs, 1),
        "descriptors_a_leg": round((idle["descriptors"] - empty["descriptors"]) / legs, 2),
    }


def memory(legs: int) -> dict[str, Any]:
    """Memory of an idle and of a speaking leg, over all processes; the speech cache is in the second."""
    return asyncio.run(_weigh_legs(legs))


async def _tasks(callers: Callers) -> int:
    """Tasks of control's event loop while none but this request is asked."""
    families = text_string_to_metric_families(await callers.text("/metrics"))
    return next(int(each.samples[0].value) for each in families if each.name == "voxtrunk_tasks")


async def _soak(seconds: float, requests: float) -> dict[str, Any]:
    before_kb = shared_memory_kb()
    with (
        RunningGateway(
            cache_octets=4_000_000, closed_call_seconds=5, idempotency_seconds=5, events_retained=1000
        ) as gateway,
        ReceiverProcess("127.0.0.1", [0] * 4) as receiver,
    ):
        callers = Callers(gateway.url, receiver.local_ports)
        pids = processes(gateway)
        warm = seconds / 4
        await callers.churn(requests, time.monotonic() + warm)
        tasks = await _tasks(callers)
        load = asyncio.create_task(callers.churn(requests, time.monotonic() + seconds - warm))
        samples = []
        for _ in track(range(int((seconds - warm) / _SAMPLE_SECONDS)), description="soak", transient=True):
            await asyncio.sleep(_SAMPLE_SECONDS)
            samples.append(weigh(pids))
        made = await load
        await asyncio.sleep(8)  # the last calls are forgotten
        after = weigh(pids)
        tasks_after = await _tasks(callers)
        open_calls = len((await callers.ask("GET", "/v1/calls?state=open"))["calls"])
        await callers.close()
    own_mb = np.array([sample["own_mb"] for sample in samples])
    growth = np.polyfit(np.arange(len(own_mb)) * _SAMPLE_SECONDS / 3600, own_mb, 1)[0]
    return {
        "voice": VOICE,
        "seconds": seconds,
        "calls": made,
        "errors": callers.times.errors,
        "refused": callers.times.refused,
        "memory_mb": {"first": samples[0]["own_mb"], "last": samples[-1]["own_mb"]},
        "growth_mb_an_hour": round(float(growth), 1),
        "kb_a_call": round(float(growth) * 1024 * (seconds - warm) / 3600 / max(1, made), 2),
        "descriptors": {"first": samples[0]["descriptors"], "after": after["descriptors"]},
        "threads": {"first": samples[0]["threads"], "after": after["threads"]},
        "tasks": {"first": tasks, "after": tasks_after},
        "open_calls_after": open_calls,
        "shared_memory_left_kb": shared_memory_kb() - before_kb,
        "sample_seconds": _SAMPLE_SECONDS,
        "memory_curve_mb": own_mb.tolist(),
        "descriptor_curve": [sample["descriptors"] for sample in samples],
    }


def soak(seconds: float, requests: float) -> dict[str, Any]:
    """Calls opened, spoken on, stopped and closed for ``seconds``; what grows, and what is left."""
    return asyncio.run(_soak(seconds, requests))
