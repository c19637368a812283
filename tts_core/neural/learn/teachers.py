"""Teachers: what they say, as 8 kHz audio with the end of every phoneme.

A teacher reads one clause and gives a Lesson: the frontend's phonemes and, for each token (a pause, the
phonemes, a pause), the frame in which it ends. Lessons whose sounds do not match their phonemes are refused.
"""

from __future__ import annotations

import functools
import io
import itertools
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.io import wavfile

from tts_core.neural.frame import HOP, RATE, STATES, Floats
from tts_core.neural.frontend import clean_phonemes
from tts_core.neural.learn.align import align
from tts_core.neural.learn.flite_library import FliteLibrary
from tts_core.neural.phonemes import Phoneme, PhonemeReader

LEAD_MS, TAIL_MS = 30, 60  # the silence that stays at both ends
_CLUSTERGEN = ("slt", "rms", "awb")  # flite's voices that end their phones where `-psdur` says
_MOST_COST = 0.35  # of an alignment, for each phoneme


class CannotTeach(Exception):
    """Something is missing that training needs; the message says what, and how to get it."""


class NoLesson(Exception):
    """This clause cannot be used: the teacher said something else than the frontend reads."""


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """`audio` float32[n] at 8 kHz; `durations` int64[len(phonemes) + 2] in frames, which add up to its length.

    `exact` float32[len(phonemes) + 2] are the teacher's own, in frames too, of which `durations` were rounded;
    `states` float32[len(phonemes) + 2, STATES] what each is the sum of, NaN where the teacher does not tell.
    """

    text: str
    phonemes: tuple[Phoneme, ...]
    durations: NDArray[np.int64]
    exact: Floats
    states: Floats
    audio: Floats


class Teacher(Protocol):
    """Whoever speaks for a student to learn from."""

    language: str
    name: str
    dark: bool  # most of its energy lies where a telephone does not reach

    def say(self, text: str) -> Lesson:
        """Say one clause. Raises NoLesson."""
        ...

    def timed(self, text: str) -> Lesson:
        """The same lesson for its durations alone: its audio may be silence."""
        ...

    def audio(self, text: str) -> Floats:
        """Say anything: float32[n] at 8 kHz, as the teacher alone would."""
        ...


class FliteTeacher:
    """flite's statistical voices through its command line; American English. Its phones are aligned to espeak's.

    Raises CannotTeach when flite is not installed, or has no such voice.
    """

    language = "en-us"
    dark = True

    def __init__(self, voice: str = "slt", f0_spread: float = 45.0) -> None:
        if shutil.which("flite") is None:
            raise CannotTeach("flite is missing: apt-get install flite")
        listed = subprocess.run(["flite", "-lv"], capture_output=True, check=True, text=True).stdout.split()
        if voice not in _CLUSTERGEN or voice not in listed:
            raise CannotTeach(
                f"flite has no voice {voice[:64]!r} that can teach; {', '.join(_CLUSTERGEN)} can"
            )
        self.voice = voice
        self.name = f"flite {voice}"
        self._spread = f0_spread  # Hz: the standard deviation it aims at; its own is flatter
        self._reader = PhonemeReader(self.language)

    def say(self, text: str) -> Lesson:
        """flite's audio of `text`, its leading and trailing pauses trimmed."""
        names, ends, rate, pcm = self._flite(text)
        return self._lesson(text, names, ends, _narrow(pcm, rate))

    def timed(self, text: str) -> Lesson:
        """Without flite's audio, a tenth of the time. Raises CannotTeach when its libraries are not beside it."""
        try:
            names, states = self._library.phones(text)
        except OSError as error:
            raise CannotTeach(f"flite's libraries cannot be loaded: {error}") from error
        ends = list(itertools.accumulate(map(sum, states)))
        return self._lesson(text, names, ends, np.zeros(0, np.float32), states)

    @functools.cached_property
    def _library(self) -> FliteLibrary:
        return FliteLibrary(self.voice)

    def _lesson(
        self,
        text: str,
        names: list[str],
        ends: list[float],
        audio: Floats,
        states: Sequence[tuple[float, ...]] = (),
    ) -> Lesson:
        phonemes = clean_phonemes(self._reader.names(text))
        inner = slice(1, len(names) - 1)  # flite pauses at both ends
        if not phonemes or len(names) < 3 or names[0] != "pau" or names[-1] != "pau":
            raise NoLesson(f"no phones for {text!r}")
        found = align([one.name for one in phonemes], names[inner])
        if found.cost > _MOST_COST * len(phonemes):
            raise NoLesson(f"flite and espeak read {text!r} differently")
        seconds = [ends[0], *(ends[end] for end in found.ends)]
        told = lesson(text, phonemes, seconds, audio)
        begins = (0, *found.ends)
        for index, (begin, end) in enumerate(itertools.pairwise(begins), 1):
            if states and end == begin + 1 and len(states[end]) == STATES:  # the first phone is a pause
                told.states[index] = np.array(states[end]) * RATE / HOP
        return told

    def audio(self, text: str) -> Floats:
        """flite's audio of `text` with its pauses."""
        _, _, rate, pcm = self._flite(text)
        return _narrow(pcm, rate)

    def _flite(self, text: str) -> tuple[list[str], list[float], int, NDArray[np.int16]]:
        done = subprocess.run(
            ["flite", "-voice", self.voice, "--setf", f"int_f0_target_stddev={self._spread}",
             "-psdur", "-t", text, "-o", "/dev/stderr"],
            capture_output=True, check=True,
        )  # fmt: skip
        marks = [mark.split(":") for mark in done.stdout.decode().split()]
        rate, pcm = wavfile.read(io.BytesIO(done.stderr))
        return [name for name, _ in marks], [float(end) for _, end in marks], int(rate), pcm


