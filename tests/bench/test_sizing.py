"""Erlang's formula against its published tables, the plan against sums made by hand."""

import json
import math
import subprocess
import sys
from dataclasses import asdict, replace

import pytest
import typer
from typer.testing import CliRunner

from bench import machine
from bench.peers.peer import Missing
from bench.sizing import figures as measuring
from bench.sizing.cli import size
from bench.sizing.erlang import blocking, servers
from bench.sizing.plan import Figures, Traffic, plan
from gateway.settings import Settings
from tts_core import UnknownVoice

# servers, part refused, erlangs: as every printed table of Erlang B has them, to their last digit
TABLE = [
    (1, 0.001, 0.001), (2, 0.001, 0.0458), (5, 0.001, 0.762), (10, 0.001, 3.09), (20, 0.001, 9.41),
    (50, 0.001, 32.5), (100, 0.001, 75.2), (1, 0.01, 0.0101), (2, 0.01, 0.153), (5, 0.01, 1.36),
    (10, 0.01, 4.46), (20, 0.01, 12.0), (50, 0.01, 37.9), (100, 0.01, 84.1), (5, 0.05, 2.22), (10, 0.05, 6.22),
    (20, 0.05, 15.2), (50, 0.05, 44.5), (100, 0.05, 95.2),
]  # fmt: skip


@pytest.mark.parametrize(("count", "refused", "erlangs"), TABLE)
def test_blocking_is_what_the_tables_say(count, refused, erlangs):
    digits = 3 if erlangs >= 0.01 else 1
    half = 0.5 * 10 ** (math.floor(math.log10(erlangs)) - digits + 1)
    assert blocking(count, erlangs - half) <= refused <= blocking(count, erlangs + half)
    assert servers(erlangs - half, refused) == count


def test_blocking_is_the_quotient_that_erlang_wrote():
    for count, erlangs in ((3, 2.0), (8, 11.0), (15, 6.5)):
        terms = [erlangs**n / math.factorial(n) for n in range(count + 1)]
        assert blocking(count, erlangs) == pytest.approx(terms[-1] / sum(terms), rel=1e-12)


def test_thousands_of_servers_and_none():
    assert 0.001 > blocking(10_200, 10_000) > 0.0005
    assert blocking(5000, 1.0) == 0.0
    assert (blocking(0, 3), blocking(0, 0), blocking(4, 0), servers(0, 0.01)) == (1, 1, 0, 0)
    for wrong in ((-1, 0.1), (1, 0), (1, 1.5)):
        with pytest.raises(ValueError, match=r"above 0|below 0"):
            servers(*wrong)
    with pytest.raises(ValueError, match="below 0"):
        blocking(-1, 1)


DAY = Traffic(30_000, 180, 10, 5, 2, 0.001)
HERE = Figures("by hand", 0.04, 0.0002, 250, 45, "neural:x", 0.01, 0.85, 0.85, 268)


def test_a_day_of_thirty_thousand_calls_by_hand():
    found = plan(DAY, HERE)
    assert found.leg_erlangs == pytest.approx(125)
    assert found.speech_erlangs == pytest.approx(34.722, abs=1e-3)
    assert (found.legs, found.speaking) == (servers(125, 0.001), servers(34.7222, 0.001)) == (156, 53)
    assert (found.media_workers, found.synthesis_workers, found.cores, found.gpus) == (1, 1, 3, 0)
    assert found.memory_mb == pytest.approx(250 + 156 * 0.045 + 268)
    assert found.packets_a_second == 156 * 50
    assert found.ip_mbit == pytest.approx(156 * 0.080)  # 80 kbit/s, as G.711 over IP is known
    assert found.wire_mbit == pytest.approx(156 * 0.0952)  # and 95.2 on Ethernet with its gaps
    assert found.wire_mbit_ipv6 == pytest.approx(156 * 0.1032)
    assert any("30,000 calls / 86,400 s x 2" in line for line in found.arithmetic)


def test_real_time_factor_of_a_half_on_one_gpu_is_not_enough():
    found = plan(DAY, replace(HERE, rtf=0.5, gpu=True))
    assert found.gpus == math.ceil(53 * 0.5 / 0.85) == 32
    mean = plan(replace(DAY, peak=1, refused=1.0), replace(HERE, rtf=0.5, gpu=True, synthesis_limit=1.0))
    assert mean.speech_erlangs * 0.5 == pytest.approx(8.68, abs=0.01)  # GPUs that never rest, a day's mean


def test_more_of_everything_when_it_is_longer_or_not_cached():
    assert plan(replace(DAY, cached=1.0), HERE).speaking == 0
    assert plan(replace(DAY, calls_a_day=3_000_000), HERE).media_workers > 1
    with pytest.raises(ValueError, match="300 s are to be said in calls of 180 s"):
        plan(replace(DAY, utterances=60), HERE)


