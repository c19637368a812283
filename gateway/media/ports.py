"""Which local RTP port a leg gets: pure bookkeeping, no sockets.

A leg gets an even port of its own and RTCP the next one (RFC 3550 11). When all are taken, legs whose remote
addresses differ share one. A port that was closed rests before it is used again, so that what was still on
its way to the old leg is not heard as the new one's.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable
from typing import Final

Remote = tuple[str, int]
_FOREIGN_REST_NS: Final = 60_000_000_000
SHARED_AT_ONCE: Final = 64
"""Legs that a port has, or a multiple, when its turn ends: those that come together can leave together."""


class NoPorts(Exception):
    """Every port of the range is in use, and none can be shared with this remote address."""


class PortAllocator:
    """``ports`` of one local address, given out in this order at first. ``now_ns`` is CLOCK_MONOTONIC."""

    def __init__(self, ports: Iterable[int], rest_ns: int) -> None:
        self._rest_ns = rest_ns
        self._free = [(0, turn, port) for turn, port in enumerate(ports)]  # a heap: free from, its turn, port
        self._turns = itertools.count(len(self._free))
        self._used: dict[int, set[Remote]] = {}  # in the order in which they are shared
        self._ports_of: dict[Remote, set[int]] = {}

    def take(self, remote: Remote, now_ns: int) -> int:
        """A port for a leg to ``remote``, its own if there is one. Raises NoPorts."""
        if self._free and self._free[0][0] <= now_ns:
            port = heapq.heappop(self._free)[2]
            self._used[port] = set()
            self._book(port, remote)
            return port
        return self.share(remote)

    def share(self, remote: Remote) -> int:
        """The port whose turn it is, or the next that no leg to ``remote`` has. Raises NoPorts."""
        same = self._ports_of.get(remote, set())
        if len(same) < len(self._used):
            for port, remotes in self._used.items():
                if port not in same:
                    self._book(port, remote)
                    if len(remotes) % SHARED_AT_ONCE == 0:
                        self._used[port] = self._used.pop(port)  # to the end, so that sharing goes round
                    return port
        raise NoPorts(f"all {len(self._used) + len(self._free)} RTP ports are in use or at rest")

    def _book(self, port: int, remote: Remote) -> None:
        self._used[port].add(remote)
        self._ports_of.setdefault(remote, set()).add(port)

    def move(self, port: int, old: Remote, new: Remote) -> None:
        """A leg on ``port`` now sends to ``new``. Raises NoPorts if another one on it does so already."""
        if new in self._used[port] and new != old:
            raise NoPorts(f"another leg on port {port} sends to {new[0]} port {new[1]}")
        self._forget(port, old)
        self._book(port, new)

    def release(self, port: int, remote: Remote, now_ns: int, *, foreign: bool = False) -> None:
        """A leg has left its port; when the last one leaves, it rests.

        ``foreign``: the port turned out to be another program's, so it rests for a minute.
        """
        self._forget(port, remote)
        if not self._used[port]:
            del self._used[port]
            rest_ns = _FOREIGN_REST_NS if foreign else self._rest_ns
            heapq.heappush(self._free, (now_ns + rest_ns, next(self._turns), port))

    def _forget(self, port: int, remote: Remote) -> None:
        self._used[port].remove(remote)
        self._ports_of[remote].remove(port)
        if not self._ports_of[remote]:
            del self._ports_of[remote]
