"""A voice as a folder: `voice.json` and the files it names with their hashes.

Nothing of a package is run or unpickled: the manifest is JSON, the weights are ONNX graphs and safetensors. Every
file is checked against its hash and every graph against what it must take and give, before anything else opens
it; a package that is not what it says is refused.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tts_core.errors import EngineError
from tts_core.neural import graphs
from tts_core.neural.frame import RATE
from tts_core.neural.frontend import PAUSE, UNKNOWN

MANIFEST = "voice.json"
FORMAT = 1
GRAPHS = ("encoder.onnx", "decoder.onnx", "vocoder.onnx")
LARGEST = 64 * 2**20  # bytes of one file
_LARGEST_ALL = 128 * 2**20  # bytes of all of them
_LARGEST_MANIFEST = 2**18  # bytes
_MOST = 32  # files
_LONGEST = 400  # characters of what is said of a voice
_LONGEST_NAME = 48  # of a voice or a file
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LANGUAGE = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,8}){0,4}")
_GENDERS = ("male", "female", "")


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
    """A folder whose manifest was read, whose files' hashes are right and whose graphs are a voice's."""

    folder: Path
    manifest: Manifest


def read(folder: Path) -> Package:
    """The package in `folder`. Raises BadPackage with the reason, in one line."""
    try:
        manifest = msgspec.json.decode(_contents(folder / MANIFEST, _LARGEST_MANIFEST), type=Manifest)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadPackage(f"{folder}: {MANIFEST} cannot be read: {error}") from error
    try:
        _check(manifest)
    except ValueError as error:
        raise BadPackage(f"{folder}: {error}") from error
    left = _LARGEST_ALL
    for name, wanted in manifest.files.items():
        raw = _contents(folder / name, min(LARGEST, left))
        left -= len(raw)
        if hashlib.sha256(raw).hexdigest() != wanted:
            raise BadPackage(f"{folder}: {name} is damaged: its sha256 is not the manifest's")
        if name in GRAPHS:
            try:
                graphs.check(name, raw)
            except graphs.BadGraph as error:
                raise BadPackage(f"{folder}: {name} is refused: {error}") from error
    return Package(folder, manifest)


def _check(manifest: Manifest) -> None:
    """Raise ValueError unless the manifest is a voice's that can speak here."""
    if manifest.format != FORMAT or manifest.engine != "neural":
        raise ValueError(
            f"format {manifest.format} of engine {manifest.engine[:_LONGEST_NAME]!r} is not known here"
        )
    if not _NAME.fullmatch(manifest.name) or len(manifest.name) > _LONGEST_NAME:
        raise ValueError(f"{manifest.name[:_LONGEST_NAME]!r} is no name: a-z, 0-9 and single dashes")
    if manifest.sample_rate != RATE:
        raise ValueError(f"its sample rate is {manifest.sample_rate} Hz; only {RATE} is spoken here")
    if not _LANGUAGE.fullmatch(manifest.language) or manifest.gender not in _GENDERS:
        raise ValueError(
            "its language is to be a tag such as en-us, its gender male, female or empty, not "
            f"{manifest.language[:_LONGEST_NAME]!r} and {manifest.gender[:_LONGEST_NAME]!r}"
        )
    for what in ("version", "description", "teacher", "licence"):
        said = getattr(manifest, what)
        if len(said) > _LONGEST or not said.isprintable():
            raise ValueError(f"its {what} is no line of at most {_LONGEST} printable characters")
    ids = manifest.phonemes
    if not {PAUSE, UNKNOWN} <= ids.keys() or sorted(ids.values()) != list(range(1, len(ids) + 1)):
        raise ValueError(f"its phonemes are not numbered from 1 on, {PAUSE!r} and {UNKNOWN!r} among them")
    missing = [name for name in GRAPHS if name not in manifest.files]
    if missing:
        raise ValueError(f"{', '.join(missing)} missing from the manifest")
    if len(manifest.files) > _MOST:
        raise ValueError(f"it names {len(manifest.files)} files; {_MOST} are the most")
    for name in manifest.files:
        plain = name and Path(name).name == name and name.isprintable() and len(name) <= _LONGEST_NAME
        if not plain or name.startswith("."):
            raise ValueError(f"{name[:_LONGEST_NAME]!r} is no plain file name")


def digest(file: Path) -> str:
    """The sha256 of a plain file, in hex. Raises BadPackage when it is missing, a link or too large."""
    return hashlib.sha256(_contents(file, LARGEST)).hexdigest()


def _contents(file: Path, limit: int) -> bytes:
    """What a plain file of at most `limit` bytes holds; no link is followed, no pipe or device waited for."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise BadPackage(f"{file} is missing or no plain file: {error}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise BadPackage(f"{file} is missing or no plain file")
        raw = b""
        if status.st_size <= limit:
            with open(descriptor, "rb", closefd=False) as opened:
                raw = opened.read(limit + 1)
        if max(len(raw), status.st_size) > limit:
            raise BadPackage(f"{file} is larger than {limit} bytes")
        return raw
    finally:
        os.close(descriptor)


def write(folder: Path, manifest: Manifest) -> Package:
    """Write `voice.json` over the files already in `folder`, and read the package back."""
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
    return read(folder)
