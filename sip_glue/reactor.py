"""SIP's sockets and its clock, in the loop of whoever starts it. Nothing else in this package owns any of them.

Not in a thread of its own: that was tried, and handing the interpreter to and fro cost a tenth to a fifth of what
a call costs the control process, where no packet of speech waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, Final, Protocol

from sip_glue.config import Listen

log = logging.getLogger(__name__)

Place = tuple[str, int]

_DATAGRAM: Final = 65_535
_BATCH: Final = 4  # datagrams of one socket before all else in the loop has its turn
_RECEIVE_BUFFER: Final = 4 * 1024 * 1024
_LOOKUPS_WAITING: Final = 64


class Timers(Protocol):
    """The stack's clock, driven by the reactor."""

    def adopt(self) -> None:
        """Timers run in the calling thread."""

    def due(self) -> float:
        """When the next timer is due, on CLOCK_MONOTONIC in seconds; infinity when there is none."""

    def run(self) -> None:
        """Runs the timers that are due."""

    def clear(self) -> None:
        """Forgets all timers."""


class Port:
    """One UDP socket, as the stack wants to see its "server" (``send_to``, ``getSIPaddr``, ``addr2str``)."""

    transport = "udp"
    uopts = SimpleNamespace(isWildCard=lambda: False)

    def __init__(self, listen: Listen, reactor: Reactor) -> None:
        self.version = listen.version
        self.reactor = reactor
        self.socket = socket.socket(
            socket.AF_INET if self.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM
        )
        try:
            if self.version == 6:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            self.socket.setblocking(False)
            self.socket.bind((listen.host, listen.port))
        except OSError:
            self.socket.close()
            raise
        host, self.port = self.socket.getsockname()[:2]
        self.host = bracketed(listen.advertise or host)

    def send_to(self, data: bytes | str, place: Place, _delayed: bool = False) -> None:
        """Sends, at once if ``place`` is a literal address. What cannot be sent is lost, as UDP is."""
        octets = data.encode() if isinstance(data, str) else data
        self.reactor.resolve(place, self.version, lambda found: self._send(octets, place, found))

    def _send(self, octets: bytes, place: Place, found: Place | None) -> None:
        if found is None:
            log.info("no address for %s", place[0])
            return
        try:
            self.socket.sendto(octets, found)
        except (OSError, OverflowError) as error:
            log.info("cannot send to %s port %s: %s", *place, error)

    def getSIPaddr(self) -> tuple[Place, str]:
        """What the stack writes where it means this address."""
        return (self.host, self.port), "udp"

    def addr2str(self, place: Place) -> str:
        """For the stack's log."""
        return f"udp:{place[0]}:{place[1]}"


def bracketed(host: str) -> str:
    """A host as it is in SIP: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def literal(host: str, version: int) -> str | None:
    """The address of a host written as one, for a socket of that version; else None."""
    bare = host.strip("[]")
    try:
        socket.inet_pton(socket.AF_INET if version == 4 else socket.AF_INET6, bare)
    except OSError:
        return None
    return bare


class Reactor:
    """``start`` binds the sockets and begins, in the loop that runs; ``stop`` closes them.

    ``received`` is called with each datagram, and what ``timers`` hold is run when it is due.
    """

    def __init__(
        self, listens: Sequence[Listen], received: Callable[[bytes, Place, Port], None], timers: Timers
    ) -> None:
        self._listens = listens
        self._received = received
        self._timers = timers
        self._alarm: asyncio.Handle | None = None
        self._alarm_at = math.inf
        self._lookups: set[asyncio.Task[None]] = set()
        self.ports: list[Port] = []

    def start(self) -> None:
        """Raises ``OSError`` if an address cannot be bound."""
        self._loop = asyncio.get_running_loop()
        self._timers.adopt()
        try:
            for listen in self._listens:
                self.ports.append(Port(listen, self))
        except OSError:
            self._close()
            raise
        for port in self.ports:
            self._loop.add_reader(port.socket, self._read, port)

    def run(self, function: Callable[..., object], *arguments: Any) -> None:
        """Runs what may send, or set timers. What fails is a bug to be logged; the other calls go on."""
        try:
            function(*arguments)
        except Exception:
            log.exception("a bug in handling SIP")
        self._set_alarm()

    def resolve(self, place: Place, version: int, done: Callable[[Place | None], None]) -> None:
        """Finds the address of a place, and calls ``done`` with it or with None: now if it is written as an
        address. A slow name server delays one call and not all."""
        host = literal(place[0], version)
        if host is not None:
            done((host, place[1]))
        elif ":" in place[0] or len(self._lookups) >= _LOOKUPS_WAITING:
            done(None)
        else:
            task = asyncio.create_task(self._look_up(place, version, done))
            self._lookups.add(task)
            task.add_done_callback(self._lookups.discard)

    def stop(self) -> None:
        """Nothing is read, sent or run any more."""
        for port in self.ports:
            self._loop.remove_reader(port.socket)
        for task in self._lookups:
            task.cancel()
        if self._alarm is not None:
            self._alarm.cancel()
        self._timers.clear()
        self._close()

    def _close(self) -> None:
        for port in self.ports:
            port.socket.close()
        self.ports.clear()

    async def _look_up(self, place: Place, version: int, done: Callable[[Place | None], None]) -> None:
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        try:
            found = await self._loop.getaddrinfo(*place, family=family, type=socket.SOCK_DGRAM)
            address: Place | None = (str(found[0][4][0]), int(found[0][4][1]))
        except (OSError, UnicodeError):
            address = None
        self.run(done, address)

    def _read(self, port: Port) -> None:
        for _ in range(_BATCH):
            try:
                datagram, source = port.socket.recvfrom(_DATAGRAM)
            except BlockingIOError:
                return
            except OSError as error:
                log.warning("cannot read from %s port %s: %s", port.host, port.port, error)
                return
            self.run(self._received, datagram, (bracketed(source[0]), source[1]), port)

    def _ring(self) -> None:
        self._alarm_at = math.inf
        self.run(self._timers.run)

    def _set_alarm(self) -> None:
        """Wake for the next timer. An alarm that is too early, for a timer that was cancelled, does no harm."""
        due = self._timers.due()
        if due >= self._alarm_at:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = due
        self._alarm = self._loop.call_later(max(0.0, due - time.monotonic()), self._ring)
