"""What real time is worth to the media worker: the same legs, with and without it, in turns.

One gateway, and legs that speak all along; only the media worker's priority changes under them: SCHED_FIFO as
VOXTRUNK_MEDIA_REALTIME has it, VOXTRUNK_MEDIA_NICE as where real time is not permitted, and neither. In each the
worker has its core to itself, and then shares it with a process that never sleeps: who shares a core with nobody
gains little. API requests go on meanwhile, as in ``bench.pace``. Needs the right to give priorities (root).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bench.judge import judge
from bench.peers.ladder import FILE_S, write_speech
from bench.peers.peer import OTHER_CPU, SENDER_CPU, Missing
from bench.tables import measured, source, table
from bench.traffic import Callers
from bench.under_test import default_settings, workers
from bench.window import Watch, Window
from gateway.listen.process import ReceiverProcess
from gateway.listen.receiver import Capture
from gateway.running import RunningGateway

_SETTLE_S: Final = 2.0
_OPENINGS_A_SECOND: Final = 60
_REQUESTS_A_SECOND: Final = 20
_PORTS: Final = "20000-20031"
_GAPS: Final = ("p50", "p99", "p99.9", "max")


def manners() -> dict[str, tuple[int, int]]:
    """Priorities by name: (SCHED_FIFO's, niceness), as the gateway's settings have them."""
    settings = default_settings()
    fifo, nice = settings.media_realtime or 10, settings.media_nice
    return {f"SCHED_FIFO {fifo}": (fifo, 0), f"nice {nice}": (0, nice), "none": (0, 0)}


def give(pid: int, fifo: int, nice: int) -> None:
    """All threads of a process this priority. Raises Missing where that is not permitted."""
    try:
        for thread in map(int, os.listdir(f"/proc/{pid}/task")):
            os.sched_setscheduler(thread, os.SCHED_FIFO if fifo else os.SCHED_OTHER, os.sched_param(fifo))
            os.setpriority(os.PRIO_PROCESS, thread, nice)
    except PermissionError as error:
        raise Missing(f"priorities cannot be given here ({error.strerror}): root, or CAP_SYS_NICE") from error


@contextlib.contextmanager
def neighbour(cpu: int) -> Iterator[None]:
    """A process that never sleeps, on ``cpu``."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            os.sched_setaffinity(busy.pid, {cpu})
            yield
        finally:
            busy.kill()


def run(legs: int, seconds: float, turns: int) -> list[dict[str, Any]]:
    """A row for each priority and each neighbourhood; ``seconds`` is how long each of the ``turns`` is judged."""
    os.sched_setaffinity(0, {OTHER_CPU})
    return asyncio.run(_run(legs, seconds, turns))


async def _run(legs: int, seconds: float, turns: int) -> list[dict[str, Any]]:
    ways = list(itertools.product(manners().items(), (False, True)))
    lasts = turns * len(ways) * (seconds + _SETTLE_S) + legs / _OPENINGS_A_SECOND
    windows: dict[tuple[str, bool], list[Window]] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        RunningGateway(
            cpus=(OTHER_CPU,),
            media_cpus=SENDER_CPU,
            other_cpus=OTHER_CPU,
            rtp_ports=_PORTS,
            prompts_folder=folder,
            max_calls=legs + 100,
            media_limit=1,
        ) as gateway,
        ReceiverProcess("0.0.0.0", [0], cpu=OTHER_CPU, realtime=True) as receiver,
    ):
        (media,) = workers(gateway, "media")
        callers = Callers(gateway.url, receiver.local_ports, apart=True)
        name = write_speech(Path(folder)).wav.stem
        calls = await callers.open_playing(legs, name, int(lasts / FILE_S) + 2)
        traffic = asyncio.create_task(callers.churn(_REQUESTS_A_SECOND, time.monotonic() + lasts))
        for (name, priority), busy in ways * turns:
            give(media, *priority)
            with neighbour(SENDER_CPU) if busy else contextlib.nullcontext():
                await asyncio.sleep(_SETTLE_S)
                watch = Watch(receiver, {"media": media})
                await asyncio.sleep(seconds)
                windows.setdefault((name, busy), []).append(watch.end())
        capture = await asyncio.to_thread(receiver.stop)
        traffic.cancel()
        await asyncio.gather(traffic, return_exceptions=True)
        await callers.close()
    ssrcs = [call["rtp"]["ssrc"] for call in calls]
    return [
        {"priority": name, "beside": "a process that never sleeps" if busy else "nothing", "legs": legs}
        | _judged(capture, ssrcs, among)
        for (name, busy), among in windows.items()
    ]


def _judged(capture: Capture, ssrcs: list[int], windows: list[Window]) -> dict[str, Any]:
    """The medians of what was heard in these windows, and what went missing."""
    found = [judge(capture, window, ssrcs) for window in windows]
    gaps = {name: round(statistics.median(each["gap_error_ms"][name] for each in found), 3) for name in _GAPS}
    return {
        "heard": min(each["streams"] for each in found),
        "gap_error_ms": gaps,
        "p99_ms_of_each_turn": [each["gap_error_ms"]["p99"] for each in found],
        "lost": sum(each["lost"] for each in found),
        "missed": sum(each["missed"] for each in found),
        "receiver_drops": sum(window.drops for window in windows),
        "media_cores": [window.cores["media"] for window in windows],
        "stolen_s": round(sum(window.stolen_s for window in windows), 2),
    }


def section(pictures: Path) -> str:
    """Of the report."""
    rows = measured("priority")
    if not rows:
        return ""
    head = (
        "legs", "priority of the media worker", "beside it on its core", "gap error p50 / p99 / p99.9 (ms)",
        "p99 of each turn", "missed frames", "stolen by the host (s)",
    )  # fmt: skip
    body = [
        (
            f"{r['legs']:,}", r["priority"], r["beside"],
            " / ".join(str(r["gap_error_ms"][q]) for q in ("p50", "p99", "p99.9")),
            ", ".join(map(str, r["p99_ms_of_each_turn"])), r["missed"], r["stolen_s"],
        )
        for r in rows
    ]  # fmt: skip
    told = (
        "The same speaking legs all along; only the media worker's priority changes under them, in turns.\n"
    )
    return "\n".join(["## What real time is worth\n", source("priority"), told, table(head, body)])
