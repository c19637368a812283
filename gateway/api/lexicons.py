"""Lexicons: PLS documents that an utterance may name. A name can never lead out of the lexicons folder.

What is put there is whole and can be read, or nothing is changed.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from gateway.errors import Refusal
from gateway.speech.lexicons import read, stamp
from tts_core import Lexicon, LexiconError

EXTENSION: Final = ".pls"
_NONE: Final = "There are no lexicons: VOXTRUNK_LEXICONS_FOLDER is not set"
_NAME: Final = re.compile(r"\w[\w.+-]{0,99}")  # no slash, so nothing outside the folder


class Lexicons:
    """Finds lexicons in ``folder``; with None there are none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def find(self, names: Iterable[str]) -> tuple[str, ...]:
        """The files that ``names`` mean, each of which can be read.

        Raises Refusal ``unknown_lexicon``, ``bad_lexicon``. Touches the disk: call it from a thread.
        """
        return tuple(str(self._find(name)) for name in names)

    def names(self) -> list[str]:
        """Of all that there are, whether they can be read or not."""
        if self._folder is None or not self._folder.is_dir():
            return []
        names = (path.stem for path in self._folder.iterdir() if path.suffix == EXTENSION)
        return sorted(name for name in names if _NAME.fullmatch(name))

    def get(self, name: str) -> bytes:
        """The document. Refusal ``unknown_lexicon``. Touches the disk, as all here: call it from a thread."""
        try:
            return self._place(name).read_bytes()
        except OSError:
            raise _unknown(name) from None

    def put(self, name: str, document: bytes) -> bool:
        """Store it; whether there was none of this name. Refusals ``unknown_lexicon``, ``bad_lexicon``."""
        path = self._place(name)
        try:
            Lexicon.from_pls(document)
        except LexiconError as error:
            raise _refusal("bad_lexicon", f"{path.name}: {error}") from None
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists()
        descriptor, written = tempfile.mkstemp(dir=path.parent, prefix=".put-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(document)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(written, 0o644)
            os.replace(written, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(written)
            raise
        return new

    def delete(self, name: str) -> None:
        """Remove it. Refusal ``unknown_lexicon``."""
        try:
            self._place(name).unlink()
        except OSError:
            raise _unknown(name) from None

    def _place(self, name: str) -> Path:
        """Where a lexicon of this name lies, if there is one."""
        if self._folder is None:
            raise _refusal("unknown_lexicon", _NONE)
        bare = name.removesuffix(EXTENSION)
        if not _NAME.fullmatch(bare):
            raise _refusal(
                "unknown_lexicon", "A lexicon's name has letters, digits, _ . + and - (100 at most)"
            )
        return self._folder / (bare + EXTENSION)

    def _find(self, name: str) -> Path:
        if self._folder is None:
            raise _refusal("unknown_lexicon", _NONE)
        bare = name.removesuffix(EXTENSION)
        try:
            if not _NAME.fullmatch(bare):
                raise FileNotFoundError
            path = (self._folder.resolve(strict=True) / (bare + EXTENSION)).resolve(strict=True)
            if not path.is_relative_to(self._folder.resolve()):
                raise FileNotFoundError
            read(str(path), stamp(str(path)))
        except OSError:
            raise _unknown(name) from None
        except LexiconError as error:
            raise _refusal("bad_lexicon", f"{bare}{EXTENSION}: {error}") from None
        return path


def _unknown(name: str) -> Refusal:
    return _refusal("unknown_lexicon", f"No lexicon {name[:100]!r} ({EXTENSION}) in VOXTRUNK_LEXICONS_FOLDER")


def _refusal(code: str, detail: str) -> Refusal:
    return Refusal(code, detail, field="lexicons")
