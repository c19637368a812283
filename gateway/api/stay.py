"""How long somebody who was let in may stay: no longer than the key or token that was shown is good."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from starlette.types import Message, Receive, Scope, Send

from gateway.errors import Refusal

if TYPE_CHECKING:
    from gateway.api.keyring import Key

_POLICY: Final = 1008
"""RFC 6455 7.4.1."""
_OVER: Final = "What this was asked with has expired or was revoked meanwhile"


class Stay:
    """A request, stream or WebSocket under way. ``asked``: its scope as it came; ``key``: by whose right."""

    def __init__(self, asked: Scope, key: Key) -> None:
        self.asked = asked
        self.task = asyncio.current_task()
        """Who answers it, at first."""
        self._limit: asyncio.Timeout | None = None
        self.go_on(key)

    def go_on(self, key: Key) -> None:
        """It lasts as long as ``key`` is good, and what is asked from now on is asked by its right."""
        self.key = self.asked["state"]["key"] = key
        self._until(None if key.expires is None else _now() + key.expires - time.time())

    def end(self) -> None:
        """It is over."""
        self._until(_now())

    def _until(self, at: float | None) -> None:
        self._ends = at
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(at)

    @contextlib.asynccontextmanager
    async def lasting(self) -> AsyncIterator[None]:
        """What goes on as long as this does, one at a time. Refusal ``unauthorized`` when it is over."""
        limit = self._limit = asyncio.timeout_at(self._ends)
        try:
            async with limit:
                yield
        except TimeoutError:
            if not limit.expired():
                raise
            raise Refusal("unauthorized", _OVER) from None
        finally:
            self._limit = None

    def socket(self, receive: Receive, send: Send) -> tuple[Receive, Send]:
        """A WebSocket's that closes when this is over, as if its client had left."""
        over = False

        async def receiving() -> Message:
            nonlocal over
            try:
                async with self.lasting():
                    return await receive()
            except Refusal:
                await send({"type": "websocket.close", "code": _POLICY, "reason": _OVER})
                over = True
                return {"type": "websocket.disconnect", "code": _POLICY}

        async def sending(message: Message) -> None:
            if over:
                raise OSError(_OVER)  # what a client that has left looks like
            await send(message)

        return receiving, sending


def _now() -> float:
    return asyncio.get_running_loop().time()
