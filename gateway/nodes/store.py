"""A Redis that may be slow or gone: whoever asks waits a bounded time, and after some failures not at all.

The one place that imports redis-py (extra ``redis``).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from redis.asyncio import Redis

T = TypeVar("T")
_log = logging.getLogger(__name__)

_STRIKES: Final = 3
"""So many questions in a row that were not answered in time open the circuit."""
_REST_SECONDS: Final = 2.0
"""How often is asked then whether it is back, and nothing but that."""


class Away(Exception):
    """There is no answer: too late, refused, too many are waiting already, or not asked at all."""


class Store:
    """``url`` is Redis's own (``redis://``, ``rediss://``, ``unix://``); ``at_once``: questions under way.

    ``up``: whether it is not known to be slow or gone. Raises ValueError for a URL that is none, or without the
    extra.
    """

    def __init__(self, url: str, at_once: int) -> None:
        self.up = True
        self._at_once = at_once
        self._waiting = 0
        self._strikes = 0
        self._probing: asyncio.Task[None] | None = None
        self._redis = _connect(url, at_once)

    async def ask(self, question: Callable[[Redis], Awaitable[Any]], seconds: float) -> Any:
        """The answer, within ``seconds``. Raises Away, and nothing else."""
        if not self.up or self._waiting >= self._at_once:
            raise Away
        return await self._ask(question, seconds)

    async def _ask(self, question: Callable[[Redis], Awaitable[Any]], seconds: float) -> Any:
        self._waiting += 1
        try:
            async with asyncio.timeout(seconds):
                answer = await question(self._redis)
        except Exception as error:  # whatever a client library makes of a broken connection
            self._struck(error)
            raise Away from error
        finally:
            self._waiting -= 1
        if not self.up:
            _log.warning("Redis answers again")
        self.up, self._strikes = True, 0
        return answer

    def _struck(self, error: Exception) -> None:
        self._strikes += 1
        if self._strikes >= _STRIKES and self.up:
            _log.warning("Redis is not asked for a while: %s", str(error) or type(error).__name__)
            self.up = False
            self._probing = asyncio.create_task(self._probe(), name="ask whether Redis is back")

    async def _probe(self) -> None:
        """One asks for all whether Redis is back: though nobody speaks, metrics and alerts are to tell."""
        while not self.up:
            await asyncio.sleep(_REST_SECONDS)
            with contextlib.suppress(Away):
                await self._ask(lambda redis: redis.ping(), _REST_SECONDS)

    async def close(self) -> None:
        """Close the connections."""
        if self._probing is not None:
            self._probing.cancel()
        await self._redis.aclose()


def _connect(url: str, connections: int) -> Redis:
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError as error:
        raise ValueError(f"redis_url needs the extra: pip install voxtrunk[redis] ({error})") from None
    return Redis.from_url(url, max_connections=connections, retry=Retry(NoBackoff(), 0))
