"""What a peer is: something that can be asked to play one file to so many RTP streams at once.

All get the same work, the same core with real-time priority (as the gateway's media worker takes it), and the
same receiver. What sets calls up for them (SIPp answering, a control protocol) stays off that core.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, ClassVar, Final

SENDER_CPU: Final = 1
"""The sender under test has this core, all else shares the other."""

OTHER_CPU: Final = 0
_PRIORITY: Final = 10
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)
_STOP_S: Final = 5.0


class Missing(Exception):
    """A peer cannot be had, or cannot do the work, on this machine: why, and what was tried."""


class Failed(Exception):
    """A peer broke down under the work; the end of its log."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The audio that all play, in three forms: each takes the one that it plays best."""

    wav: Path
    """16 bit, 8 kHz, decoded from `ulaw`."""
    ulaw: Path
    """Bare octets."""
    au: Path
    """`ulaw` in an .au file."""


@dataclass(frozen=True, slots=True)
class Work:
    """Play `recording` from its beginning to `legs` streams of 20 ms PCMU at `address:port`."""

    legs: int
    address: str
    port: int
    recording: Recording
    folder: Path
    """For logs and whatever a peer needs; gone afterwards."""
    until: float
    """When all legs must have been asked for, on CLOCK_MONOTONIC, in seconds."""

    def in_time(self, asked: int) -> None:
        """Raises Failed when the time is over, after so many legs were asked for."""
        if time.monotonic() > self.until:
            raise Failed(f"{asked} of {self.legs} legs could be set up in time")


class Peer(ABC):
    """One way to send RTP. `start` returns once all legs are asked for; `stop` may be called at any time.

    `start` raises Missing, or Failed, no later than some seconds after the time that its work has.
    """

    name: ClassVar[str]
    plays: ClassVar[bool] = True
    """Whether its packets carry the file's audio."""
    command = ""
    """What ran, for a reader who wants to run it."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[bytes]] = []
        self._logs: list[IO[bytes]] = []
        self._beside = contextlib.ExitStack()
        """What ends after the sending processes: whoever they call, their gateway."""

    @abstractmethod
    def version(self) -> str:
        """Its version; raises Missing where it is not installed."""

    @abstractmethod
    def start(self, work: Work) -> None: ...

    def pids(self) -> list[int]:
        """The processes that send: what they use is what the legs cost."""
        return [process.pid for process in self._running]

    def all_pids(self) -> list[int]:
        """These and those that a leg needs beside them, all of whose time is the peer's."""
        return self.pids()

    def octets(self, recording: Recording) -> bytes:
        """The mu-law octets that a listener should hear."""
        return recording.ulaw.read_bytes()

    def stop(self) -> None:
        """End what was started."""
        end(*self._running)
        for log in self._logs:
            log.close()
        self._running, self._logs = [], []
        self._beside.close()

    def alive(self) -> None:
        """Raises Failed where a process has ended that should send."""
        gone = [process for process in self._running if process.poll() is not None]
        if gone:
            ended = f"{len(gone)} of {len(self._running)} processes ended with {gone[0].returncode}"
            raise Failed(f"{ended}: {self.said()}")

    def said(self) -> str:
        """The end of what its first process wrote."""
        if not self._logs:
            return ""
        text = Path(self._logs[0].name).read_text(errors="replace").strip()
        return " / ".join(text.splitlines()[-3:])[-400:]

    def launch(self, argv: Sequence[str], folder: Path, **environment: str) -> subprocess.Popen[bytes]:
        """Start a sending process on SENDER_CPU, in real time where that is permitted."""
        log = (folder / f"{Path(argv[0]).name}-{len(self._running)}.log").open("wb")
        self._logs.append(log)
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=os.environ | environment,
            preexec_fn=_own_the_core, cwd=folder,
        )  # fmt: skip
        self._running.append(process)
        return process


def _own_the_core() -> None:
    die_with_parent()
    os.sched_setaffinity(0, {SENDER_CPU})
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))


def die_with_parent() -> None:
    """In a child before it becomes another program: no sender outlives a bench that is killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def end(*processes: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and SIGKILL for those whom that does not end in five seconds."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + _STOP_S
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def program(name: str, package: str) -> str:
    """Path of a program. Raises Missing, naming the Debian package."""
    path = shutil.which(name)
    if path is None:
        raise Missing(f"not installed: apt-get install {package} (scripts/peers does it)")
    return path


def output(*argv: str) -> str:
    """What a command prints. Raises Missing where it cannot run, or prints nothing."""
    try:
        asked = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{argv[0]}: {error}") from error
    said = asked.stdout + asked.stderr
    if not said.strip():
        raise Missing(f"{' '.join(argv)} ended with {asked.returncode} and said nothing")
    return said


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """A port of 127.0.0.1 that nobody has now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
