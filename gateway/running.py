"""A gateway in a process of its own, for those who need one for a while: ``say``, ``demo``, benches, tests."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import IO, Final

_START_SECONDS: Final = 60.0


class RunningGateway:
    """``voxtrunk serve`` on a free port. A context manager; leaving it sends SIGTERM and waits.

    ``settings`` are environment settings by name without the prefix, e.g. ``rtp_ports="30000-30099"``;
    ``environment`` is what is made of them, ``log`` the file for its log: to be changed before it is entered.
    ``url`` is its address once entered, ``sip`` its first SIP URI if it speaks SIP. Raises RuntimeError when it
    does not come up.
    """

    def __init__(self, cpus: Sequence[int] = (), **settings: object) -> None:
        given = {"log_level": "ERROR", "drain_seconds": 0} | settings
        self.environment = {f"VOXTRUNK_{name.upper()}": str(value) for name, value in given.items()}
        self.log: IO[bytes] | None = None
        self._cpus = cpus
        self.url = ""
        self.sip = ""

    def __enter__(self) -> RunningGateway:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", "serve", "--http", "127.0.0.1:0"],
            env=os.environ | self.environment,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        if self._cpus:
            os.sched_setaffinity(self.process.pid, self._cpus)
        try:
            self.url = self._bound()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def sip_place(self) -> tuple[str, int]:
        """Where it takes SIP, as a socket wants it."""
        host, _, port = self.sip.removeprefix("sip:").rpartition(":")
        return host.strip("[]"), int(port)

    def _bound(self) -> str:
        """``serve`` says on its first line of output where it listens, once it takes calls."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + _START_SECONDS
        while not select.select([self.process.stdout], [], [], 0.1)[0]:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the gateway was not ready within {_START_SECONDS:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the gateway ended with {self.process.wait()}: see its log above")
        if self.environment.get("VOXTRUNK_SIP_LISTEN"):
            self.sip = self.process.stdout.readline().split()[4]
        return line.split()[-1]

    def stop(self, seconds: float = 30.0) -> int:
        """SIGTERM, then SIGKILL when it takes too long; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            if self.process.stdout is not None:
                self.process.stdout.close()
