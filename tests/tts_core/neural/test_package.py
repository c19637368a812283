"""Voice packages: what is damaged, hostile or of another kind is refused with the reason."""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tts_core import EngineError
from tts_core.neural import package
from tts_core.neural.engine import NeuralEngine
from tts_core.neural.package import BadPackage
from tts_core.neural.runtime import OrtRuntime


@pytest.fixture
def copied(small: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small, tmp_path / "voice"))


def rewritten(folder: Path, change: Callable[[dict[str, object]], None]) -> None:
    held = json.loads((folder / package.MANIFEST).read_text())
    change(held)
    (folder / package.MANIFEST).write_text(json.dumps(held))


def test_reads_what_was_written(small: Path) -> None:
    manifest = package.read(small).manifest
    assert (manifest.name, manifest.language, manifest.sample_rate) == ("en-us-none", "en-us", 8000)
    assert set(package.GRAPHS) | {"weights.safetensors"} == set(manifest.files)


def test_is_small(small: Path) -> None:
    assert sum(file.stat().st_size for file in small.iterdir()) < 10_000_000


@pytest.mark.parametrize("name", [*package.GRAPHS, "weights.safetensors"])
def test_one_byte_changed_is_damaged(copied: Path, name: str) -> None:
    raw = bytearray((copied / name).read_bytes())
    raw[len(raw) // 2] ^= 1
    (copied / name).write_bytes(raw)
    with pytest.raises(BadPackage, match=f"{name} is damaged"):
        package.read(copied)


def test_cut_off_anywhere_the_manifest_is_refused(copied: Path) -> None:
    raw = (copied / package.MANIFEST).read_bytes().rstrip()
    for length in range(0, len(raw), 7):
        (copied / package.MANIFEST).write_bytes(raw[:length])
        with pytest.raises(BadPackage):
            package.read(copied)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda held: held.update(sample_rate=22_050), "22050 Hz"),
        (lambda held: held.update(format=2), "format 2"),
        (lambda held: held.update(engine="piper"), "piper"),
        (lambda held: held.update(surprise=1), "surprise"),
        (lambda held: held["files"].pop("decoder.onnx"), "decoder.onnx missing"),
        (lambda held: held["files"].update({"../secret": "0"}), "no plain file name"),
        (lambda held: held["files"].update({"other.onnx": "0"}), "missing or no plain file"),
        (lambda held: held.update(phonemes="x"), "phonemes"),
    ],
)  # fmt: skip
def test_refusals_say_why(copied: Path, change: Callable[[dict[str, object]], None], says: str) -> None:
    rewritten(copied, change)
    with pytest.raises(BadPackage, match=says):
        package.read(copied)


def test_a_link_is_no_file(copied: Path) -> None:
    os.replace(copied / "vocoder.onnx", copied.parent / "elsewhere.onnx")
    (copied / "vocoder.onnx").symlink_to(copied.parent / "elsewhere.onnx")
    with pytest.raises(BadPackage, match="no plain file"):
        package.read(copied)


def test_a_pickle_with_the_right_hash_is_never_loaded(copied: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(copied / "sprung"),)

    (copied / "vocoder.onnx").write_bytes(pickle.dumps(Trap()))
    rewritten(
        copied, lambda held: held["files"].update({"vocoder.onnx": package.digest(copied / "vocoder.onnx")})
    )
    with pytest.raises(EngineError, match="refuses it"):
        OrtRuntime(package.read(copied))
    assert not (copied / "sprung").exists()


def test_the_engine_refuses_a_folder_with_a_damaged_voice(copied: Path) -> None:
    (copied / "encoder.onnx").write_bytes(b"")
    with pytest.raises(BadPackage, match=r"encoder\.onnx is damaged"):
        NeuralEngine(copied.parent)
