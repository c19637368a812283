"""`voxtrunk train` as a user runs it: one command to a package that speaks; what is wrong is said in a line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tts_core import Script, Synthesiser
from tts_core.neural.engine import NeuralEngine
from tts_core.neural.learn import recipe
from tts_core.neural.learn.cli import app

TEXTS = """Please hold the line.
Is that your number?
Nine, nine, five.
Seven people were waiting outside.
Thank you for calling, and goodbye!
One more sentence, not learned.
"""


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--teacher", "espeak:xx"), "no voice is named 'xx'"),
        (("--teacher", "espeak:it"), "for it give --texts FILE"),
        (("--teacher", "espeak:it", "--texts", "nowhere.txt"), "texts cannot be read"),
        (("--teacher", "recordings:nowhere"), "metadata.csv"),
        (("--teacher", "neural:nobody"), "is none of espeak:LANGUAGE"),
        (("--teacher", "espeak:it", "--start", "nowhere"), "is none of neural:NAME"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recipe, "check_installed", lambda: None)
    code, output = run("some-voice", *arguments)
    assert code == 1
    assert said in output.replace("\n", "")
    assert not list(tmp_path.iterdir())


def test_a_name_is_checked_before_an_hour_is_spent() -> None:
    code, output = run("No Name", "--teacher", "espeak:it")
    assert code == 1
    assert "a-z, 0-9 and single dashes" in output


def test_missing_parts_are_named_with_what_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe.importlib.util, "find_spec", lambda name: None if name == "torch" else name)
    code, output = run("some-voice", "--teacher", "espeak:it")
    assert (code, output) == (1, "voxtrunk: torch missing: pip install 'voxtrunk[train]'\n")
    monkeypatch.undo()
    monkeypatch.setattr(recipe, "check_installed", lambda: None)
    monkeypatch.setenv("PATH", "")
    code, output = run("some-voice", "--teacher", "flite:slt")
    assert (code, output) == (1, "voxtrunk: flite is missing: apt-get install flite\n")


def test_one_command_makes_a_voice_and_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("pesq")
    texts, work = tmp_path / "texts.txt", tmp_path / "tiny"
    texts.write_text(TEXTS)
    order = (
        "tiny",
        "--teacher",
        "espeak:en-us",
        "--texts",
        str(texts),
        "--work",
        str(work),
        "--start",
        "none",
    )
    code, output = run(*order, "--minutes", "0.05")
    assert code == 0, output
    assert "neural:tiny is in" in output
    voice = work / "voice"
    metrics = json.loads((voice / "metrics.json").read_text())
    assert metrics["copy_synthesis_free_phase"]["sentences"] == 1
    assert set(metrics["minutes"]) == {"vocoder", "acoustic", "timing", "tune"}
    assert "GNU" in (voice / "NOTICE-espeak-ng.txt").read_text()
    assert (work / "voice.html").read_text().count("<audio ") == 3
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    voice.rename(shelf / "tiny")
    said = list(Synthesiser((NeuralEngine(shelf),)).speak(Script.from_text("Hold the line."), "neural:tiny"))
    assert sum(len(chunk.pcm) for chunk in said) > 0

    made = (work / "corpus" / "corpus.json").stat().st_mtime_ns
    code, output = run(*order, "--minutes", "0.06")
    assert code == 0, output
    assert (work / "corpus" / "corpus.json").stat().st_mtime_ns == made
    more = json.loads((voice / "metrics.json").read_text())["minutes"]
    assert sum(more.values()) >= sum(metrics["minutes"].values())
    code, output = run(*order, "--seed", "1")
    assert code == 1
    assert "was prepared with seed 0" in output.replace("\n", "")
