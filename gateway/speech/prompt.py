"""Speech from audio files: read, levelled as a voice is, encoded for the line."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Final

import numpy as np

from gateway.speech.recipe import Recipe
from gateway.speech.splice import Sound
from gateway.speech.track import Stretch
from telephony_codecs import LINE_RATE, Encoder, Law, gain_to_dbm0, read_audio, resample_recording

_SLICE_SECONDS: Final = 10


def recorded(path: str, level_dbm0: float, max_seconds: float) -> Sound:
    """A recording as a piece among others. Raises MediaFileError, OSError."""
    audio = read_audio(Path(path), max_seconds=max_seconds)
    pcm = resample_recording(audio.pcm, audio.rate)
    return Sound(pcm * np.float32(gain_to_dbm0(pcm, LINE_RATE, level_dbm0)), recorded=True)


class PromptSource:
    """Reads prompts of at most ``max_seconds``, each brought to ``level_dbm0``."""

    def __init__(self, level_dbm0: float, max_seconds: float) -> None:
        self._level_dbm0 = level_dbm0
        self._max_seconds = max_seconds

    def __call__(self, recipe: Recipe) -> Generator[Stretch, None, None]:
        """The whole prompt in one stretch: its level is not known before its end.

        Raises MediaFileError and OSError from the generator.
        """
        audio = read_audio(Path(recipe.source), max_seconds=self._max_seconds)
        pcm = resample_recording(audio.pcm, audio.rate)
        gain = gain_to_dbm0(pcm, LINE_RATE, self._level_dbm0) * 10 ** (recipe.gain_db / 20)
        encoder = Encoder(LINE_RATE, Law(recipe.law), recipe.ptime_ms, gain)
        step = LINE_RATE * _SLICE_SECONDS
        slices = [encoder.push(pcm[at : at + step]) for at in range(0, len(pcm), step)]
        payload = b"".join((*slices, encoder.flush()))
        yield Stretch(payload[recipe.resume.skip if recipe.resume else 0 :], last=True)
