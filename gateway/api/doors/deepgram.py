"""``/v1/speak``: Deepgram's text-to-speech, over a WebSocket and by POST (shapes: deepgram-sdk 7.17).

See ``docs/deepgram.md``. What a message leads to is decided in ``deepgram_talk``; here it is done. A passage is
an utterance of a take; the take is there while something is to be said, so a socket at rest takes nobody's place.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response, WebSocket
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocketDisconnect, WebSocketState

from gateway.api import body as bodies
from gateway.api.body import JsonRoute
from gateway.api.context import Context, Here
from gateway.api.doors import flow, shapes
from gateway.api.doors.deepgram_talk import Drop, Effect, End, Leave, Open, Talk, Tell, Verb, Write
from gateway.api.doors.names import language_of_model, speaker
from gateway.api.formats import Encoder, Sound
from gateway.calls.studio import Take, Told
from gateway.calls.workers import report_failure
from gateway.errors import Refusal

router = APIRouter(tags=["other speech APIs"], route_class=JsonRoute)
PATH: Final = "/v1/speak"
_VERSION: Final = version("voxtrunk")
_VERBS: Final = frozenset({"Speak", "Flush", "Clear", "Close"})
_RAW: Final = {"linear16": "pcm", "mulaw": "mulaw", "alaw": "alaw"}
"""Encodings that may go without a container, and what ``sound`` calls them."""
_RATES: Final = {
    "linear16": (24_000, 8000, 16_000, 32_000, 48_000),
    "mulaw": (8000, 16_000),
    "alaw": (8000, 16_000),
    "mp3": (22_050,),
    "opus": (48_000,),
    "flac": (24_000, 8000, 16_000, 22_050, 32_000, 48_000),
    "aac": (22_050,),
}
"""What ``sample_rate`` may be, the default first."""


class Manner(BaseModel):
    """The query of both; parameters that we do not know are ignored."""

    model_config = ConfigDict(extra="ignore")

    model: Annotated[str, Field(min_length=1, max_length=128)] = Field(
        "default", description="One of GET /v1/voices, `aura-…` (its ending says the language), or an alias"
    )
    sample_rate: int | None = None
    speed: float = Field(1.0, ge=0.5, le=2.0)


class OverSocket(Manner):
    """Of the WebSocket."""

    encoding: Literal["linear16", "mulaw", "alaw"] = "linear16"


class ByPost(Manner):
    """Of POST."""

    encoding: Literal["linear16", "mulaw", "alaw", "mp3", "opus", "flac", "aac"] = "mp3"
    container: Literal["none", "wav", "ogg"] | None = Field(None, description="Omitted: wav for linear16")
    bit_rate: int | None = Field(None, ge=4000, le=650_000)


class SpeakText(BaseModel):
    """The body of POST."""

    model_config = ConfigDict(
        strict=True, extra="ignore", json_schema_extra={"examples": [{"text": "Hello there."}]}
    )

    text: str


def _rate(manner: OverSocket | ByPost) -> int:
    rates = _RATES[manner.encoding]
    rate = manner.sample_rate or rates[0]
    if rate not in rates:
        of = ", ".join(map(str, sorted(rates)))
        raise Refusal("invalid", f"sample_rate of {manner.encoding} is one of {of}", field="sample_rate")
    return rate


def _voice(manner: Manner, here: Context) -> str:
    return speaker(
        manner.model, here.settings, here.switchboard.workers.voices(), language_of_model(manner.model)
    )


# -- POST ---------------------------------------------------------------------------------------------------


@router.post(
    PATH,
    summary="Speak (Deepgram)",
    response_class=Response,
    responses={
        200: {"description": "Audio, as it is made", "content": {"audio/*": {}}},
        **shapes.responses(PATH, 400, 401, 403, 404, 413, 429, 500, 502, 503),
    },
)
async def speak(
    body: SpeakText, manner: Annotated[ByPost, Query()], request: Request, here: Here
) -> Response:
    """Say a text. Errors are as Deepgram's clients read them."""
    if not body.text.strip():
        raise Refusal("invalid", "text should hold something to say", field="text")
    voice, sound = _voice(manner, here), _sound(manner)
    speech = flow.aloud(
        here, request, "deepgram", body.text, voice=voice, rate=manner.speed, codec=sound.codec
    )
    headers = {
        "dg-model-name": voice,
        "dg-char-count": str(len(body.text)),
        "dg-request-id": request.state.request_id,
    }
    return await flow.Streamed.begun(
        flow.sounding(speech, sound.encoder()), media_type=sound.media_type, headers=headers
    )


