"""A thread that makes audio, a step at a time, so that the loop never waits for an engine or a disk.

The loop orders the next stretch of a few tracks; the thread makes them, taking the steps of an engine's networks
for all of them at once, and hands each back when it is made. After that the loop is free to order others, which
is how a new utterance overtakes a long one. Generators live and end in the thread, because an engine belongs to
the thread that made it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue

from gateway.messages.synthesis import VoiceInfo
from gateway.speech.making import Making, Source, Step
from gateway.speech.track import Track


@dataclass(frozen=True, slots=True)
class Opened:
    """The maker is ready; ``voices`` are those that it brings."""

    voices: tuple[VoiceInfo, ...]


@dataclass(frozen=True, slots=True)
class Unusable:
    """The maker cannot work at all: its engine does not load."""

    error: Exception


Outcome = Opened | Unusable | Step


@dataclass(frozen=True, slots=True)
class _Drop:
    track: Track


class Maker:
    """The thread. ``open_source`` is called in it, once; ``deliver`` too, with every outcome.

    One order at a time: the next may be given when all of the last is made. The thread is a daemon, for
    nothing can be done about one that waits for a dead disk.
    """

    def __init__(
        self,
        name: str,
        open_source: Callable[[], tuple[Source, tuple[VoiceInfo, ...]]],
        deliver: Callable[[Outcome], None],
    ) -> None:
        self._open_source = open_source
        self._deliver = deliver
        self._orders: SimpleQueue[Sequence[Track] | _Drop | None] = SimpleQueue()
        self._busy_since: float | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def busy_s(self) -> float:
        """For how long it has been at what it is making; 0 when it is idle."""
        since = self._busy_since
        return 0.0 if since is None else time.perf_counter() - since

    def make(self, tracks: Sequence[Track]) -> None:
        """Order the next stretch of each of ``tracks``."""
        self._orders.put(tracks)

    def drop(self, track: Track) -> None:
        """Close the generator of a track that nobody listens to."""
        self._orders.put(_Drop(track))

    def close(self, patience_s: float = 1.0) -> None:
        """End the thread after what it is making; wait for that no longer than ``patience_s``."""
        self._orders.put(None)
        self._thread.join(patience_s)

    # -- in the thread ------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            source, voices = self._open_source()
        except Exception as error:
            self._deliver(Unusable(error))
            return
        self._deliver(Opened(voices))
        making = Making(source)
        while (order := self._orders.get()) is not None:
            if isinstance(order, _Drop):
                making.drop(order.track)
            else:
                self._busy_since = time.perf_counter()
                for step in making.step(order):
                    self._deliver(step)
                self._busy_since = None
        making.close()
