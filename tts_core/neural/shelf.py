"""Voice packages kept in a folder: listed, added, removed."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from tts_core.neural import package as packages
from tts_core.neural.package import BadPackage, Package

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST = 48  # characters of a name


def listed(folder: Path) -> list[Package]:
    """Every package in `folder`, by name. Raises BadPackage for the first that is damaged."""
    return [packages.read(each) for each in folders(folder)]


def folders(folder: Path) -> list[Path]:
    """Where packages lie in `folder`; none when it does not exist."""
    return sorted(each.parent for each in folder.glob(f"*/{packages.MANIFEST}"))


def add(source: Path, folder: Path) -> Package:
    """Copy the package `source` into `folder` under its own name: all of it or nothing, and only what it names.

    Raises BadPackage when it is damaged, has no proper name, or one of that name is there.
    """
    manifest = packages.read(source).manifest
    if not _NAME.fullmatch(manifest.name) or len(manifest.name) > _LONGEST:
        raise BadPackage(f"{source}: {manifest.name[:64]!r} is no name: a-z, 0-9 and single dashes")
    target = folder / manifest.name
    if target.exists():
        raise BadPackage(f"a voice named {manifest.name} is there already")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".adding-") as made:
        copy = Path(made) / "voice"
        copy.mkdir()
        for name in (packages.MANIFEST, *manifest.files):
            shutil.copyfile(source / name, copy / name)
        packages.read(copy)  # what was copied is what was checked
        copy.rename(target)
    return packages.read(target)


def remove(name: str, folder: Path) -> None:
    """Remove the voice `name` from `folder`. Raises BadPackage when there is none."""
    found = [each for each in folders(folder) if each.name == name]
    if not found:
        raise BadPackage(f"no voice named {name[:64]!r} is in {folder}")
    shutil.rmtree(found[0])