def _sound(manner: ByPost) -> Sound:
    """What is asked for. Refusal ``invalid`` for a container that does not hold the encoding."""
    rate, encoding = _rate(manner), manner.encoding
    allowed = {"linear16": ("wav", "none"), "mulaw": ("none",), "alaw": ("none",), "opus": ("ogg",)}
    container = manner.container or allowed.get(encoding, ("none",))[0]
    if container not in allowed.get(encoding, ("none",)):
        of = " or ".join(allowed.get(encoding, ("none",)))
        raise Refusal("invalid", f"container of {encoding} is {of}", field="container")
    kind = "wav" if container == "wav" else _RAW.get(encoding, encoding)
    return Sound(kind, rate, manner.bit_rate)


# -- the WebSocket ------------------------------------------------------------------------------------------


@router.websocket(PATH)
async def speak_socket(websocket: WebSocket) -> None:
    """See ``docs/deepgram.md``. Refused like any request before it is accepted."""
    here: Context = websocket.app.state.context
    try:
        manner = OverSocket.model_validate(dict(websocket.query_params))
    except ValidationError as error:
        found = [{**item, "loc": ("query", *item["loc"])} for item in error.errors()]
        raise RequestValidationError(found) from None
    sound, voice = Sound(_RAW[manner.encoding], _rate(manner)), _voice(manner, here)
    request_id = websocket.state.request_id
    await websocket.accept(headers=[(b"dg-request-id", request_id.encode("ascii"))])
    await _Session(here, websocket, sound, voice, manner.speed).run(request_id)


