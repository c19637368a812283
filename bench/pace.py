"""Pace: speaking legs on one core, judged at the receiving socket by kernel timestamps.

The media worker has core 1 to itself; the control process, the synthesis worker, the receiver and the clients
share core 0. While the legs speak, other calls are created, spoken on, stopped and deleted through the API.
Beside it in the same table, on the same core, against the same receiver: the same schedule in C with nothing else
to do (``paced.c``), which is what the machine allows, and the plain way (``bench.peers.plain``).
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from bench.judge import judge
from bench.noise import sip_noise
from bench.peers.ladder import rung, write_speech
from bench.peers.peer import OTHER_CPU, SENDER_CPU, Peer
from bench.quantiles import quantiles
from bench.traffic import PARAGRAPH_SECONDS, VOICE, Callers, texts
from bench.under_test import processes
from bench.window import Watch
from gateway.listen.process import ReceiverProcess
from gateway.running import RunningGateway

_SETTLE_SECONDS: Final = 3.0
_TEXTS: Final = 20
_OPENINGS_A_SECOND: Final = 60
"""No slower than this even on a busy machine: speech must last until the last leg is open, and then on."""


async def _run(legs: int, seconds: float, requests: float, ports: str, *, noise: bool) -> dict[str, Any]:
    pinned: dict[str, Any] = {"media_cpus": SENDER_CPU, "other_cpus": OTHER_CPU, "rtp_ports": ports}
    if noise:
        pinned |= {"sip_listen": "127.0.0.1:0", "sip_incoming": "reject"}
    with (
        RunningGateway(cpus=(OTHER_CPU,), **pinned) as gateway,
        ReceiverProcess("0.0.0.0", [0], cpu=OTHER_CPU, realtime=True) as receiver,
    ):
        callers = Callers(gateway.url, receiver.local_ports, apart=True)
        paragraphs = int(seconds + legs / _OPENINGS_A_SECOND) // PARAGRAPH_SECONDS + 2
        began = time.monotonic()
        calls = await callers.open_speaking(legs, texts(_TEXTS, paragraphs), 1)
        opening_s = time.monotonic() - began
        await asyncio.sleep(_SETTLE_SECONDS)
        callers.times.answered_ms.clear()

        watch = Watch(receiver, processes(gateway))
        until = watch.begin_ns / 1e9 + seconds
        noisy = asyncio.create_task(sip_noise(gateway.sip_place, until)) if noise else None
        made = await callers.churn(requests, until) if requests else 0
        await asyncio.sleep(max(0.0, until - time.monotonic()))
        window = watch.end()
        noise_datagrams = await noisy if noisy is not None else 0
        capture = await asyncio.to_thread(receiver.stop)
        speaking = await _still_speaking(callers, calls)
        await callers.close()
    return (
        {"way": "voxtrunk", "voice": VOICE, "legs": legs, "rtp_ports": ports}
        | judge(capture, window, [call["rtp"]["ssrc"] for call in calls])
        | {
            "speaking_at_the_end": speaking,
            "opening_s": round(opening_s, 1),
            "cores": dict(window.cores),
            "stolen_s": window.stolen_s,
            "api_requests_a_second": round(len(callers.times.answered_ms) / window.seconds, 1),
            "api_calls_made": made,
            "api_ms": quantiles(callers.times.answered_ms, "p50", "p95"),
            "sip_noise_datagrams": noise_datagrams,
            "api_errors": callers.times.errors,
            "api_refused": callers.times.refused,
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


def run_beside(peer: Peer, legs: int, seconds: float) -> dict[str, Any]:
    """Another way to send, on the same core, judged by the same receiver."""
    os.sched_setaffinity(0, {OTHER_CPU})
    with tempfile.TemporaryDirectory() as folder:
        return rung(peer, legs, seconds, write_speech(Path(folder)))
