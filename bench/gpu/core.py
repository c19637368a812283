"""The neural core's own modules, without what a bare machine lacks.

A machine with torch, NumPy and safetensors only has no espeak-ng, msgspec or HTTP server. Importing `tts_core`
itself brings the whole door with it, so its name is bound here to its folder alone: the modules below it are the
product's own, unchanged.
"""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

ROOT = Path(__file__).parent.parent.parent


def bind() -> None:
    """Make `tts_core.neural…` importable without running `tts_core`'s own first lines.

    The acoustic model takes two constants from the frontend's module, which imports espeak-ng's library; nothing
    here reads text, so an empty module does for that.
    """
    if "tts_core" not in sys.modules:
        made = ModuleType("tts_core")
        made.__path__ = [str(ROOT / "tts_core")]
        sys.modules["tts_core"] = made
    try:
        importlib.import_module("espeakng_loader")
    except ImportError:
        sys.modules["espeakng_loader"] = ModuleType("espeakng_loader")


@dataclass(frozen=True, slots=True)
class Voice:
    """As much of a package as the runtimes of torch read; its hashes are not checked here."""

    folder: Path
    manifest: Any


def voice(folder: Path) -> Voice:
    """The voice in `folder`."""
    held = json.loads((folder / "voice.json").read_text())
    return Voice(folder, SimpleNamespace(**held))
