"""A shelf of voices: what is added can be spoken with, what is refused leaves nothing behind."""

import json
import shutil
from pathlib import Path

import pytest

from tts_core.neural import package, shelf
from tts_core.neural.engine import NeuralEngine
from tts_core.neural.package import BadPackage


def named(small: Path, tmp_path: Path, name: str) -> Path:
    folder = Path(shutil.copytree(small, tmp_path / "source"))
    held = json.loads((folder / package.MANIFEST).read_text())
    (folder / package.MANIFEST).write_text(json.dumps(held | {"name": name}))
    return folder


def test_added_listed_and_removed(small: Path, tmp_path: Path) -> None:
    folder = tmp_path / "voices"
    assert shelf.listed(folder) == []
    shelf.add(small, folder)
    assert [each.manifest.name for each in shelf.listed(folder)] == ["en-us-none"]
    assert [voice.name for voice in NeuralEngine(folder).voices()] == ["neural:en-us-none"]
    with pytest.raises(BadPackage, match="there already"):
        shelf.add(small, folder)
    shelf.remove("en-us-none", folder)
    assert list(folder.iterdir()) == []
    with pytest.raises(BadPackage, match="no voice named"):
        shelf.remove("en-us-none", folder)


@pytest.mark.parametrize("name", ["../outside", "a/b", "", ".hidden", "UPPER", "a--b", "a" * 49])
def test_a_name_that_is_a_path_is_refused(small: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(BadPackage, match="no name"):
        shelf.add(named(small, tmp_path, name), tmp_path / "voices")
    assert not (tmp_path / "voices").exists()


def test_removing_cannot_leave_the_folder(small: Path, tmp_path: Path) -> None:
    shelf.add(small, tmp_path / "voices")
    (tmp_path / "other").mkdir()
    for name in ("../other", "..", ".", ""):
        with pytest.raises(BadPackage):
            shelf.remove(name, tmp_path / "voices")
    assert (tmp_path / "other").exists()


def test_what_the_manifest_does_not_name_is_not_copied(small: Path, tmp_path: Path) -> None:
    source = named(small, tmp_path, "tidy")
    (source / "surprise.sh").write_text("exit 1")
    added = shelf.add(source, tmp_path / "voices")
    assert not (added.folder / "surprise.sh").exists()


def test_a_damaged_voice_leaves_nothing_behind(small: Path, tmp_path: Path) -> None:
    source = named(small, tmp_path, "broken")
    (source / "decoder.onnx").write_bytes(b"no")
    with pytest.raises(BadPackage, match="damaged"):
        shelf.add(source, tmp_path / "voices")
    assert shelf.listed(tmp_path / "voices") == []
