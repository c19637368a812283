"""A voice as a folder: `voice.json` and the files it names with their hashes; of whichever engine.

Nothing of a package is run or unpickled: the manifest is JSON, the weights are ONNX graphs and safetensors. Every
file is checked against its hash and every graph against what it must take and give, before anything else opens
it; a package that is not what it says is refused.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from tts_core.errors import EngineError
from tts_core.neural import graphs
from tts_core.neural.frame import RATE
from tts_core.neural.frontend import PAUSE, UNKNOWN
from tts_core.voices import Voice

MANIFEST = "voice.json"
FORMAT = 1
GRAPHS = ("encoder.onnx", "decoder.onnx", "vocoder.onnx")
LARGEST = 64 * 2**20  # bytes of one file
_LARGEST_MANIFEST = 2**19  # bytes
_MOST = 32  # files
_LONGEST = 400  # characters of what is said of a voice
_LONGEST_NAME = 48  # of a voice or a file
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LANGUAGE = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,8}){0,4}")
_ENGINES = ("neural", "piper")
_GENDERS = ("male", "female", "")


_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding JSON raises."""


class BadPackage(EngineError):
    """A voice package that is damaged, of another format, or not what it says."""


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the `voice.json` of any engine holds. `files` maps each file's name to its sha256."""

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
    files: dict[str, str]

    def voice(self, name: str, engine: str) -> Voice:
        """It, or one who speaks in it, as callers choose it: by the `name` that `engine` gives it."""
        return Voice(
            name,
            self.language,
            engine,
            self.description,
            self.gender,
            self.version,
            self.licence,
            self.teacher,
        )


class Manifest(About, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """That of a neural voice."""

    phonemes: dict[str, int]


M = TypeVar("M", bound=About)


@dataclass(frozen=True, slots=True)
class Held(Generic[M]):
    """A folder whose manifest was read, whose files' hashes are right and whose graphs are a voice's."""

    folder: Path
    manifest: M


Package = Held[Manifest]


@dataclass(frozen=True, slots=True)
class Kind(Generic[M]):
    """What one engine's packages are like.

    `check` raises ValueError for what is wrong with a manifest; `graphs` are the files that a package must have,
    each with what raises BadGraph for its content; a file has at most `largest` bytes, all have twice that.
    """

    engine: str
    manifest: type[M]
    check: Callable[[M], None]
    graphs: Mapping[str, Callable[[bytes], None]]
    largest: int = LARGEST


def engine_of(folder: Path) -> str:
    """Whose package lies in `folder`; what says nothing that is known is for the neural engine to refuse."""
    try:
        says = msgspec.json.decode(contents(folder / MANIFEST, _LARGEST_MANIFEST), type=_Engine).engine
    except (BadPackage, *_UNREADABLE):
        says = ""
    return says if says in _ENGINES else "neural"


class _Engine(msgspec.Struct):
    engine: str


def read_as(folder: Path, kind: Kind[M]) -> Held[M]:
    """The package of this kind in `folder`. Raises BadPackage with the reason, in one line."""
    try:
        manifest = msgspec.json.decode(contents(folder / MANIFEST, _LARGEST_MANIFEST), type=kind.manifest)
    except _UNREADABLE as error:
        raise BadPackage(f"{folder}: {MANIFEST} cannot be read: {error}") from error
    try:
        _check(manifest, kind)
        kind.check(manifest)
    except ValueError as error:
        raise BadPackage(f"{folder}: {error}") from error
    left = 2 * kind.largest
    for name, wanted in manifest.files.items():
        raw = contents(folder / name, min(kind.largest, left))
        left -= len(raw)
        if hashlib.sha256(raw).hexdigest() != wanted:
            raise BadPackage(f"{folder}: {name} is damaged: its sha256 is not the manifest's")
        if name in kind.graphs:
            try:
                kind.graphs[name](raw)
            except graphs.BadGraph as error:
                raise BadPackage(f"{folder}: {name} is refused: {error}") from error
    return Held(folder, manifest)


def _check(manifest: About, kind: Kind[M]) -> None:
    """Raise ValueError unless the manifest is one of a voice of this kind, whatever the engine."""
    if manifest.format != FORMAT or manifest.engine != kind.engine:
        raise ValueError(
            f"format {manifest.format} of engine {manifest.engine[:_LONGEST_NAME]!r} is not known here"
        )
    if not is_name(manifest.name):
        raise ValueError(f"{manifest.name[:_LONGEST_NAME]!r} is no name: a-z, 0-9 and single dashes")
    if not _LANGUAGE.fullmatch(manifest.language) or manifest.gender not in _GENDERS:
        raise ValueError(
            "its language is to be a tag such as en-us, its gender male, female or empty, not "
            f"{manifest.language[:_LONGEST_NAME]!r} and {manifest.gender[:_LONGEST_NAME]!r}"
        )
    for what in ("version", "description", "teacher", "licence"):
        said = getattr(manifest, what)
        if len(said) > _LONGEST or not said.isprintable():
            raise ValueError(f"its {what} is no line of at most {_LONGEST} printable characters")
    missing = [name for name in kind.graphs if name not in manifest.files]
    if missing:
        raise ValueError(f"{', '.join(missing)} missing from the manifest")
    if len(manifest.files) > _MOST:
        raise ValueError(f"it names {len(manifest.files)} files; {_MOST} are the most")
    for name in manifest.files:
        plain = name and Path(name).name == name and name.isprintable() and len(name) <= _LONGEST_NAME
        if not plain or name.startswith("."):
            raise ValueError(f"{name[:_LONGEST_NAME]!r} is no plain file name")


def is_name(name: str) -> bool:
    """Whether a voice may have this name."""
    return _NAME.fullmatch(name) is not None and len(name) <= _LONGEST_NAME


def _check_neural(manifest: Manifest) -> None:
    if manifest.sample_rate != RATE:
        raise ValueError(f"its sample rate is {manifest.sample_rate} Hz; only {RATE} is spoken here")
    ids = manifest.phonemes
    if not {PAUSE, UNKNOWN} <= ids.keys() or sorted(ids.values()) != list(range(1, len(ids) + 1)):
        raise ValueError(f"its phonemes are not numbered from 1 on, {PAUSE!r} and {UNKNOWN!r} among them")


NEURAL: Final = Kind(
    "neural", Manifest, _check_neural, {name: partial(graphs.check, name) for name in GRAPHS}
)


def digest(file: Path, largest: int = LARGEST) -> str:
    """The sha256 of a plain file, in hex. Raises BadPackage when it is missing, a link or too large."""
    return hashlib.sha256(contents(file, largest)).hexdigest()


def contents(file: Path, limit: int) -> bytes:
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


def write_as(folder: Path, manifest: M, kind: Kind[M]) -> Held[M]:
    """Write `voice.json` over the files already in `folder`, and read the package back."""
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
    return read_as(folder, kind)


def read(folder: Path) -> Package:
    """The neural voice in `folder`. Raises BadPackage with the reason, in one line."""
    return read_as(folder, NEURAL)


def write(folder: Path, manifest: Manifest) -> Package:
    """Write `voice.json` over the files of a neural voice already in `folder`, and read the package back."""
    return write_as(folder, manifest, NEURAL)
