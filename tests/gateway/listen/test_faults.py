"""The receiver in its own process at a real socket: streams with one known fault each, and what is found."""

import time

import pytest

from bench.judge import judge
from bench.window import Window
from gateway.listen.analysis import analyse
from gateway.listen.process import ReceiverProcess

FRAMES = 75
STEP_S = 0.02
CLEAN, LOSSY, DOUBLED, SWAPPED, LATE, FAST, IDLE = range(1, 8)


def _schedule(rtp):
    """(when, datagram) of all streams, in order of time."""
    due = []
    for ssrc in range(CLEAN, IDLE + 1):
        for n in range(FRAMES):
            if ssrc == LOSSY and n in (20, 21, 40):
                continue
            at = n * STEP_S / (1.02 if ssrc == FAST else 1)
            at += STEP_S * 1.5 * (ssrc == SWAPPED and n == 30)
            at += 0.06 * (ssrc == LATE and n >= 50)
            idle = 10 * (ssrc == IDLE and n >= 40)  # ten packet times in which nothing is sent
            at += STEP_S * idle
            datagram = rtp(seq=n, timestamp=160 * (n + idle), ssrc=ssrc)
            due += [(at, datagram)] * (2 if ssrc == DOUBLED and n == 10 else 1)
    return sorted(due, key=lambda each: each[0])


def test_each_fault_is_found_in_its_own_stream_and_nowhere_else(rtp, sender):
    with ReceiverProcess("127.0.0.1", [0]) as receiver:
        target = ("127.0.0.1", receiver.local_ports[0])
        began = time.monotonic()
        for at, datagram in _schedule(rtp):
            time.sleep(max(0.0, began + at - time.monotonic()))
            sender.sendto(datagram, target)
        capture = receiver.stop()
    assert capture.kernel_drops == 0
    found = {report.ssrc: report for report in analyse(capture.packets)}
    assert list(found) == list(range(CLEAN, IDLE + 1))
    assert {ssrc: report.lost for ssrc, report in found.items() if report.lost} == {LOSSY: 3}
    assert {ssrc: report.duplicates for ssrc, report in found.items() if report.duplicates} == {DOUBLED: 1}
    assert {ssrc: report.reordered for ssrc, report in found.items() if report.reordered} == {SWAPPED: 1}
    assert {ssrc for ssrc, report in found.items() if report.talkspurts > 1} == {IDLE}
    assert max(found, key=lambda ssrc: found[ssrc].drift_ms) == LATE
    assert found[LATE].drift_ms > 55
    assert found[LATE].gap.max_ms > 55
    assert found[FAST].rate_error_ppm == pytest.approx(20_000, abs=3000)  # from 1.5 s on a busy machine
    every = judge(capture, Window(0, time.monotonic_ns()))
    assert (every["lost"], every["duplicates"], every["reordered"]) == (3, 1, 1)
    assert every["missed"] == 3 + 10 - 1
    assert every["streams"] == 7


def test_nothing_heard_is_an_error_and_no_verdict(sender):
    with ReceiverProcess("127.0.0.1", [0]) as receiver:
        capture = receiver.stop()
    with pytest.raises(RuntimeError, match="heard nothing"):
        judge(capture, Window(0, time.monotonic_ns()))
