"""The report says what the results say, and first of all who beats us."""

import json

import pytest
from typer.testing import CliRunner

from bench import flame, growth, machine, report
from bench.__main__ import app
from bench.commands import benches
from bench.judge import CURVE
from bench.peers.verdict import beaten, best, carried, held
from bench.peers.voxtrunk import Voxtrunk
from bench.plots import Line, plot


def tried(legs, p99, cost=100.0, broke=(), carried=True, **more):
    return {
        "legs": legs, "carried": carried, "broke": list(broke), "lost": 0, "missed": 0, "memory_mb": 10.0,
        "gap_error_ms": {"p50": 0.1, "p99": p99, "p99.9": 2 * p99}, "gap_curve_ms": [0.1] * len(CURVE),
        "clock_error_ppm_median": 1.0, "cpu_us_a_leg_second": cost, "sender_cores": 0.1, "all_cores": 0.2,
    } | more  # fmt: skip


def peer(way, *tries, **more):
    return {"peer": way, "way": way, "version": "1.0", "command": f"run {way}", "tries": list(tries)} | more


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "RESULTS", tmp_path / "results")

    def keep(name, rows):
        machine.save(name, {"rows": rows})

    return keep


US = peer(
    Voxtrunk.name, tried(10, 0.3), tried(1000, 0.5, audio={"right": 1.0}), tried(3000, 3.0, broke=["late"])
)


def test_the_better_try_counts_and_held_stops_at_the_first_that_broke():
    one = peer(
        "one", tried(10, 5.0, broke=["late"]), tried(10, 0.5), tried(100, 9, broke=["late"]), tried(300, 1.0)
    )
    assert held(one) == 10
    assert carried(one) == 300
    assert best(one)[10]["gap_error_ms"]["p99"] == 0.5


def test_who_beats_us_is_said():
    better = peer("better", tried(10, 0.2), tried(1000, 0.6), tried(3000, 1.0))
    said = beaten([US, better])
    assert said[0] == "**better** holds 3,000 legs, Voxtrunk 1,000."
    assert said[1] == "**better**: gap error p99 (ms) 0.2 against 0.3 at 10 legs."
    assert len(said) == 2


def test_a_rung_that_somebody_did_not_hold_beats_nobody():
    slow = peer("slow", tried(10, 0.1, cost=1.0, broke=["clock"]))
    assert beaten([US, slow]) == []


def everything(results):
    """A result of each bench that the report has a section of."""
    load = {
        "profile": "200-concurrent", "calls_at_once": 198, "legs_speaking": 50, "calls": 400, "holes": 0,
        "first_audio_ms": {"p50": 20.0, "p95": 40.0, "p99": 60.0}, "gap_error_ms": {"p99": 0.5}, "wrong": 0,
        "wrong_leg": 0, "cores_used": 0.5, "broke": [],
    }  # fmt: skip
    results(
        "peers",
        [
            US,
            peer("absent", missing="not installed: apt-get install absent"),
            peer("crash", {"broke": ["it ended"], "legs": 10, "carried": False}),
            peer(
                "slow",
                tried(10, 0.4),
                time="1999",
                commit="c0ffee",
                out_of_time="15 minutes were over before 100 legs",
            ),
        ],
    )
    results(
        "receiver",
        [tried(5000, 0.4, packets=1, packets_a_second=250_000, receiver_drops=0, receiver_cpu_s=3.0)],
    )
    results("load", [load, load | {"profile": "300 calls", "broke": ["first audio p95 300 ms"]}])
    results(
        "first-word",
        [{"legs_speaking": n, "request_to_first_packet_ms": {"p50": 17, "p95": 25}} for n in (0, 500)],
    )
    results(
        "growth",
        [
            tried(
                n,
                0.2,
                sender_cores=0.05 + n * 2e-4,
                all_cores=0.07 + n * 4e-4,
                memory_mb=200 + n / 100,
                awake_cores=0.01 + n * 1e-4,
            )
            for n in (1, 1000, 3000)
        ],
    )
    results("flame", [{"legs": 3000, "seconds": 5, "share": {"numpy": 0.25, "Python": 0.75}}])
    results(
        "engines",
        [
            {
                "voice": "neural:x", "runtime": "ort-cpu", "rtf": 0.01, "held": 101, "offered": 300, "refused": 9,
                "ran_dry": 0, "first_stretch_ms": {"p50": 5.0, "p95": 6.0},
                "first_audio_ms": {"p50": 30.0, "p95": 60.0},
            },
            {"voice": "neural:x", "runtime": "torch-cpu", "missing": "torch is not installed here"},
        ],
    )  # fmt: skip
    results(
        "schedule",
        [
            {
                "policy": "fifo", "load": 0.7, "lookahead_ms": 3000, "missed_ticks": 1931,
                "wasted": 0.05, "busy": 0.7, "first_audio_ms": {"p50": 25.1, "p95": 41.4},
            },
            {"policy": "choosing", "legs": 1000, "microseconds": 38},
        ],
    )  # fmt: skip