class _Session:
    """One socket."""

    def __init__(self, here: Context, websocket: WebSocket, sound: Sound, voice: str, speed: float) -> None:
        self._here = here
        self._socket = websocket
        self._sound = sound
        self._voice = voice
        self._speed = speed
        self._talk = Talk()
        self._take: Take | None = None
        self._followers: set[asyncio.Task[None]] = set()
        self._saying: dict[
            int, _Saying
        ] = {}  # the passages that have not ended, in the order of their speech

    async def run(self, request_id: str) -> None:
        """Until either side closes."""
        metadata = {
            "type": "Metadata",
            "request_id": request_id,
            "model_name": self._voice,
            "model_version": _VERSION,
            "model_uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"voxtrunk:{self._voice}:{_VERSION}")),
        }
        try:
            await self._tell(metadata)
            while (message := await self._socket.receive())["type"] != "websocket.disconnect":
                await self._read(message)
        except WebSocketDisconnect:  # it left while something was sent to it
            pass
        finally:
            self._close_take()
            for follower in self._followers:
                follower.cancel()
            await asyncio.gather(*self._followers, return_exceptions=True)

    async def _read(self, message: Any) -> None:
        try:
            verb, text = _parsed(message)
        except ValueError as error:
            await self._warn("INVALID_MESSAGE", str(error))
        else:
            await self._do(self._talk.say(verb, text))

    async def _do(self, effects: list[Effect]) -> None:
        for effect in effects:
            await self._carry_out(effect)

    async def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Open(passage):
                await self._open(passage)
            case Write(passage, text):
                await self._write(passage, text)
            case End(passage):
                with contextlib.suppress(Refusal):  # it has just ended
                    if passage in self._saying:
                        self._there.end(self._saying[passage].uid)
            case Drop(passages):
                for passage in passages:
                    with contextlib.suppress(Refusal):
                        if passage in self._saying:
                            await self._there.clear(self._saying[passage].uid)
            case Tell(message):
                await self._tell(message)
            case Leave():
                await self._leave(1000)

    @property
    def _there(self) -> Take:
        assert self._take is not None, "it is there while anything is to be said"
        return self._take

    # -- passages -----------------------------------------------------------------------------------------

    async def _open(self, passage: int) -> None:
        saying = self._saying[passage] = _Saying(f"p{passage}", self._sound.encoder())
        try:
            if self._take is None:
                await self._open_take()
            await self._there.open_text(id=saying.uid, rate=self._speed)
        except Refusal as refusal:
            await self._tell_error(refusal)
            await self._ended(passage)

    async def _open_take(self) -> None:
        take = self._here.take("deepgram", self._socket.state.key, self._voice, self._sound.codec)
        self._take = await take.__aenter__()
        follower = asyncio.create_task(self._follow(take), name="deepgram")
        self._followers.add(follower)
        follower.add_done_callback(self._followers.discard)
        follower.add_done_callback(report_failure)

    def _close_take(self) -> None:
        if self._take is not None:
            self._take.close()
            self._take = None

    async def _write(self, passage: int, text: str) -> None:
        if passage not in self._saying:
            return
        try:
            self._there.write(self._saying[passage].uid, text)
        except Refusal as refusal:
            await self._warn(refusal.code.upper(), refusal.detail)

    async def _follow(self, take: Take) -> None:
        """Send what is said."""
        try:
            async for batch in take.batches():
                for octets, ended in flow.runs(batch):
                    await self._forward(octets, ended)
        except Refusal as refusal:  # the gateway ended it
            await self._tell_error(refusal)
            await self._leave(1011)
        except WebSocketDisconnect:
            pass

    async def _forward(self, octets: bytes, ended: Told | None) -> None:
        """Audio of the passage that is being said, and its end."""
        passage, saying = next(iter(self._saying.items()))
        made = await flow.fed(saying.encoder, octets, last=ended is not None)
        if made and self._talk.is_wanted(passage):
            await self._socket.send_bytes(made)
        if ended is not None:
            if ended.kind == "utterance.failed":
                await self._tell_error(flow.failure(ended))
            await self._ended(passage)

    async def _ended(self, passage: int) -> None:
        del self._saying[passage]
        await self._do(self._talk.ended(passage))
        if not self._saying:
            self._close_take()

    # -- telling ------------------------------------------------------------------------------------------

    async def _tell(self, message: Mapping[str, Any]) -> None:
        if self._socket.application_state is WebSocketState.CONNECTED:
            await self._socket.send_text(json.dumps(message))

    async def _warn(self, code: str, description: str) -> None:
        # the SDK reads the first two, the frameworks' plug-ins the others
        told = {"description": description, "code": code, "warn_msg": description, "warn_code": code}
        await self._tell({"type": "Warning"} | told)

    async def _tell_error(self, refusal: Refusal) -> None:
        code, description = refusal.code.upper(), refusal.detail
        told = {"description": description, "code": code, "err_msg": description, "err_code": code}
        await self._tell({"type": "Error"} | told)

    async def _leave(self, code: int) -> None:
        if self._socket.application_state is WebSocketState.CONNECTED:
            await self._socket.close(code)


@dataclass(frozen=True, slots=True)
class _Saying:
    """A passage: its utterance, and what makes its audio."""

    uid: str
    encoder: Encoder


def _parsed(message: Mapping[str, Any]) -> tuple[Verb, str]:
    """What a client says. Raises ValueError."""
    text = message.get("text")
    if text is None:
        raise ValueError("Send JSON as text, not binary data")
    try:
        value = bodies.parse(text.encode("utf-8", "surrogatepass"))
    except json.JSONDecodeError as error:
        raise ValueError(f"The message is not JSON: {error.msg} (character {error.pos})") from None
    verb = value.get("type") if isinstance(value, dict) else None
    if verb not in _VERBS:
        raise ValueError("type should be Speak, Flush, Clear or Close")
    said = value.get("text", "")
    if verb == "Speak" and (not isinstance(said, str) or not said):
        raise ValueError("text of Speak should be a string that is not empty")
    return verb, said if verb == "Speak" else ""
