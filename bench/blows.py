"""What falls on a gateway whose legs speak: workers, Redis, disk, clock and link, and what it falls on."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from bench.peers.peer import free_port
from bench.under_test import workers
from gateway.running import RunningGateway

_LINK_BITS: Final = 8 * (14 + 20 + 8 + 12 + 160) * 50
"""What a leg puts on the wire in a second."""


def sh(*command: str) -> None:
    """Run a command. Raises RuntimeError when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")


class Redis:
    """A Redis server of the bench's own, on a free port; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._port = free_port(socket.SOCK_STREAM)
        self._folder = folder
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def __enter__(self) -> Redis:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, empty, and wait until it listens. Raises RuntimeError when it does not."""
        program = shutil.which("redis-server")
        if program is None:
            raise RuntimeError("this bench needs redis-server: apt-get install redis-server")
        self.process = subprocess.Popen(
            [
                program,
                "--port",
                str(self._port),
                "--save",
                "",
                "--appendonly",
                "no",
                "--dir",
                str(self._folder),
            ],
            stdout=subprocess.DEVNULL,
        )
        for _ in range(500):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1):
                return
            time.sleep(0.01)
        raise RuntimeError("redis-server does not listen")

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()


@dataclass
class Stage:
    """What blows fall on."""

    gateway: RunningGateway
    redis: Redis
    disk: Path
    clock: Path
    legs: int
    ports: tuple[int, ...]

    def signal(self, kind: str, number: int) -> None:
        """The first worker of a kind."""
        os.kill(workers(self.gateway, kind)[0], number)


class Blow(Protocol):
    """Something that breaks. ``strike``, then ``relieve`` ``seconds`` later."""

    name: str
    seconds: float

    def strike(self, stage: Stage) -> None: ...

    def relieve(self, stage: Stage) -> None: ...


@dataclass
class Nothing:
    """What the machine does by itself."""

    name: str = "nothing"
    seconds: float = 5.0

    def strike(self, stage: Stage) -> None:
        """Nothing."""

    def relieve(self, stage: Stage) -> None:
        """Nothing."""


@dataclass
class Signal(Nothing):
    """A worker killed, or stopped for good: control kills it then."""

    kind: str = "media"
    number: int = signal.SIGKILL

    def strike(self, stage: Stage) -> None:
        """The first of its kind."""
        stage.signal(self.kind, self.number)


@dataclass
class RedisStops(Nothing):
    """It hangs, then goes on."""

    def strike(self, stage: Stage) -> None:
        """It answers nobody."""
        stage.redis.process.send_signal(signal.SIGSTOP)

    def relieve(self, stage: Stage) -> None:
        """It answers again."""
        stage.redis.process.send_signal(signal.SIGCONT)


@dataclass
class RedisDies(Nothing):
    """It is gone, then another comes, empty."""

    def strike(self, stage: Stage) -> None:
        """Nobody listens."""
        stage.redis.kill()

    def relieve(self, stage: Stage) -> None:
        """One listens again."""
        stage.redis.start()


@dataclass
class DiskFills(Nothing):
    """Where the log goes there is no room."""

    def strike(self, stage: Stage) -> None:
        """To the last octet."""
        with contextlib.suppress(OSError), (stage.disk / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))

    def relieve(self, stage: Stage) -> None:
        """Room again."""
        (stage.disk / "filler").unlink()


@dataclass
class ClockSteps(Nothing):
    """The wall clock goes a day back, then a day ahead of what it was."""

    def strike(self, stage: Stage) -> None:
        """Back."""
        stage.clock.write_text("-1d\n")

    def relieve(self, stage: Stage) -> None:
        """Ahead."""
        stage.clock.write_text("+1d\n")


@dataclass
class PacketsDrop(Nothing):
    """Every twentieth packet is lost on its way to the ear."""

    def _rules(self, stage: Stage, do: str) -> None:
        for port in stage.ports:
            sh(
                "iptables", do, "INPUT", "-p", "udp", "--dport", str(port), "-m", "statistic", "--mode", "random",
                "--probability", "0.05", "-j", "DROP",
            )  # fmt: skip

    def strike(self, stage: Stage) -> None:
        """Lose them."""
        self._rules(stage, "-A")

    def relieve(self, stage: Stage) -> None:
        """Let them through."""
        self._rules(stage, "-D")


@dataclass
class PacketsDelayed(Nothing):
    """A link that carries 97 % of what is sent, RTP, API and Redis: 80 ms of queue, the rest is lost.

    A token bucket, as netem is not in every kernel.
    """

    def strike(self, stage: Stage) -> None:
        """Narrow it."""
        rate = f"{int(0.97 * stage.legs * _LINK_BITS)}bit"
        sh(
            "tc",
            "qdisc",
            "add",
            "dev",
            "lo",
            "root",
            "tbf",
            "rate",
            rate,
            "burst",
            "128kb",
            "latency",
            "80ms",
        )

    def relieve(self, stage: Stage) -> None:
        """Widen it."""
        sh("tc", "qdisc", "del", "dev", "lo", "root")


BLOWS: Final[tuple[Blow, ...]] = (
    Nothing(),
    Signal("synthesis worker killed", kind="speech"),
    Signal("synthesis worker stopped", seconds=7, kind="speech", number=signal.SIGSTOP),
    Signal("media worker killed"),
    Signal("media worker stopped", seconds=7, number=signal.SIGSTOP),
    RedisStops("Redis stopped, then continued"),
    RedisDies("Redis killed, then another"),
    DiskFills("disk full"),
    ClockSteps("clock a day back, then ahead"),
    PacketsDrop("5 % of packets dropped"),
    PacketsDelayed("link too narrow: packets delayed and dropped"),
)
