"""The voices in `voices/` unpacked as they come to a user, and added once in a session."""

from __future__ import annotations

import atexit
import lzma
import shutil
import tempfile
from functools import cache
from pathlib import Path

from tts_core.piper import adding

VOICES = Path(__file__).parent / "voices"
MEDIUM, LOW, LETTERS, PAIR = (
    "en_US-random-medium", "en_GB-crowd-low", "de_DE-letters-high", "de_DE-pair-high"
)  # fmt: skip


def unpacked(name: str, folder: Path) -> Path:
    """`NAME.onnx` in `folder`, its JSON beside it."""
    file = folder / f"{name}.onnx"
    file.write_bytes(lzma.decompress((VOICES / f"{name}.onnx.xz").read_bytes()))
    shutil.copyfile(VOICES / f"{name}.onnx.json", folder / f"{name}.onnx.json")
    return file


@cache
def _root() -> Path:
    root = Path(tempfile.mkdtemp(prefix="piper-voices-"))
    atexit.register(shutil.rmtree, root)
    return root


@cache
def added(*names: str) -> Path:
    """A shelf with the voices of these names on it. Not to be written to."""
    shelf = _root() / "-".join(names)
    for name in names:
        (_root() / name).mkdir(exist_ok=True)
        adding.add(unpacked(name, _root() / name), shelf)
    return shelf
