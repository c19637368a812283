"""Voices of any kind put into a folder, and taken out of it."""

from __future__ import annotations

from pathlib import Path

from tts_core.neural import engine as neural
from tts_core.neural import package, shelf
from tts_core.neural.package import BadPackage
from tts_core.piper import adding as piper


def add(source: Path, folder: Path) -> str:
    """Put a voice into `folder` once it has spoken: a package's folder, or a Piper voice's `.onnx` file.

    Returns its name; `#` and a speaker follow where many speak in it. Raises BadPackage for what is no voice,
    EngineError, OSError.
    """
    if not source.is_dir():
        held = piper.add(source, folder).manifest
    elif package.engine_of(source) == "piper":
        held = piper.add_package(source, folder).manifest
    else:
        return f"neural:{neural.add(source, folder).manifest.name}"
    many = "" if not held.speakers else f"#{next(iter(held.speakers))} (and {len(held.speakers) - 1} more)"
    return f"piper:{held.name}{many}"


def remove(name: str, folder: Path) -> None:
    """Remove the voice `name` (its engine before it or not) from `folder`, damaged or not.

    Raises BadPackage when there is none, or it ships with Voxtrunk; OSError.
    """
    engine, _, own = name.rpartition(":")
    own, _, speaker = own.partition("#")
    if speaker:
        raise BadPackage(f"who speaks in a voice is not removed alone: voxtrunk voices remove {engine}:{own}")
    held = [each for each in shelf.folders(folder) if each.name == own]
    if engine and held and package.engine_of(held[0]) != engine:
        raise BadPackage(f"no voice named {name[:64]!r} is in {folder}")
    neural.remove(own, folder)
