"""Clauses read ahead of the audio: the next one's phonemes are found while this one sounds.

One thread reads for every utterance of an engine, so that the thread that runs the networks never waits for
espeak-ng but at the start of an utterance. It ends when the engine is let go.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, Protocol, TypeVar

from tts_core.engine import Chunk, MarkTime, Turn, pace, silence
from tts_core.plan import Clause, Step, steps
from tts_core.script import Script
from tts_core.sounding import samples

Tokens = TypeVar("Tokens")


class Speaks(Protocol[Tokens]):
    """A voice that reads clauses, in any thread, and speaks what it has read."""

    def read(self, clause: Clause, /) -> Tokens: ...

    def speak(
        self, clause: Clause, tokens: Tokens, rate: float, offset: int, /
    ) -> Iterator[Chunk | Turn]: ...


class Reader:
    """The thread. It is started by the first utterance."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="phonemes")

    def open(self, script: Script, read: Callable[[Clause], Tokens], language: str = "") -> Ahead[Tokens]:
        """`script`, of that language, to be read with `read`, which is called in the thread."""
        return Ahead(self._pool, script, read, language)

    def aloud(
        self, script: Script, speaker: Speaks[Tokens], language: str, rate: float, sample_rate: int
    ) -> Generator[Chunk | Turn, None, None]:
        """`script` spoken by `speaker`, each clause read while the one before it sounds. Raises EngineError."""
        ahead = self.open(script, speaker.read, language)
        offset = 0  # samples of the utterance before this chunk
        try:
            while (read := ahead.next()) is not None:
                step, tokens = read
                if isinstance(step, Clause):
                    assert tokens is not None
                    parts = speaker.speak(step, tokens, pace(rate, step.manner), offset)
                else:
                    marks = tuple(MarkTime(name, offset) for name in step.marks)
                    parts = iter((Chunk(silence(samples(step.ms, sample_rate)), sample_rate, (), marks),))
                for part in parts:
                    yield part
                    if isinstance(part, Chunk):
                        offset += len(part.pcm)
                        ahead.begin()
        finally:
            ahead.close()


class Ahead(Generic[Tokens]):
    """The steps of one utterance, at most one of them read before it is asked for."""

    def __init__(
        self, pool: ThreadPoolExecutor, script: Script, read: Callable[[Clause], Tokens], language: str
    ) -> None:
        self._pool, self._read = pool, read
        self._plan = steps(script, language)  # a generator: nothing is split before the thread asks
        self._coming: Future[tuple[Step, Tokens | None] | None] | None = None

    def begin(self) -> None:
        """Have the next step read, if that was not asked for already."""
        if self._coming is None:
            self._coming = self._pool.submit(self._next)

    def next(self) -> tuple[Step, Tokens | None] | None:
        """The next step, with the tokens of a clause; None after the last. Raises what reading it raised."""
        self.begin()
        assert self._coming is not None
        coming, self._coming = self._coming, None
        return coming.result()

    def close(self) -> None:
        """Read no more; a step that is being read just now is forgotten when it is done."""
        if self._coming is not None:
            self._coming.cancel()

    def _next(self) -> tuple[Step, Tokens | None] | None:
        step = next(self._plan, None)
        if step is None:
            return None
        return step, self._read(step) if isinstance(step, Clause) else None
