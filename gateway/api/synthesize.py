"""``/v1/synthesize``: speech as a file, or as server-sent events that leave while it is made. No call is needed.

``docs/synthesize.md`` has it all. Who goes away is spoken to no more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from gateway.api import problems as api_problems
from gateway.api.body import JsonRoute
from gateway.api.context import Here
from gateway.api.formats import Sound, encoded
from gateway.api.openapi import problems
from gateway.api.requests import StreamSpeech, Synthesize
from gateway.api.spoken import Order, Recording, Stopwatch, order_of, record, until_gone
from gateway.calls.studio import Take
from gateway.errors import Refusal

router = APIRouter(prefix="/v1/synthesize", tags=["synthesis"], route_class=JsonRoute)
_PIECE: Final = 8000
_REFUSALS: Final = (400, 404, 408, 413, 422, 429, 502, 503)
AUDIO: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Audio; X-Inference-Time-Ms, X-Audio-Duration-Ms, X-RTF, X-Model-Version",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("audio/wav", "audio/x-pcm", "audio/basic", "audio/x-alaw-basic")
        },
    }
}
_EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Events `audio` ({seq, at_ms, duration_ms, audio: base64}), then `done`, or `error`",
        "content": {
            "text/event-stream": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "event": {"type": "string", "enum": ["audio", "done", "error"]},
                        "data": {"type": "string"},
                    },
                    "required": ["event", "data"],
                }
            }
        },
    }
}


@router.post(
    "",
    summary="Speech as a file",
    response_class=Response,
    responses={**AUDIO, **problems(*_REFUSALS)},
)
async def synthesize(body: Synthesize, request: Request, here: Here) -> Response:
    """Say a text and answer with its audio, once all of it is made (VOXTRUNK_SYNTHESIZE_SECONDS at most)."""
    order = await order_of(
        here, request.state.key, body, request.state.requested_ns, request.headers.get("traceparent")
    )

    async def work() -> Recording:
        async with order.take(here, "synthesize", request.state.key) as take:
            return await record(take, order, here.settings.synthesize_seconds)

    return audio_of(await until_gone(request, work()))


@router.post(
    "/stream",
    summary="Speech as it is made",
    response_class=StreamingResponse,
    responses={**_EVENTS, **problems(*_REFUSALS)},
)
async def stream(body: StreamSpeech, request: Request, here: Here) -> Response:
    """Say a text and send its audio as server-sent events, each as soon as its `chunk_size_ms` are made."""
    order = await order_of(
        here, request.state.key, body, request.state.requested_ns, request.headers.get("traceparent")
    )
    take = await order.take(here, "synthesize", request.state.key).__aenter__()
    try:
        await take.say(order.say)
    except BaseException:
        take.close()
        raise
    return _TakeStream(take, _events(take, order, body.chunk_size_ms), "text/event-stream")


def audio_of(recording: Recording) -> Response:
    """A recording as an answer, encoded while it is sent."""
    sound, octets = recording.order.sound, recording.octets
    figures = recording.figures
    headers = {
        "X-Inference-Time-Ms": str(figures["inference_time_ms"]),
        "X-Audio-Duration-Ms": str(figures["audio_duration_ms"]),
        "X-RTF": str(figures["rtf"]),
        "X-Model-Version": figures["model_version"],
        "Content-Length": str(_length(sound, len(octets))),
    }

    async def pieces() -> AsyncIterator[bytes]:
        for begin in range(0, len(octets), _PIECE):
            yield octets[begin : begin + _PIECE]

    body = encoded(pieces(), sound.encoder(len(octets)))
    return StreamingResponse(body, media_type=sound.media_type, headers=headers)


def _length(sound: Sound, octets: int) -> int:
    """Of the answer, in octets."""
    samples = octets * sound.rate // 8000
    return samples if sound.name in {"mulaw", "alaw"} else 2 * samples + 44 * (sound.name == "wav")


class _TakeStream(StreamingResponse):
    """The stream until it ends or the client leaves; then its take is closed."""

    def __init__(self, take: Take, content: AsyncIterator[bytes], media_type: str) -> None:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(content, media_type=media_type, headers=headers)
        self._take = take

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with closing(self._take):
            await super().__call__(scope, receive, send)


async def _events(take: Take, order: Order, chunk_ms: int) -> AsyncIterator[bytes]:
    """``audio`` events of ``chunk_ms`` each, the last one shorter; then ``done``."""
    sound = order.sound
    per_ms = sound.rate // 1000 * (1 if sound.name in {"mulaw", "alaw"} else 2)
    size = per_ms * chunk_ms
    waiting, sent, seq, watch = bytearray(), 0, 0, Stopwatch(order)
    about = {"format": sound.name, "sample_rate": sound.rate}

    def audio(size: int) -> bytes:
        """Events of what waits, as long as there is so much of it."""
        nonlocal sent, seq
        begin, events = 0, []
        while len(waiting) - begin >= size:
            times = {"seq": seq, "at_ms": round(sent / per_ms), "duration_ms": round(size / per_ms)}
            piece = waiting[begin : begin + size]
            events.append(event("audio", times | {"audio": piece} | about))
            begin, sent, seq = begin + size, sent + size, seq + 1
        del waiting[:begin]
        return b"".join(events)

    try:
        async for part in encoded(watch.heard(take), sound.encoder()):
            waiting += part
            if events := audio(size):
                yield events
    except Refusal as refusal:
        yield event("error", api_problems.of_refusal(refusal).members())
        return
    if waiting:
        yield audio(len(waiting))
    yield event("done", watch.told() | {"chunks": seq, "warnings": list(order.warnings)})


def event(kind: str, data: dict[str, Any]) -> bytes:
    """A server-sent event; octets in ``data`` as base64."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), msgspec.json.encode(data))
