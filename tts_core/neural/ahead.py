"""Clauses read ahead of the audio: the next one's phonemes are found while this one sounds.

One thread reads for every utterance of an engine, so that the thread that runs the networks never waits for
espeak-ng but at the start of an utterance. It ends when the engine is let go.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from tts_core.neural.frontend import Tokens
from tts_core.plan import Clause, Step, steps
from tts_core.script import Script

Read = tuple[Step, Tokens | None]


class Reader:
    """The thread. It is started by the first utterance."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="phonemes")

    def open(self, script: Script, read: Callable[[Clause], Tokens]) -> Ahead:
        """`script`, to be read with `read`, which is called in the thread."""
        return Ahead(self._pool, script, read)


class Ahead:
    """The steps of one utterance, at most one of them read before it is asked for."""

    def __init__(self, pool: ThreadPoolExecutor, script: Script, read: Callable[[Clause], Tokens]) -> None:
        self._pool, self._read = pool, read
        self._plan = steps(script)  # a generator: nothing is split before the thread asks
        self._coming: Future[Read | None] | None = None

    def begin(self) -> None:
        """Have the next step read, if that was not asked for already."""
        if self._coming is None:
            self._coming = self._pool.submit(self._next)

    def next(self) -> Read | None:
        """The next step, with the tokens of a clause; None after the last. Raises what reading it raised."""
        self.begin()
        assert self._coming is not None
        coming, self._coming = self._coming, None
        return coming.result()

    def close(self) -> None:
        """Read no more; a step that is being read just now is forgotten when it is done."""
        if self._coming is not None:
            self._coming.cancel()

    def _next(self) -> Read | None:
        step = next(self._plan, None)
        if step is None:
            return None
        return step, self._read(step) if isinstance(step, Clause) else None
