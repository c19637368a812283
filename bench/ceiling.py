"""Ceiling: the engine's send path against a C loop that makes the same system calls and nothing else.

Both send the same packets, from the same arrays, through the same sockets to the same listening socket, in
turns within one run; the figure is the median of the ratios. The engine's time includes everything that a
tick does: reading the ring, choosing, stamping, publishing what was sent. Nobody reads the listening socket,
so the kernel drops at its buffer: the cheapest delivery there is, and the harshest measure of what we add.
"""

from __future__ import annotations

import ctypes
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from gateway.media.batch import MESSAGE, VECTOR, socket_address
from gateway.media.lane import Lane
from gateway.media.leg import Leg
from gateway.media.sockets import Port
from gateway.messages.media import OpenLeg
from gateway.ring import CAPACITY, UNIT_OCTETS, RingBlock

_PTIME: Final = 20
_TICKS: Final = 40
"""Packet times in a turn; two units each, so the ring is filled once a turn."""
_LAYINGS: Final = 200


def compile_limit(folder: Path) -> ctypes.CDLL:
    """Build ``send.c`` with gcc. Raises FileNotFoundError without gcc, CalledProcessError when it fails."""
    library = folder / "send.so"
    source = Path(__file__).parent / "send.c"
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return ctypes.CDLL(str(library))


class SendPath:
    """A lane full of speaking legs, on one shared port or each on its own."""

    def __init__(self, legs: int, *, shared: bool) -> None:
        self.legs = legs
        self.ring = RingBlock.create(legs)
        self.lane = Lane(self.ring, _PTIME)
        self.ports: list[Port] = []
        self._k = 0
        self.far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.far.bind(("127.0.0.1", 0))
        host, number = self.far.getsockname()
        for row in range(legs):
            if not self.ports or not shared:
                port = Port("127.0.0.1", 0, mux=True)
                if shared:
                    port.share()
                else:
                    port.connect(host, number)
                self.ports.append(port)
            self.ring.cut(row)
            leg = Leg(OpenLeg(row, host, number, 0, "PCMU", _PTIME, None, False), host, number, "", 0)
            self.lane.add(leg, self.ports[-1], 0, 0, None, 0)
            self.ring.adopt(row, int(self.ring.generation[row]))
        self.lane.lay_out()

    def close(self) -> None:
        """Give everything back."""
        for port in self.ports:
            port.close()
        self.far.close()
        self.ring.close()

    def fill(self) -> None:
        """Speech for the next turn, outside the measured time."""
        speech = memoryview(np.random.default_rng(1).bytes(CAPACITY * UNIT_OCTETS))
        for row in range(self.legs):
            self.ring.lay(row, speech, unfinished=True)

    def laying(self) -> float:
        """Seconds that a tick takes longer when one leg came: ``Lane.lay_out`` for the last of them."""
        leg, port = self.lane.legs[-1], self.lane.ports[-1]
        self.lane.remove(leg)
        self.lane.add(leg, port, 0, 0, None, 0)
        begin = time.perf_counter()
        self.lane.lay_out()
        return time.perf_counter() - begin

    def turn(self) -> float:
        """Seconds for ``_TICKS`` packet times of all legs, through the engine."""
        self.fill()
        begin = time.perf_counter()
        for k in range(self._k, self._k + _TICKS):
            self.lane.send(self.lane.group.stamp(k, 0), _raise)
        self._k += _TICKS
        return time.perf_counter() - begin


def _raise(_: Leg, error: int) -> None:
    raise OSError(error, "sending")


class Limit:
    """The C loop over the same packets: messages laid out once, in the engine's own packet array."""

    def __init__(self, library: ctypes.CDLL, path: SendPath) -> None:
        packets = path.lane.group.packet
        self._library, self._path = library, path
        self._vectors = np.zeros(path.legs, VECTOR)
        self._vectors["base"] = packets.ctypes.data + np.arange(path.legs) * packets.itemsize
        self._vectors["octets"] = packets.itemsize
        self._name = np.frombuffer(socket_address(*path.far.getsockname()), np.uint8)
        self._messages = np.zeros(path.legs, MESSAGE)
        self._messages["name"] = self._name.ctypes.data
        self._messages["name_octets"] = len(self._name)
        self._messages["vector"] = self._vectors.ctypes.data + np.arange(path.legs) * VECTOR.itemsize
        self._messages["vectors"] = 1
        self._fds = np.array([port.rtp.fileno() for port in path.ports], np.int32)

    def turn(self) -> float:
        """Seconds for ``_TICKS`` packet times of all legs, in C."""
        messages, legs = ctypes.c_void_p(self._messages.ctypes.data), self._path.legs
        begin = time.perf_counter()
        if len(self._fds) == 1:
            failed = self._library.send_rounds(int(self._fds[0]), messages, legs, _TICKS)
        else:
            fds = ctypes.c_void_p(self._fds.ctypes.data)
            failed = self._library.send_rounds_each(fds, messages, legs, _TICKS)
        assert not failed, "the C loop could not send"
        return time.perf_counter() - begin


def measure(legs: int, turns: int, *, shared: bool) -> dict[str, Any]:
    """Packets a second of the engine and of the C loop, the median of the ratios, what one who comes costs."""
    path = SendPath(legs, shared=shared)
    with tempfile.TemporaryDirectory() as folder:
        library = compile_limit(Path(folder))
        limit = Limit(library, path)
        pairs = [(path.turn(), limit.turn()) for _ in range(turns + 1)][1:]
    laying = statistics.median(path.laying() for _ in range(_LAYINGS))
    path.close()
    packets = legs * _TICKS
    return {
        "legs": legs,
        "sockets": "one shared" if shared else "one a leg",
        "engine_pps": round(packets / statistics.median(ours for ours, _ in pairs)),
        "limit_pps": round(packets / statistics.median(limit for _, limit in pairs)),
        "ratio": round(statistics.median(limit / ours for ours, limit in pairs), 3),
        "laying_us": round(1e6 * laying, 1),
    }
