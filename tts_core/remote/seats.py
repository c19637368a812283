"""Which socket a clause goes to, and which sockets are opened, kept and closed. Pure; times in seconds.

A socket has an address, which says whose voice it speaks with, and carries a few clauses at a time. Of each
address that is in use one more clause can always be taken: a socket is opened when there is no such room left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

STAYS_S = 10.0
"""An idle socket is told so often that it is still wanted."""
KEPT_S = 120.0
"""Idle sockets are kept for so long, the last one of an address that is to stay warm for ever."""
OLDEST_S = 3000.0
"""Before an hour has passed, at which Deepgram ends one."""
_MINUTE_S = 60.0
_FIRST_REST_S, _LONGEST_REST_S = 1.0, 60.0


@dataclass(slots=True, eq=False)
class Seat:
    """A socket as it is chosen. `taken`: clauses that it carries; `doubted`: of them those that were cut before
    anything was heard of them; `retired`: it takes no more; `rested`: when it was last in use; `told`: when
    anything was last said on it; `begun`: when the clauses of the last minute went to it.
    """

    address: str
    opened: float
    taken: int = 0
    doubted: int = 0
    retired: bool = False
    rested: float = 0.0
    told: float = 0.0
    begun: deque[float] = field(default_factory=deque)


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be done now: sockets to be closed, to be told to stay, and addresses to open one more of."""

    close: tuple[Seat, ...] = ()
    stay: tuple[Seat, ...] = ()
    open: tuple[str, ...] = ()


class Seats:
    """All sockets to one provider: `most` clauses at a time on each, `a_minute` in 60 s (0: any number), `limit`
    sockets as a rule. `home`: addresses that stay warm for ever.
    """

    def __init__(self, most: int, a_minute: int, limit: int, home: Iterable[str] = ()) -> None:
        self._most, self._a_minute, self._limit = most, a_minute, limit
        self._home = frozenset(home)
        self._seats: list[Seat] = []
        self._used: dict[str, float] = {}  # when a clause last went to an address
        self._opening: set[str] = set()
        self._failures: dict[str, tuple[int, float]] = {}  # so many in a row; the next not before

    def opening(self, address: str) -> None:
        """One more is being opened."""
        self._opening.add(address)

    def opened(self, address: str, now: float) -> Seat:
        """There is one more."""
        self._opening.discard(address)
        seat = Seat(address, now, rested=now, told=now)
        self._seats.append(seat)
        return seat

    def failed(self, address: str, now: float, wait_s: float = 0.0) -> None:
        """One could not be opened; none is opened ahead before a rest, of `wait_s` at least."""
        self._opening.discard(address)
        count, _ = self._failures.get(address, (0, 0.0))
        rest_s = min(_FIRST_REST_S * 2**count, _LONGEST_REST_S)
        self._failures[address] = count + 1, now + max(rest_s, wait_s)

    def free(self, address: str, now: float) -> Seat | None:
        """The one with least to do, of these the one that was in use last; None when there is no room."""
        able = [seat for seat in self._seats if seat.address == address and self._has_room(seat, now)]
        return min(able, key=lambda seat: (seat.taken, -seat.rested), default=None)

    def take(self, seat: Seat, now: float) -> None:
        """A clause goes to it."""
        seat.taken += 1
        seat.rested = seat.told = self._used[seat.address] = now
        seat.begun.append(now)

    def leave(self, seat: Seat, now: float) -> None:
        """A clause has ended there."""
        seat.taken -= 1
        seat.rested = now

    def gone(self, seat: Seat, now: float) -> None:
        """It is closed, whoever did that. One that is closed as soon as it is open was none."""
        seat.retired = True
        if seat not in self._seats:
            return
        self._seats.remove(seat)
        if seat.begun or now - seat.opened >= STAYS_S:
            self._failures.pop(seat.address, None)
        else:
            self.failed(seat.address, now)

    def crowded(self) -> Seat | None:
        """The one to be closed before another is opened; None while there is room, or none is idle."""
        if len(self._seats) < self._limit:
            return None
        return min(
            (seat for seat in self._seats if not seat.taken), key=lambda seat: seat.rested, default=None
        )

    def full(self) -> bool:
        """There are as many as may be, and none of them is idle."""
        return len(self._seats) >= self._limit and all(seat.taken for seat in self._seats)

    def due(self, now: float) -> Due:
        """What is to be done now. What it says is to be opened is taken as being opened."""
        wanted = self._home | {each for each, used in self._used.items() if now - used < KEPT_S}
        self._used = {each: used for each, used in self._used.items() if each in wanted}
        self._retire(wanted, now)
        opening = []
        for address in sorted(wanted - self._opening):
            rests = now < self._failures.get(address, (0, 0.0))[1]
            if rests or len(self._seats) + len(self._opening) >= self._limit:
                continue
            if self.free(address, now) is None:
                self._opening.add(address)
                opening.append(address)
        idle = [seat for seat in self._seats if not seat.taken]
        close = tuple(seat for seat in idle if seat.retired)
        stay = tuple(seat for seat in idle if not seat.retired and now - seat.told >= STAYS_S)
        for seat in stay:
            seat.told = now
        return Due(close, stay, tuple(opening))

    def _has_room(self, seat: Seat, now: float) -> bool:
        while seat.begun and now - seat.begun[0] >= _MINUTE_S:
            seat.begun.popleft()
        spoken_out = self._a_minute and len(seat.begun) >= self._a_minute
        return not (seat.retired or seat.doubted or spoken_out) and seat.taken < self._most

    def _retire(self, wanted: Iterable[str], now: float) -> None:
        """Those that are old, or idle for long while another has room or nobody asks."""
        for seat in sorted(self._seats, key=lambda seat: seat.rested):
            if now - seat.opened >= OLDEST_S:
                seat.retired = True
            elif not seat.taken and now - seat.rested >= KEPT_S:
                others = (each for each in self._seats if each.address == seat.address and each is not seat)
                seat.retired = seat.address not in wanted or any(self._has_room(each, now) for each in others)
