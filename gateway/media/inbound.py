"""What peers send us: read within bounds, so that no flood can make a tick late.

All sockets of the worker hang on one inner epoll descriptor, which the event loop watches as one. Each turn
reads a bounded number of datagrams for a bounded time and then lets the timer have its say. A socket that
brings more than a leg can have a use for is left unread for the rest of the second: the kernel drops for us.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from typing import Final

from gateway.media.counters import Counter
from gateway.media.engine import Engine
from gateway.media.leg import Latch, Leg
from gateway.media.packet import MalformedPacket, RtpPacket, parse_rtp
from gateway.media.sockets import Port, refused_targets
from gateway.messages.media import FromMedia, Latched

_DATAGRAM: Final = 2048
_A_TURN: Final = 4
"""Datagrams of one socket before another has its turn."""
_TURN_NS: Final = 300_000
_A_SECOND: Final = 400
"""Datagrams a second that a leg can have a use for: 100 event packets, some reports, the start of a latch."""
_FIRST_RTCP, _LAST_RTCP = 192, 223


class Inbound:
    """Reads the sockets of an engine's ports. ``allowed`` says whether a leg may latch on to an address."""

    def __init__(
        self, engine: Engine, tell: Callable[[FromMedia], None], allowed: Callable[[str], bool]
    ) -> None:
        self._engine = engine
        self._tell = tell
        self._allowed = allowed
        self._epoll = select.epoll()
        self._sockets: dict[int, tuple[Port, socket.socket]] = {}
        self._muted: list[Port] = []
        engine.bindings.on_port = self._port_changed

    @property
    def fd(self) -> int:
        """Readable while any socket is."""
        return self._epoll.fileno()

    def close(self) -> None:
        """Give the descriptor back."""
        self._epoll.close()

    def _port_changed(self, port: Port, opened: bool) -> None:
        for sock in port.sockets:
            if opened:
                self._sockets[sock.fileno()] = (port, sock)
                self._epoll.register(sock.fileno(), select.EPOLLIN)
            else:
                del self._sockets[sock.fileno()]
                if not port.muted:
                    self._epoll.unregister(sock.fileno())
        if not opened and port.muted:
            self._muted.remove(port)

    def read(self, now_ns: int) -> None:
        """One bounded turn."""
        until_ns = now_ns + _TURN_NS
        for fd, events in self._epoll.poll(0, 64):
            found = self._sockets.get(fd)
            if found is None or found[0].muted:
                continue
            port, sock = found
            if events & select.EPOLLERR and not port.connected:
                self._refused(port, sock, now_ns)
            self._read_socket(port, sock, now_ns)
            if time.monotonic_ns() > until_ns:
                return

    def second(self) -> None:
        """Once a second: everybody is heard again."""
        for port in self._muted:
            port.muted = False
            for sock in port.sockets:
                self._epoll.register(sock.fileno(), select.EPOLLIN)
        self._muted.clear()

    def _read_socket(self, port: Port, sock: socket.socket, now_ns: int) -> None:
        for _ in range(_A_TURN):
            try:
                data, source = sock.recvfrom(_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:  # a pending ICMP error; whose it is on a shared socket, its error queue says
                if port.connected:
                    self._engine.refused(port.legs[0], now_ns)
                continue
            second = now_ns // 1_000_000_000
            port.heard = port.heard + 1 if second == port.heard_second else 1
            port.heard_second = second
            if port.heard > _A_SECOND * max(1, len(port.legs)):
                self._mute(port)
                return
            self._datagram(port, sock, data, source[:2], now_ns)

    def _mute(self, port: Port) -> None:
        port.muted = True
        self._muted.append(port)
        self._engine.counters[Counter.INBOUND_MUTED] += 1
        for sock in port.sockets:
            self._epoll.unregister(sock.fileno())

    def _refused(self, port: Port, sock: socket.socket, now_ns: int) -> None:
        for target in refused_targets(sock):
            for leg in port.legs:
                if target == (leg.address, leg.remote_port):
                    self._engine.refused(leg, now_ns)

    # -- datagrams ----------------------------------------------------------------------------------------

    def _datagram(
        self, port: Port, sock: socket.socket, data: bytes, source: tuple[str, int], now_ns: int
    ) -> None:
        is_rtcp = sock is port.rtcp or (len(data) > 1 and _FIRST_RTCP <= data[1] <= _LAST_RTCP)
        try:
            if is_rtcp:
                self._rtcp(port, data, source, now_ns)
            else:
                self._rtp(port, data, source, now_ns)
        except MalformedPacket:
            self._dropped(port, source)

    def _dropped(self, port: Port, source: tuple[str, int]) -> None:
        self._engine.counters[Counter.INBOUND_DROPPED] += 1
        for leg in port.legs:
            if leg.address == source[0]:
                leg.inbound_dropped += 1

    def _rtp(self, port: Port, data: bytes, source: tuple[str, int], now_ns: int) -> None:
        packet = parse_rtp(data)
        leg = _leg_of(port, source)
        if leg is None and len(port.legs) == 1 and port.legs[0].latch is not None:
            leg = port.legs[0]
        if leg is None:
            self._dropped(port, source)
            return
        if leg.latch is not None:
            self._latch(leg, leg.latch, packet, source, now_ns)
            if source != (leg.address, leg.remote_port):
                return
        digits = leg.digits_received
        for message in leg.receive_rtp(packet, now_ns):
            self._tell(message)
        self._engine.counters[Counter.DIGITS_RECEIVED] += leg.digits_received - digits

    def _latch(self, leg: Leg, latch: Latch, packet: RtpPacket, source: tuple[str, int], now_ns: int) -> None:
        """Follow the peer to where its packets come from, once; or, when it is late for that, stay."""
        types = {leg.order.payload_type, leg.order.dtmf_payload_type or -1}
        late = now_ns > latch.until_ns
        if not late and not (self._allowed(source[0]) and latch.offer(source, packet, types)):
            return
        try:
            self._engine.bindings.settle(leg, (leg.address, leg.remote_port) if late else source)
        except OSError:  # there is no way back to where it came from
            return
        if not late:
            self._tell(Latched(leg.row, *source))

    def _rtcp(self, port: Port, data: bytes, source: tuple[str, int], now_ns: int) -> None:
        """Reports may come from another port of the peer's (RFC 3550 asks only for its address)."""
        engine = self._engine
        legs = [leg for leg in port.legs if leg.address == source[0]]
        if not legs:
            self._dropped(port, source)
            return
        engine.counters[Counter.RTCP_RECEIVED] += 1
        ntp = engine.clock.ntp(now_ns)
        exact = [leg for leg in legs if leg.rtcp_target == source] or legs
        for leg in exact:
            for message in leg.receive_rtcp(data, now_ns, ntp):
                self._tell(message)
            if leg.collided:
                engine.new_ssrc(leg, now_ns)


def _leg_of(port: Port, source: tuple[str, int]) -> Leg | None:
    for leg in port.legs:
        if (leg.address, leg.remote_port) == source:
            return leg
    return None
