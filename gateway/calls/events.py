"""The log of what happened on all calls: by call, by resumption, by subscription. Publishing never waits.

Two logs with bounds of their own: one for each call, read by ``seq``, and one of all calls, read by event id.
An id holds the place in the log of all calls and which run of the gateway it comes from, so that resuming
needs no index and an id of an earlier run is known to be gone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.calls.actions import Publish
from gateway.errors import Refusal

QUEUE_LIMIT: Final = 1024
"""Events that wait for a subscriber before it counts as too slow."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened on a call. ``seq`` counts up by one within it, from 1, with no gap."""

    id: str
    seq: int
    type: str
    time: datetime
    call_id: str
    utterance_id: str | None
    client_state: str | None
    data: Mapping[str, object]


class Subscription:
    """Events from now on, as an async iterator for one reader. Close it, or leave its context.

    ``lagged``: the reader was too slow and was dropped; iteration ends after what was kept for it, and it may
    resume by the id of the last event that it got.
    """

    def __init__(self, log: EventLog, call_id: str | None, limit: int, backlog: list[Event]) -> None:
        self.lagged = False
        self._log = log
        self.call_id = call_id
        self._limit = limit
        self._backlog = deque(backlog)
        self._waiting: deque[Event] = deque()
        self._news = asyncio.Event()
        self._closed = False

    def offer(self, event: Event) -> None:
        """Take an event in if it is wanted and there is room."""
        if self.call_id is not None and event.call_id != self.call_id:
            return
        if len(self._waiting) >= self._limit:
            self.lagged = True
            self.close()
            return
        self._waiting.append(event)
        self._news.set()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Event:
        while True:
            if self._backlog:
                return self._backlog.popleft()
            if self._waiting:
                return self._waiting.popleft()
            if self._closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()

    def waiting(self, most: int) -> list[Event]:
        """Up to so many events that are there already, taken without waiting."""
        found: list[Event] = []
        while len(found) < most and (queue := self._backlog or self._waiting):
            found.append(queue.popleft())
        return found

    def close(self) -> None:
        """Take no more in. Iteration ends after what is there."""
        self._closed = True
        self._log.forget(self)
        self._news.set()

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class EventLog:
    """``per_call`` events are kept of each call, ``retained`` of all; ``run`` names this run of the gateway."""

    def __init__(self, per_call: int, retained: int, run: str) -> None:
        self._per_call = per_call
        self._run = run
        self._count = 0
        self._all: deque[Event] = deque(maxlen=retained)
        self._calls: dict[str, deque[Event]] = {}
        self._subscriptions: dict[Subscription, None] = {}
        self._closed = False

    def publish(self, call_id: str, note: Publish, time: datetime) -> Event:
        """Log what a call tells, and hand it to every subscriber."""
        self._count += 1
        event = Event(
            id=self.latest_id,
            seq=note.seq,
            type=note.type,
            time=time,
            call_id=call_id,
            utterance_id=note.utterance_id,
            client_state=note.client_state,
            data=note.data,
        )
        self._all.append(event)
        self._calls.setdefault(call_id, deque(maxlen=self._per_call)).append(event)
        for subscription in tuple(self._subscriptions):
            subscription.offer(event)
        return event

    def after(self, call_id: str, seq: int = 0) -> list[Event]:
        """The call's events beyond ``seq``, oldest first. Where older ones have gone, ``seq`` shows it."""
        return [event for event in self._calls.get(call_id, ()) if event.seq > seq]

    def resume(self, event_id: str) -> list[Event]:
        """All events after that one, oldest first. Refusal ``events_gone`` when it is too old or unknown."""
        prefix, _, number = event_id.rpartition("_")
        place = int(number) if number.isascii() and number.isdigit() and len(number) < 20 else -1
        oldest = self._count - len(self._all)
        if prefix != f"e_{self._run}" or not oldest <= place <= self._count:
            kept = f"the newest {len(self._all)} are kept (VOXTRUNK_EVENTS_RETAINED)"
            raise Refusal("events_gone", f"The events after {event_id[:64]!r} are gone: {kept}")
        missed = self._count - place
        return [self._all[index] for index in range(len(self._all) - missed, len(self._all))]

    @property
    def latest_id(self) -> str:
        """What follows this id is new."""
        return f"e_{self._run}_{self._count}"

    @property
    def oldest_id(self) -> str:
        """What follows this id is all that is kept."""
        return f"e_{self._run}_{self._count - len(self._all)}"

    def subscribe(
        self, *, call_id: str | None = None, after_id: str | None = None, limit: int = QUEUE_LIMIT
    ) -> Subscription:
        """Events of one call or of all from now on, or from after ``after_id`` on (see ``resume``).

        ``limit``: how many may wait before the subscriber is dropped.
        """
        missed = self.resume(after_id) if after_id is not None else []
        wanted = [event for event in missed if call_id is None or event.call_id == call_id]
        subscription = Subscription(self, call_id, limit, wanted)
        self._subscriptions[subscription] = None
        if self._closed:
            subscription.close()
        return subscription

    def forget(self, subscription: Subscription) -> None:
        """A subscription has ended."""
        self._subscriptions.pop(subscription, None)

    def forget_call(self, call_id: str) -> None:
        """Drop the call's own log. Its events stay in the log of all until they are too old."""
        self._calls.pop(call_id, None)

    def close(self) -> None:
        """End every subscription after what it has, and all that come later."""
        self._closed = True
        for subscription in tuple(self._subscriptions):
            subscription.close()
