"""A group of legs together with the way their packets leave: the pacer's last step, and its only system call.

Legs with a port of their own are sent one ``send`` each on a connected socket; legs that share a port leave in
one ``sendmmsg`` a port. Everything a tick needs is laid out when legs come and go, not in the tick.
"""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable, Iterable
from typing import Any, Final

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
_NAME: Final = np.dtype(("S", ADDRESS_OCTETS))


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
        self._stale: set[int] = set()
        """Places whose leg is another, or whose packets leave in another way, than what is laid out says."""
        # by a leg's place, for as many as the group has room for
        self._octets: npt.NDArray[np.uint8] = np.zeros((0, 0), np.uint8)
        self._sends: dict[int, _Send] = {}
        self._fds: npt.NDArray[np.int64] = np.zeros(0, np.int64)  # -1: a port of its own
        self._names: npt.NDArray[np.bytes_] = np.zeros(0, _NAME)
        self._messages = np.zeros(0, MESSAGE)
        # what is sent in a tick in which all send
        self._own: list[_Send] = []
        self._own_index: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._shared_index: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._shared = np.zeros(0, MESSAGE)
        self._address = 0
        self._runs: list[tuple[int, int, int]] = []

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
        self._stale.add(leg.index)

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
        self._stale.update((i, len(self.legs)))

    def changed(self, leg: Leg) -> None:
        """The leg's port was connected, shared or retargeted: lay its sending out anew."""
        self._stale.add(leg.index)

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
        runs, index, address = self._runs, self._shared_index, self._address
        if sending is not None:
            messages, index = self._shared[sending], index[sending]
            runs, address = _runs_of(self._fds[index]), messages.ctypes.data
        for fd, begin, end in runs:
            for at, error in send_messages(fd, address, begin, end):
                failed(self.legs[index[at]], error)

    def lay_out(self) -> None:
        """Prepare the sending; called before each stamp, does something only after a change.

        This runs in a tick, once for all legs that came or went since the last: each of those is looked at, the
        others are array operations.
        """
        if not self._stale:
            return
        n = self.group.n
        if len(self._octets) != self.group.capacity:
            self._grow()
        for i in self._stale:
            self._sends.pop(i, None)
            if i < n:
                self._route(i)
        self._stale.clear()
        order, own = np.argsort(self._fds[:n], kind="stable"), len(self._sends)
        self._own_index, self._shared_index = order[:own], order[own:]
        self._own = [self._sends[i] for i in self._own_index.tolist()]
        self._shared = self._messages[self._shared_index]
        self._address = self._shared.ctypes.data
        self._runs = _runs_of(self._fds[self._shared_index])

    def _grow(self) -> None:
        """The group has grown, and its packets have moved."""
        packet, capacity = self.group.packet, self.group.capacity
        places = np.arange(capacity)
        self._octets = packet.view(np.uint8).reshape(capacity, -1)
        self._fds = np.zeros(capacity, np.int64)
        self._names = np.zeros(capacity, _NAME)
        self._vectors = np.zeros(capacity, VECTOR)
        self._vectors["base"] = packet.ctypes.data + places * packet.itemsize
        self._vectors["octets"] = packet.itemsize
        self._messages = np.zeros(capacity, MESSAGE)
        self._messages["name"] = self._names.ctypes.data + places * self._names.itemsize
        self._messages["vector"] = self._vectors.ctypes.data + places * VECTOR.itemsize
        self._messages["vectors"] = 1
        self._stale.update(range(self.group.n))

    def _route(self, i: int) -> None:
        """How the packets of the leg at ``i`` leave."""
        leg, port = self.legs[i], self.ports[i]
        if port.connected:
            self._fds[i], self._sends[i] = -1, (port.rtp.send, self._octets[i].data, leg)
            return
        self._fds[i] = port.rtp.fileno()
        self._names[i] = leg.socket_address
        self._messages["name_octets"][i] = len(leg.socket_address)


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
