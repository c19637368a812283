"""Pace: speaking legs on one core, judged at the receiving socket by kernel timestamps.

The media worker has core 1 to itself; the control process, the synthesis worker, the receiver and the clients
share core 0. While the legs speak, other calls are created, spoken on, stopped and deleted through the API.
Beside it in the same table, on the same core, against the same receiver: the same schedule in C with nothing else
to do (``paced.c``), which is what the machine allows, and the plain way (``bench.plain``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bench.machine import stolen_seconds
from bench.noise import sip_noise
from bench.traffic import PARAGRAPH_SECONDS, Callers, texts
from gateway.listen.analysis import analyse, by_ssrc, distribution, gap_errors_ms
from gateway.listen.process import ReceiverProcess
from gateway.listen.receiver import Capture
from gateway.running import RunningGateway

MEDIA_CPU: Final = 1
OTHER_CPU: Final = 0
_SETTLE_SECONDS: Final = 3.0
_TEXTS: Final = 20
_OPENINGS_A_SECOND: Final = 60
"""No slower than this even on a busy machine: speech must last until the last leg is open, and then on."""
_STEP: Final = 160
"""RTP timestamp units in a 20 ms packet."""


def judge(capture: Capture, packets: npt.NDArray[np.void]) -> dict[str, Any]:
    """What the receiver says of ``packets``: loss, gap error, clock error, over all streams."""
    reports = analyse(packets)
    gaps = distribution(gap_errors_ms(packets))
    clock = [abs(report.rate_error_ppm) for report in reports if report.rate_error_ppm is not None]
    unsent = 0
    for stream in by_ssrc(packets):
        span = int(stream["timestamp"][-1]) - int(stream["timestamp"][0]) & 0xFFFFFFFF
        unsent += span // _STEP + 1 - len(stream)
    span_s = float(packets["t_ns"].max() - packets["t_ns"].min()) / 1e9
    return {
        "streams": len(reports),
        "seconds": round(span_s, 1),
        "packets": len(packets),
        "packets_a_second": round(len(packets) / span_s),
        "lost": sum(report.lost for report in reports),
        "missed": unsent,
        "duplicates": sum(report.duplicates for report in reports),
        "reordered": sum(report.reordered for report in reports),
        "gap_error_ms": {
            "p50": round(gaps.p50_ms, 3),
            "p99": round(gaps.p99_ms, 3),
            "p99.9": round(gaps.p999_ms, 3),
            "max": round(gaps.max_ms, 3),
        },
        "clock_error_ppm_worst": round(max(clock), 1) if clock else None,
        "receiver_drops": capture.kernel_drops,
        "receiver_cpu_s": round(capture.cpu_s, 1),
    }


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def processes(gateway: RunningGateway) -> dict[str, int]:
    """The gateway's process ids by kind: control, media, speech."""
    control = gateway.process.pid
    found = {"control": control}
    for child in Path(f"/proc/{control}/task/{control}/children").read_text().split():
        for part in Path(f"/proc/{child}/cmdline").read_text().split("\0"):
            if part.startswith("gateway."):
                found[part.split(".")[1]] = int(child)
    return found


async def _run(legs: int, seconds: float, requests: float, ports: str, *, noise: bool) -> dict[str, Any]:
    pinned: dict[str, Any] = {"media_cpus": MEDIA_CPU, "other_cpus": OTHER_CPU, "rtp_ports": ports}
    if noise:
        pinned |= {"sip_listen": "127.0.0.1:0", "sip_incoming": "reject"}
    with (
        RunningGateway(cpus=(OTHER_CPU,), **pinned) as gateway,
        ReceiverProcess("0.0.0.0", [0], cpu=OTHER_CPU) as receiver,
    ):
        callers = Callers(gateway.url, receiver.local_ports, apart=True)
        paragraphs = int(seconds + legs / _OPENINGS_A_SECOND) // PARAGRAPH_SECONDS + 2
        began = time.monotonic()
        calls = await callers.open_speaking(legs, texts(_TEXTS, paragraphs), 1)
        opening_s = time.monotonic() - began
        await asyncio.sleep(_SETTLE_SECONDS)
        callers.times.answered_ms.clear()

        pids = processes(gateway)
        before = {kind: cpu_seconds(pid) for kind, pid in pids.items()}
        stolen_s = stolen_seconds()
        begin_ns = time.monotonic_ns()
        until = time.monotonic() + seconds
        noisy = asyncio.create_task(sip_noise(gateway.sip_place, until)) if noise else None
        made = await callers.churn(requests, until) if requests else 0
        await asyncio.sleep(max(0.0, seconds - (time.monotonic_ns() - begin_ns) / 1e9))
        end_ns = time.monotonic_ns()
        took_s = (end_ns - begin_ns) / 1e9
        cores = {kind: round((cpu_seconds(pid) - before[kind]) / took_s, 3) for kind, pid in pids.items()}
        stolen_s = stolen_seconds() - stolen_s
        noise_datagrams = await noisy if noisy is not None else 0
        capture = await asyncio.to_thread(receiver.stop)
        speaking = await _still_speaking(callers, calls)
        await callers.close()
    ssrcs = np.array([call["rtp"]["ssrc"] for call in calls], np.uint32)
    packets = capture.packets
    packets = packets[(packets["t_ns"] > begin_ns) & (packets["t_ns"] < end_ns)]
    packets = packets[np.isin(packets["ssrc"], ssrcs)]
    answered = np.array(callers.times.answered_ms or [0.0])
    return (
        {"way": "voxtrunk", "legs": legs, "rtp_ports": ports}
        | judge(capture, packets)
        | {
            "speaking_at_the_end": speaking,
            "opening_s": round(opening_s, 1),
            "cores": cores,
            "stolen_s": round(stolen_s, 2),
            "api_requests_a_second": round(len(callers.times.answered_ms) / took_s, 1),
            "api_calls_made": made,
            "api_ms": {
                "p50": round(float(np.median(answered)), 1),
                "p95": round(float(np.quantile(answered, 0.95)), 1),
            },
            "sip_noise_datagrams": noise_datagrams,
            "api_errors": callers.times.errors,
        }
    )


