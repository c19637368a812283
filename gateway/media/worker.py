"""The media worker process: sockets, pacing, RTCP, DTMF; nothing else, and never late.

    python -m gateway.media.worker --link FD --rings FD:LEGS --index N

One event loop (uvloop), woken by the tick timer, by the peers' datagrams (all on one inner epoll), and by
control's messages. Ticks come first: every other piece of work is small, and bounded in a turn. The garbage
collector is frozen; what is young is looked through once a second, right after a tick.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import heapq
import ipaddress
import logging
import os
import random
import resource
import signal
import socket
import time
from typing import Final

import uvloop

from gateway import logs
from gateway.link import Link
from gateway.media import rtcp
from gateway.media.counters import Counter, record_lateness
from gateway.media.engine import Engine
from gateway.media.inbound import Inbound
from gateway.media.ports import NoPorts
from gateway.media.schedule import Schedule, TickTimer
from gateway.messages.base import SetLogLevel
from gateway.messages.media import (
    ChangeLeg,
    CloseLeg,
    DropBed,
    FromMedia,
    LegOpened,
    LegTrouble,
    Listen,
    MediaReady,
    MixLeg,
    OpenLeg,
    RingCut,
    SendDigits,
    ToMedia,
)
from gateway.ring import RingBlock
from gateway.settling import settle
from gateway.told import Told, told

log = logging.getLogger("voxtrunk.media")

_MISSED_NS: Final = 20_000_000
_START_AFTER_NS: Final = 5_000_000
_REPORTS_A_TICK: Final = 8
_PUBLISH_NS: Final = 50_000_000


class MediaWorker:
    """Owns the loop's handlers; the arithmetic is in ``Engine``, ``Group`` and ``Leg``."""

    def __init__(self, link: Link[ToMedia], ring: RingBlock, settings: Told, ports: tuple[int, int]) -> None:
        start_ns = time.monotonic_ns() + _START_AFTER_NS
        self._link = link
        self._settings = settings
        self._allow = [ipaddress.ip_network(network) for network in settings.rtp_allow]
        self._engine = Engine(ring, settings, ports, start_ns, self._tell)
        self._counters = self._engine.counters
        self._inbound = Inbound(self._engine, self._tell, self._allowed)
        self._schedule = Schedule(start_ns)
        self._timer = TickTimer()
        self._timer.arm(start_ns)
        self._reports: list[tuple[int, int, int]] = []  # heap: due, tie-break, row
        self._next_second_ns = start_ns
        self._next_publish_ns = start_ns
        self._resting = False
        self._timeout_ns = int(settings.media_timeout_seconds * 1e9)

    async def run(self) -> None:
        """Until control goes away; then every leg says BYE."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._timer.fd, self._on_timer)
        loop.add_reader(self._inbound.fd, self._on_readable)
        settle()
        gc.disable()
        self._link.send(MediaReady(os.getpid()))
        try:
            async for message in self._link:
                self._handle(message)
                await asyncio.sleep(0)  # a burst of messages must let the timer have its turn
        finally:
            now_ns = time.monotonic_ns()
            for row in list(self._engine.legs):
                self._engine.close(row, now_ns)
            loop.remove_reader(self._timer.fd)
            loop.remove_reader(self._inbound.fd)
            self._timer.close()
            self._inbound.close()
            await self._link.close()

    def _tell(self, message: FromMedia) -> None:
        self._link.send(message)

    def _allowed(self, address: str) -> bool:
        ip = ipaddress.ip_address(address)
        return any(ip in network for network in self._allow)

    # -- control ------------------------------------------------------------------------------------------

    def _handle(self, message: ToMedia) -> None:
        now_ns = time.monotonic_ns()
        match message:
            case OpenLeg():
                answer = self._engine.open(message, now_ns)
                if isinstance(answer, LegOpened):
                    self._plan_report(message.row, now_ns, first=True)
                self._tell(answer)
            case ChangeLeg() | CloseLeg() | SendDigits() | Listen() | MixLeg() if not self._has(message.row):
                # control's fault, and no other call's
                log.error("%s for row %d, where no leg is open", type(message).__name__, message.row)
            case ChangeLeg():
                self._change(message, now_ns)
            case CloseLeg(row):
                self._tell(self._engine.close(row, now_ns))
            case SendDigits(row, digits, duration_ms):
                self._engine.dial(row, digits, duration_ms)
            case SetLogLevel(level):
                logs.set_level(level)
            case Listen():
                self._engine.listen(message, now_ns)
            case MixLeg():
                self._engine.mix(message, now_ns)
            case DropBed(bed):
                self._engine.beds.pop(bed, None)
            case RingCut():
                pass
        self._engine.cuts()
        self._schedule.resume(now_ns)
        self._rest()

    def _has(self, row: int) -> bool:
        return row in self._engine.legs

    def _change(self, order: ChangeLeg, now_ns: int) -> None:
        try:
            self._engine.change(order, now_ns)
        except (NoPorts, OSError) as error:
            target = f"{order.remote_address} port {order.remote_port}"
            self._tell(LegTrouble(order.row, "unreachable", f"cannot send to {target}: {error}"))

    # -- time ---------------------------------------------------------------------------------------------

    def _on_timer(self) -> None:
        self._timer.acknowledge()
        now_ns = begun_ns = time.monotonic_ns()
        due = self._schedule.due(now_ns)
        if due is None:
            return
        counters = self._counters
        for tick in range(due.first, due.last + 1):
            late_ns = now_ns - self._schedule.time_of(tick)
            record_lateness(counters, late_ns // 1000)
            counters[Counter.MISSED_TICKS] += late_ns >= _MISSED_NS
            self._engine.tick(tick, now_ns)
            now_ns = time.monotonic_ns()
        counters[Counter.TICKS] += due.last + 1 - due.first
        counters[Counter.SKIPPED_TICKS] += due.skipped
        counters[Counter.MISSED_TICKS] += due.skipped
        counters[Counter.BEAT_NS] = now_ns
        self._send_reports(now_ns)
        if now_ns >= self._next_publish_ns:
            self._next_publish_ns = now_ns + _PUBLISH_NS
            self._engine.publish(now_ns)
        if now_ns >= self._next_second_ns:
            self._next_second_ns = now_ns + 1_000_000_000
            self._second(now_ns)
        self._rest()
        took_ns = time.monotonic_ns() - begun_ns
        counters[Counter.BUSY_US] += min(took_ns, _MISSED_NS) // 1000  # more is a process that was stopped

    def _rest(self) -> None:
        """Sleep through the ticks in which nobody sends; every message from control ends that."""
        first = self._schedule.next_tick
        busy = self._engine.next_busy(first)
        if busy > first or self._resting:
            self._schedule.skip_to(busy)
            self._timer.arm(self._schedule.time_of(busy))
        self._resting = busy > first

    def _second(self, now_ns: int) -> None:
        self._inbound.second()
        gc.collect(0)
        if self._timeout_ns:
            for leg in list(self._engine.legs.values()):
                for message in leg.silence_of_peer(now_ns, self._timeout_ns):
                    self._tell(message)

    def _plan_report(self, row: int, now_ns: int, *, first: bool = False) -> None:
        mean = self._settings.rtcp_interval_seconds / (2 if first else 1)  # RFC 3550 6.2: halved at the start
        due_ns = now_ns + int(1e9 * rtcp.next_interval(mean, random.random()))
        opened_ns = self._engine.legs[row].opened_ns
        heapq.heappush(self._reports, (due_ns, opened_ns, row))

    def _send_reports(self, now_ns: int) -> None:
        for _ in range(_REPORTS_A_TICK):
            if not self._reports or self._reports[0][0] > now_ns:
                return
            _, opened_ns, row = heapq.heappop(self._reports)
            leg = self._engine.legs.get(row)
            if leg is None or leg.opened_ns != opened_ns:
                continue  # closed since; the row may be another leg's now
            self._engine.report(leg, self._engine.port_of[row], now_ns)
            self._plan_report(row, now_ns)

    def _on_readable(self) -> None:
        self._inbound.read(time.monotonic_ns())


def port_share(settings: Told, index: int) -> tuple[int, int]:
    """The part of the RTP port range that media worker ``index`` uses."""
    first, last = settings.rtp_ports
    first += first % 2
    pairs = (last - first + 1) // 2
    begin, end = (pairs * i // settings.media_workers for i in (index, index + 1))
    return first + 2 * begin, first + 2 * end - 1


def _prepare_process(settings: Told) -> None:
    """Descriptors up to the hard limit, cores and priority as set, signals left to control."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if settings.media_cpus:
        os.sched_setaffinity(0, settings.media_cpus)
    _take_priority(settings)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _take_priority(settings: Told) -> None:
    """Real time if permitted, else niceness, else nothing: a tick must not wait behind other processes.

    Measured with 3,000 legs on a core: gap error p99 2 to 7 ms by niceness, 0.4 ms in real time. A worker that
    is never idle would still leave the other processes their share (sched(7), real-time throttling).
    """
    if settings.media_realtime:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(settings.media_realtime))
            return
        except PermissionError:
            log.info("no real-time priority: not permitted here (CAP_SYS_NICE, or ulimit -r)")
    try:
        os.setpriority(os.PRIO_PROCESS, 0, settings.media_nice)
    except PermissionError:
        log.info("niceness left as it is: media_nice %d is not permitted here", settings.media_nice)


async def _main(arguments: argparse.Namespace) -> None:
    settings = told()
    logs.configure(settings.log_level, settings.log_json, f"media-{arguments.index}")
    _prepare_process(settings)
    fd, legs = (int(part) for part in arguments.rings.split(":"))
    link: Link[ToMedia] = await Link.open(socket.socket(fileno=arguments.link), ToMedia)
    ports = port_share(settings, arguments.index)
    await MediaWorker(link, RingBlock(fd, legs), settings, ports).run()


def main() -> None:
    """Entry point of the process; control starts it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--link", type=int, required=True)
    parser.add_argument("--rings", required=True)
    parser.add_argument("--index", type=int, default=0)
    uvloop.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
