"""A peer's process: its output in a file, its end certain, and waits that say what the peer said."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, Self

_POLL_S: Final = 0.01
_TAIL: Final = 3000


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has now, for UDP and TCP.

    Below those of our gateways and the kernel's own (ip_local_port_range): nobody else is given it before the
    peer has taken it. Even: baresip takes the next one, too.
    """
    while True:
        port = random.randrange(10_000, 16_000, 2)
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream,
            suppress(OSError),
        ):
            datagrams.bind(("127.0.0.1", port))
            stream.bind(("127.0.0.1", port))
            return port


def binds(port: int) -> bool:
    """Whether somebody has bound UDP ``port``."""
    needle = f":{port:04X} "
    return any(needle in Path(f"/proc/net/{table}").read_text() for table in ("udp", "udp6"))


class Peer(ABC):
    """A context manager: ``_begin`` starts it, and leaves on the stack what ends it."""

    @abstractmethod
    def _begin(self, ends: ExitStack) -> None: ...

    def __enter__(self) -> Self:
        with ExitStack() as ends:
            self._begin(ends)
            self._ends = ends.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()


class Process:
    """A running program. ``log`` gets its output; with ``commands`` its standard input is a pipe.

    Raises AssertionError when the program is not installed: ``scripts/test`` installs it.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        commands: bool = False,
    ) -> None:
        program = shutil.which(command[0])
        assert program is not None, f"{command[0]} is not installed: run scripts/test"
        self._name = command[0]
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [program, *command[1:]],
                stdin=subprocess.PIPE if commands else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | dict(environment or {}),
            )

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def output(self) -> str:
        """All it said so far."""
        return self._log.read_text(errors="replace")

    def blame(self, what: str) -> AssertionError:
        """What went wrong, with the process's last words."""
        state = "runs" if self.running else f"ended with {self._process.returncode}"
        return AssertionError(f"{self._name} ({state}): {what}\n{self.output()[-_TAIL:]}")

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 15.0) -> None:
        """Waits for a condition. Raises AssertionError when it takes too long or the process ends first."""
        deadline = time.monotonic() + seconds
        while not condition():
            if not self.running and not condition():
                raise self.blame(f"ended before {what}")
            if time.monotonic() > deadline:
                raise self.blame(f"not within {seconds:.0f} s: {what}")
            time.sleep(_POLL_S)

    def type(self, line: str) -> None:
        """Sends a line to its standard input."""
        assert self._process.stdin is not None, "started without commands"
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def signal(self, number: int) -> None:
        """Sends it a signal."""
        self._process.send_signal(number)

    def wait(self, seconds: float = 15.0) -> int:
        """Waits for its end; returns the exit status. Raises AssertionError when it takes too long."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise self.blame(f"still runs after {seconds:.0f} s") from None

    def stop(self, seconds: float = 5.0) -> None:
        """SIGTERM, and SIGKILL when that takes too long."""
        self._process.terminate()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            if self._process.stdin is not None:
                self._process.stdin.close()