async def _still_speaking(callers: Callers, calls: list[dict[str, Any]]) -> int:
    """How many of a sample of 100 calls were speaking all along, without an underrun."""
    speaking = 0
    for call in calls[:: max(1, len(calls) // 100)][:100]:
        listed = await callers.ask("GET", f"/v1/calls/{call['id']}/utterances")
        now = [u for u in listed["utterances"] if u["state"] == "speaking"]
        speaking += bool(now) and not any(u["underruns"] for u in listed["utterances"])
    return speaking


def run_voxtrunk(
    legs: int, seconds: float, requests: float, ports: str, *, noise: bool = False
) -> dict[str, Any]:
    """The gateway under test, ``requests`` API requests a second beside ``legs`` speaking legs.

    ``ports``: the gateway's RTP port range. A leg has a port of its own while there are any; beyond that legs
    to different peers share, which is cheaper to send. ``noise``: broken messages at its SIP port meanwhile.
    """
    os.sched_setaffinity(0, {OTHER_CPU})
    return asyncio.run(_run(legs, seconds, requests, ports, noise=noise))


def run_limit(legs: int, seconds: float) -> dict[str, Any]:
    """The same schedule in C (``paced.c``), alone on the machine with the receiver: what the machine allows.

    In real time where that is permitted, as the media worker is.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        ReceiverProcess("0.0.0.0", [0], cpu=OTHER_CPU) as receiver,
    ):
        program = f"{folder}/paced"
        source = Path(__file__).parent / "paced.c"
        subprocess.run(["gcc", "-O2", "-o", program, str(source)], check=True)
        arguments = ["127.1.0.1", str(receiver.local_ports[0]), str(legs), str(int(seconds))]
        process = subprocess.Popen([program, *arguments])
        os.sched_setaffinity(process.pid, {MEDIA_CPU})
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(process.pid, os.SCHED_FIFO, os.sched_param(10))
        stolen_s = stolen_seconds()
        time.sleep(0.8 * seconds)
        used = cpu_seconds(process.pid) / (0.8 * seconds)
        process.wait()
        stolen_s = stolen_seconds() - stolen_s
        capture = receiver.stop()
    found = judge(capture, capture.packets) | {"stolen_s": round(stolen_s, 2)}
    return {"way": "the limit: C, sendmmsg", "legs": legs} | found | {"cores": {"media": round(used, 3)}}


def run_plain(legs: int, seconds: float) -> dict[str, Any]:
    """The plain way on the same core, judged by the same receiver."""
    with ReceiverProcess("127.0.0.1", [0], cpu=OTHER_CPU) as receiver:
        command = [sys.executable, "-m", "bench.plain", "127.0.0.1", str(receiver.local_ports[0])]
        process = subprocess.Popen([*command, str(legs), str(seconds)])
        os.sched_setaffinity(process.pid, {MEDIA_CPU})
        time.sleep(0.8 * seconds)
        used = cpu_seconds(process.pid) / (0.8 * seconds)
        process.wait()
        capture = receiver.stop()
    found = judge(capture, capture.packets)
    return (
        {"way": "a task a leg, asyncio.sleep(0.02)", "legs": legs}
        | found
        | {"cores": {"media": round(used, 3)}}
    )
