"""Reference audio of speakers, kept in a folder: who could be spoken as, by an engine that clones.

    VOXTRUNK_SPEAKERS_FOLDER/spk_0123456789abcdef/speaker.json, reference.wav

What is kept is not what was sent, but what it decodes to: mono s16le at its own rate. It is written beside and
then renamed, so a folder is whole or is not there. Names of files are ours; no client's word leads to a path.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.errors import Refusal
from gateway.settings import Settings
from telephony_codecs import MediaFileError, as_int16, read_audio, write_wav

MIN_SECONDS: Final = 1.0
_ID: Final = re.compile(r"spk_[0-9a-f]{16}")
_FACTS: Final = "speaker.json"
_AUDIO: Final = "reference.wav"
_SILENT: Final = 0.001  # of full scale: -60 dBFS


class Speaker(BaseModel):
    """A speaker whose reference audio is kept."""

    model_config = ConfigDict(extra="forbid")

    speaker_id: str = Field(pattern=_ID.pattern)
    name: str
    language: str | None
    created_at: datetime
    duration_ms: int
    sample_rate: int
    sha256: str = Field(description="Of the kept samples")


class Speakers:
    """The shelf. All of it touches the disk in a thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._adding = asyncio.Lock()

    async def add(self, name: str, language: str | None, audio: bytes) -> Speaker:
        """Keep a speaker. Refusals ``no_speakers``, ``too_many_speakers``, ``bad_audio``."""
        root = self._root()
        async with self._adding:
            kept = len(await asyncio.to_thread(_all, root))
            if kept >= self._settings.speakers_max:
                detail = f"{kept} speakers are kept (VOXTRUNK_SPEAKERS_MAX); delete one first"
                raise Refusal("too_many_speakers", detail)
            return await asyncio.to_thread(self._keep, root, name, language, audio)

    async def all(self) -> list[Speaker]:
        """In the order of their coming; none where none are kept."""
        folder = self._settings.speakers_folder
        return [] if folder is None else await asyncio.to_thread(_all, folder)

    async def get(self, speaker_id: str) -> Speaker:
        """Refusal ``unknown_speaker``."""
        folder = self._settings.speakers_folder
        found = None
        if folder is not None and _ID.fullmatch(speaker_id):
            found = await asyncio.to_thread(_read, folder / speaker_id)
        if found is None:
            raise Refusal("unknown_speaker", f"There is no speaker {speaker_id[:64]!r}")
        return found

    async def remove(self, speaker_id: str) -> Speaker:
        """Forget a speaker and his audio. Refusal ``unknown_speaker``."""
        speaker = await self.get(speaker_id)
        await asyncio.to_thread(shutil.rmtree, self._root() / speaker.speaker_id)
        return speaker

    async def refuse(self, speaker_id: str, engines: Collection[str]) -> None:
        """A speaker of the shelf cannot speak yet. Refusals ``cannot_clone``, ``unknown_speaker``."""
        if _ID.fullmatch(speaker_id):
            speaker = await self.get(speaker_id)
            detail = (
                f"Speaker {speaker.speaker_id} needs an engine that speaks in the voice of reference audio, and "
                f"none is installed: {', '.join(sorted(engines))} have voices of their own (GET /v1/voices)"
            )
            raise Refusal("cannot_clone", detail, field="speaker_id")

    def _root(self) -> Path:
        folder = self._settings.speakers_folder
        if folder is None:
            raise Refusal("no_speakers", "Set VOXTRUNK_SPEAKERS_FOLDER to keep reference audio")
        return folder

    def _keep(self, root: Path, name: str, language: str | None, audio: bytes) -> Speaker:
        pcm, rate = self._decode(audio)
        speaker = Speaker(
            speaker_id=f"spk_{secrets.token_hex(8)}",
            name=name,
            language=language,
            created_at=datetime.now(UTC),
            duration_ms=round(1000 * len(pcm) / rate),
            sample_rate=rate,
            sha256=hashlib.sha256(pcm.astype("<i2").tobytes()).hexdigest(),
        )
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = Path(tempfile.mkdtemp(prefix=".adding-", dir=root))
        try:
            write_wav(beside / _AUDIO, pcm, rate)
            (beside / _FACTS).write_text(speaker.model_dump_json())
            os.rename(beside, root / speaker.speaker_id)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        return speaker

    def _decode(self, audio: bytes) -> tuple[np.typing.NDArray[np.int16], int]:
        """int16[n] and its rate in Hz. Refusal ``bad_audio``."""
        longest = self._settings.speaker_seconds
        with tempfile.NamedTemporaryFile(suffix=".audio") as file:
            file.write(audio)
            file.flush()
            try:
                found = read_audio(Path(file.name), max_seconds=longest)
            except MediaFileError as error:
                why = str(error).partition(": ")[2] or str(error)
                if "longer than" in why:
                    why += " (VOXTRUNK_SPEAKER_SECONDS)"
                raise Refusal("bad_audio", f"audio {why}", field="audio") from None
        if found.seconds < MIN_SECONDS:
            detail = f"audio is {found.seconds:.2f} s long, and {MIN_SECONDS:g} s are needed"
            raise Refusal("bad_audio", detail, field="audio")
        if float(np.abs(found.pcm).max()) < _SILENT:
            raise Refusal("bad_audio", "audio is silent", field="audio")
        return as_int16(found.pcm), found.rate


def _all(root: Path) -> list[Speaker]:
    with contextlib.suppress(FileNotFoundError):
        found = (_read(path) for path in root.iterdir() if _ID.fullmatch(path.name))
        return sorted((each for each in found if each), key=lambda each: (each.created_at, each.speaker_id))
    return []


def _read(folder: Path) -> Speaker | None:
    """None when there is none, or what is there is not ours."""
    try:
        speaker = Speaker.model_validate_json((folder / _FACTS).read_bytes())
    except (OSError, ValidationError):
        return None
    return speaker if speaker.speaker_id == folder.name else None
