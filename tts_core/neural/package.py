"""A voice as a folder: `voice.json` and the files it names with their hashes.

Nothing of a package is run or unpickled: the manifest is JSON, the weights are ONNX graphs and safetensors. Every
file is checked against its hash before it is opened, and a package that is not what it says is refused.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tts_core.errors import EngineError
from tts_core.neural.frame import RATE

MANIFEST = "voice.json"
FORMAT = 1
GRAPHS = ("encoder.onnx", "decoder.onnx", "vocoder.onnx")
LARGEST = 64 * 2**20  # bytes of one file


class BadPackage(EngineError):
    """A voice package that is damaged, of another format, or not what it says."""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `voice.json` holds. `files` maps each file's name to its sha256."""

    format: int
    engine: str
    name: str
    version: str
    language: str
    gender: str
    description: str
    teacher: str
    licence: str
    sample_rate: int
    phonemes: dict[str, int]
    files: dict[str, str]


@dataclass(frozen=True, slots=True)
class Package:
    """A folder whose manifest was read and whose files' hashes are right."""

    folder: Path
    manifest: Manifest


def read(folder: Path) -> Package:
    """The package in `folder`. Raises BadPackage with the reason."""
    try:
        raw = (folder / MANIFEST).read_bytes()
        manifest = msgspec.json.decode(raw, type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise BadPackage(f"{folder}: {MANIFEST} cannot be read: {error}") from error
    _check(folder, manifest)
    for name, wanted in manifest.files.items():
        if digest(folder / name) != wanted:
            raise BadPackage(f"{folder}: {name} is damaged: its sha256 is not the manifest's")
    return Package(folder, manifest)


def _check(folder: Path, manifest: Manifest) -> None:
    if manifest.format != FORMAT or manifest.engine != "neural":
        raise BadPackage(
            f"{folder}: format {manifest.format} of engine {manifest.engine!r} is not known here"
        )
    if manifest.sample_rate != RATE:
        raise BadPackage(
            f"{folder}: its sample rate is {manifest.sample_rate} Hz; only {RATE} is spoken here"
        )
    missing = [name for name in GRAPHS if name not in manifest.files]
    if missing:
        raise BadPackage(f"{folder}: {', '.join(missing)} missing from the manifest")
    for name in manifest.files:
        if Path(name).name != name or name.startswith("."):
            raise BadPackage(f"{folder}: {name!r} is no plain file name")


def digest(file: Path) -> str:
    """The sha256 of a plain file, in hex. Raises BadPackage when it is missing, a link or too large."""
    if file.is_symlink() or not file.is_file():
        raise BadPackage(f"{file} is missing or no plain file")
    if file.stat().st_size > LARGEST:
        raise BadPackage(f"{file} is larger than {LARGEST} bytes")
    return hashlib.sha256(file.read_bytes()).hexdigest()


def write(folder: Path, manifest: Manifest) -> Package:
    """Write `voice.json` over the files already in `folder`, and read the package back."""
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
    return read(folder)
