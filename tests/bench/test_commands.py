"""The benches as commands: what is typed, and the figures that come as JSON."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("onnxruntime")

from typer.testing import CliRunner

from bench.__main__ import app


def test_run_may_be_left_out_and_a_lone_rows_figures_are_told_by_name() -> None:
    short = ["synth", "--voice", "neural:en-us-slt", "--runtime", "ort-cpu", "--seconds", "0.5", "--json"]
    one = CliRunner().invoke(app, [*short, "--streams", "2"], catch_exceptions=False)
    told = json.loads(one.stdout)
    assert told["figures"] == [{name: told[name] for name in told["figures"][0]}]
    assert told["streams"] == 2
    assert told["chunk_ms"] == 80
    assert (told["voice"], told["runtime"]) == ("neural:en-us-slt", "ort-cpu")
    assert told["missed_ticks"] >= 0
    assert 0 < told["rtf"] < 1
    assert 0 < told["first_audio_ms"]["p50"] <= told["first_audio_ms"]["p95"]

    two = ["run", *short, "--streams", "1", "--streams", "2"]
    rows = json.loads(CliRunner().invoke(app, two, catch_exceptions=False).stdout)["figures"]
    assert [row["streams"] for row in rows] == [1, 2]
