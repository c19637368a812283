"""The SIP thread: its sockets, its clock, and the way into it. Nothing else in this package owns any of them.

One thread reads the sockets, runs the stack's timers and whatever ``call`` brings from other threads, one thing
after another; a second one looks host names up, so that a slow name server delays one call and not all.
"""

from __future__ import annotations

import logging
import os
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, Final, Protocol

from sip_glue.config import Listen

log = logging.getLogger(__name__)

Place = tuple[str, int]

_DATAGRAM: Final = 65_535
_BATCH: Final = 32  # datagrams of one socket between two looks at the timers
_RECEIVE_BUFFER: Final = 4 * 1024 * 1024
_LOOKUPS_WAITING: Final = 64


class Timers(Protocol):
    """The stack's clock, driven by the reactor."""

    def adopt(self) -> None:
        """The calling thread is the one that timers run in."""

    def due_in(self) -> float | None:
        """Seconds until the next timer; None when there is none."""

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
    """``start`` binds the sockets and begins; ``stop`` ends the thread and closes them."""

    def __init__(
        self, listens: Sequence[Listen], received: Callable[[bytes, Place, Port], None], timers: Timers
    ) -> None:
        self._listens = listens
        self._received = received
        self._timers = timers
        self._commands: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._stopping = False
        self.ports: list[Port] = []

    def start(self) -> None:
        """Raises ``OSError`` if an address cannot be bound."""
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            for listen in self._listens:
                self.ports.append(Port(listen, self))
        except OSError:
            self._close()
            raise
        self._lookups = ThreadPoolExecutor(1, thread_name_prefix="sip-names")
        self._lookups_waiting = 0
        self._thread = threading.Thread(target=self._run, name="sip", daemon=True)
        self._thread.start()

    def call(self, function: Callable[..., object], *arguments: Any) -> None:
        """Runs a function in the SIP thread, in order. From any thread."""
        self._commands.append((function, arguments))
        os.eventfd_write(self._wake, 1)

    def resolve(self, place: Place, version: int, done: Callable[[Place | None], None]) -> None:
        """Finds the address of a place, and calls ``done`` with it or with None, in the SIP thread: now if it is
        written as an address. Only in the SIP thread."""
        host = literal(place[0], version)
        if host is not None:
            done((host, place[1]))
        elif ":" in place[0] or self._lookups_waiting >= _LOOKUPS_WAITING:
            done(None)
        else:
            self._lookups_waiting += 1
            self._lookups.submit(self._look_up, place, version, done)

    def stop(self) -> None:
        """Ends the thread. Blocks until it has."""
        self.call(self._stop)
        self._thread.join()
        self._lookups.shutdown(cancel_futures=True)
        self._close()

    def _stop(self) -> None:
        self._stopping = True

    def _close(self) -> None:
        for port in self.ports:
            port.socket.close()
        self.ports.clear()
        os.close(self._wake)

    def _look_up(self, place: Place, version: int, done: Callable[[Place | None], None]) -> None:
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        try:
            found = socket.getaddrinfo(place[0], place[1], family, socket.SOCK_DGRAM)[0][4]
            address: Place | None = (str(found[0]), int(found[1]))
        except (OSError, UnicodeError):
            address = None
        self.call(self._looked_up, done, address)

    def _looked_up(self, done: Callable[[Place | None], None], address: Place | None) -> None:
        self._lookups_waiting -= 1
        done(address)

    def _run(self) -> None:
        self._timers.adopt()
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake, selectors.EVENT_READ, None)
            for port in self.ports:
                selector.register(port.socket, selectors.EVENT_READ, port)
            while not self._stopping:
                ready = selector.select(self._timers.due_in())
                if any(key.data is None for key, _ in ready):
                    os.eventfd_read(self._wake)
                # before the sockets: a datagram finds what a command before it has set up
                for _ in range(len(self._commands)):
                    function, arguments = self._commands.popleft()
                    self._guarded(function, *arguments)
                for key, _ in ready:
                    if key.data is not None:
                        self._read(key.data)
                self._guarded(self._timers.run)
        self._timers.clear()

    def _read(self, port: Port) -> None:
        for _ in range(_BATCH):
            try:
                datagram, source = port.socket.recvfrom(_DATAGRAM)
            except BlockingIOError:
                return
            except OSError as error:
                log.warning("cannot read from %s port %s: %s", port.host, port.port, error)
                return
            self._guarded(self._received, datagram, (bracketed(source[0]), source[1]), port)

    def _guarded(self, function: Callable[..., object], *arguments: Any) -> None:
        """One message or command that fails is a bug to be logged; the other calls go on."""
        try:
            function(*arguments)
        except Exception:
            log.exception("a bug in handling SIP")
