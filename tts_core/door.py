"""The one door to speech: every engine's voices behind one interface."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tts_core.engine import Chunk, Engine, check_rate
from tts_core.errors import UnknownVoice
from tts_core.espeak import EspeakEngine
from tts_core.neural import engine as neural
from tts_core.neural.runtimes import DEFAULT_RUNTIME
from tts_core.script import Script
from tts_core.voices import Voice


class Synthesiser:
    """Speaks with whichever engine owns the voice. Raises ValueError when two engines share a name.

    It and its engines belong to the thread that made them.
    """

    def __init__(self, engines: Sequence[Engine]) -> None:
        self._engines = {engine.name: engine for engine in engines}
        if len(self._engines) != len(engines):
            raise ValueError("two engines have the same name")
        self._voices = {voice.name: voice for engine in engines for voice in engine.voices()}

    def voices(self) -> tuple[Voice, ...]:
        """Every voice of every engine, in the engines' order."""
        return tuple(self._voices.values())

    def voice(self, name: str) -> Voice:
        """The voice of this name. Raises UnknownVoice, with the names near it."""
        voice = self._voices.get(name)
        if voice is None:
            raise UnknownVoice(name, self._voices)
        return voice

    @property
    def resets(self) -> int:
        """Chunks that were lost because a state was not finite; see Engine.resets."""
        return sum(engine.resets for engine in self._engines.values())

    def load(self, voice: str) -> None:
        """Load what the voice's first utterance would wait for; see Engine.load."""
        self._engines[self.voice(voice).engine].load(voice)

    def speak(self, script: Script, voice: str, rate: float = 1.0) -> Iterator[Chunk]:
        """Speak `script` with the voice named `voice` at `rate` 0.5 to 2.0; see Engine.speak.

        Raises UnknownVoice and BadRate at once, EngineError from the iterator.
        """
        chosen = self.voice(voice)
        check_rate(rate)
        return self._engines[chosen.engine].speak(script, voice, rate)


def open_default(added: Path | None = None, runtime: str = DEFAULT_RUNTIME) -> Synthesiser:
    """The synthesiser that needs no GPU, no key and no download. Raises EngineError, UnknownRuntime.

    Neural voices are in it where ONNX Runtime is installed; `added` is a folder of more of them, `runtime` what
    they run in, or the next that can run here (see `neural.runtimes`).
    """
    engines: list[Engine] = [EspeakEngine()]
    if neural.available():
        engines.append(neural.NeuralEngine(added=added, runtime=runtime))
    return Synthesiser(engines)
