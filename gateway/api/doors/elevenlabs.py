"""``/v1/text-to-speech/{voice_id}…``: ElevenLabs' text-to-speech by POST (shapes: elevenlabs 2.78).

See ``docs/elevenlabs.md``. What has no meaning here is taken and left: ``model_id``, ``seed``, latency and
logging options, all ``voice_settings`` but ``speed``. The WebSockets are in ``elevenlabs_socket``.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncGenerator
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway.api.body import JsonRoute
from gateway.api.context import Here
from gateway.api.doors import flow, shapes
from gateway.api.doors.alignment import Alignment, Said
from gateway.api.doors.elevenlabs_talk import FASTEST, SLOWEST
from gateway.api.doors.names import speaker
from gateway.api.formats import Encoder, Sound
from gateway.calls.studio import Batch, Told, octets_of
from gateway.errors import Refusal

PATH: Final = "/v1/text-to-speech/{voice_id}"
router = APIRouter(prefix=PATH, tags=["other speech APIs"], route_class=JsonRoute)
_FORMAT: Final = re.compile(r"(?P<kind>mp3|opus|pcm|wav|ulaw|alaw)_(?P<rate>\d{4,5})(?:_(?P<kbps>\d{2,3}))?")
_RATES: Final = {
    "mp3": (22_050, 24_000, 44_100),
    "opus": (48_000,),
    "pcm": (8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    "wav": (8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    "ulaw": (8000,),
    "alaw": (8000,),
}
_MOST_KBPS: Final = 192


class VoiceSettings(BaseModel):
    """Of all that ElevenLabs has, what can be done here."""

    model_config = ConfigDict(strict=True, extra="ignore")

    speed: float | None = Field(None, ge=SLOWEST, le=FASTEST)


class TextToSpeech(BaseModel):
    """The body of each; fields that we do not know are ignored."""

    model_config = ConfigDict(
        strict=True, extra="ignore", json_schema_extra={"examples": [{"text": "Hello there."}]}
    )

    text: str
    language_code: Annotated[str, Field(max_length=35)] | None = Field(
        None, description="A voice that stands for another is one that speaks it"
    )
    voice_settings: VoiceSettings | None = None


def _known(output_format: str) -> str:
    sound_of(output_format)
    return output_format


class Options(BaseModel):
    """The query of each."""

    model_config = ConfigDict(extra="ignore")

    output_format: Annotated[str, AfterValidator(_known)] = Field(
        "mp3_44100_128",
        max_length=32,
        description="CODEC_RATE or CODEC_RATE_KBPS: mp3, opus, pcm, wav, ulaw_8000, alaw_8000",
    )


def sound_of(output_format: str) -> Sound:
    """What ``output_format`` asks for. Raises ValueError."""
    found = _FORMAT.fullmatch(output_format)
    kind, rate = (found["kind"], int(found["rate"])) if found else ("", 0)
    kbps = int(found["kbps"]) if found and found["kbps"] else None
    encoded = kind in {"mp3", "opus"}
    if rate not in _RATES.get(kind, ()) or (kbps is not None and (not encoded or kbps > _MOST_KBPS)):
        known = ", ".join(f"{name}_{rate}" for name, rates in _RATES.items() for rate in rates)
        detail = (
            f"output_format {output_format[:32]!r} is none of {known} (mp3, opus: _KBPS up to {_MOST_KBPS})"
        )
        raise ValueError(detail)
    name = {"ulaw": "mulaw"}.get(kind, kind)
    return Sound(name, rate, kbps * 1000 if kbps else None)


_ANSWERS: Final = shapes.responses(PATH, 400, 401, 403, 404, 422, 429, 500, 502)
_AUDIO: Final = {200: {"description": "Audio, as it is made", "content": {"audio/*": {}}}, **_ANSWERS}
_LINES: Final = {
    200: {
        "description": "A JSON object a line: audio_base64, alignment",
        "content": {"application/json": {}},
    },
    **_ANSWERS,
}


@router.post("", summary="Text to speech (ElevenLabs)", response_class=Response, responses=_AUDIO)
async def convert(
    voice_id: str, body: TextToSpeech, options: Annotated[Options, Query()], request: Request, here: Here
) -> Response:
    """Say a text. Errors are as ElevenLabs' clients read them."""
    speech, sound = _spoken(voice_id, body, options, request, here)
    return await flow.Streamed.begun(flow.sounding(speech, sound.encoder()), media_type=sound.media_type)


@router.post("/stream", summary="The same", response_class=Response, responses=_AUDIO)
async def stream(
    voice_id: str, body: TextToSpeech, options: Annotated[Options, Query()], request: Request, here: Here
) -> Response:
    """Both leave as they are made."""
    return await convert(voice_id, body, options, request, here)


@router.post(
    "/stream/with-timestamps",
    summary="Text to speech with the time of each character (ElevenLabs)",
    response_class=Response,
    responses=_LINES,
)
async def stream_with_timestamps(
    voice_id: str, body: TextToSpeech, options: Annotated[Options, Query()], request: Request, here: Here
) -> Response:
    """Say a text; tell when each of its characters is said, in seconds from the beginning."""
    speech, sound = _spoken(voice_id, body, options, request, here, words=True)
    return await flow.Streamed.begun(
        _lines(speech, sound.encoder(), body.text), media_type="application/json"
    )


def _spoken(
    voice_id: str, body: TextToSpeech, options: Options, request: Request, here: Here, *, words: bool = False
) -> tuple[AsyncGenerator[Batch, None], Sound]:
    if not body.text.strip():
        raise Refusal("invalid", "text should hold something to say", field="text")
    sound = sound_of(options.output_format)
    voice = speaker(voice_id, here.settings, here.switchboard.workers.voices(), body.language_code or "")
    rate = (body.voice_settings and body.voice_settings.speed) or 1.0
    return flow.aloud(
        here, request, "elevenlabs", body.text, voice=voice, rate=rate, codec=sound.codec, words=words
    ), sound


async def _lines(
    speech: AsyncGenerator[Batch, None], encoder: Encoder, text: str
) -> AsyncGenerator[bytes, None]:
    alignment, heard_ms = Alignment(absolute=True), 0.0
    async with contextlib.aclosing(speech):
        async for batch in speech:
            octets = octets_of(batch)
            heard_ms += len(octets) / 8
            words = [Said.of(item.data) for item in batch if isinstance(item, Told) and item.kind == "word"]
            piece = alignment.say(text, words)
            made = await flow.fed(encoder, octets, last=False)
            if made or piece:
                yield _line(made, None if piece is None else piece.over_http())
    piece = alignment.rest(text, heard_ms)
    yield _line(await flow.fed(encoder, b"", last=True), None if piece is None else piece.over_http())


def _line(audio: bytes, times: dict[str, list[float]] | None) -> bytes:
    told = {"audio_base64": audio, "alignment": times, "normalized_alignment": times}
    return msgspec.json.encode(told) + b"\n"
