"""Chaos: what breaks while legs speak, which calls notice, for how long, and whether anything is left behind.

All of it happens in network and mount namespaces of its own: the bench starts itself again in them. One gateway
with two media and two synthesis workers, its log on a small file system, its wall clock libfaketime's, a Redis.
Each blow falls while all legs speak; what they hear is judged by the receiver's kernel timestamps. Where a blow
ended calls, others are opened in their place before the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from bench.blows import BLOWS, Blow, Redis, Stage, sh
from bench.soak import weigh
from bench.traffic import VOICE, Callers, texts
from bench.under_test import workers
from gateway.listen.analysis import by_ssrc
from gateway.listen.process import ReceiverProcess
from gateway.listen.store import Records
from gateway.running import RunningGateway

_INSIDE: Final = "VOXBENCH_INSIDE"
_GAP_MS: Final = 60.0
"""A leg notices when no packet comes for so long, two missing, or when one is missing for good."""
_UTTERANCES: Final = 15
"""That a leg has to say, 20 s each: more than a run takes."""
_ROUNDS: Final = 20
_AT_ONCE: Final = 16
_SETTLE_SECONDS: Final = 2.0
_COUNTED: Final = (
    "voxtrunk_missed_ticks",
    "voxtrunk_underruns",
    "voxtrunk_send_errors",
    "voxtrunk_worker_restarts",
)


def in_namespaces(arguments: Sequence[str]) -> None:
    """Start the bench again where it may break things, unless it runs there. Raises RuntimeError if it cannot."""
    if _INSIDE not in os.environ:
        unshare = shutil.which("unshare")
        if unshare is None or os.geteuid():
            raise RuntimeError("this bench needs root and unshare (util-linux) for namespaces of its own")
        command = [unshare, "--net", "--mount", sys.executable, "-m", "bench", *arguments]
        os.execve(unshare, command, os.environ | {_INSIDE: "1"})
    sh("ip", "link", "set", "lo", "up")


@dataclass
class Leg:
    """A call and how far its events are read."""

    call: dict[str, Any]
    seq: int = 0


@dataclass
class Fall:
    """A blow and what the gateway told of it."""

    blow: str
    struck_ns: int
    until_ns: int
    legs: dict[int, str]
    """The calls by SSRC, before it."""
    ended: dict[str, str]
    """Calls that ended, and why."""
    dry: set[str]
    """Calls whose speech broke off."""
    counted: dict[str, float]
    whole_again_s: float | None
    """Until all workers were up."""


class Chaos:
    """One run: legs that speak, blows, and what came of each."""

    def __init__(self, stage: Stage, callers: Callers) -> None:
        self._stage = stage
        self._callers = callers
        self._legs: list[Leg] = []
        self.opened = 0

    async def fill(self) -> None:
        """Open calls up to the number, all speaking."""
        fresh = range(self.opened, self.opened + self._stage.legs - len(self._legs))
        self.opened = fresh.stop
        gate = asyncio.Semaphore(_AT_ONCE)
        self._legs += await asyncio.gather(*(self._open(number, gate) for number in fresh))
        await asyncio.sleep(_SETTLE_SECONDS)
        await self._told()

    async def _open(self, number: int, gate: asyncio.Semaphore) -> Leg:
        """A call that says one text after the other, of twenty rounds of them: some are always being made."""
        async with gate:
            call = await self._callers.open()
            for text in texts(_UTTERANCES):
                await self._callers.say(call["id"], f"Round {number % _ROUNDS}. {text}")
            return Leg(call)

    async def blow(self, blow: Blow) -> Fall:
        """Let it fall, and hear what the gateway says of it."""
        legs = {leg.call["rtp"]["ssrc"]: leg.call["id"] for leg in self._legs}
        before = await self._counted()
        struck_ns = time.monotonic_ns()
        await asyncio.to_thread(blow.strike, self._stage)
        whole = await self._whole_again(struck_ns, blow.seconds)
        await asyncio.to_thread(blow.relieve, self._stage)
        await asyncio.sleep(_SETTLE_SECONDS)
        until_ns = time.monotonic_ns()
        after = await self._counted()
        ended, dry = await self._told()
        counted = dict.fromkeys(_COUNTED, 0.0)
        for (name, labels), value in after.items():
            was = before.get((name, labels), 0.0)
            counted[name] += value - was if value >= was else value  # a new process counts from 0
        return Fall(blow.name, struck_ns, until_ns, legs, ended, dry, counted, whole)

    async def _whole_again(self, struck_ns: int, seconds: float) -> float | None:
        """Wait ``seconds``; returns when all workers were up again, None if they were all the time, or never."""
        end, missed, whole = struck_ns + int(seconds * 1e9), False, None
        while (now := time.monotonic_ns()) < end:
            with contextlib.suppress(RuntimeError, OSError):
                up = await self._up()
                missed |= not up
                if missed and up and whole is None:
                    whole = round((now - struck_ns) / 1e9, 1)
            await asyncio.sleep(0.1)
        return whole

    async def _up(self) -> bool:
        families = await self._metrics()
        (up,) = (family for family in families if family.name == "voxtrunk_worker_up")
        return all(sample.value for sample in up.samples)

    async def _metrics(self) -> list[Any]:
        return list(text_string_to_metric_families(await self._callers.text("/metrics")))

    async def _counted(self) -> dict[tuple[str, str], float]:
        return {
            (family.name, str(sample.labels)): sample.value
            for family in await self._metrics()
            if family.name in _COUNTED
            for sample in family.samples
        }

    async def _told(self) -> tuple[dict[str, str], set[str]]:
        """What happened on the calls since it was asked last; those that ended are forgotten."""
        ended: dict[str, str] = {}
        dry: set[str] = set()
        for leg in tuple(self._legs):
            call_id = leg.call["id"]
            events = await self._callers.ask("GET", f"/v1/calls/{call_id}/events?after={leg.seq}")
            leg.seq = events["next"]
            for event in events["events"]:
                if event["type"] == "utterance.underrun":
                    dry.add(call_id)
                if event["type"] == "call.closed":
                    ended[call_id] = event["data"]["cause"]
                    self._legs.remove(leg)
        return ended, dry


def judge(fall: Fall, packets: Records) -> dict[str, Any]:
    """A row of the table: what the ears of all calls say of one blow."""
    inside = packets[(packets["t_ns"] > fall.struck_ns - 100_000_000) & (packets["t_ns"] < fall.until_ns)]
    noticed, silent_ms, last_ms, heard = 0, 0.0, 0.0, 0
    for stream in by_ssrc(inside):
        call_id = fall.legs.get(int(stream["ssrc"][0]))
        if call_id is None:
            continue
        heard += 1
        order = stream[np.argsort(stream["t_ns"], kind="stable")]
        if call_id in fall.ended:
            last_ms = max(last_ms, (int(order["t_ns"][-1]) - fall.struck_ns) / 1e6)
            continue
        gap_ms = float(np.diff(order["t_ns"]).max(initial=0)) / 1e6
        steps = np.diff(order["timestamp"])  # u4, and so right over a wrap
        if gap_ms > _GAP_MS or bool((steps > 160).any()):
            noticed += 1
            silent_ms = max(silent_ms, gap_ms)
    return {
        "blow": fall.blow,
        "calls": len(fall.legs),
        "heard": heard,
        "ended": len(fall.ended),
        "ended_as": ", ".join(sorted(set(fall.ended.values()))),
        "last_packet_ms": round(last_ms, 1) if fall.ended else None,
        "others": len(fall.legs) - len(fall.ended),
        "others_noticed": noticed,
        "longest_silence_ms": round(silent_ms, 1) if noticed else None,
        "speech_broke_off": len(fall.dry),
        "missed_ticks": int(fall.counted["voxtrunk_missed_ticks"]),
        "underruns": int(fall.counted["voxtrunk_underruns"]),
        "send_errors": int(fall.counted["voxtrunk_send_errors"]),
        "workers_replaced": int(fall.counted["voxtrunk_worker_restarts"]),
        "whole_again_s": fall.whole_again_s,
    }


@contextlib.contextmanager
def _stage(legs: int, folder: Path) -> Iterator[tuple[Stage, ReceiverProcess]]:
    disk, clock = folder / "disk", folder / "clock"
    disk.mkdir()
    clock.write_text("+0\n")
    sh("mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk))
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    if library is None:
        raise RuntimeError("this bench needs libfaketime: apt-get install libfaketime")
    faked = {
        "LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # else it takes part in every wait for the interpreter, which then costs more than what is waited for
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }  # fmt: skip
    try:
        with (
            Redis(folder) as redis,
            (disk / "log").open("wb") as log,
            ReceiverProcess("127.0.0.1", [0] * 4, realtime=True) as receiver,
            _gateway(faked, log, redis.url) as gateway,
        ):
            yield Stage(gateway, redis, disk, clock, legs, receiver.local_ports), receiver
    except RuntimeError as error:
        said = " / ".join((disk / "log").read_text(errors="replace").splitlines()[-2:])
        raise RuntimeError(f"{error}: {said[-400:]}") from error
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=False)


def _gateway(environment: dict[str, str], log: IO[bytes], redis_url: str) -> RunningGateway:
    gateway = RunningGateway(
        media_workers=2, synthesis_workers=2, redis_url=redis_url, log_level="INFO", default_voice=VOICE,
        warm_voices="", rtp_ports="20000-29999",
    )  # fmt: skip
    gateway.environment |= environment
    gateway.log = log
    return gateway


async def _chaos(
    legs: int, blows: Sequence[Blow], stage: Stage, receiver: ReceiverProcess
) -> list[dict[str, Any]]:
    callers = Callers(stage.gateway.url, receiver.local_ports)
    chaos = Chaos(stage, callers)
    falls = []
    try:
        await chaos.fill()
        first = _left(stage)
        for blow in blows:
            drops = receiver.drops()
            fall = await chaos.blow(blow)
            falls.append((fall, receiver.drops() - drops))
            await chaos.fill()
        last = _left(stage)
        for call in (await callers.ask("GET", "/v1/calls?state=open&limit=1000"))["calls"]:
            await callers.ask("DELETE", f"/v1/calls/{call['id']}")
        await asyncio.sleep(1)
        empty = _left(stage)
    finally:
        await callers.close()
    capture = await asyncio.to_thread(receiver.stop)
    rows = [judge(fall, capture.packets) | {"receiver_drops": drops} for fall, drops in falls]
    rows.append({"blow": "control killed", "calls": 0} | _kill_control(stage))
    rows.append({
        "blow": "left behind", "calls": chaos.opened, "first": first, "last": last, "closed": empty,
        "refused": callers.times.refused,
    })  # fmt: skip
    return rows


def _left(stage: Stage) -> dict[str, float]:
    pids = {str(pid): pid for kind in ("media", "speech") for pid in workers(stage.gateway, kind)}
    return weigh(pids | {"control": stage.gateway.process.pid}) | {"processes": 1 + len(pids)}


def _kill_control(stage: Stage) -> dict[str, Any]:
    """The last: its workers go with it, at once."""
    pids = [pid for kind in ("media", "speech") for pid in workers(stage.gateway, kind)]
    struck = time.monotonic()
    stage.gateway.process.kill()
    stage.gateway.process.wait()
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() - struck < 10:
        time.sleep(0.01)
    left = sum(Path(f"/proc/{pid}").exists() for pid in pids)
    return {"workers_gone_ms": round(1000 * (time.monotonic() - struck)), "workers_left": left}


def run(legs: int, only: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The blows named in ``only``, or all, on ``legs`` speaking legs. Raises RuntimeError where it cannot."""
    blows = [blow for blow in BLOWS if not only or any(word in blow.name for word in only)]
    with tempfile.TemporaryDirectory() as folder, _stage(legs, Path(folder)) as (stage, receiver):
        return asyncio.run(_chaos(legs, blows, stage, receiver))
