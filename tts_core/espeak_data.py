"""espeak-ng's data as the library is given it: links to the package's, and one variant of voices beside its own.

Variants are found by name in the data directory only.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

from tts_core.errors import EngineError

STEADY = "steady"
"""The variant that speaks without a flutter of pitch and without roughness."""
_STEADY_VARIANT = f"language variant\nname {STEADY}\nflutter 0\nroughness 8\n"
_DATA = "espeak-ng-data"


def overlay(source: Path) -> Path:
    """A directory of links to the data in `source` with our variant beside its own.

    It is named after its content, so that every process of this user shares one, and no crash leaves another.
    Raises EngineError when there is no place for it, or when it is somebody else's.
    """
    name = hashlib.sha256(f"{source}\n{_STEADY_VARIANT}".encode()).hexdigest()[:16]
    root = _cache_folder() / f"espeak-{os.getuid()}-{name}"
    if not root.exists():
        made = Path(tempfile.mkdtemp(prefix="espeak-", dir=root.parent))
        _link(source, made / _DATA)
        try:
            made.rename(root)
        except OSError:  # another process was first
            shutil.rmtree(made)
    status = root.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise EngineError(f"{root} should be a directory that only this user may write to")
    return root / _DATA


def _link(source: Path, data: Path) -> None:
    variants = data / "voices" / "!v"
    variants.mkdir(parents=True)
    for entry in source.iterdir():
        if entry.name != "voices":
            (data / entry.name).symlink_to(entry)
    (variants / STEADY).write_text(_STEADY_VARIANT)


def _cache_folder() -> Path:
    """The user's cache (XDG_CACHE_HOME, ~/.cache), or the temporary directory for a user without a home."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    for folder in (home / "voxtrunk", Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    raise EngineError(f"neither {home} nor {tempfile.gettempdir()} can be written to: set XDG_CACHE_HOME")


def has_dictionary(data: Path, identifier: str) -> bool:
    """Whether the package holds the voice's dictionary: a few are listed without one, and are mute."""
    language = dictionary = ""
    for line in (data / "lang" / identifier).read_text().splitlines():
        word, _, rest = line.partition(" ")
        if word == "language" and not language:
            language = rest.split()[0].partition("-")[0]
        elif word == "dictionary":
            dictionary = rest.split()[0]
    return (data / f"{dictionary or language}_dict").exists()