ROWS = [
    {"legs": 50, "carried": True, "sender_cores": 0.05, "memory_mb": 250.0, "broke": []},
    {"legs": 550, "carried": True, "sender_cores": 0.15, "memory_mb": 270.0, "broke": []},
]


def keep(folder, name, rows, **other):
    about = machine.describe() | other
    (folder / f"{name}.json").write_text(
        json.dumps({"bench": name, "machine": about, "figures": {"rows": rows}})
    )


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "RESULTS", tmp_path)
    monkeypatch.setattr(measuring, "_quick_growth", lambda: pytest.fail("it measured"))
    monkeypatch.setattr(measuring, "_quick_rtf", lambda voice: 0.5)
    return tmp_path


def test_kept_results_of_this_machine_are_taken(results):
    keep(results, "growth", ROWS)
    keep(results, "engines", [{"voice": "neural:x", "rtf": 0.02}])
    found = measuring.figures(Settings(), "neural:x", measure=False)
    assert found.media_a_leg == pytest.approx(0.0002)
    assert found.media_idle == pytest.approx(0.04)
    assert found.memory_kb_a_leg == pytest.approx(40)
    assert found.rtf == 0.02
    assert found.came_from.count("bench run") == 2
    assert measuring.figures(Settings(), "neural:y", measure=False).rtf == 0.5


def test_those_of_another_are_not(results, monkeypatch):
    keep(results, "growth", ROWS, cores=96)
    monkeypatch.setattr(
        measuring, "_quick_growth", lambda: [ROWS[0], ROWS[1] | {"carried": False, "broke": ["x"]}]
    )
    with pytest.raises(Missing, match="fewer than two rungs"):
        measuring.figures(Settings(), "neural:x", measure=False)


def test_without_the_extra_it_says_so_and_still_reckons_with_given_figures(results, monkeypatch):
    keep(results, "growth", ROWS)
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(Missing, match=r"voxtrunk\[bench\]"):
        measuring.figures(Settings(), "neural:x", measure=False)
    block = "import sys; sys.modules['aiohttp'] = None; sys.argv[0] = 'size'; import runpy; "
    file = results / "given.json"
    file.write_text(json.dumps({"figures": asdict(HERE)}))
    done = subprocess.run(
        [sys.executable, "-c", block + "runpy.run_module('bench.sizing', run_name='__main__')",
         "--calls-per-day", "30000", "--measured", file],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "156 legs" in done.stdout


def test_the_command_with_figures_of_another_machine(results):
    keep(results, "growth", ROWS)
    runner = CliRunner()
    app = typer.Typer()
    app.command()(size)
    ask = ["--calls-per-day", "30000"]
    first = runner.invoke(app, [*ask, "--json"])
    assert first.exit_code == 0, first.output
    file = results / "there.json"
    file.write_text(first.stdout)
    again = runner.invoke(app, [*ask, "--measured", str(file), "--rtf", "0.5", "--gpu"])
    assert again.exit_code == 0, again.output
    assert "156 legs, 53 of them speaking" in again.stdout
    assert "32 GPU(s)" in again.stdout
    for wrong, why in (
        ("{}", "no figures"),
        ("[]", "no figures"),
        ('{"figures": {"rtf": 1}}', "no figures"),
        ("x", ""),
    ):
        file.write_text(wrong)
        refused = runner.invoke(app, [*ask, "--measured", str(file)])
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert why in refused.stderr
    assert runner.invoke(app, [*ask, "--gpu"]).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--seconds", "30", "--call-minutes", "1"), "fewer --utterances or --seconds"),
        (("--call-minutes", "inf"), "have an end"),
        (("--peak", "inf"), "have an end"),
        (("--call-minutes", "1e12"), "reckon with the part of --calls-per-day"),
    ],
)
def test_what_cannot_be_reckoned_is_told_before_anything_is_measured(results, arguments, why):
    app = typer.Typer()
    app.command()(size)  # with no kept results it would measure, which fails the test
    told = CliRunner().invoke(app, ["--calls-per-day", "30000", *arguments], env={"COLUMNS": "200"})
    assert told.exit_code == 2
    assert why in " ".join(told.stderr.split())


def test_a_voice_that_there_is_not_is_told_at_once_and_a_given_factor_is_not_measured(results, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(machine, "RESULTS", results)
    monkeypatch.setattr(measuring, "_quick_growth", lambda: pytest.fail("it measured pacing first"))
    with pytest.raises(UnknownVoice):
        measuring.figures(Settings(), "nope", measure=True)
    monkeypatch.setattr(measuring, "_quick_rtf", lambda voice: pytest.fail("it measured what was given"))
    monkeypatch.setattr(measuring, "_quick_growth", lambda: ROWS)
    assert measuring.figures(Settings(), "nope", measure=True, rtf=0.25).rtf == 0.25
