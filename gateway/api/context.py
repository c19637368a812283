"""What the routes work with. One for each app; a route takes it as ``here: Here``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from gateway.api.prompts import Prompts
from gateway.settings import Settings

if TYPE_CHECKING:
    from gateway.calls.events import Subscription
    from gateway.calls.switchboard import Switchboard
    from gateway.sip.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class Context:
    """The gateway behind the routes, and the event streams that are open."""

    switchboard: Switchboard
    settings: Settings
    prompts: Prompts
    endpoint: Endpoint | None = None
    """None when SIP is not spoken."""
    streams: set[Subscription] = field(default_factory=set)

    @contextmanager
    def streaming(self, subscription: Subscription) -> Iterator[None]:
        """An event stream that ``end_streams`` ends; the subscription is closed with it."""
        self.streams.add(subscription)
        try:
            with subscription:
                yield
        finally:
            self.streams.discard(subscription)

    def end_streams(self) -> None:
        """The server stops: event streams never would by themselves."""
        for subscription in tuple(self.streams):
            subscription.close()


async def _of(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


Here = Annotated[Context, Depends(_of)]
