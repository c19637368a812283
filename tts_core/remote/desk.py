"""What is known of one provider: how it does, what it is doing, what it has cost.

Decisions take the time from the clock given; a lock keeps the thread that asks and the one that hears in step.
"""

from __future__ import annotations

import bisect
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tts_core.remote.asking import KINDS, Unanswered
from tts_core.remote.breaker import OPEN, Breaker

FIRST_BUCKETS_S = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0)
_DAY_S = 86_400
_AILING = frozenset(("busy", "failed", "unreachable", "late", "broken", "garbage"))


@dataclass(frozen=True, slots=True)
class Limits:
    """`at_once`: requests on their way, 0 for any number; `price`: of a million characters; `day`: the most that
    may be spent in 24 hours, 0 for no limit. Money is in whatever the price is in.
    """

    at_once: int = 0
    price: float = 0.0
    day: float = 0.0


@dataclass(frozen=True, slots=True)
class Account:
    """A desk's running totals. `first`: counts by FIRST_BUCKETS_S, the last one open-ended, taking `first_s`."""

    provider: str
    requests: tuple[int, ...]
    characters: int
    spent: float
    first: tuple[int, ...]
    first_s: float
    under_way: int
    open: bool


@dataclass(slots=True)
class Desk:
    """One provider's. `spent`: money, since this process began; the cap counts a day at a time."""

    name: str
    limits: Limits = field(default_factory=Limits)
    breaker: Breaker = field(default_factory=Breaker)
    clock: Callable[[], float] = time.monotonic
    spent: float = 0.0
    _characters: int = 0
    _under_way: int = 0
    _day: int = -1
    _today: float = 0.0
    _requests: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    _first: list[int] = field(default_factory=lambda: [0] * (len(FIRST_BUCKETS_S) + 1))
    _first_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def price(self, characters: int) -> float:
        """What so many characters cost."""
        return characters * self.limits.price / 1e6

    @property
    def load(self) -> float:
        """The part of its requests at once that are on their way; 0 where there is no limit."""
        return self._under_way / self.limits.at_once if self.limits.at_once else 0.0

    def obstacle(self, characters: int, *, waits: bool = False) -> str:
        """Why it is not to be asked for so many characters now, if one `waits` for room or not; empty: it may."""
        with self._lock:
            now = self.clock()
            if not self.breaker.allows(now):
                return f"{self.name} is left alone for {max(1, round(self.breaker.rests_s(now)))} s"
            if self.limits.day and self._spent_today(now) + self.price(characters) > self.limits.day:
                return f"{self.name} has cost {self._today:.2f} today, of {self.limits.day:g} (spend_day)"
            if not waits and self.limits.at_once and self._under_way >= self.limits.at_once:
                return f"{self.name} has {self._under_way} requests under way, of {self.limits.at_once} (at_once)"
            return ""

    def begin(self, characters: int) -> None:
        """A request goes out."""
        with self._lock:
            now = self.clock()
            self._spent_today(now)
            self.breaker.begin(now)
            self._under_way += 1
            self._characters += characters
            self.spent += self.price(characters)
            self._today += self.price(characters)

    def held(self) -> None:
        """A request did not go out."""
        with self._lock:
            self._requests["held"] += 1

    def heard(self, seconds: float) -> None:
        """Its first octet came after so long."""
        with self._lock:
            self._first[bisect.bisect_left(FIRST_BUCKETS_S, seconds)] += 1
            self._first_s += seconds

    def over(self, error: Unanswered | None) -> None:
        """The request is over: None when all of it was answered."""
        kind = error.kind if error else "answered"
        with self._lock:
            self._under_way -= 1
            self._requests[kind] += 1
            if error is None:
                self.breaker.succeeded()
            elif kind in _AILING:
                self.breaker.failed(self.clock(), error.wait_s)
            else:
                self.breaker.dropped()

    def account(self) -> Account:
        """The totals so far."""
        with self._lock:
            return Account(
                self.name,
                tuple(self._requests.values()),
                self._characters,
                self.spent,
                tuple(self._first),
                self._first_s,
                self._under_way,
                self.breaker.state(self.clock()) == OPEN,
            )

    def _spent_today(self, now: float) -> float:
        day = int(now // _DAY_S)
        if day != self._day:
            self._day, self._today = day, 0.0
        return self._today
