"""The real media worker process: opened over its link, paced by its own clock, judged at the far socket."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from gateway.link import Link
from gateway.media.counters import Counter, lateness_histogram
from gateway.media.packet import parse_rtp
from gateway.messages.media import (
    CloseLeg,
    FromMedia,
    LegClosed,
    LegOpened,
    Listen,
    MediaReady,
    MixLeg,
    OpenLeg,
    RingCut,
    SendDigits,
)
from gateway.ring import RingBlock
from gateway.settings import Settings
from gateway.told import environment

_STAMP = 35  # SO_TIMESTAMPNS


class Worker:
    """A worker process and our end of its link."""

    def __init__(self, **overrides):
        self.ring = RingBlock.create(64)
        ours, theirs = socket.socketpair()
        self.ours = ours
        command = [sys.executable, "-m", "gateway.media.worker", "--link", str(theirs.fileno())]
        self.process = subprocess.Popen(
            [*command, "--rings", f"{self.ring.fd}:64", "--index", "0"],
            pass_fds=(theirs.fileno(), self.ring.fd),
            env=environment(Settings(rtp_ports="12600-12799", **overrides)),
        )
        theirs.close()

    async def start(self):
        self.link = await Link.open(self.ours, FromMedia)
        self.messages = self.link.__aiter__()
        assert isinstance(await self.next(), MediaReady)
        return self

    async def next(self):
        return await asyncio.wait_for(anext(self.messages), 20)

    async def open(self, row, port, **more):
        self.ring.cut(row)
        order = {
            "payload_type": 0,
            "law": "PCMU",
            "ptime_ms": 20,
            "dtmf_payload_type": 101,
            "suppress_silence": False,
        }
        self.link.send(OpenLeg(row, "127.0.0.1", port, **(order | more)))
        opened = await self.next()
        assert isinstance(opened, LegOpened)
        return opened

    async def close(self):
        await self.link.close()
        assert await asyncio.to_thread(self.process.wait, 20) is not None
        self.ring.close()


@pytest.fixture
async def worker():
    made = await Worker().start()
    yield made
    await made.close()


def _receiver():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setsockopt(socket.SOL_SOCKET, _STAMP, 1)
    sock.setblocking(False)
    return sock, sock.getsockname()[1]


def _received(sock):
    """(kernel receive time in s, packet) of everything that waits in the socket."""
    got = []
    while True:
        try:
            data, ancillary, _, _ = sock.recvmsg(2048, 64)
        except BlockingIOError:
            return got
        seconds, nanoseconds = np.frombuffer(ancillary[0][2], np.int64)
        got.append((seconds + nanoseconds * 1e-9, parse_rtp(data)))


async def test_a_leg_is_paced_by_an_absolute_clock(worker):
    sock, port = _receiver()
    with sock:
        opened = await worker.open(0, port)
        await asyncio.sleep(3)
        worker.link.send(CloseLeg(0))
        closed = await worker.next()
        await asyncio.sleep(0.1)  # the counters are published now and then
        got = _received(sock)
    assert isinstance(closed, LegClosed)
    assert len(got) == closed.statistics.packets
    assert {p.ssrc for _, p in got} == {opened.ssrc}
    times = np.array([t for t, _ in got])
    assert np.diff([p.sequence for _, p in got]).tolist().count(1) >= len(got) - 2
    # the schedule is absolute: the mean interval is 20 ms however late single packets are
    assert (times[-1] - times[0]) / (len(times) - 1) == pytest.approx(0.020, rel=2e-3)
    assert np.median(np.abs(np.diff(times) - 0.020)) < 0.002
    assert 130 < worker.ring.counters[Counter.TICKS] < 250, "it is woken when the leg sends, and rarely else"
    counters = worker.ring.counters.copy()
    assert lateness_histogram(counters)[-1][1] == counters[Counter.TICKS]


async def test_an_order_for_a_leg_that_is_not_there_ends_nobody_elses_call(worker):
    sock, port = _receiver()
    with sock:
        await worker.open(0, port)
        for order in (MixLeg(1, 0.5), Listen(1, None), SendDigits(1, "1", 100), CloseLeg(1)):
            worker.link.send(order)
        worker.link.send(CloseLeg(0))
        closed = await worker.next()
        assert isinstance(closed, LegClosed)
        assert closed.row == 0
        assert worker.process.poll() is None


async def test_a_cut_is_acted_on_at_once_and_not_at_the_legs_next_tick(worker):
    sock, port = _receiver()
    waits = []
    with sock:
        await worker.open(0, port)
        for _ in range(10):
            await asyncio.sleep(0.027)
            generation = worker.ring.cut(0)
            worker.link.send(RingCut())
            begin = time.perf_counter()
            for _ in range(1000):
                if worker.ring.acked[0] == generation:
                    break
                await asyncio.sleep(0.0002)
            waits.append(time.perf_counter() - begin)
    assert np.median(waits) < 0.008, waits


async def test_a_burst_of_openings_delays_no_live_leg(worker):
    """Messages are handled one a turn of the loop; the timer comes in between."""
    sock, port = _receiver()
    with sock:
        await worker.open(0, port)
        for row in range(1, 60):
            worker.ring.cut(row)
            worker.link.send(OpenLeg(row, "127.0.0.1", 9, 0, "PCMU", 20, None, True))
        for _ in range(59):
            assert isinstance(await worker.next(), LegOpened)
        await asyncio.sleep(0.5)
        got = _received(sock)
    assert np.all(np.diff([p.timestamp for _, p in got]).astype(np.uint32) == 160)
    assert worker.ring.counters[Counter.SKIPPED_TICKS] == 0


async def test_control_gone_says_bye_and_ends():
    worker = await Worker().start()
    sock, port = _receiver()
    with sock:
        await worker.open(0, port, rtcp_mux=True)
        await worker.link.close()
        assert await asyncio.to_thread(worker.process.wait, 10) == 0
        sock.setblocking(True)
        sock.settimeout(1)
        last = b""
        while True:
            try:
                last = sock.recv(2048)
            except TimeoutError:
                break
    worker.ring.close()
    assert last[1] == 200, "a sender report"
    assert last[-8:-4] == bytes([0x81, 203, 0, 1]), "ends in BYE"


async def test_a_stalled_worker_skips_ahead_and_tells_the_truth(worker):
    sock, port = _receiver()
    with sock:
        await worker.open(0, port)
        await asyncio.sleep(0.3)
        os.kill(worker.process.pid, signal.SIGSTOP)
        before = time.monotonic()
        await asyncio.sleep(0.6)
        os.kill(worker.process.pid, signal.SIGCONT)
        stalled = time.monotonic() - before
        await asyncio.sleep(0.3)
        got = _received(sock)
        worker.link.send(CloseLeg(0))
        closed = await worker.next()
    timestamps = np.array([p.timestamp for _, p in got], np.uint32)
    steps = np.diff(timestamps) // 160
    assert np.all(np.diff(np.array([p.sequence for _, p in got], np.uint16)) == 1)
    jump = int(steps.argmax())
    assert steps[jump] * 0.02 == pytest.approx(stalled - 0.06, abs=0.1), "skipped, not burst"
    assert got[jump + 1][1].marker
    assert np.count_nonzero(steps != 1) == 1
    assert worker.ring.counters[Counter.SKIPPED_TICKS] > 100
    assert closed.statistics.missed_ticks == steps[jump] - 1
    clock = (got[-1][0] - got[0][0]) - (int(timestamps[-1] - timestamps[0]) / 8000)
    assert abs(clock) < 0.05, "RTP time has kept up with the wall"