def test_the_whole_report(results, tmp_path):
    everything(results)
    text = report.write(tmp_path).read_text()
    assert "0.05 + 0.2 a thousand legs" in text
    assert "media worker awake, cores: 0.01 + 0.1 a thousand legs" in text
    assert "numpy 25 %, Python 75 %" in text
    assert "| **101**, 300 | 9 | 0 |" in text
    assert "torch is not installed here |" in text
    assert "**1,931**" in text
    assert "38 µs among 1,000 legs" in text
    assert text.index("Where others beat us") < text.index("Who else sends RTP") < text.index("own limit")
    assert "| absent |" in text
    assert "not installed: apt-get install absent |" in text
    assert "it ended |" in text
    assert "not broken; 15 minutes were over before 100 legs |" in text
    assert "slow: 1.0, measured 1999 at c0ffee; `run slow`" in text
    assert "when each was measured is told below" in text
    assert "| **1,000** | 3,000 |" in text
    assert "heard **5,000 streams**, 250,000 packets a second," in text
    assert "**198 calls at once**, 50 of them speaking, 396 calls a core" in text
    assert "first audio p95 300 ms |" in text
    for name in ("lateness", "gaps", "cost", "growth", "first-audio"):
        assert f"report/{name}.svg" in text
        assert "<svg" in (tmp_path / "report" / f"{name}.svg").read_text()


def test_nothing_measured_is_an_empty_report_and_no_crash(results, tmp_path):
    assert "All results" in report.write(tmp_path).read_text()


def test_a_picture_is_the_same_from_the_same_figures(tmp_path):
    for name in ("a.svg", "b.svg"):
        plot(tmp_path / name, [Line("x", [(1, 2), (10, 3)])], "title", "x", "y", limit=(2.5, "no more"))
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_result_says_where_it_is_from(results):
    results("x", [1])
    kept = machine.kept("x")
    assert {"commit", "cpu", "cores", "kernel", "packages", "command", "time"} <= set(kept["machine"])
    assert json.loads(json.dumps(kept))["figures"] == {"rows": [1]}
    assert machine.kept("never") is None


def test_list_names_every_bench():
    shown = CliRunner().invoke(app, ["list"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert {"pace", "priority", "peers", "receiver", "load", "synth", "all"} <= set(benches())
    assert all(name in shown.output for name in benches())


def test_a_straight_line_is_found_and_needs_two_rungs():
    none, each = growth.line([{"legs": n, "x": 5 + 2 * n} for n in (1, 10, 1000)], "x")
    assert (none, each) == (pytest.approx(5), pytest.approx(2))
    with pytest.raises(ValueError, match="two rungs"):
        growth.line([{"legs": 1, "x": 1}], "x")


def test_a_sample_is_of_what_ran_in_it():
    stacks = [
        ("uv__io_poll;tick;sendmmsg (libc)", 3),
        ("uv__io_poll;epoll_pwait (libc)", 4),
        ("uv__io_poll;tick", 1),
    ]
    assert flame.share(stacks) == {
        "waiting and being woken": 0.5, "the sending system calls": 0.375, "Python": 0.125,
    }  # fmt: skip
