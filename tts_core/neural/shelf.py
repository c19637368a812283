"""Voice packages kept in a folder: listed, added, removed."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path

from tts_core.neural import package as packages
from tts_core.neural.package import BadPackage, Package

_log = logging.getLogger(__name__)


def listed(folder: Path) -> list[Package]:
    """Every package in `folder`, by name. Raises BadPackage for the first that is damaged."""
    return [_held(each) for each in folders(folder)]


def sound(folder: Path, taken: Collection[str]) -> list[Package]:
    """The packages in `folder` that are whole and have a name not in `taken`; the log says what is left out."""
    found = []
    for each in folders(folder):
        try:
            package = _held(each)
            _check_free(package, taken)
        except BadPackage as error:
            _log.error("a voice is left out: %s", error)
        else:
            found.append(package)
    return found


def folders(folder: Path) -> list[Path]:
    """Where packages lie in `folder`; none when it does not exist."""
    return sorted(each.parent for each in folder.glob(f"*/{packages.MANIFEST}"))


def add(
    source: Path, folder: Path, taken: Collection[str] = (), trial: Callable[[Package], object] = str
) -> Package:
    """Copy the package `source` into `folder` under its own name: all of it or nothing, and only what it names.

    `trial` is called with the copy before it counts, and raises what is wrong with it. Raises BadPackage when it
    is damaged, or its name is in `taken` or in the folder already; OSError when the folder cannot be written to.
    """
    package = packages.read(source)
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
        trial(packages.read(copy))  # what was copied is what was checked
        copy.rename(target)
    return Package(target, package.manifest)


def remove(name: str, folder: Path) -> None:
    """Remove the voice `name` from `folder`, damaged or not. Raises BadPackage when there is none, OSError."""
    found = [each for each in folders(folder) if each.name == name]
    if not found:
        raise BadPackage(f"no voice named {name[:64]!r} is in {folder}")
    shutil.rmtree(found[0])


def _held(folder: Path) -> Package:
    package = packages.read(folder)
    if folder.name != package.manifest.name:
        raise BadPackage(f"{folder}: the voice in it is named {package.manifest.name}")
    return package


def _check_free(package: Package, taken: Collection[str]) -> None:
    if package.manifest.name in taken:
        raise BadPackage(f"{package.folder}: a voice named {package.manifest.name} ships with Voxtrunk")
