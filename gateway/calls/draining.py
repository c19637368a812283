"""Running empty: no new calls, while those that there are may finish."""

from __future__ import annotations

import asyncio
import math
import time
from typing import Final

from gateway.calls.crew import Crew
from gateway.calls.registry import Registry
from gateway.calls.workers import report_failure
from gateway.errors import Refusal

_POLL_SECONDS: Final = 0.02


class Draining:
    """``on``: no new calls are taken."""

    def __init__(self, workers: Crew, registry: Registry) -> None:
        self.on = False
        self._workers = workers
        self._registry = registry
        self._task: asyncio.Task[None] | None = None
        self._ends_at = math.inf
        self._for_good = False

    async def finish(self, limit_seconds: float) -> None:
        """What SIGTERM asks for, and what nobody takes back: ``start``, until there is no call."""
        self._for_good = True
        await asyncio.shield(self._run_empty_within(limit_seconds))

    def start(self, limit_seconds: float | None) -> None:
        """Take no new calls; those that there are may finish, for ``limit_seconds`` (None: as long as they like).

        Asked again, the new limit holds. Refusal ``wrong_state`` when the process is to end already.
        """
        self._check_staying()
        self._run_empty_within(limit_seconds)

    def stop(self) -> None:
        """Take calls again. Refusal ``wrong_state`` when the process is to end."""
        self._check_staying()
        self.on = False
        if self._task is not None:
            self._task.cancel()
            self._task = None

    @property
    def left(self) -> float | None:
        """The seconds after which the calls that are left are ended; None: never."""
        left = self._ends_at - time.monotonic()
        return None if not self.on or math.isinf(left) else max(0.0, left)

    async def close(self) -> None:
        """The gateway ends now, whatever was to be awaited."""
        self.on = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _check_staying(self) -> None:
        if self._for_good:
            raise Refusal("wrong_state", "The gateway is shutting down, which cannot be taken back")

    def _run_empty_within(self, limit_seconds: float | None) -> asyncio.Task[None]:
        self.on = True
        self._ends_at = math.inf if limit_seconds is None else time.monotonic() + limit_seconds
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run_empty(), name="drain")
            self._task.add_done_callback(report_failure)
        return self._task

    async def _run_empty(self) -> None:
        """Until no call is open nor about to be; beyond the limit those that are left are ended."""
        while self._registry.open or any(seat.openings for seat in self._workers.media):
            if time.monotonic() >= self._ends_at:
                self._registry.begin_closing_all("drained")
            await asyncio.sleep(_POLL_SECONDS)
