"""A group of legs together with the way their packets leave: the pacer's last step, and its only system call.

Legs with a port of their own are sent one ``send`` each on a connected socket; legs that share a port leave in
one ``sendmmsg`` a port. Everything a tick needs is laid out when legs come and go, not in the tick.
"""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.media.batch import ADDRESS_OCTETS, MESSAGE, VECTOR, send_messages
from gateway.media.group import Group
from gateway.media.leg import Leg
from gateway.media.sockets import Port
from gateway.ring import RingBlock

Failed = Callable[[Leg, int], None]
"""Told of each packet that the kernel did not take: the leg and the errno."""
_Send = tuple[Callable[[Any], int], memoryview, Leg]


class Lane:
    """Legs of one packet time and phase. Add, remove and change legs between ticks only."""

    def __init__(self, ring: RingBlock, ptime_ms: int) -> None:
        self.group = Group(ring, ptime_ms)
        self.legs: list[Leg] = []
        self.ports: list[Port] = []
        self.last_k: int | None = None
        self.late = False
        """Its last packets left a packet time late or more."""
        self.dialling: list[Leg] = []
        """Legs that send digits at present."""
        self._dirty = False
        self._octets: npt.NDArray[np.uint8] = np.zeros((0, 0), np.uint8)
        self._packets: list[memoryview] = []
        self._own: list[_Send] = []
        self._own_index: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._shared_index: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._shared_fds: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._runs: list[tuple[int, int, int]] = []
        self._messages = np.zeros(0, MESSAGE)

    def add(
        self, leg: Leg, port: Port, sequence: int, timestamp: int, acked: int | None, changes: int
    ) -> None:
        """Take a leg in; it sends from the lane's next tick on. See ``Group.add``."""
        order = leg.order
        leg.index = self.group.add(
            leg.row,
            order.payload_type,
            order.law,
            leg.ssrc,
            sequence,
            timestamp,
            leg.suppresses,
            acked=acked,
            changes=changes,
        )
        self.legs.append(leg)
        self.ports.append(port)
        self._dirty = True

    def remove(self, leg: Leg) -> None:
        """Take a leg out."""
        i = leg.index
        self.group.remove(i)
        last_leg, last_port = self.legs.pop(), self.ports.pop()
        if last_leg is not leg:
            self.legs[i], self.ports[i] = last_leg, last_port
            last_leg.index = i
        if leg in self.dialling:
            self.dialling.remove(leg)
        if not self.legs:
            self.last_k, self.late = None, False  # an empty lane does not tick, and misses nothing
        self._dirty = True

    def changed(self) -> None:
        """A port was connected, shared or retargeted: lay the sending out anew."""
        self._dirty = True

    def send(self, count: int, failed: Failed) -> None:
        """Send the ``count`` packets that ``Group.stamp`` made ready."""
        sending, everything = self.group.leaving, count == self.group.n
        own: Iterable[_Send] = self._own
        if not everything:
            own = itertools.compress(own, sending[self._own_index].tolist())
        _send_each(iter(own), failed)
        if len(self._shared_index):
            self._send_shared(None if everything else sending[self._shared_index], failed)

    def _send_shared(self, sending: npt.NDArray[np.bool_] | None, failed: Failed) -> None:
        """One ``sendmmsg`` a port. ``sending``: which of the shared legs; None: all, as laid out."""
        messages, runs, index = self._messages, self._runs, self._shared_index
        if sending is not None:
            messages, index = messages[sending], index[sending]
            runs = _runs_of(self._shared_fds[sending])
        address = messages.ctypes.data
        for fd, begin, end in runs:
            for at, error in send_messages(fd, address, begin, end):
                failed(self.legs[index[at]], error)

    def lay_out(self) -> None:
        """Prepare the sending; called before each stamp, does something only after a change.

        This runs in a tick, once for each leg that comes or goes: nothing in it is done twice for a leg.
        """
        if not self._dirty:
            return
        self._dirty = False
        group = self.group
        if len(self._packets) != group.capacity:  # the group has grown, and its packets have moved
            self._octets = group.packet.view(np.uint8).reshape(group.capacity, -1)
            self._packets = [self._octets[i].data for i in range(group.capacity)]
        packets, legs, ports = self._packets, self.legs, self.ports
        own = [i for i, port in enumerate(ports) if port.connected]
        self._own = [(ports[i].rtp.send, packets[i], legs[i]) for i in own]
        self._own_index = np.array(own, np.int64)
        fds = sorted((port.rtp.fileno(), i) for i, port in enumerate(ports) if not port.connected)
        self._shared_fds = np.array([fd for fd, _ in fds], np.int64)
        self._shared_index = np.array([i for _, i in fds], np.int64)
        self._runs = _runs_of(self._shared_fds)
        self._lay_out_messages()

    def _lay_out_messages(self) -> None:
        index = self._shared_index
        n, octets = len(index), self._octets.shape[1]
        names = [self.legs[i].socket_address for i in index.tolist()]
        self._names = np.frombuffer(b"".join(name.ljust(ADDRESS_OCTETS, b"\0") for name in names), np.uint8)
        self._vectors = np.zeros(n, VECTOR)
        self._vectors["base"] = self._octets.ctypes.data + index * octets
        self._vectors["octets"] = octets
        self._messages = np.zeros(n, MESSAGE)
        self._messages["name"] = self._names.ctypes.data + np.arange(n) * ADDRESS_OCTETS
        self._messages["name_octets"] = [len(name) for name in names]
        self._messages["vector"] = self._vectors.ctypes.data + np.arange(n) * VECTOR.itemsize
        self._messages["vectors"] = 1


def _runs_of(fds: npt.NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """(descriptor, begin, end) of each run of equal descriptors in ``fds``, which is sorted."""
    if not len(fds):
        return []
    edges = [0, *(np.flatnonzero(np.diff(fds)) + 1).tolist(), len(fds)]
    return [(int(fds[begin]), begin, end) for begin, end in itertools.pairwise(edges)]


def _send_each(own: Any, failed: Failed) -> None:
    """One ``send`` a leg. An error concerns one leg; the iterator goes on behind it."""
    while True:
        try:
            for send, packet, leg in own:  # noqa: B007 (``leg`` is whose packet failed)
                send(packet)
            return
        except OSError as error:
            failed(leg, error.errno or errno.EIO)
