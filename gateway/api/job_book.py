"""Speech that is made while nobody waits: jobs, so many at once, kept for a while with their audio (G.711)."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal

from gateway.api.keyring import Key
from gateway.api.spoken import Order, Recording
from gateway.errors import Refusal
from gateway.settings import Settings

_AT_ONCE: Final = 2
"""Jobs that are made at the same time: they are in no hurry, and others are."""
_TRIES: Final = 30
_log = logging.getLogger(__name__)

State = Literal["queued", "running", "done", "failed"]


@dataclass(eq=False, slots=True)
class Job:
    """One order of ``key``. ``recording`` once it is done, ``refusal`` when it has failed."""

    id: str
    key: Key
    order: Order
    created_at: datetime
    state: State = "queued"
    ended_at: datetime | None = None
    recording: Recording | None = None
    refusal: Refusal | None = None
    expires: float = 0.0
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class JobBook:
    """All jobs. ``make``: carries a job out; it may be cancelled."""

    def __init__(self, settings: Settings, make: Callable[[Job], Awaitable[Recording]]) -> None:
        self._settings = settings
        self._make = make
        self._jobs: dict[str, Job] = {}
        self._turn = asyncio.Semaphore(_AT_ONCE)

    def add(self, key: Key, order: Order) -> Job:
        """Begin a job. Refusal ``too_many_jobs``."""
        self._forget_old()
        if len(self._jobs) >= self._settings.synthesize_jobs:
            detail = f"{len(self._jobs)} jobs are kept (VOXTRUNK_SYNTHESIZE_JOBS); fetch and delete some"
            raise Refusal("too_many_jobs", detail, retry_after=5)
        job = Job(f"job_{secrets.token_hex(8)}", key, order, datetime.now(UTC))
        self._jobs[job.id] = job
        job.task = asyncio.create_task(self._run(job), name=job.id)
        return job

    def get(self, owner: str, job_id: str) -> Job:
        """Refusal ``unknown_job``, also for another key's."""
        self._forget_old()
        job = self._jobs.get(job_id)
        if job is None or job.key.name != owner:
            raise Refusal("unknown_job", f"There is no job {job_id[:64]!r} (any more)")
        return job

    def all(self, owner: str) -> list[Job]:
        """A key's jobs, the oldest first."""
        self._forget_old()
        return [job for job in self._jobs.values() if job.key.name == owner]

    def remove(self, owner: str, job_id: str) -> Job:
        """Stop it, and forget it and its audio. Refusal ``unknown_job``."""
        job = self.get(owner, job_id)
        del self._jobs[job.id]
        if job.task is not None:
            job.task.cancel()
        return job

    def close(self) -> None:
        """The server stops."""
        for job in self._jobs.values():
            if job.task is not None:
                job.task.cancel()

    async def _run(self, job: Job) -> None:
        try:
            async with self._turn:
                job.state = "running"
                job.recording = await self._made(job)
            job.state = "done"
        except Refusal as refusal:
            job.state, job.refusal = "failed", refusal
        except Exception:
            _log.exception("job %s failed", job.id)
            job.state, job.refusal = "failed", Refusal("speech_failed", "An error of the gateway's own")
        job.ended_at = datetime.now(UTC)
        job.expires = time.monotonic() + self._settings.synthesize_job_seconds
        job.task = None

    async def _made(self, job: Job) -> Recording:
        """A job waits where a caller would be refused."""
        for _ in range(_TRIES):
            try:
                return await self._make(job)
            except Refusal as refusal:
                if refusal.retry_after is None or refusal.code == "draining":
                    raise
                last = refusal
                await asyncio.sleep(refusal.retry_after)
        raise last

    def _forget_old(self) -> None:
        now = time.monotonic()
        for job in [job for job in self._jobs.values() if job.expires and job.expires <= now]:
            del self._jobs[job.id]
