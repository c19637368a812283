"""This node among others: where it is said to be, where others are, and its events for consumers that are away.

All of it lies in Redis, and none of it is in the way of a call: a node that loses Redis goes on, knows the nodes
that it knew, and stores its events when Redis is back.

    PREFIX:node:RUN     the URL of a node's API, for ``_HEARD_SECONDS`` after each beat
    PREFIX:events       a stream of all nodes' events, the newest ``VOXTRUNK_REDIS_EVENTS``
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from gateway.calls.workers import report_failure
from gateway.errors import Refusal
from gateway.nodes.store import Away, Store

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from gateway.calls.events import Event, EventLog
    from gateway.settings import Settings

_log = logging.getLogger(__name__)

_BEAT_SECONDS: Final = 1.0
_HEARD_SECONDS: Final = 10
_ASK_SECONDS: Final = 0.25
_STORE_SECONDS: Final = 0.5
_AT_ONCE: Final = 32
_BATCH: Final = 256
_AGAIN_SECONDS: Final = 0.5
_CALL: Final = re.compile(r"c_([0-9a-f]{8})[0-9a-f]{16}")


class Node:
    """``start`` it once it can be reached at ``url``; ``close`` it. ``told``: an event as JSON.

    ``stored``: events that lie in Redis; ``gaps``: times that events were too old when Redis came back. Raises
    ValueError without the extra ``redis``.
    """

    def __init__(self, settings: Settings, run: str, events: EventLog, told: Callable[[Event], str]) -> None:
        assert settings.redis_url is not None
        self.stored = 0
        self.gaps = 0
        self._settings = settings
        self._run = run
        self._events = events
        self._told = told
        self._store = Store(settings.redis_url, _AT_ONCE)
        self._known: dict[str, str] = {}
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def up(self) -> bool:
        """Whether Redis answers."""
        return self._store.up

    def start(self, url: str) -> None:
        """Say where this node is, and tell its events."""
        works = {"beat": self._beat(self._settings.node_url or url)}
        if self._settings.redis_events:
            works["tell"] = self._tell()
        for name, work in works.items():
            task = asyncio.create_task(work, name=f"node {name}")
            task.add_done_callback(report_failure)
            self._tasks.append(task)

    async def close(self) -> None:
        """Be found no more. Events that were not stored by now are not."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
            with contextlib.suppress(Away):
                await self._store.ask(lambda redis: redis.delete(self._key(self._run)), _ASK_SECONDS)
        await self._store.close()

    def _key(self, run: str) -> str:
        return f"{self._settings.redis_prefix}:node:{run}"

    async def _beat(self, url: str) -> None:
        while True:
            with contextlib.suppress(Away):
                await self._store.ask(
                    lambda redis: redis.set(self._key(self._run), url, ex=_HEARD_SECONDS), _STORE_SECONDS
                )
            await asyncio.sleep(_BEAT_SECONDS)

    # -- whose call it is ---------------------------------------------------------------------------------

    async def owner_of(self, call_id: str) -> str | None:
        """The URL of the other node that has this call; None when it would be ours.

        Refusals ``unknown_call`` when its node has gone, ``unavailable`` when Redis does not say.
        """
        named = _CALL.fullmatch(call_id)
        if named is None or named[1] == self._run:
            return None
        run = named[1]
        try:
            found = await self._store.ask(lambda redis: redis.get(self._key(run)), _ASK_SECONDS)
        except Away:
            if run not in self._known:
                raise Refusal(
                    "unavailable", f"Redis does not say which node has call {call_id}; try again"
                ) from None
            return self._known[run]
        if found is None:
            self._known.pop(run, None)
            raise Refusal("unknown_call", f"The node of call {call_id} has gone")
        self._known[run] = found.decode()
        return self._known[run]

    # -- events -------------------------------------------------------------------------------------------

    async def _tell(self) -> None:
        """For ever: store what happens, in order, each at least once."""
        last: str | None = None
        while True:
            try:
                subscription = self._events.subscribe(after_id=last)
            except Refusal:
                _log.error("events were lost to Redis' consumers: it was away too long")
                self.gaps += 1
                last = self._events.oldest_id
                continue
            with subscription:
                async for event in subscription:
                    batch = [event, *subscription.waiting(_BATCH - 1)]
                    await self._keep(batch)
                    last = batch[-1].id
            if not subscription.lagged:
                return

    async def _keep(self, batch: list[Event]) -> None:
        entries = [
            {"id": event.id, "type": event.type, "call_id": event.call_id, "event": self._told(event)}
            for event in batch
        ]
        stream, most = f"{self._settings.redis_prefix}:events", self._settings.redis_events

        def add(redis: Redis) -> Awaitable[Any]:
            pipeline = redis.pipeline(transaction=False)
            for entry in entries:
                pipeline.xadd(stream, entry, maxlen=most, approximate=True)  # type: ignore[arg-type]
            return pipeline.execute()

        while True:
            try:
                await self._store.ask(add, _STORE_SECONDS)
            except Away:
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                self.stored += len(batch)
                return
