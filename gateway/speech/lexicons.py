"""Lexicons from files, each read once as long as it does not change."""

from __future__ import annotations

import logging
import os
from functools import lru_cache
from pathlib import Path
from typing import Final

from tts_core import Lexicon, LexiconError

log = logging.getLogger("voxtrunk.speech")

Stamp = tuple[int, int]
"""What changes when a file does: (mtime_ns, size)."""
GLOBAL: Final = "global.pls"
"""The lexicon in the folder that every utterance follows, after those that it names."""


def stamp(path: str) -> Stamp:
    """The file's stamp. Raises OSError."""
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=64)
def read(path: str, stamp: Stamp) -> Lexicon:
    """The lexicon in the file, as it was at ``stamp``. Raises LexiconError, OSError."""
    return Lexicon.from_pls(Path(path).read_bytes())


def always(folder: Path | None) -> tuple[Lexicon, ...]:
    """The lexicon of every utterance, where there is one. Raises LexiconError, OSError."""
    path = None if folder is None else folder / GLOBAL
    if path is None or not path.exists():
        return ()
    return (read(str(path), stamp(str(path))),)


def at_start(folder: Path | None) -> tuple[Lexicon, ...]:
    """The same when there is none yet to stay in force; the log says when it cannot be read."""
    try:
        return always(folder)
    except (LexiconError, OSError) as error:
        log.error("the lexicon %s is left out: %s", GLOBAL, error)
        return ()
