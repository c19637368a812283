"""Keys, the API's certificate, voices, lexicons and prompts read again without a restart, by SIGHUP or POST
/v1/admin/reload.

What cannot be read is told of, in the log and in the answer. Of keys, voices and global.pls what was in force
before stays. Prompts and the lexicons that utterances name are read when they are said: there a reload tells what
has changed, and which of them cannot be used. Streams that a key has opened which is no more end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.api.keyring import BadKeys
from gateway.api.lexicons import EXTENSION
from gateway.api.prompts import EXTENSIONS
from gateway.api.tls import BadCertificate
from gateway.speech.lexicons import Stamp, read, stamp
from telephony_codecs import MediaFileError, read_audio
from tts_core import LexiconError

if TYPE_CHECKING:
    from gateway.api.keys import Gate
    from gateway.api.tls import Certificate
    from gateway.calls.switchboard import Switchboard
    from gateway.settings import Settings

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Done:
    """By what was read: names that came, went or changed, and why something was not taken in."""

    changed: dict[str, list[str]] = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)


class Reload:
    """Call it; one at a time."""

    def __init__(
        self,
        gate: Gate,
        switchboard: Switchboard,
        settings: Settings,
        certificate: Certificate | None = None,
    ) -> None:
        self._certificate = certificate
        self._gate = gate
        self._switchboard = switchboard
        self._turn = asyncio.Lock()

        def play(path: Path) -> None:
            read_audio(path, max_seconds=settings.prompt_seconds)

        self._files: dict[str, Files] = {}
        if settings.lexicons_folder is not None:
            self._files["lexicons"] = Files(settings.lexicons_folder, (EXTENSION,), _follow)
        if settings.prompts_folder is not None:
            self._files["prompts"] = Files(settings.prompts_folder, EXTENSIONS, play)

    async def __call__(self) -> Done:
        """Read everything again."""
        done = Done()
        async with self._turn:
            try:
                done.changed["keys"] = await self._gate.renew()
            except BadKeys as error:
                done.errors["keys"] = [str(error)]
            if self._certificate is not None:
                try:
                    done.changed["certificate"] = await asyncio.to_thread(self._certificate.renew)
                except BadCertificate as error:
                    done.errors["certificate"] = [str(error)]
            changed, left_out = await self._switchboard.workers.renew_voices()
            done.changed["voices"] = changed
            if left_out:
                done.errors["voices"] = left_out
            for what, files in self._files.items():
                done.changed[what], wrong = await asyncio.to_thread(files.look)
                if wrong:
                    done.errors[what] = wrong
        for what, names in done.changed.items():
            _log.info("%s read again", what, extra={"changed": names})
        for what, reasons in done.errors.items():
            for reason in reasons:
                kept = "" if what in self._files else " what was in force stays:"
                _log.error("%s:%s %s", what, kept, reason)
        return done


class Files:
    """The files of a folder by their names in it; ``use`` raises what keeps one from being used."""

    def __init__(self, folder: Path, extensions: Collection[str], use: Callable[[Path], None]) -> None:
        self._folder, self._extensions, self._use = folder, extensions, use
        self._known = self._stamps()
        self._wrong: dict[str, str] = {}

    def look(self) -> tuple[list[str], list[str]]:
        """What came, went or changed since the last look, and what of all that was looked at cannot be used.

        Only what is another file than before is tried. Touches the disk: call it from a thread.
        """
        before, self._known = self._known, self._stamps()
        changed = sorted(
            name for name in before.keys() | self._known if before.get(name) != self._known.get(name)
        )
        for name in changed:
            self._wrong.pop(name, None)
            if name in self._known:
                try:
                    self._use(self._folder / name)
                except (LexiconError, MediaFileError, OSError) as error:
                    self._wrong[name] = f"{name}: {error}"
        return changed, [self._wrong[name] for name in sorted(self._wrong)]

    def _stamps(self) -> dict[str, Stamp]:
        found: dict[str, Stamp] = {}
        for path in self._folder.rglob("*"):
            if path.suffix.lower() in self._extensions and path.is_file():
                try:
                    found[path.relative_to(self._folder).as_posix()] = stamp(str(path))
                except OSError:
                    continue  # it went just now
        return found


def _follow(path: Path) -> None:
    read(str(path), stamp(str(path)))
