"""The one door to speech: every engine's voices behind one interface."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tts_core.elsewhere import Elsewhere
from tts_core.engine import Engine, Pcm, Speech, check_rate
from tts_core.errors import ScriptError, UnknownVoice
from tts_core.espeak import EspeakEngine
from tts_core.mixing import Play, mixed, parts
from tts_core.neural import engine as neural
from tts_core.neural.runtimes import DEFAULT_RUNTIME
from tts_core.piper import engine as piper
from tts_core.reading.languages import language_of
from tts_core.script import Mark, Pause, Piece, Say, Script
from tts_core.voices import Voice, chosen


def _nobody_plays(src: str) -> Pcm:
    raise ScriptError(f"nobody plays the recording {src[:64]!r}")


class Synthesiser:
    """Speaks with whichever engine owns the voice. Raises ValueError when two engines share a name.

    It and its engines belong to the thread that made them.
    """

    def __init__(self, engines: Sequence[Engine]) -> None:
        self._engines = {engine.name: engine for engine in engines}
        if len(self._engines) != len(engines):
            raise ValueError("two engines have the same name")
        self._voices = self._offered()

    def voices(self) -> tuple[Voice, ...]:
        """Every voice of every engine, in the engines' order."""
        return tuple(self._voices.values())

    def voice(self, name: str) -> Voice:
        """The voice of this name. Raises UnknownVoice, with the names near it."""
        voice = self._voices.get(name)
        if voice is None:
            raise UnknownVoice(name, self._voices)
        return voice

    def renew(self) -> frozenset[str]:
        """Take in voices that were added and let go of those removed, in any one thread; see Engine.renew."""
        changed = frozenset[str]().union(*(engine.renew() for engine in self._engines.values()))
        self._voices = self._offered()  # at once, for whoever looks at it
        return changed

    def _offered(self) -> dict[str, Voice]:
        return {voice.name: voice for engine in self._engines.values() for voice in engine.voices()}

    @property
    def left_out(self) -> tuple[str, ...]:
        """Why added voices are left out; see Engine.left_out."""
        return tuple(why for engine in self._engines.values() for why in engine.left_out)

    @property
    def resets(self) -> int:
        """Chunks that were lost because a state was not finite; see Engine.resets."""
        return sum(engine.resets for engine in self._engines.values())

    def load(self, voice: str) -> None:
        """Load what the voice's first utterance would wait for; see Engine.load."""
        own = self.voice(voice)
        language_of(own.language)  # what its text is read with
        self._engines[own.engine].load(voice)

    def remote(self, voice: str) -> Elsewhere | None:
        """The engine of a voice that speaks elsewhere; None for all others."""
        engine = self._engines[self.voice(voice).engine]
        return engine if isinstance(engine, Elsewhere) else None

    def together(self, voice: str) -> int:
        """How many utterances of the voice are best made together; see Engine.together."""
        return self._engines[self.voice(voice).engine].together(voice)

    def speak(self, script: Script, voice: str, rate: float = 1.0, play: Play = _nobody_plays) -> Speech:
        """Speak `script` with the voice named `voice` at `rate` 0.5 to 2.0; see Engine.speak.

        Where the script asks for other voices or languages, those speak (see voices.chosen), at 8 kHz all of it;
        one that there is not is spoken by `voice`. `play` gives the samples of recordings. Raises UnknownVoice
        and BadRate at once, EngineError from the iterator, and what `play` raises.
        """
        own = self.voice(voice)
        check_rate(rate)
        if all(_is_own(piece) for piece in script.pieces):
            return self._engines[own.engine].speak(script, voice, rate)
        offered = self._voices
        spoken = parts(script, lambda manner: chosen(offered, manner, voice) or voice)
        if len({part.voice for part in spoken}) == 1 and not spoken[0].recording:
            return self._engines[offered[spoken[0].voice].engine].speak(script, spoken[0].voice, rate)

        def speak(part: Script, name: str) -> Speech:
            return self._engines[self.voice(name).engine].speak(part, name, rate)

        return Speech(mixed(spoken, speak, play))


def _is_own(piece: Piece) -> bool:
    """Whether the utterance's own voice says it."""
    if isinstance(piece, Say):
        return not (piece.manner.voice or piece.manner.language)
    return isinstance(piece, Pause | Mark)


def open_default(
    added: Path | None = None, runtime: str = DEFAULT_RUNTIME, others: Sequence[Engine] = ()
) -> Synthesiser:
    """The synthesiser that needs no GPU, no key and no download. Raises EngineError, UnknownRuntime.

    Neural voices are in it where ONNX Runtime is installed; `added` is a folder of more of them and of Piper
    voices, `runtime` what neural ones run in, or the next that can run here (see `neural.runtimes`);
    `others` are engines beside them (see `remote`).
    """
    engines: list[Engine] = [EspeakEngine()]
    if neural.available():
        engines.append(neural.NeuralEngine(added=added, runtime=runtime))
    if added is not None and piper.available():
        engines.append(piper.PiperEngine(added))
    return Synthesiser([*engines, *others])
