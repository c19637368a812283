"""A teacher made of recordings: a folder with `metadata.csv` (`id|text` a line) and `wavs/id.wav`.

Where its phonemes begin is found by saying the same text with espeak-ng, whose boundaries are known, and bending
that speech's time onto the recording's: dynamic time warping over mel cepstra (Sakoe and Chiba 1978).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.fft import dct
from scipy.io import wavfile

from tts_core.neural.frame import HOP, RATE, Floats, log_mels
from tts_core.neural.learn.teachers import CannotTeach, EspeakTeacher, Lesson, NoLesson, lesson

_CEPSTRA = 13
_QUIET = 0.02  # of the loudest frame's RMS: less than this at both ends is no speech
_LONGEST_S = 20.0


class RecordingsTeacher:
    """Whoever was recorded, reading in `language`. Raises CannotTeach without a `metadata.csv`.

    Only record people who agreed to be imitated.
    """

    dark = False

    def __init__(self, folder: Path, language: str) -> None:
        self.language = language
        self.name = f"recordings {folder.name}"
        try:
            lines = (folder / "metadata.csv").read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise CannotTeach(
                f"recordings need {folder / 'metadata.csv'}, a line `id|text` each: {error}"
            ) from error
        pairs = [line.split("|") for line in lines if line.count("|") >= 1]
        self._files = {text[-1].strip(): folder / "wavs" / f"{text[0]}.wav" for text in pairs}
        self._guide = EspeakTeacher(language)

    @property
    def texts(self) -> list[str]:
        """Everything that was recorded."""
        return list(self._files)

    def say(self, text: str) -> Lesson:
        """The recording of `text`, aligned. Raises NoLesson for what is missing, too long or silent."""
        audio = self.audio(text)
        loud = _loud(audio)
        if len(audio) > _LONGEST_S * RATE or len(loud) < 2:
            raise NoLesson(f"the recording of {text[:64]!r} is silent or longer than {_LONGEST_S:.0f} s")
        first, last = int(loud[0]) * HOP, (int(loud[-1]) + 1) * HOP
        guide = self._guide.say(text)
        ends = np.cumsum(guide.durations)
        spoken = guide.audio[ends[0] * HOP : ends[-2] * HOP]
        path = warp(_cepstra(spoken), _cepstra(audio[first:last]))
        begins = np.minimum(ends[:-1] - ends[0], len(path) - 1)
        seconds = [(first + int(path[frame]) * HOP) / RATE for frame in begins]
        return lesson(text, guide.phonemes, [*seconds[:-1], last / RATE], audio)

    def timed(self, text: str) -> Lesson:
        """The same."""
        return self.say(text)

    def audio(self, text: str) -> Floats:
        """The whole recording at 8 kHz. Raises NoLesson when there is none."""
        file = self._files.get(text)
        if file is None or not file.is_file():
            raise NoLesson(f"{text[:64]!r} was not recorded")
        try:
            rate, pcm = wavfile.read(file)
        except (OSError, ValueError) as error:
            raise NoLesson(f"{file.name} is no WAVE file: {error}") from error
        if pcm.dtype != np.int16:
            raise NoLesson(f"{file.name} is not 16-bit PCM")
        mono = pcm.astype(np.float64).reshape(len(pcm), -1).mean(axis=1) / 32768
        return np.asarray(soxr.resample(mono, rate, RATE), np.float32)


def warp(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.int64]:
    """Which frame of `other` [M, C] each frame of `one` [N, C] lies at, int64[N], never going back."""
    apart = np.sqrt(np.maximum(((one[:, None] - other[None]) ** 2).sum(axis=2), 0))
    rows, columns = apart.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0
    for row in range(1, rows + 1):
        reach = np.minimum(total[row - 1, 1:], total[row - 1, :-1]) + apart[row - 1]
        best = np.inf
        for column in range(columns):
            best = min(reach[column], best + apart[row - 1, column])
            total[row, column + 1] = best
    path = np.zeros(rows, np.int64)
    row, column = rows, columns
    while row:
        path[row - 1] = column - 1
        options = (total[row - 1, column - 1], total[row - 1, column], total[row, column - 1])
        step = int(np.argmin(options))
        row, column = (row - (step != 2), column - (step != 1))
        if column == 0:
            break
    return path


def _cepstra(audio: Floats) -> NDArray[np.float64]:
    """Cepstra with their mean and spread taken out, so that two speakers can be compared: [T, 13]."""
    cepstra = dct(log_mels(audio).astype(np.float64), norm="ortho", axis=1)[:, :_CEPSTRA]
    normal: NDArray[np.float64] = (cepstra - cepstra.mean(axis=0)) / (cepstra.std(axis=0) + 1e-3)
    return normal


def _loud(audio: Floats) -> NDArray[np.int64]:
    """The frames that are speech."""
    frames = audio[: len(audio) // HOP * HOP].reshape(-1, HOP)
    level = np.sqrt(np.mean(frames**2, axis=1))
    if not len(level) or level.max() < 1e-4:
        return np.zeros(0, np.int64)
    return np.flatnonzero(level > _QUIET * level.max())
