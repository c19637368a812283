"""``/v1/synthesize/ws``: speech over a WebSocket: text in, whole or as it is written, audio out as it is made.

    ?speaker_id=&language=&format=pcm&sample_rate=8000&words=true       as in ``POST /v1/synthesize``
    in   {"type": "say", "id": "a", "text": …}        or "ssml"; "speed", "volume_db", "lexicons"
         {"type": "open", "id": "b"}, {"type": "text", "id": "b", "text": …, "mark": …}, "flush", "end"
         {"type": "clear", "id": "b"}                                   take back what was not sent
    out  {"type": "ready", format, sample_rate, model_version}
         {"type": "started", id}, binary audio, {"type": "word", id, …}, {"type": "mark", id, …}
         {"type": "finished", id, state, cause, …}                      after the last of its audio
         {"type": "error", code, detail, …}                             the socket lives on

Utterances are said in the order in which they were begun.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, WebSocket
from fastapi.exceptions import RequestValidationError
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from gateway.api import problems
from gateway.api.context import Context
from gateway.api.fields import LexiconNames, Request, Speech, UtteranceId, VoiceName
from gateway.api.formats import Encoder, Sound, ended, fed, sound_of
from gateway.api.keyring import Key
from gateway.api.requests import Synthesize
from gateway.api.sockets import error_of, read, until_one_ends
from gateway.api.spoken import order_of, voice_of
from gateway.api.written import ClearText, EndText, FlushText, MoreText
from gateway.calls.life import ENDS
from gateway.calls.studio import Take, Told
from gateway.errors import Refusal

router = APIRouter()
_RESTART: Final = 1012
_TOLD: Final = {"utterance.started": "started", "word": "word", "utterance.mark": "mark"} | {
    name: name for name in ("paused", "resumed")
}


class Listening(Request):
    """The query. Numbers and flags come as text."""

    model_config = ConfigDict(strict=False, extra="forbid")

    speaker_id: VoiceName = "default"
    language: Annotated[str, Field(min_length=2, max_length=35)] | None = None
    format: Literal["pcm", "mulaw", "alaw", "wav", "mp3", "opus", "aac", "flac"] = "pcm"
    sample_rate: Literal["8000", "16000", "24000"] = "8000"
    words: bool = True


class _Manner(Request):
    id: UtteranceId
    speed: float = Field(1.0, ge=0.5, le=2.0)
    volume_db: float = Field(0.0, ge=-40.0, le=10.0)
    lexicons: LexiconNames = Field([])


class SayText(_Manner):
    """Say all of this."""

    type: Literal["say"]
    text: Speech | None = None
    ssml: Speech | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> SayText:
        if (self.text is None) == (self.ssml is None):
            raise ValueError("give exactly one of text and ssml")
        return self


class OpenSpeech(_Manner):
    """Begin a text that is to be written."""

    type: Literal["open"]


_MESSAGES: Final[TypeAdapter[Any]] = TypeAdapter(
    Annotated[SayText | OpenSpeech | MoreText | FlushText | EndText | ClearText, Field(discriminator="type")]
)


@router.websocket("/v1/synthesize/ws")
async def synthesize_socket(websocket: WebSocket) -> None:
    """Refused like any request before it is accepted."""
    here: Context = websocket.app.state.context
    try:
        asked = Listening.model_validate(dict(websocket.query_params))
    except ValidationError as error:
        found = [{**item, "loc": ("query", *item["loc"])} for item in error.errors()]
        raise RequestValidationError(found) from None
    sound = sound_of(asked.format, int(asked.sample_rate))
    voice, model = await voice_of(here, asked.speaker_id, asked.language)
    key = websocket.scope["state"]["key"]
    async with here.take("synthesize-ws", key, voice, sound.codec, words=True) as take:
        await websocket.accept()
        ready = {"type": "ready", "format": sound.name, "sample_rate": sound.rate, "model_version": model}
        await websocket.send_text(json.dumps(ready))
        await _Session(here, websocket, key, take, voice, sound, words=asked.words).run()


class _Session:
    """One socket."""

    def __init__(
        self, here: Context, socket: WebSocket, key: Key, take: Take, voice: str, sound: Sound, *, words: bool
    ) -> None:
        self._here = here
        self._socket = socket
        self._key = key
        self._take = take
        self._voice = voice
        self._sound = sound
        self._words = words
        self._sending = asyncio.Lock()

    async def run(self) -> None:
        """Until either side closes."""
        reading = read(self._socket, _MESSAGES, self._do, self._tell)
        await until_one_ends(reading, self._send())

    async def _do(self, request: Any) -> None:
        take = self._take
        match request:
            case SayText():
                asked = request.model_dump(exclude={"type", "id"}) | {"speaker_id": self._voice}
                body = Synthesize.model_validate(asked)
                order = await order_of(self._here, self._key, body, time.monotonic_ns())
                await take.say(order.named(request.id))
            case OpenSpeech():
                await take.open_text(
                    id=request.id,
                    rate=request.speed,
                    volume_db=request.volume_db,
                    lexicons=await self._here.lexicon_paths(request.lexicons),
                )
            case MoreText(id=uid, text=text, mark=mark):
                take.write(uid, text, mark)
            case FlushText(id=uid):
                take.flush(uid)
            case EndText(id=uid):
                take.end(uid)
            case ClearText(id=None):
                await take.stop()
            case ClearText(id=str() as uid):
                await take.clear(uid)

    async def _send(self) -> None:
        """Audio and what is told of it; each utterance has an encoder of its own."""
        encoder: Encoder | None = None
        try:
            async for item in self._take.items():
                if isinstance(item, bytes):
                    encoder = encoder or self._sound.encoder()
                    await self._play(await fed(encoder, item))
                    continue
                if item.kind in ENDS and encoder is not None:
                    await self._play(await ended(encoder))
                    encoder = None
                await self._told(item)
        except Refusal as refusal:
            await self._tell(error_of(problems.of_refusal(refusal), None))
            await self._socket.close(_RESTART)

    async def _play(self, octets: bytes) -> None:
        if octets:
            async with self._sending:
                await self._socket.send_bytes(octets)

    async def _told(self, told: Told) -> None:
        if told.kind in ENDS:
            await self._tell(
                {"type": "finished", "id": told.id, "state": told.kind.partition(".")[2], **told.data}
            )
        elif told.kind in _TOLD and (self._words or told.kind != "word"):
            await self._tell({"type": _TOLD[told.kind], "id": told.id, **told.data})

    async def _tell(self, message: dict[str, Any]) -> None:
        async with self._sending:
            await self._socket.send_text(json.dumps(message))
