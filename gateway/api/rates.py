"""How often a key may ask: so many requests in so many seconds, evenly refilled.

Every answer to a key with a limit says how it stands, by draft-ietf-httpapi-ratelimit-headers-10: what holds
(``RateLimit-Policy: "requests";q=100;w=1``) and what is left (``RateLimit: "requests";r=99;t=1``). Who asks more
gets 429 with Retry-After. What is open to all is not counted.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api.scopes import OPEN_PATHS
from gateway.errors import Refusal

if TYPE_CHECKING:
    from gateway.api.keyring import Key

_UNCOUNTED: Final = OPEN_PATHS | {"/metrics"}


@dataclass(slots=True)
class Bucket:
    """What is left of ``requests`` in ``seconds`` at a time. Pure: the time is passed in, in seconds."""

    requests: int
    seconds: int
    left: float
    at: float

    def take(self, now: float) -> bool:
        """Whether one more request is within the limit; if so, it is counted."""
        self.left = min(self.requests, self.left + (now - self.at) * self.requests / self.seconds)
        self.at = now
        within = self.left >= 1
        self.left -= within
        return within

    @property
    def until_next(self) -> int:
        """Seconds until one request more is within the limit, rounded up; 1 at least."""
        return max(1, math.ceil((1 - self.left) * self.seconds / self.requests))

    @property
    def until_full(self) -> int:
        """Seconds until all of them are, rounded up."""
        return math.ceil((self.requests - self.left) * self.seconds / self.requests)


class Rates:
    """The layer."""

    def __init__(self, app: ASGIApp, ledger: Ledger) -> None:
        self._app = app
        self._ledger = ledger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"} and scope["path"] not in _UNCOUNTED:
            state = scope["state"]
            self._ledger.count(state["key"], time.monotonic(), state["headers"])
        await self._app(scope, receive, send)


class Ledger:
    """What each key has asked, by whichever door. ``asked`` counts requests by key, refused ones among them."""

    def __init__(self, asked: Counter[str]) -> None:
        self._asked = asked
        self._buckets: dict[str, Bucket] = {}

    def count(self, key: Key, now: float, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        """One request more. ``headers`` get how the key stands. Refusal ``too_many_requests``."""
        self._asked[key.name] += 1
        if not key.requests:
            return
        bucket = self._buckets.get(key.name)
        if bucket is None or (bucket.requests, bucket.seconds) != (key.requests, key.seconds):
            bucket = self._buckets[key.name] = Bucket(key.requests, key.seconds, key.requests, now)
        within = bucket.take(now)
        if headers is not None:
            headers += (
                (b"ratelimit-policy", b'"requests";q=%d;w=%d' % (key.requests, key.seconds)),
                (b"ratelimit", b'"requests";r=%d;t=%d' % (int(bucket.left), bucket.until_full)),
            )
        if not within:
            detail = (
                f"The key {key.name} may ask {key.requests} times in {key.seconds} s (VOXTRUNK_KEY_REQUESTS)"
            )
            raise Refusal("too_many_requests", detail, retry_after=bucket.until_next)
