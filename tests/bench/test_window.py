"""The time that is judged: what came before it does not count, and quantiles that few samples can bear."""

import math
import os
import signal
import socket
import time

import numpy as np
import pytest

from bench.judge import judge
from bench.quantiles import quantiles
from bench.speaking import spoken_s
from bench.window import Watch, Window
from gateway.listen.packets import PACKET
from gateway.listen.process import ReceiverProcess
from gateway.listen.receiver import RECEIVE_BUFFER, Capture


def test_what_the_receiver_lost_before_the_window_is_not_counted_in_it():
    huge = bytes(60_000)
    with (
        ReceiverProcess("127.0.0.1", [0]) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire,
    ):

        def flood():
            os.kill(receiver._process.pid, signal.SIGSTOP)
            for _ in range(3 * RECEIVE_BUFFER // len(huge)):
                wire.sendto(huge, ("127.0.0.1", receiver.local_ports[0]))
            os.kill(receiver._process.pid, signal.SIGCONT)

        flood()
        before = receiver.drops()
        assert before > 0
        quiet = Watch(receiver, {})
        assert quiet.end().drops == 0
        loud = Watch(receiver, {})
        flood()
        window = loud.end()
        assert window.drops > 0
        assert receiver.stop().kernel_drops == before + window.drops


def test_a_window_bills_processes_by_kind_for_its_own_time():
    with ReceiverProcess("127.0.0.1", [0]) as receiver:
        spin(0.3)
        watch = Watch(receiver, {"mine": os.getpid(), "both": [os.getpid(), os.getpid()]})
        spin(0.4)
        time.sleep(0.4)
        window = watch.end()
    used = window.cores["mine"] * window.seconds
    assert used == pytest.approx(0.4, abs=0.1)
    assert window.cores["both"] * window.seconds == pytest.approx(2 * used, abs=0.05)


def spin(seconds):
    """Use so much processor time, however much of the core others have."""
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_only_what_came_in_the_window_is_judged_and_only_of_whom_it_is_about():
    packets = np.zeros(300, PACKET)
    packets["ssrc"] = np.repeat([1, 2, 3], 100)
    packets["seq"] = np.tile(np.arange(100), 3)
    packets["timestamp"] = 160 * packets["seq"]
    packets["t_ns"] = packets["seq"].astype(np.int64) * 20_000_000
    packets = packets[(packets["ssrc"] != 1) | (packets["seq"] != 10)]  # lost before the window
    capture = Capture(packets, packets[:0], 77, 0, 0, 0.0)
    window = Window(400_000_000, 1_200_000_000, drops=5)
    found = judge(capture, window, [1, 2])
    assert (found["streams"], found["packets"], found["lost"], found["receiver_drops"]) == (2, 80, 0, 5)
    assert judge(capture, window)["streams"] == 3
    with pytest.raises(RuntimeError, match="heard nothing"):
        judge(capture, Window(10**12, 2 * 10**12))


def test_a_quantile_is_a_value_that_was_measured_and_of_a_dozen_the_worst():
    dozen = list(range(1, 13))
    assert quantiles(dozen) == {"p50": 7, "p95": 12, "max": 12}
    assert quantiles([*range(1, 101)], "p95", "p99") == {"p95": 96, "p99": 100}
    assert quantiles([1 / 3], "p50", digits=2) == {"p50": 0.33}
    assert math.isnan(quantiles([], "p95")["p95"])


def test_speech_counts_for_as_much_of_it_as_lies_in_the_window():
    window = Window(0, 10_000_000_000)
    spans = ((5, 3), (1, 3), (12, 4), (30, 5), (40, 40))  # end and length, s
    finished = [{"ended_ns": end * 10**9, "duration_ms": 1000 * length} for end, length in spans]
    assert spoken_s(finished, window) == pytest.approx(3 + 1 + 2 + 0 + 10)
