"""The time that a bench judges: what processes, host and receiver did from its beginning to its end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from bench.machine import stolen_seconds
from bench.usage import cpu_seconds
from gateway.listen.process import ReceiverProcess
from gateway.listen.store import Records


@dataclass(frozen=True, slots=True)
class Window:
    """CLOCK_MONOTONIC, ns. ``cores``: processor time a second of each kind of process."""

    begin_ns: int
    end_ns: int
    drops: int = 0
    """Datagrams that the receiver's kernel threw away: nobody is judged by what it did not hear."""
    stolen_s: float = 0.0
    """Processor time that the hypervisor gave to others, all cores together."""
    cores: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def holds(self, ns: int) -> bool:
        """Whether a moment lies in it."""
        return self.begin_ns <= ns < self.end_ns

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end_ns - self.begin_ns) / 1e9

    def inside(self, packets: Records) -> Records:
        """Those of PACKET[n] that came in it."""
        return packets[(packets["t_ns"] >= self.begin_ns) & (packets["t_ns"] < self.end_ns)]


class Watch:
    """A window that begins now and lasts until `end`. ``pids``: the processes to bill, by kind."""

    def __init__(self, receiver: ReceiverProcess, pids: Mapping[str, int | Sequence[int]]) -> None:
        self._receiver = receiver
        self._pids = {kind: (some,) if isinstance(some, int) else some for kind, some in pids.items()}
        self._drops, self._stolen_s = receiver.drops(), stolen_seconds()
        self._used = {kind: cpu_seconds(*some) for kind, some in self._pids.items()}
        self.begin_ns = time.monotonic_ns()

    def end(self) -> Window:
        """The window, which ends now."""
        end_ns = time.monotonic_ns()
        seconds = (end_ns - self.begin_ns) / 1e9
        cores = {
            kind: round((cpu_seconds(*some) - self._used[kind]) / seconds, 3)
            for kind, some in self._pids.items()
        }
        stolen_s = round(stolen_seconds() - self._stolen_s, 2)
        drops = self._receiver.drops() - self._drops
        return Window(self.begin_ns, end_ns, drops, stolen_s, MappingProxyType(cores))
