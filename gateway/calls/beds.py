"""Sounds to be played behind speech, decoded once for all calls, in memory that media workers map by its path."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gateway.errors import Refusal
from gateway.messages.media import BED_REPEATED
from telephony_codecs import LINE_RATE, MediaFileError, gain_to_dbm0, read_audio, resample_recording

_SHORTEST_S = 0.5
_OPENED_S = 5
"""By then a worker that was told of a bed has opened it."""


@dataclass(slots=True, eq=False)
class Bed:
    """One sound: int16 at 8 kHz in an anonymous memory file, which goes with its last user."""

    number: int
    path: Path
    stamp: int
    fd: int
    users: int = 0

    @property
    def memory(self) -> str:
        """A path by which another process of ours opens it."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"


class Beds:
    """Every bed that a call plays. ``max_seconds``: the longest, each brought to ``level_dbm0``.

    ``drop`` is told the number of one that nobody will be told of again.
    """

    def __init__(self, level_dbm0: float, max_seconds: float, drop: Callable[[int], None]) -> None:
        self._drop = drop
        self._level_dbm0 = level_dbm0
        self._max_seconds = max_seconds
        self._numbers = itertools.count(1)
        self._beds: dict[tuple[Path, int], Bed] = {}

    async def take(self, path: Path) -> Bed:
        """The sound of an audio file. Refusal ``bad_prompt``; ``let_go`` of it once."""
        try:
            stamp = (await asyncio.to_thread(path.stat)).st_mtime_ns
            bed = self._beds.get((path, stamp))
            if bed is None:
                fd = await asyncio.to_thread(self._decode, path)
                made = Bed(next(self._numbers), path, stamp, fd)
                bed = self._beds.setdefault((path, stamp), made)
                if bed is not made:  # somebody was quicker
                    os.close(fd)
        except (MediaFileError, OSError) as error:
            raise Refusal("bad_prompt", str(error), field="prompt") from None
        bed.users += 1
        return bed

    def let_go(self, bed: Bed | None) -> None:
        """A call plays it no more."""
        if bed is None:
            return
        bed.users -= 1
        if not bed.users:
            del self._beds[bed.path, bed.stamp]
            asyncio.get_running_loop().call_later(_OPENED_S, os.close, bed.fd)
            self._drop(bed.number)

    def _decode(self, path: Path) -> int:
        audio = read_audio(path, max_seconds=self._max_seconds)
        pcm = resample_recording(audio.pcm, audio.rate)
        if len(pcm) < _SHORTEST_S * LINE_RATE:
            raise MediaFileError(f"{path.name}: {_SHORTEST_S} s at least are needed to be repeated")
        wave = pcm * (32768 * gain_to_dbm0(pcm, LINE_RATE, self._level_dbm0))
        fd = os.memfd_create("voxtrunk-bed", os.MFD_CLOEXEC)
        with os.fdopen(os.dup(fd), "wb") as file:
            samples = np.clip(np.rint(wave), -32768, 32767).astype(np.int16)
            file.write(np.concatenate((samples, samples[:BED_REPEATED])).tobytes())
        return fd
