"""What the routes work with. One for each app; a route takes it as ``here: Here``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from gateway.api.audio import Audio
from gateway.api.lexicons import Lexicons
from gateway.api.permits import check_script
from gateway.api.prompts import Prompts
from gateway.api.speaker_shelf import Speakers
from gateway.calls.studio import Studio, Take
from gateway.settings import Settings

if TYPE_CHECKING:
    from gateway.api.keyring import Key
    from gateway.calls.events import Subscription
    from gateway.calls.requests import Codec
    from gateway.calls.switchboard import Switchboard
    from gateway.sip.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class Context:
    """The gateway behind the routes, and the event streams that are open."""

    switchboard: Switchboard
    settings: Settings
    prompts: Prompts
    lexicons: Lexicons
    audio: Audio
    speakers: Speakers
    endpoint: Endpoint | None = None
    """None when SIP is not spoken."""
    streams: set[Subscription] = field(default_factory=set)

    @property
    def studio(self) -> Studio:
        """Speech for those who listen themselves."""
        return Studio(self.switchboard)

    def take(self, door: str, key: Key, voice: str, codec: Codec = "PCMU", *, words: bool = False) -> Take:
        """A take for ``key`` at the speech API ``door``, to be entered. Refusal ``not_permitted``, later too.

        ``words``: it is told of each.
        """
        permit = partial(check_script, key, self.switchboard)
        permit(voice, None)
        return self.studio.take(
            door,
            owner=key.name,
            owner_limit=key.max_calls,
            voice=voice,
            codec=codec,
            permit=permit,
            words=words,
        )

    @contextmanager
    def streaming(self, subscription: Subscription) -> Iterator[None]:
        """An event stream that ``end_streams`` ends; the subscription is closed with it."""
        self.streams.add(subscription)
        try:
            with subscription:
                yield
        finally:
            self.streams.discard(subscription)

    async def lexicon_paths(self, names: Sequence[str]) -> tuple[str, ...]:
        """Where the named lexicons are. Refusals as ``Lexicons.find``."""
        return await asyncio.to_thread(self.lexicons.find, names) if names else ()

    def end_streams(self) -> None:
        """The server stops: event streams never would by themselves."""
        for subscription in tuple(self.streams):
            subscription.close()


async def _of(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


Here = Annotated[Context, Depends(_of)]
