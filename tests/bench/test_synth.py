"""The bench of the neural core: its figures add up, whatever the machine."""

from pathlib import Path

import pytest

from bench import step, synth


@pytest.mark.parametrize("chunk_ms", [40, 80])
def test_figures_add_up(small: Path, chunk_ms: int) -> None:
    figures = synth.measure("neural:en-us-none", "ort-cpu", 3, 1.2, chunk_ms, small.parent)
    assert (figures["streams"], figures["runtime"], figures["chunk_ms"]) == (3, "ort-cpu", chunk_ms)
    assert figures["rtf"] > 0
    assert figures["rtf"] == pytest.approx(sum(figures["rtf_by_stage"].values()), abs=5e-5)
    assert min(figures["rtf_by_stage"].values()) > 0
    assert figures["clauses"] >= 3
    assert figures["audio_seconds"] > 1  # three streams that began within the first second
    assert 0 < figures["first_audio_ms"]["p50"] <= figures["first_audio_ms"]["p95"]
    assert figures["missed_ticks"] >= 0


def test_steps_are_timed_in_turns(small: Path) -> None:
    figures = step.measure([str(small), "neural:en-us-slt"], "ort-cpu", [1, 8], turns=3)
    assert [(each["rows"], each["voice"]) for each in figures] == [
        (rows, voice) for rows in (1, 8) for voice in (str(small), "neural:en-us-slt")
    ]
    assert all(min(each["hot_ms"], each["paused_ms"]) > 0 for each in figures)
    alone, shared = figures[1]["hot_ms"], figures[3]["hot_ms"]
    assert alone < shared < 8 * alone  # eight share a step for less than eight steps
