"""Every voice in every runtime: whose figures they are, and that nobody's breakdown takes the others with it."""

from types import SimpleNamespace

from bench import engines


def test_each_neural_voice_meets_each_runtime_and_espeak_needs_none():
    assert list(engines.pairs(["espeak:de", "neural:x"])) == [
        ("espeak:de", "-"), ("neural:x", "ort-cpu"), ("neural:x", "torch-cpu"),
    ]  # fmt: skip


def test_another_runtimes_figures_are_not_its_own(monkeypatch):
    monkeypatch.setattr(engines, "open_runtime", lambda name, package: SimpleNamespace(name="ort-cpu"))
    monkeypatch.setattr(engines, "at_rest", lambda *_: {"rtf": 0.1})
    row = engines.measure("neural:en-us-slt", "torch-cpu", 10, 1, 0)
    assert "ort-cpu would speak instead" in row["missing"]
    assert "rtf" not in row


def test_what_breaks_down_is_a_row_that_says_why(monkeypatch):
    def breaks(*_):
        raise TimeoutError

    monkeypatch.setattr(engines, "at_rest", lambda *_: {"rtf": 0.1})
    monkeypatch.setattr(engines.speaking, "run", breaks)
    assert engines.measure("espeak:de", "-", 10, 1, 0) == {
        "voice": "espeak:de", "runtime": "-", "rtf": 0.1, "missing": "TimeoutError",
    }  # fmt: skip


def test_an_utterance_at_a_time_at_rest(monkeypatch):
    monkeypatch.setattr(engines, "_TURNS", 2)
    found = engines.at_rest("espeak:en-us", "-", 0)
    assert found["utterances"] == 2
    assert 0 < found["rtf"] < 1
    assert 0 < found["first_stretch_ms"]["p50"] <= found["first_stretch_ms"]["p95"]
    monkeypatch.setattr(engines, "_LONGEST_S", 0.0)
    assert engines.at_rest("espeak:en-us", "-", 0)["utterances"] == 1
