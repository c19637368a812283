"""Neural voices behind the engine contract: 8 kHz, streamed, the text read ahead of the audio."""

from __future__ import annotations

import importlib.util
import logging
import threading
from collections.abc import Generator
from pathlib import Path

from tts_core.engine import Chunk, Speech, Turn, check_rate
from tts_core.errors import EngineError, UnknownVoice
from tts_core.neural import shelf
from tts_core.neural.ahead import Reader
from tts_core.neural.frame import RATE
from tts_core.neural.package import NEURAL, BadPackage, Manifest, Package
from tts_core.neural.runtimes import DEFAULT_RUNTIME, known, open_runtime
from tts_core.neural.speaker import Speaker
from tts_core.script import Script
from tts_core.voices import Voice

_log = logging.getLogger(__name__)
SHIPPED = Path(__file__).parent / "voices"


def available() -> bool:
    """Whether neural voices can speak here: ONNX Runtime is installed and a voice is in the package."""
    return importlib.util.find_spec("onnxruntime") is not None and bool(shelf.folders(SHIPPED))


def add(source: Path, folder: Path, shipped: Path = SHIPPED) -> Package:
    """Copy the voice package `source` into `folder`, once the copy has counted to ten.

    Raises BadPackage when it is damaged, does not speak, or has the name of another; EngineError, OSError.
    """
    taken = [each.manifest.name for each in shelf.listed(shipped, NEURAL)]
    return shelf.add(
        source,
        folder,
        NEURAL,
        taken,
        lambda package: Speaker(package, open_runtime(DEFAULT_RUNTIME, package)),
    )


def remove(name: str, folder: Path, shipped: Path = SHIPPED) -> None:
    """Remove the voice `name` (`neural:` before it or not) from `folder`, damaged or not.

    Raises BadPackage when there is none, or it ships with Voxtrunk; OSError.
    """
    name = name.removeprefix(f"{NeuralEngine.name}:")
    if name in [each.manifest.name for each in shelf.listed(shipped, NEURAL)]:
        raise BadPackage(f"{name} ships with Voxtrunk and is not removed")
    shelf.remove(name, folder)


class NeuralEngine:
    """The voices that ship and those of the folder `added`; deterministic to the bit on one machine.

    It belongs to the thread that made it, which it asserts; only `load` is for any thread. A voice is loaded when
    it first speaks, unless it was before, into `runtime` (see `runtimes`). Raises UnknownRuntime, and BadPackage
    for a damaged voice in `shipped`; one in `added` is left out, and the log says why.
    """

    name = "neural"
    sample_rate = RATE

    def __init__(
        self, shipped: Path = SHIPPED, added: Path | None = None, runtime: str = DEFAULT_RUNTIME
    ) -> None:
        self._runtime = known(runtime)
        self._thread = threading.get_ident()
        packages = shelf.listed(shipped, NEURAL)
        self._added: shelf.Watched[Manifest] | None = None
        if added is not None:
            self._added = shelf.Watched(added, NEURAL, [each.manifest.name for each in packages])
            packages += self._added.changes()[0]
        self._packages = {self._named(each): each for each in packages}
        self._speakers: dict[str, Speaker] = {}
        self._loading = threading.Lock()
        self._reader = Reader()
        self.resets = 0

    def voices(self) -> tuple[Voice, ...]:
        """The voices that ship by name, then those added."""
        return tuple(each.manifest.voice(name, self.name) for name, each in self._packages.items())

    def renew(self) -> frozenset[str]:
        """See Engine."""
        if self._added is None:
            return frozenset()
        came, went = self._added.changes()
        packages = {name: each for name, each in self._packages.items() if each not in went}
        for package in came:
            name = self._named(package)
            try:
                self._speakers[name] = Speaker(package, open_runtime(self._runtime, package), self._spoiled)
            except EngineError as error:
                self._added.leave_out(package.folder, error)
                if name in self._speakers:  # one that spoke goes on
                    packages[name] = self._packages[name]
            else:
                packages[name] = package
        for name in self._packages.keys() - packages.keys():
            self._speakers.pop(name, None)
        self._packages = packages  # at once, for whoever looks at it
        return frozenset(self._named(each) for each in (*came, *went))

    @property
    def left_out(self) -> tuple[str, ...]:
        """See Engine."""
        return () if self._added is None else tuple(self._added.left_out.values())

    def _named(self, package: Package) -> str:
        return f"{self.name}:{package.manifest.name}"

    def load(self, voice_name: str) -> None:
        """Load the voice's graphs and count to ten with them. Raises UnknownVoice, BadPackage, EngineError."""
        self._speaker(voice_name, self._package(voice_name))

    def together(self, voice_name: str) -> int:
        """See Engine; what the voice's runtime says once it is loaded. Raises UnknownVoice."""
        self._package(voice_name)
        speaker = self._speakers.get(voice_name)
        return speaker.most if speaker else 1

    def speak(self, script: Script, voice_name: str, rate: float) -> Speech:
        """Speak `script`, a few frames at a time as asked for. Raises UnknownVoice and BadRate at once."""
        package = self._package(voice_name)
        check_rate(rate)
        return Speech(self._parts(script, voice_name, package, rate))

    def _package(self, voice_name: str) -> Package:
        package = self._packages.get(voice_name)
        if package is None:
            raise UnknownVoice(voice_name, self._packages)
        return package

    def _parts(
        self, script: Script, voice_name: str, package: Package, rate: float
    ) -> Generator[Chunk | Turn, None, None]:
        assert threading.get_ident() == self._thread, "a NeuralEngine belongs to one thread"
        speaker = self._speaker(voice_name, package)
        yield from self._reader.aloud(script, speaker, package.manifest.language, rate, RATE)

    def _speaker(self, voice_name: str, package: Package) -> Speaker:
        speaker = self._speakers.get(voice_name)
        if speaker is None:  # a voice that is loaded waits for no other one that is being loaded
            with self._loading:
                speaker = self._speakers.get(voice_name)
                if speaker is None:
                    speaker = Speaker(package, open_runtime(self._runtime, package), self._spoiled)
                    self._speakers[voice_name] = speaker
        return speaker

    def _spoiled(self) -> None:
        self.resets += 1
        _log.error("a vocoder's state was not finite and was begun afresh (%d so far)", self.resets)
