"""The voices' folder watched: a voice that is put there is offered without a restart, once it has been loaded.

A thread of its own looks about once a second, which costs a few system calls a voice; what it loads, and a disk
that does not answer, keep nobody waiting.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tts_core.neural.shelf import marks

log = logging.getLogger("voxtrunk.speech")

_LOOK_S: Final = 1.0


class ShelfWatch:
    """The thread. ``renew`` and then ``deliver`` are called in it when the folder is another than before.

    ``renew`` takes in what is there and returns the names that are others now; ``deliver`` is called with them if
    there are any, and whenever somebody has asked for a ``look``, which its second argument says. By itself it
    takes in nothing while files still change from one look to the next.
    """

    def __init__(
        self,
        folder: Path,
        renew: Callable[[], frozenset[str]],
        deliver: Callable[[frozenset[str], bool], None],
        look_s: float = _LOOK_S,
    ) -> None:
        self._folder, self._renew, self._deliver, self._look_s = folder, renew, deliver, look_s
        self._closing = self._asked = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shelf", daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Look now, and take in what is there."""
        self._asked = True
        self._wake.set()

    def close(self) -> None:
        """Look no more; what is being loaded just now is not waited for."""
        self._closing = True
        self._wake.set()

    def _run(self) -> None:
        taken = last = None
        while True:
            self._wake.wait(self._look_s)
            self._wake.clear()
            if self._closing:
                return
            asked, self._asked = self._asked, False
            changed: frozenset[str] = frozenset()
            try:
                found = marks(self._folder)
                if (asked or found == last) and found != taken:
                    taken = found
                    changed = self._renew()
                    if changed:
                        log.info("voices changed: %s", ", ".join(sorted(changed)[:20]))
                last = found
            except Exception:  # a voice that nobody foresaw must not end the watch, nor the worker
                log.exception("the voices in %s cannot be taken in", self._folder)
            if (changed or asked) and not self._closing:
                self._deliver(changed, asked)
