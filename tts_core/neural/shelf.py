"""Voice packages kept in a folder, of any kind of engine beside each other: listed, added, removed."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Generic

from tts_core.neural import package as packages
from tts_core.neural.package import BadPackage, Held, Kind, M

_log = logging.getLogger(__name__)


def listed(folder: Path, kind: Kind[M]) -> list[Held[M]]:
    """Every package of this kind in `folder`, by name. Raises BadPackage for the first that is damaged."""
    return [_held(each, kind) for each in folders(folder) if packages.engine_of(each) == kind.engine]


Marks = tuple[tuple[str, int, int, int], ...]


def marks(folder: Path) -> dict[Path, Marks]:
    """What tells that a package in `folder` is another than before: its files' names, sizes, times and inodes.

    A few system calls a package. Raises OSError when the disk fails.
    """
    found = {}
    for each in folders(folder):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(each) as entries:
            held = ((entry.name, entry.stat(follow_symlinks=False)) for entry in entries)
            found[each] = tuple(sorted((name, st.st_size, st.st_mtime_ns, st.st_ino) for name, st in held))
    return found


class Watched(Generic[M]):
    """The sound packages of one kind in a folder, looked through again whenever `changes` is asked for."""

    def __init__(self, folder: Path, kind: Kind[M], taken: Collection[str] = ()) -> None:
        self._folder, self._kind, self._taken = folder, kind, taken
        self._seen: dict[Path, Marks] = {}
        self._held: dict[Path, Held[M]] = {}
        self.left_out: dict[Path, str] = {}
        """Why packages are left out, or an earlier one of theirs stands, by folder."""

    def changes(self) -> tuple[list[Held[M]], list[Held[M]]]:
        """The packages that came and those that went since the last time; a new one of an old name is in both.

        What is damaged, or has a name that is taken, is left out and the log says why; one that was sound before
        stays.
        """
        seen = marks(self._folder)
        came, went = [], [self._held.pop(each) for each in list(self._held) if each not in seen]
        self.left_out = {
            each: why for each, why in self.left_out.items() if seen.get(each) == self._seen.get(each)
        }
        for each in seen:
            if self._seen.get(each) == seen[each] or packages.engine_of(each) != self._kind.engine:
                continue
            try:
                package = _held(each, self._kind)
                _check_free(package, self._taken)
            except BadPackage as error:
                self.leave_out(each, error)
                continue
            if each in self._held:
                went.append(self._held[each])
            self._held[each] = package
            came.append(package)
        self._seen = seen
        return came, went

    def leave_out(self, folder: Path, error: Exception) -> None:
        """The package there cannot be used; say so."""
        _log.error("a voice is left out: %s", error)
        self.left_out[folder] = str(error)


def folders(folder: Path) -> list[Path]:
    """Where packages lie in `folder`; none when it does not exist."""
    found = (each.parent for each in folder.glob(f"*/{packages.MANIFEST}"))
    return sorted(each for each in found if not each.name.startswith("."))


def add(
    source: Path,
    folder: Path,
    kind: Kind[M],
    taken: Collection[str] = (),
    trial: Callable[[Held[M]], object] = str,
) -> Held[M]:
    """Copy the package `source` into `folder` under its own name: all of it or nothing, and only what it names.

    `trial` is called with the copy before it counts, and raises what is wrong with it. Raises BadPackage when it
    is damaged, or its name is in `taken` or in the folder already; OSError when the folder cannot be written to.
    """
    package = packages.read_as(source, kind)
    _check_free(package, taken)
    target = folder / package.manifest.name
    if target.exists():
        raise BadPackage(f"a voice named {package.manifest.name} is there already: remove it first")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".adding-") as made:
        copy = Path(made) / package.manifest.name
        copy.mkdir()
        for name in (packages.MANIFEST, *package.manifest.files):
            shutil.copyfile(source / name, copy / name, follow_symlinks=False)
        trial(packages.read_as(copy, kind))  # what was copied is what was checked
        copy.rename(target)
    return Held(target, package.manifest)


def remove(name: str, folder: Path) -> None:
    """Remove the voice `name` from `folder`, damaged or not. Raises BadPackage when there is none, OSError."""
    found = [each for each in folders(folder) if each.name == name]
    if not found:
        raise BadPackage(f"no voice named {name[:64]!r} is in {folder}")
    shutil.rmtree(found[0])


def _held(folder: Path, kind: Kind[M]) -> Held[M]:
    package = packages.read_as(folder, kind)
    if folder.name != package.manifest.name:
        raise BadPackage(f"{folder}: the voice in it is named {package.manifest.name}")
    return package


def _check_free(package: Held[M], taken: Collection[str]) -> None:
    if package.manifest.name in taken:
        raise BadPackage(f"{package.folder}: a voice named {package.manifest.name} ships with Voxtrunk")
