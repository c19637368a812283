"""Following events over connections that may break: what to ask for next, decided without a socket."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec

from voxtrunk.client.problems import Problem
from voxtrunk.client.results import Event
from voxtrunk.client.trying import Retry, unreachable
from voxtrunk.client.writing import CALL_CLOSED


class _Following(msgspec.Struct):
    """The first message of each connection: the event that its first one comes after."""

    type: str
    after: str | None = None


class Following:
    """A reader of the events of one call, from its first that is kept, or of all, from now or from ``after`` on.

    ``over``: the call was closed, nothing follows.
    """

    def __init__(self, retry: Retry, call_id: str | None, after: str | None) -> None:
        self.over = False
        self._retry = retry
        self._call_id = call_id
        self._after = after
        self._failures = 0

    @property
    def path(self) -> str:
        """What to connect to."""
        given = {"call_id": self._call_id, "after": self._after}
        query = urlencode({name: value for name, value in given.items() if value is not None})
        return "/v1/events" + (f"?{query}" if query else "")

    def take(self, message: str | bytes) -> Event | None:
        """An event, or None for a message that is none."""
        self._failures = 0
        head = msgspec.json.decode(message, type=_Following)
        if head.type == "following":
            self._after = head.after or self._after
            return None
        event = msgspec.json.decode(message, type=Event)
        self._after = event.id
        self.over = self._call_id is not None and event.type == "call.closed"
        return event

    def ended(self, code: int | None) -> None:
        """The connection was closed in order: of one call all is told, unless it is the server that goes away."""
        self.over = self._call_id is not None and code == CALL_CLOSED

    def lost(self, error: Exception | None) -> float:
        """The connection has ended, or there was none: seconds to wait before the next.

        Raises a Problem that says no, and after too many what went wrong last, a Problem or Unreachable.
        """
        self._failures += 1
        if isinstance(error, Problem):
            return self._retry.again_after(error, self._failures)
        if self._failures >= self._retry.attempts:
            why = error or ConnectionError("the connection was closed")
            raise unreachable(why) from error
        return self._retry.pause(self._failures)
