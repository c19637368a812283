"""A prompt's name leads to a file in the folder, or nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.api.prompts import Prompts
from gateway.errors import Refusal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.wav").write_bytes(b"outside")
    inside = tmp_path / "prompts"
    (inside / "de").mkdir(parents=True)
    for name in (
        "hello.wav",
        "both.mp3",
        "both.ogg",
        "de/Guten Tag.flac",
        "v1.2.wav",
        "LOUD.WAV",
        "notes.txt",
    ):
        (inside / name).write_bytes(b"inside")
    (inside / ".hidden.wav").write_bytes(b"inside")
    (inside / "dir.wav").mkdir()
    (inside / "out.wav").symlink_to(tmp_path / "secret.wav")
    (inside / "up").symlink_to(tmp_path)
    (inside / "loop.wav").symlink_to(inside / "loop.wav")
    (inside / "dangling.wav").symlink_to(inside / "nothing.wav")
    (inside / "in.wav").symlink_to(inside / "hello.wav")
    (inside / "disguised.wav").symlink_to(inside / "notes.txt")
    return inside


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("hello", "hello.wav"),
        ("hello.wav", "hello.wav"),
        ("both", "both.mp3"),
        ("both.ogg", "both.ogg"),
        ("de/Guten Tag", "de/Guten Tag.flac"),
        ("v1.2", "v1.2.wav"),
        ("LOUD.WAV", "LOUD.WAV"),
        ("in", "hello.wav"),
    ],
)
def test_a_name_leads_to_its_file(folder: Path, name: str, file: str) -> None:
    assert Prompts(folder).find(name) == folder / file


@pytest.mark.parametrize(
    "name",
    [
        "", "nothing", "notes.txt", "notes", "disguised", "dir", "dir.wav", ".hidden", ".hidden.wav", "out",
        "out.wav", "up/secret", "up/prompts/../secret", "../secret", "../secret.wav", "de/../../secret",
        "/etc/passwd", "//etc/passwd", "de//Guten Tag", "de/", "/hello", "./hello", "hello/", "..", ".",
        "hello\x00.wav", "hello\n", "..\\secret", "loop", "dangling", "a" * 500, "a/" * 200 + "a", "C:hello",
        "~root", "%2e%2e/secret", "hello.wav/x", "file:hello",
    ],
)  # fmt: skip
def test_any_other_name_leads_nowhere(folder: Path, name: str) -> None:
    with pytest.raises(Refusal, match="unknown_prompt"):
        Prompts(folder).find(name)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(max_size=30)
    | st.lists(st.sampled_from(["..", ".", "up", "secret", "/", "hello", "\x00", ".wav"])).map("/".join)
)
def test_no_name_leads_out(folder: Path, name: str) -> None:
    try:
        found = Prompts(folder).find(name)
    except Refusal:
        return
    assert found.is_relative_to(folder)
    assert found.read_bytes() == b"inside"


def test_without_a_folder_there_are_none(tmp_path: Path) -> None:
    for prompts in (Prompts(None), Prompts(tmp_path / "missing")):
        with pytest.raises(Refusal, match="VOXTRUNK_PROMPTS_FOLDER"):
            prompts.find("hello")
