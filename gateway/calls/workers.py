"""A worker process: started, watched, replaced when it dies, and closed.

It gets one end of a socket pair and the rings' descriptors, and its settings in the environment. The end of
the link is the end of the worker: what is left of the process is killed before anybody is told, so that the
memory it wrote to has no writer when another takes over.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from gateway.link import Link
from gateway.messages.base import Message
from gateway.messages.media import MediaReady
from gateway.messages.synthesis import SynthesisReady

_log = logging.getLogger(__name__)

_LAST_WORDS_SECONDS: Final = 0.3
"""How long a worker whose link has ended may take to log why."""
_GRACE_SECONDS: Final = 3.0
_HEALTHY_SECONDS: Final = 10.0
_LONGEST_PAUSE_SECONDS: Final = 5.0
_ATTEMPTS: Final = 3


class WorkerFailed(Exception):
    """A worker cannot be started: the machine or the settings do not let it run."""


def pause_before(deaths: int) -> float:
    """Seconds to wait before starting a worker that has died ``deaths`` times in a row soon after its start."""
    return 0.0 if deaths <= 1 else float(min(_LONGEST_PAUSE_SECONDS, 0.1 * 2.0 ** (deaths - 1)))


class Worker:
    """Keeps one worker process running. ``on_message`` and ``on_death`` are called in the loop, in order.

    ``command``: what to run, without ``--link``. ``fds``: descriptors that it inherits.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        fds: Sequence[int],
        environment: Mapping[str, str],
        incoming: Any,
        on_message: Callable[[Any], None],
        on_death: Callable[[], None],
    ) -> None:
        self.name = name
        self.alive = False
        """It has said that it is ready, and its link stands."""
        self.restarts = 0
        self.pid: int | None = None
        self._command = tuple(command)
        self._fds = tuple(fds)
        self.environment = environment
        """Of the processes that are yet to be started."""
        self._incoming = incoming
        self._on_message = on_message
        self._on_death = on_death
        self._link: Link[Message] | None = None
        self._closing = False
        self._started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._keep_running(), name=name)
        self._task.add_done_callback(report_failure)

    def send(self, message: msgspec.Struct) -> None:
        """Queue a message; void while the worker is down."""
        if self._link is not None:
            self._link.send(message)

    async def started(self) -> None:
        """Wait until it is ready for the first time. Raises WorkerFailed when it dies each time before that."""
        await asyncio.shield(self._started)

    def kill(self) -> None:
        """End a process that hangs; another takes its place."""
        if self.pid is not None and self.alive:
            _log.error("%s (pid %s) hangs and is killed", self.name, self.pid)
            _kill(self.pid)

    async def close(self) -> None:
        """End the process: close its link, wait for it, kill it if it does not go."""
        self._closing = True
        if self._link is None:
            self._task.cancel()
        else:
            await self._link.close()
        await asyncio.wait({self._task})
        if not self._started.cancel() and not self._started.cancelled():
            self._started.exception()  # nobody may have asked

    @property
    def failed(self) -> bool:
        """Whether watching it has ended by a bug of ours."""
        return self._task.done() and not self._closing

    async def _keep_running(self) -> None:
        deaths = 0
        while not self._closing:
            begun = time.monotonic()
            status = await self._run_once()
            if self._closing:
                return
            deaths = 1 if time.monotonic() - begun > _HEALTHY_SECONDS else deaths + 1
            self.restarts += 1
            _log.error(
                "%s died with status %s",
                self.name,
                status,
                extra={"worker": self.name, "worker_pid": self.pid},
            )
            hopeless = status == os.EX_CONFIG
            if (deaths >= _ATTEMPTS or hopeless) and not self._started.done():
                times = f"died {deaths} times at its start, with status {status}"
                why = "cannot work by these settings" if hopeless else times
                self._started.set_exception(WorkerFailed(f"{self.name} {why}; see its log"))
            await asyncio.sleep(pause_before(deaths))

    async def _run_once(self) -> int:
        """From start to death; returns the exit status."""
        try:
            ours, process = await self._spawn()
        except OSError as error:  # what it takes, a descriptor or memory, may be there in a moment
            _log.error("%s cannot be started: %s", self.name, error)
            return os.EX_OSERR
        with ours:
            self.pid = process.pid
            try:
                await self._listen(await Link.open(ours, self._incoming))
            finally:
                was_alive, self.alive = self.alive, False
                await _end(process, _GRACE_SECONDS if self._closing else _LAST_WORDS_SECONDS)
        if was_alive and not self._closing:
            self._on_death()
        return process.returncode or 0

    async def _spawn(self) -> tuple[socket.socket, asyncio.subprocess.Process]:
        """Our end of a new link, and the process at the other. Raises OSError."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *self._command,
                    "--link",
                    str(theirs.fileno()),
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(), *self._fds),
                    env=self.environment,
                )
        except BaseException:
            ours.close()
            raise
        return ours, process

    async def _listen(self, link: Link[Message]) -> None:
        """Hand on what the worker says, until it says no more."""
        self._link = link
        try:
            async for message in link:
                if isinstance(message, MediaReady | SynthesisReady):
                    self._ready()
                self._on_message(message)
        finally:
            self._link = None
            await link.close()

    def _ready(self) -> None:
        self.alive = True
        _log.info("%s is ready", self.name, extra={"worker": self.name, "worker_pid": self.pid})
        if not self._started.done():
            self._started.set_result(None)


async def _end(process: asyncio.subprocess.Process, seconds: float) -> None:
    """Let the process end by itself for a while, then kill it; returns once it is gone."""
    try:
        await asyncio.wait_for(process.wait(), seconds)
    except TimeoutError:
        _kill(process.pid)
        await process.wait()


def _kill(pid: int) -> None:
    """End a process, which may just have ended by itself."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def report_failure(task: asyncio.Task[Any]) -> None:
    """Done-callback: a bug of ours must not stay unseen in a task that nobody awaits."""
    if not task.cancelled() and task.exception() is not None:
        _log.critical("%s failed", task.get_name(), exc_info=task.exception())
