"""SIP: calls set up by the hundred a second while other legs speak, and noise at the SIP port meanwhile.

SIPp makes the calls (apt-get install sip-tester): each hears a word and is hung up by the gateway. What is judged
is the pace of the legs that speak all along, by the receiver's kernel timestamps, and what became of the calls.
The gateway's media worker is pinned to one core and all else of it to the other. SIPp and the receiver, which are
no part of it, use what the media worker leaves of its core: it runs in real time and does not wait for them.
"""

from __future__ import annotations

import asyncio
import csv
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.judge import judge
from bench.noise import sip_noise
from bench.peers.peer import OTHER_CPU, SENDER_CPU, free_port
from bench.traffic import PARAGRAPH_SECONDS, VOICE, Callers, texts
from bench.under_test import processes
from bench.window import Watch
from gateway.listen.analysis import by_ssrc
from gateway.listen.process import ReceiverProcess
from gateway.running import RunningGateway

_WORD: Final = "Hello."
_SETTLE_SECONDS: Final = 3.0
_SCENARIO: Final = Path(__file__).parent / "uac_until_bye.xml"


async def _sipp(folder: Path, place: str, rtp_port: int, rate: float, count: int) -> dict[str, Any]:
    """Run SIPp to the end of its calls; what it says of them."""
    program = shutil.which("sipp")
    if program is None:
        raise RuntimeError("this bench needs SIPp: apt-get install sip-tester")
    statistics = folder / "statistics.csv"
    process = await asyncio.create_subprocess_exec(
        program, place, "-sf", str(_SCENARIO), "-i", "127.0.0.1", "-p", str(free_port()), "-r", str(rate),
        "-m", str(count), "-l", str(count), "-key", "rtp_port", str(rtp_port), "-nostdin", "-trace_stat",
        "-stf", str(statistics), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    os.sched_setaffinity(process.pid, {SENDER_CPU})
    await process.wait()
    with statistics.open() as file:
        last = list(csv.DictReader(file, delimiter=";"))[-1]
    return {
        "calls": int(last["TotalCallCreated"]),
        "calls_well": int(last["SuccessfulCall(C)"]),
        "calls_failed": int(last["FailedCall(C)"]),
        "retransmissions": int(last["Retransmissions(C)"]),
    }


async def _run(legs: int, rate: float, seconds: float, *, noise: bool) -> dict[str, Any]:
    settings = {
        "media_cpus": SENDER_CPU, "other_cpus": OTHER_CPU, "rtp_ports": "20000-29999",
        "sip_listen": "127.0.0.1:0", "sip_greeting": _WORD, "sip_hang_up": True, "default_voice": VOICE,
    }  # fmt: skip
    with (
        tempfile.TemporaryDirectory() as folder,
        RunningGateway(cpus=(OTHER_CPU,), **settings) as gateway,
        ReceiverProcess("0.0.0.0", [0], cpu=SENDER_CPU) as receiver,
    ):
        callers = Callers(gateway.url, receiver.local_ports, apart=True)
        paragraphs = int(seconds + legs / 60) // PARAGRAPH_SECONDS + 3
        speaking = await callers.open_speaking(legs, texts(20, paragraphs), 1)
        await asyncio.sleep(_SETTLE_SECONDS)
        watch = Watch(receiver, processes(gateway))
        place = gateway.sip.removeprefix("sip:")
        noisy = asyncio.create_task(
            sip_noise(gateway.sip_place, time.monotonic() + seconds if noise else 0.0)
        )
        went = await _sipp(Path(folder), place, receiver.local_ports[0], rate, int(rate * seconds))
        window = watch.end()
        sent = await noisy
        await asyncio.sleep(1)
        capture = await asyncio.to_thread(receiver.stop)
        await callers.close()
    ssrcs = [call["rtp"]["ssrc"] for call in speaking]
    packets = window.inside(capture.packets)
    heard = [len(stream) for stream in by_ssrc(packets[~np.isin(packets["ssrc"], ssrcs)])]
    return (
        {
            "voice": VOICE,
            "legs": legs,
            "sip_calls_a_second": rate,
            "noise_datagrams": sent,
            "took_s": round(window.seconds, 1),
        }
        | went
        | {
            "calls_that_heard_speech": len(heard),
            "packets_a_call": [min(heard, default=0), max(heard, default=0)],
            "speaking": judge(capture, window, ssrcs),
            "cores": dict(window.cores),
            "stolen_s": window.stolen_s,
        }
    )


def run(legs: int, rate: float, seconds: float, *, noise: bool) -> dict[str, Any]:
    """``rate`` SIP calls a second beside ``legs`` speaking legs; ``noise``: broken messages as well."""
    os.sched_setaffinity(0, {OTHER_CPU})
    return asyncio.run(_run(legs, rate, seconds, noise=noise))
