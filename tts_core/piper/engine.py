"""Piper voices behind the engine contract, each at its own sample rate, streamed."""

from __future__ import annotations

import importlib.util
import logging
import threading
from collections.abc import Generator, Iterable
from pathlib import Path

from tts_core.engine import Chunk, Speech, Turn, check_rate
from tts_core.errors import EngineError, UnknownVoice
from tts_core.neural import shelf
from tts_core.neural.ahead import Reader
from tts_core.piper.package import PIPER, Package
from tts_core.piper.speaker import Loaded, Speaker
from tts_core.script import Script
from tts_core.voices import Voice

_log = logging.getLogger(__name__)


def available() -> bool:
    """Whether Piper voices can speak here: ONNX Runtime is installed."""
    return importlib.util.find_spec("onnxruntime") is not None


class PiperEngine:
    """The Piper voices in the folder `added`; deterministic to the bit on one machine.

    `piper:NAME`, or `piper:NAME#SPEAKER` for each who speaks in a voice of many. It belongs to the thread that
    made it, which it asserts; only `load` is for any thread. A voice is loaded when it first speaks, unless it
    was before. A damaged one is left out, and the log says why.
    """

    name = "piper"

    def __init__(self, added: Path) -> None:
        self._thread = threading.get_ident()
        self._added = shelf.Watched(added, PIPER)
        self._who = _speakers(self._added.changes()[0])
        self._loaded: dict[str, Loaded] = {}
        self._loading = threading.Lock()
        self._reader = Reader()
        self.resets = 0

    def voices(self) -> tuple[Voice, ...]:
        """Every speaker of every voice, by the voices' names."""
        return tuple(package.manifest.voice(name, self.name) for name, (package, _) in self._who.items())

    def renew(self) -> frozenset[str]:
        """See Engine."""
        came, went = self._added.changes()
        held = {id(package): package for package, _ in self._who.values()}
        packages = [package for package in held.values() if package not in went]
        loaded = dict(self._loaded)
        for package in went:
            loaded.pop(package.manifest.name, None)
        for package in came:
            try:
                loaded[package.manifest.name] = Loaded(package, self._spoiled)
            except EngineError as error:
                self._added.leave_out(package.folder, error)
                name = package.manifest.name
                if name in self._loaded:  # one that spoke goes on
                    loaded[name] = self._loaded[name]
                    packages += [each for each in went if each.manifest.name == name]
            else:
                packages.append(package)
        self._loaded, self._who = loaded, _speakers(packages)  # at once, for whoever looks at them
        return frozenset(_speakers([*went, *came]))

    @property
    def left_out(self) -> tuple[str, ...]:
        """See Engine."""
        return tuple(self._added.left_out.values())

    def load(self, voice_name: str) -> None:
        """Load the voice's graphs and count to ten with them. Raises UnknownVoice, BadPackage, EngineError."""
        self._speaker(voice_name)

    def together(self, voice_name: str) -> int:
        """Each alone. Raises UnknownVoice."""
        self._known(voice_name)
        return 1

    def speak(self, script: Script, voice_name: str, rate: float) -> Speech:
        """Speak `script`, some frames at a time as asked for. Raises UnknownVoice and BadRate at once."""
        self._known(voice_name)
        check_rate(rate)
        return Speech(self._parts(script, voice_name, rate))

    def _known(self, voice_name: str) -> tuple[Package, int]:
        who = self._who.get(voice_name)
        if who is None:
            raise UnknownVoice(voice_name, self._who)
        return who

    def _parts(self, script: Script, voice_name: str, rate: float) -> Generator[Chunk | Turn, None, None]:
        assert threading.get_ident() == self._thread, "a PiperEngine belongs to one thread"
        speaker = self._speaker(voice_name)
        language = self._known(voice_name)[0].manifest.language
        yield from self._reader.aloud(script, speaker, language, rate, speaker.voice.sample_rate)

    def _speaker(self, voice_name: str) -> Speaker:
        package, number = self._known(voice_name)
        name = package.manifest.name
        loaded = self._loaded.get(name)
        if loaded is None:  # a voice that is loaded waits for no other one that is being loaded
            with self._loading:
                loaded = self._loaded.get(name)
                if loaded is None:
                    loaded = self._loaded[name] = Loaded(package, self._spoiled)
        return Speaker(loaded, number)

    def _spoiled(self) -> None:
        self.resets += 1
        _log.error("a decoder answered what is no number and was silenced (%d so far)", self.resets)


def _speakers(packages: Iterable[Package]) -> dict[str, tuple[Package, int]]:
    """Who speaks: `piper:NAME`, with `#SPEAKER` where there are many, and the package and its speaker."""
    who = {}
    for package in packages:
        name = f"{PiperEngine.name}:{package.manifest.name}"
        if not package.manifest.speakers:
            who[name] = package, 0
        for speaker, number in package.manifest.speakers.items():
            who[f"{name}#{speaker}"] = package, number
    return who
