"""Neural voices behind the engine contract: whole clauses at 8 kHz, word times from the durations."""

from __future__ import annotations

import importlib.util
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tts_core.engine import Chunk, MarkTime, Pcm, check_rate, silence
from tts_core.errors import UnknownVoice
from tts_core.neural import shelf, speech
from tts_core.neural.frame import HOP, RATE
from tts_core.neural.frontend import PAUSE, Frontend, Tokens
from tts_core.neural.package import Manifest, Package
from tts_core.neural.runtime import OrtRuntime, Runtime
from tts_core.plan import Clause, steps
from tts_core.script import Script
from tts_core.timing import find_words, time_marks, time_words, trim
from tts_core.voices import Voice

_log = logging.getLogger(__name__)
SHIPPED = Path(__file__).parent / "voices"
_ATTACK = 20  # samples: what follows a pause begins within 2.5 ms
_FIRST_SOUND = 128  # of 32,768
_BREATH = 160  # samples


def available() -> bool:
    """Whether neural voices can speak here: ONNX Runtime is installed and a voice is in the package."""
    return importlib.util.find_spec("onnxruntime") is not None and bool(shelf.folders(SHIPPED))


class NeuralEngine:
    """Every voice package in a folder; deterministic to the bit on one machine.

    It belongs to the thread that made it, which it asserts. A voice's graphs are loaded when it first speaks.
    Raises BadPackage for a damaged package.
    """

    name = "neural"
    sample_rate = RATE

    def __init__(self, folder: Path = SHIPPED) -> None:
        self._thread = threading.get_ident()
        self._packages = {f"{self.name}:{each.manifest.name}": each for each in shelf.listed(folder)}
        self._loaded: dict[str, _Speaker] = {}
        self.resets = 0  # chunks lost because a vocoder's state was not finite

    def voices(self) -> tuple[Voice, ...]:
        """The voices of the folder, by name."""
        return tuple(self._voice(name, each.manifest) for name, each in self._packages.items())

    def speak(self, script: Script, voice_name: str, rate: float) -> Iterator[Chunk]:
        """Speak `script`, one clause at a time as asked for. Raises UnknownVoice and BadRate at once."""
        package = self._packages.get(voice_name)
        if package is None:
            raise UnknownVoice(voice_name, self._packages)
        check_rate(rate)
        return self._chunks(script, package, rate)

    def _voice(self, name: str, manifest: Manifest) -> Voice:
        return Voice(name, manifest.language, self.name, manifest.description, manifest.gender)

    def _chunks(self, script: Script, package: Package, rate: float) -> Iterator[Chunk]:
        offset = 0  # samples of the utterance before this chunk
        for step in steps(script):
            assert threading.get_ident() == self._thread, "a NeuralEngine belongs to one thread"
            if isinstance(step, Clause):
                chunk = self._speaker(package).clause(step, rate, offset)
            else:
                pcm = silence(_samples(step.ms))
                chunk = Chunk(pcm, RATE, (), tuple(MarkTime(name, offset) for name in step.marks))
            offset += len(chunk.pcm)
            yield chunk

    def _speaker(self, package: Package) -> _Speaker:
        name = package.manifest.name
        if name not in self._loaded:
            self._loaded[name] = _Speaker(package, OrtRuntime(package), self._spoiled)
        return self._loaded[name]

    def _spoiled(self) -> None:
        self.resets += 1
        _log.error("a vocoder's state was not finite and was begun afresh", extra={"resets": self.resets})


class _Speaker:
    """One voice, loaded."""

    def __init__(self, package: Package, runtime: Runtime, spoiled: Callable[[], None]) -> None:
        self._frontend = Frontend(package.manifest.language, package.manifest.phonemes)
        self._pause = package.manifest.phonemes[PAUSE]
        self._runtime, self._spoiled = runtime, spoiled

    def clause(self, clause: Clause, rate: float, offset: int) -> Chunk:
        """The clause and the pause after it, `offset` samples into the utterance."""
        # a comma keeps the voice up where the sentence goes on
        tokens = self._frontend.read(clause.text + "," if clause.continues else clause.text)
        score = speech.compose(self._runtime, tokens, rate)
        audio = np.concatenate(list(speech.frames(self._runtime, score, spoiled=self._spoiled)))
        raw = _hushed(audio, tokens.ids[:, 0] == self._pause, score.ends)
        begin, end = _sounding(raw)
        pcm = raw[begin:end]
        words = tuple(
            word.moved(clause.start, offset)
            for word in time_words(
                tuple(find_words(clause.text)), self._onsets(tokens, score.ends, begin), pcm
            )
        )
        marks = time_marks(clause.marks, words, offset + len(pcm))
        whole = np.concatenate((pcm, silence(_samples(clause.pause_ms / rate))))
        whole.flags.writeable = False
        return Chunk(whole, RATE, words, marks)

    def _onsets(self, tokens: Tokens, ends: NDArray[np.int64], begin: int) -> list[tuple[int, int]]:
        """(char offset, sample) of each word's first phoneme, counted from sample `begin`."""
        first = (tokens.ids[:, 1] % 2 == 1) & (tokens.ids[:, 0] != self._pause)
        return [(int(tokens.chars[at]), int(ends[at - 1]) * HOP - begin) for at in np.flatnonzero(first)]


def _hushed(audio: NDArray[np.float32], pauses: NDArray[np.bool_], ends: NDArray[np.int64]) -> Pcm:
    """int16 of `audio` with digital silence in pauses: faded out over a hop, and in as the next sound begins."""
    gain = np.ones(len(audio), np.float32)
    begins = np.concatenate(([0], ends[:-1]))
    for index in np.flatnonzero(pauses):
        begin, end = int(begins[index]) * HOP, int(ends[index]) * HOP
        fade = min(HOP, end - begin)
        gain[begin:end] = 0
        gain[begin : begin + fade] = np.linspace(1, 0, fade, endpoint=False)
        gain[end : end + _ATTACK] = np.linspace(0, 1, _ATTACK, endpoint=False)[: len(gain) - end]
    pcm: Pcm = np.round(np.clip(audio * gain, -0.999, 0.999) * 32767).astype(np.int16)
    return pcm


def _sounding(pcm: Pcm) -> tuple[int, int]:
    """(start, end) of what is heard of a clause: at most 20 ms of breath before its first sound."""
    begin, end = trim(pcm)
    loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > _FIRST_SOUND)
    return (max(begin, int(loud[0]) - _BREATH), end) if loud.size else (begin, end)


def _samples(ms: float) -> int:
    return round(ms * RATE / 1000)
