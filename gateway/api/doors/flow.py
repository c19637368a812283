"""From a take of the studio to a client: what is ready is handed on together, and whoever leaves ends it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from gateway.api.formats import Encoder, encoded
from gateway.calls.life import ENDS
from gateway.calls.requests import Codec, Say
from gateway.calls.studio import Batch, Told, octets_of
from gateway.errors import Refusal
from tts_core import Script

if TYPE_CHECKING:
    from starlette.requests import Request

    from gateway.api.context import Context


async def aloud(
    here: Context,
    request: Request,
    door: str,
    text: str,
    *,
    voice: str,
    rate: float,
    codec: Codec = "PCMU",
    words: bool = False,
) -> AsyncGenerator[Batch, None]:
    """``text`` as it is said, up to its end. Refusals of the studio, ``text_too_long``, ``not_permitted``."""
    limit = here.settings.text_limit
    if len(text) > limit:
        detail = f"The text may have {limit} characters (VOXTRUNK_TEXT_LIMIT), has {len(text)}"
        raise Refusal("text_too_long", detail, field="text")
    say = Say(request.state.requested_ns, script=Script.from_text(text), text=text, rate=rate)
    async with here.take(door, request.state.key, voice, codec, words=words) as take:
        await take.say(say)
        async for batch in take.batches():
            yield batch
            for _, ended in runs(batch):
                if ended is not None and ended.kind == "utterance.failed":
                    raise failure(ended)
                if ended is not None:
                    return


def runs(batch: Batch) -> Iterator[tuple[bytes, Told | None]]:
    """The octets of a batch, cut where an utterance ends, with that end."""
    octets = b""
    for item in batch:
        if isinstance(item, bytes):
            octets += item
        elif item.kind in ENDS:
            yield octets, item
            octets = b""
    if octets:
        yield octets, None


def failure(told: Told) -> Refusal:
    """What ``utterance.failed`` means to who asked for it."""
    return Refusal("speech_failed", str(told.data.get("detail", told.data["cause"])))


async def sounding(speech: AsyncGenerator[Batch, None], encoder: Encoder) -> AsyncGenerator[bytes, None]:
    """The audio of a speech, as it is made."""
    async with contextlib.aclosing(speech):
        async for piece in encoded((octets_of(batch) async for batch in speech), encoder):
            yield piece


async def fed(encoder: Encoder, octets: bytes, *, last: bool) -> bytes:
    """What is ready of the encoder's format now that these have come, and all there is after the ``last``."""
    work = partial(_fed, encoder, octets, last)
    return await asyncio.to_thread(work) if encoder.slow else work()


def _fed(encoder: Encoder, octets: bytes, last: bool) -> bytes:
    made = encoder.feed(octets) if octets else b""
    return made + (encoder.end() if last else b"")


class Streamed(StreamingResponse):
    """A body that is made as it is sent, begun before its head is: what is refused is still an error answer."""

    @classmethod
    async def begun(cls, body: AsyncGenerator[bytes, None], **more: Any) -> Streamed:
        """Make the first of the body. Raises what that raises."""
        first = await anext(body, b"")
        answer = cls(_joined(first, body), **more)
        answer.headers["x-accel-buffering"] = "no"
        answer._made_by = body
        return answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; a client that leaves ends it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._made_by.aclose()

    _made_by: AsyncGenerator[bytes, None]


async def _joined(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    yield first
    async for part in rest:
        yield part
