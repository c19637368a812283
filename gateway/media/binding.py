"""Which port each leg has: opened for the first on it, shared by more, aimed at its peer, filtered by the kernel.

A port of one leg is connected to its target. One whose peer may turn out to be elsewhere (symmetric RTP), or is
not known yet, is not, and neither is one that legs share.
"""

from __future__ import annotations

import errno
import random
from collections.abc import Callable
from typing import Final

from gateway.media.leg import Latch, Leg
from gateway.media.ports import PortAllocator
from gateway.media.sockets import Port, family_of
from gateway.told import Told

_FOREIGN_PORTS: Final = 32
"""Ports of the range that may turn out to be another program's before one of ours is shared, or a leg refused."""


class Bindings:
    """The ports of one media worker's legs, out of its share of the range: first and last number.

    ``changed`` is told of each leg in a lane whose packets leave in another way from now on.
    """

    def __init__(self, settings: Told, ports: tuple[int, int], changed: Callable[[Leg], None]) -> None:
        self.of: dict[int, Port] = {}
        """Each leg's port, by its row."""
        self.on_port: Callable[[Port, bool], None] = lambda port, opened: None
        """Called when a port's sockets were opened (True), or are about to be closed."""
        self._settings = settings
        self._range = ports
        self._changed = changed
        self._allocators: dict[str, PortAllocator] = {}
        self._ports: dict[tuple[str, int], Port] = {}

    def bind(self, leg: Leg, local: str, now_ns: int) -> Port:
        """A port of the address ``local`` for the leg. Raises NoPorts, OSError; it has none then."""
        # one whose target is not known yet books what nobody else can
        remote = leg.booked = (leg.address, leg.remote_port) if leg.aimed else ("", leg.row)
        allocator = self._allocator(local)
        for _ in range(_FOREIGN_PORTS):
            try:
                return self._join(local, allocator.take(remote, now_ns), leg, now_ns)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
        return self._join(local, allocator.share(remote), leg, now_ns)

    def release(self, leg: Leg, now_ns: int) -> None:
        """The leg is gone, and so is its port if it was the last on it."""
        port = self.of.pop(leg.row)
        port.legs.remove(leg)
        self._allocators[port.address].release(port.number, leg.booked, now_ns)
        if not port.legs:
            self.on_port(port, False)
            del self._ports[port.address, port.number]
            port.close()

    def retarget(self, leg: Leg, target: tuple[str, int], now_ns: int) -> None:
        """Send to ``target`` from now on. Raises NoPorts when a leg on its port does so already, OSError."""
        if target == (leg.address, leg.remote_port) and not leg.lost:
            return
        port = self.of[leg.row]
        if family_of(target[0]) != family_of(port.address):
            raise OSError(errno.EAFNOSUPPORT, f"the leg is at {port.address}")
        self._allocators[port.address].move(port.number, leg.booked, target)
        leg.booked = target
        leg.aim(*target)
        leg.heard_ns, leg.timed_out, leg.refused_ns = now_ns, False, 0
        self._changed(leg)
        if len(port.legs) == 1:
            self._aim(port, leg, now_ns)

    def settle(self, leg: Leg, target: tuple[str, int]) -> None:
        """Send to ``target`` from now on, and listen to nobody else. Raises OSError, and nothing has changed."""
        port = self.of[leg.row]
        port.connect(*target)
        leg.latch = None
        leg.aim(*target)
        self._filter(port)
        self._changed(leg)

    def filter(self, leg: Leg) -> None:
        """Let through what the legs on this one's port have a use for now."""
        self._filter(self.of[leg.row])

    def _allocator(self, local: str) -> PortAllocator:
        if local not in self._allocators:
            first, last = self._range
            # in no order, else another gateway of the same range would be met at every port, not at some
            ports = random.sample(evens := range(first + first % 2, last, 2), len(evens))
            rest_ns = int(self._settings.port_drain_seconds * 1e9)
            self._allocators[local] = PortAllocator(ports, rest_ns)
        return self._allocators[local]

    def _join(self, local: str, number: int, leg: Leg, now_ns: int) -> Port:
        """The leg's port, opened if it is the first on it. Raises OSError, and the port rests."""
        try:
            port = self._ports.get((local, number))
            if port is None:
                port = self._open(local, number, leg, now_ns)
            else:
                self._share(port, leg)
        except OSError as error:
            foreign = error.errno == errno.EADDRINUSE
            self._allocators[local].release(number, leg.booked, now_ns, foreign=foreign)
            raise
        self.of[leg.row] = port
        return port

    def _open(self, local: str, number: int, leg: Leg, now_ns: int) -> Port:
        port = Port(local, number, mux=leg.order.rtcp_mux)
        port.legs.append(leg)
        try:
            self._aim(port, leg, now_ns)
            self._filter(port)
        except OSError:
            port.close()
            raise
        self._ports[local, number] = port
        self.on_port(port, True)
        return port

    def _share(self, port: Port, leg: Leg) -> None:
        if len(port.legs) == 1:  # those who share it already stay as they are
            port.share()
            alone = port.legs[0]
            alone.latch = None  # which would connect the port
            self._changed(alone)
        port.legs.append(leg)
        self._filter(port)

    def _aim(self, port: Port, leg: Leg, now_ns: int) -> None:
        """Connect the port of one leg alone, unless its peer may turn out to be elsewhere, or is yet unknown."""
        settings = self._settings
        if settings.symmetric_rtp and leg.aimed:
            window_ns = int(settings.symmetric_rtp_window_seconds * 1e9)
            leg.latch = Latch(now_ns + window_ns, settings.symmetric_rtp_packets)
        if leg.latch is None and leg.aimed:
            port.connect(leg.address, leg.remote_port)
        else:
            port.share()

    def _filter(self, port: Port) -> None:
        alone = port.legs[0] if len(port.legs) == 1 else None
        port.listen_for(
            alone.order.dtmf_payload_type if alone else None,
            everything=any(leg.latch or leg.hearing for leg in port.legs),
            sample_audio=self._settings.media_timeout_seconds > 0,
        )
