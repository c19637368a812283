"""What ``voxtrunk keys`` does to a keys' file: entries come and go, and all else in it stays to the letter.

Only a digest of a key is written. A file is replaced whole or not at all, and never by one that cannot be used.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from gateway.api.keyring import BadKeys, digest_of, parse
from gateway.api.scopes import USUAL

PREFIX: Final = "vxt_"
"""What keys begin with, so that scanners for leaked ones find them."""
_OCTETS: Final = 32
_BEGINS: Final = re.compile(r"\s*\[\[\s*keys\s*\]\]\s*(#.*)?")
_TABLE: Final = re.compile(r"\s*\[")


@dataclass(frozen=True, slots=True)
class Row:
    """A key as it is listed."""

    name: str
    scopes: tuple[str, ...]
    expires: datetime | None
    max_calls: int | None
    requests: int | None
    rtp_allow: tuple[str, ...]
    voices: tuple[str, ...]


def rows(path: Path) -> list[Row]:
    """The keys of a file; none where there is no file. Raises BadKeys."""
    text = _read(path)
    return [
        Row(
            each.name,
            tuple(sorted(each.may)),
            each.expires,
            each.max_calls,
            each.requests,
            tuple(map(str, each.rtp_allow)),
            each.voices,
        )
        for each in (parse(text, path).keys if text.strip() else ())
    ]


def add(
    path: Path,
    name: str,
    *,
    scopes: Sequence[str] = (),
    rtp_allow: Sequence[str] = (),
    voices: Sequence[str] = (),
    own_calls: bool = False,
    max_calls: int | None = None,
    requests: int | None = None,
    seconds: int | None = None,
    expires: datetime | None = None,
) -> str:
    """Add a key; returns it, and nobody can read it again. Raises BadKeys, OSError."""
    secret = PREFIX + secrets.token_urlsafe(_OCTETS)
    said: dict[str, object] = {
        "name": name,
        "sha256": digest_of(secret.encode()).hex(),
        "scopes": sorted(set(scopes)) or sorted(USUAL),
        "rtp_allow": list(rtp_allow),
        "voices": list(voices),
        "own_calls": own_calls or None,
        "max_calls": max_calls,
        "requests": requests,
        "seconds": seconds,
    }
    # JSON's strings, numbers and lists of them are TOML's, too
    lines = ["[[keys]]", *(f"{key} = {json.dumps(v)}" for key, v in said.items() if v not in (None, []))]
    if expires is not None:
        lines.append(f"expires = {expires.isoformat(timespec='seconds')}")
    with _replaced(path) as (text, write):
        if any(row.name == name for row in rows(path)):
            raise BadKeys(f"{path} has a key {name} already; take another name, and revoke the old one")
        write(text.rstrip() + "\n\n" * bool(text.strip()) + "\n".join(lines) + "\n")
    return secret


def revoke(path: Path, name: str) -> None:
    """Take a key away. Raises BadKeys, OSError."""
    with _replaced(path) as (text, write):
        names = [row.name for row in rows(path)]
        if name not in names:
            raise BadKeys(f"{path} has no key {name} ({', '.join(names) or 'it has none'})")
        left = "".join(_without(text.splitlines(keepends=True), names.index(name)))
        if not left.strip():
            raise BadKeys(
                f"{name} is the last key: without any the API would ask for none. Add another first"
            )
        if [each.name for each in parse(left, path).keys] != [each for each in names if each != name]:
            raise BadKeys(f"{path} is not written as `voxtrunk keys` can change it; remove {name} by hand")
        write(left)


def _without(lines: Sequence[str], index: int) -> Iterator[str]:
    """The lines, but for the table ``[[keys]]`` of that index: up to the next table."""
    seen, inside = -1, False
    for line in lines:
        if _TABLE.match(line):
            begins = _BEGINS.fullmatch(line.rstrip("\n\r")) is not None
            seen += begins
            inside = begins and seen == index
        if not inside:
            yield line


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise BadKeys(f"{path} is not TOML: not UTF-8") from None


class _Write:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, text: str) -> None:
        parse(text, self._path)
        mode = self._path.stat().st_mode & 0o777 if self._path.exists() else 0o600
        with tempfile.NamedTemporaryFile("w", dir=self._path.parent, prefix=".keys-", delete=False) as file:
            try:
                os.fchmod(file.fileno(), mode)
                if self._path.exists():
                    with contextlib.suppress(PermissionError):  # it stays readable by whom it was readable by
                        status = self._path.stat()
                        os.fchown(file.fileno(), status.st_uid, status.st_gid)
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                os.replace(file.name, self._path)
            except BaseException:
                os.unlink(file.name)
                raise


@contextlib.contextmanager
def _replaced(path: Path) -> Iterator[tuple[str, _Write]]:
    """The file's text and what replaces it, while nobody else does so."""
    path = path.resolve()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield _read(path), _Write(path)
    finally:
        os.close(folder)
