"""Neural voices behind the engine contract: 8 kHz, streamed, the text read ahead of the audio."""

from __future__ import annotations

import importlib.util
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

from tts_core.engine import Chunk, MarkTime, check_rate, silence
from tts_core.errors import UnknownVoice
from tts_core.neural import shelf
from tts_core.neural.ahead import Reader
from tts_core.neural.frame import RATE
from tts_core.neural.package import BadPackage, Package
from tts_core.neural.runtimes import DEFAULT_RUNTIME, known, open_runtime
from tts_core.neural.speaker import Speaker, samples
from tts_core.plan import Clause
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
    taken = [each.manifest.name for each in shelf.listed(shipped)]
    return shelf.add(
        source, folder, taken, lambda package: Speaker(package, open_runtime(DEFAULT_RUNTIME, package))
    )


def remove(name: str, folder: Path, shipped: Path = SHIPPED) -> None:
    """Remove the voice `name` (`neural:` before it or not) from `folder`, damaged or not.

    Raises BadPackage when there is none, or it ships with Voxtrunk; OSError.
    """
    name = name.removeprefix(f"{NeuralEngine.name}:")
    if name in [each.manifest.name for each in shelf.listed(shipped)]:
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
        packages = shelf.listed(shipped)
        if added is not None:
            packages += shelf.sound(added, [each.manifest.name for each in packages])
        self._packages = {f"{self.name}:{each.manifest.name}": each for each in packages}
        self._speakers: dict[str, Speaker] = {}
        self._loading = threading.Lock()
        self._reader = Reader()
        self.resets = 0

    def voices(self) -> tuple[Voice, ...]:
        """The voices that ship by name, then those added."""
        return tuple(
            Voice(
                name, held.language, self.name, held.description, held.gender, held.version, held.licence,
                held.teacher,
            )
            for name, held in ((name, each.manifest) for name, each in self._packages.items())
        )  # fmt: skip

    def load(self, voice_name: str) -> None:
        """Load the voice's graphs and count to ten with them. Raises UnknownVoice, BadPackage, EngineError."""
        self._speaker(voice_name, self._package(voice_name))

    def speak(self, script: Script, voice_name: str, rate: float) -> Iterator[Chunk]:
        """Speak `script`, a few frames at a time as asked for. Raises UnknownVoice and BadRate at once."""
        package = self._package(voice_name)
        check_rate(rate)
        return self._chunks(script, voice_name, package, rate)

    def _package(self, voice_name: str) -> Package:
        package = self._packages.get(voice_name)
        if package is None:
            raise UnknownVoice(voice_name, self._packages)
        return package

    def _chunks(self, script: Script, voice_name: str, package: Package, rate: float) -> Iterator[Chunk]:
        assert threading.get_ident() == self._thread, "a NeuralEngine belongs to one thread"
        speaker = self._speaker(voice_name, package)
        ahead = self._reader.open(script, speaker.read)
        offset = 0  # samples of the utterance before this chunk
        try:
            while (read := ahead.next()) is not None:
                step, tokens = read
                if isinstance(step, Clause):
                    assert tokens is not None
                    chunks = speaker.speak(step, tokens, rate, offset)
                else:
                    marks = tuple(MarkTime(name, offset) for name in step.marks)
                    chunks = iter((Chunk(silence(samples(step.ms)), RATE, (), marks),))
                for chunk in chunks:
                    offset += len(chunk.pcm)
                    yield chunk
                    ahead.begin()
        finally:
            ahead.close()

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