class EspeakTeacher:
    """espeak-ng, which knows its own phonemes' times."""

    dark = False

    def __init__(self, language: str) -> None:
        self.language = language
        self.name = f"espeak-ng {language}"
        self._reader = PhonemeReader(language)

    def say(self, text: str) -> Lesson:
        """espeak's audio of `text`, its pauses at both ends trimmed."""
        raw, pcm = self._reader.read(text)
        phonemes = clean_phonemes(raw)
        if not phonemes:
            raise NoLesson(f"no phonemes for {text!r}")
        rate = self._reader.sample_rate
        last = max(index for index, one in enumerate(raw) if one is phonemes[-1])
        end = raw[last + 1].sample if last + 1 < len(raw) else len(pcm)
        seconds = [one.sample / rate for one in phonemes] + [end / rate]
        return lesson(text, phonemes, seconds, _narrow(pcm, rate))

    def timed(self, text: str) -> Lesson:
        """The same."""
        return self.say(text)

    def audio(self, text: str) -> Floats:
        """espeak's audio of `text` with its pauses."""
        return _narrow(self._reader.read(text)[1], self._reader.sample_rate)


def _narrow(pcm: NDArray[np.int16], rate: int) -> Floats:
    return np.asarray(soxr.resample(pcm.astype(np.float64) / 32768, rate, RATE), np.float32)


def lesson(text: str, phonemes: Sequence[Phoneme], seconds: Sequence[float], audio: Floats) -> Lesson:
    """A lesson from where the phonemes lie in `audio` float32[n]: both ends are trimmed to LEAD_MS and TAIL_MS.

    `seconds` are the boundaries: the first phoneme's beginning, then every phoneme's end. Raises NoLesson when
    they are out of order.
    """
    begin = round(seconds[0] * RATE)
    lead, tail = LEAD_MS * RATE // 1000, TAIL_MS * RATE // 1000
    passed = [lead / HOP + (second * RATE - begin) / HOP for second in seconds]
    frames = [round(each) for each in passed]
    total = frames[-1] + tail // HOP
    cut = np.zeros(total * HOP, np.float32)
    start = begin - lead
    piece = audio[max(start, 0) : start + total * HOP]
    cut[max(-start, 0) : max(-start, 0) + len(piece)] = piece
    durations = np.array([0, *frames, total], np.int64)
    durations = durations[1:] - durations[:-1]
    if (durations < 0).any() or len(durations) != len(phonemes) + 2:
        raise NoLesson(f"times run backwards in {text!r}")
    exact = np.diff([0, *passed, passed[-1] + tail / HOP]).astype(np.float32)
    return Lesson(text, tuple(phonemes), durations, exact, untold(len(durations)), cut)


def untold(tokens: int) -> Floats:
    """The states of so many tokens when nobody tells them, float32[tokens, STATES]."""
    return np.full((tokens, STATES), np.nan, np.float32)
