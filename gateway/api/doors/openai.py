"""``POST /v1/audio/speech``: OpenAI's speech API (shapes: openai-python 3.54). See ``docs/openai.md``.

What has no meaning here is taken and left: ``model`` (any name), ``instructions``.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.api import tempo
from gateway.api.body import JsonRoute
from gateway.api.context import Here
from gateway.api.doors import flow, shapes
from gateway.api.doors.names import speaker
from gateway.api.formats import Sound
from gateway.errors import Refusal

router = APIRouter(tags=["other speech APIs"], route_class=JsonRoute)
PATH: Final = "/v1/audio/speech"
MOST_CHARACTERS: Final = 4096
RATE: Final = 24_000
"""Hz of everything but Opus, as OpenAI has it."""
_SOUNDS: Final = {
    name: Sound(name, 48_000 if name == "opus" else RATE)
    for name in ("mp3", "opus", "aac", "flac", "wav", "pcm")
}
_MEDIA: Final = {"pcm": "audio/pcm"}
"""What OpenAI calls otherwise than we do."""
_NO_TOKENS: Final = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
"""There are none here: they are told because clients read them."""


class VoiceId(BaseModel):
    """A voice by its id."""

    id: Annotated[str, Field(min_length=1, max_length=128)]


class CreateSpeech(BaseModel):
    """As OpenAI's clients send it; fields that we do not know are ignored."""

    model_config = ConfigDict(
        strict=True,
        extra="ignore",
        json_schema_extra={"examples": [{"model": "tts-1", "voice": "alloy", "input": "Hello there."}]},
    )

    input: str = Field(description=f"Plain text, {MOST_CHARACTERS} characters at most")
    model: Annotated[str, Field(min_length=1, max_length=256)] = Field(description="Any: without effect")
    voice: Annotated[str, Field(min_length=1, max_length=128)] | VoiceId = Field(
        description="One of GET /v1/voices, of OpenAI's names, or of VOXTRUNK_VOICE_ALIASES"
    )
    instructions: str | None = Field(None, description="Without effect")
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = Field(
        "mp3", description="pcm is 24 kHz, 16 bit, little-endian, one channel"
    )
    speed: float = Field(1.0, ge=0.25, le=4.0)
    stream_format: Literal["audio", "sse"] = "audio"


@router.post(
    PATH,
    summary="Create speech (OpenAI)",
    response_class=Response,
    responses={
        200: {
            "description": "Audio as it is made, or `speech.audio.delta` and `speech.audio.done` events",
            "content": {
                kind: {}
                for kind in sorted(
                    {_MEDIA.get(sound.name, sound.media_type) for sound in _SOUNDS.values()}
                    | {"text/event-stream"}
                )
            },
        },
        **shapes.responses(PATH, 400, 401, 403, 404, 429, 500, 502, 503),
    },
)
async def create_speech(body: CreateSpeech, request: Request, here: Here) -> Response:
    """Say a text. Errors are as OpenAI's clients read them."""
    if len(body.input) > MOST_CHARACTERS:
        raise Refusal(
            "text_too_long",
            f"input may have {MOST_CHARACTERS} characters, has {len(body.input)}",
            field="input",
        )
    if not body.input.strip():
        raise Refusal("invalid", "input should hold something to say", field="input")
    name = body.voice if isinstance(body.voice, str) else body.voice.id
    voice = speaker(name, here.settings, here.switchboard.workers.voices())
    rate, factor = tempo.split(body.speed)
    sound = replace(_SOUNDS[body.response_format], tempo=factor)
    speech = flow.aloud(here, request, "openai", body.input, voice=voice, rate=rate)
    sounding = flow.sounding(speech, sound.encoder())
    if body.stream_format == "audio":
        return await flow.Streamed.begun(sounding, media_type=_MEDIA.get(sound.name, sound.media_type))
    usage = {**_NO_TOKENS, "characters": len(body.input)}
    return await flow.Streamed.begun(_events(sounding, usage), media_type="text/event-stream")


async def _events(
    sounding: AsyncGenerator[bytes, None], usage: dict[str, int]
) -> AsyncGenerator[bytes, None]:
    async with contextlib.aclosing(sounding):
        async for octets in sounding:
            yield _event({"type": "speech.audio.delta", "audio": octets})
    yield _event({"type": "speech.audio.done", "usage": usage})


def _event(data: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % msgspec.json.encode(data)  # octets as base64
