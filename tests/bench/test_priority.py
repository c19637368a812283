"""The bench of priorities: what it gives, and what it says, at a few legs of a real gateway."""

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from bench import priority, report
from bench.peers.peer import Missing

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="priorities are root's to give")


@pytest.fixture
def sleeper():
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process.pid
        process.kill()


def test_a_process_is_given_what_is_named_and_may_be_refused(sleeper, monkeypatch):
    for fifo, nice in priority.manners().values():
        priority.give(sleeper, fifo, nice)
        policy = os.sched_getscheduler(sleeper)
        assert (policy == os.SCHED_FIFO, os.sched_getparam(sleeper).sched_priority) == (fifo > 0, fifo)
        assert os.getpriority(os.PRIO_PROCESS, sleeper) == nice

    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    with pytest.raises(Missing, match="root, or CAP_SYS_NICE"):
        priority.give(sleeper, 10, 0)


def test_a_neighbour_is_busy_where_it_is_put_and_goes():
    def children():
        return set(Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split())

    before = children()
    with priority.neighbour(1):
        (pid,) = children() - before
        assert os.sched_getaffinity(int(pid)) == {1}
        until = time.monotonic() + 10
        while not int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11]):  # utime, proc(5)
            assert time.monotonic() < until
            time.sleep(0.02)
    assert children() == before


def test_every_priority_is_judged_alone_and_beside_a_busy_process(monkeypatch, tmp_path):
    if os.cpu_count() == 1:
        pytest.skip("the bench has a core for the media worker and one for all else")
    monkeypatch.setattr(priority, "_SETTLE_S", 0.3)
    before = os.sched_getaffinity(0)
    try:
        rows = priority.run(legs=4, seconds=0.4, turns=1)
    finally:
        os.sched_setaffinity(0, before)
    assert len(rows) == 6
    assert len({(row["priority"], row["beside"]) for row in rows}) == 6
    for row in rows:
        assert row["heard"] == row["legs"] == 4
        assert row["lost"] == 0
        assert len(row["p99_ms_of_each_turn"]) == 1
    monkeypatch.setattr(report.machine, "RESULTS", tmp_path / "results")
    assert priority.section(tmp_path) == ""
    report.machine.save("priority", {"rows": rows})
    told = priority.section(tmp_path)
    assert told.count("| a process that never sleeps |") == 3
