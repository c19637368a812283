"""ElevenLabs' ``stream-input`` and ``multi-stream-input``: text in as it is written, audio and alignment out.

What a message leads to is decided in ``elevenlabs_talk``; here it is done. A context is a take with an utterance.
``alignment`` and ``normalizedAlignment`` are the same: the text as it was written.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, WebSocket
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError
from starlette.websockets import WebSocketDisconnect, WebSocketState

from gateway.api import body as bodies
from gateway.api.context import Context
from gateway.api.doors import flow
from gateway.api.doors.alignment import Alignment, Piece, Said
from gateway.api.doors.elevenlabs import PATH, Options, sound_of
from gateway.api.doors.elevenlabs_talk import BadMessage, Do, Effect, Leave, Open, Talk
from gateway.api.doors.names import speaker
from gateway.api.formats import Encoder, Sound
from gateway.calls.studio import Batch, Take, Told, octets_of
from gateway.calls.workers import report_failure
from gateway.errors import Refusal

router = APIRouter(prefix=PATH)
_POLICY: Final = 1008
"""The close code of what ElevenLabs refuses, whose name is in ``error``."""
_NORMAL: Final = 1000
MOST_IDLE_SECONDS: Final = 180
"""As ElevenLabs has it."""


class SocketOptions(Options):
    """The query of both; what we do not know is ignored."""

    language_code: Annotated[str, Field(max_length=35)] = ""
    auto_mode: bool = False
    inactivity_timeout: Annotated[float, Field(ge=1, le=MOST_IDLE_SECONDS)] = 20.0
    """Seconds without a message after which a context's text is taken as whole."""
    sync_alignment: bool = False
    enable_ssml_parsing: bool = False


@router.websocket("/stream-input")
async def stream_input(websocket: WebSocket, voice_id: str) -> None:
    """One speech. Refused like any request before it is accepted."""
    await _converse(websocket, voice_id, many=False)


@router.websocket("/multi-stream-input")
async def multi_stream_input(websocket: WebSocket, voice_id: str) -> None:
    """Several, by their names."""
    await _converse(websocket, voice_id, many=True)


async def _converse(websocket: WebSocket, voice_id: str, *, many: bool) -> None:
    here: Context = websocket.app.state.context
    try:
        options = SocketOptions.model_validate(dict(websocket.query_params))
    except ValidationError as error:
        found = [{**item, "loc": ("query", *item["loc"])} for item in error.errors()]
        raise RequestValidationError(found) from None
    if options.enable_ssml_parsing:
        detail = (
            "SSML cannot be spoken while it is written: leave enable_ssml_parsing out and send plain text"
        )
        raise Refusal("invalid", detail, field="enable_ssml_parsing")
    sound = sound_of(options.output_format)
    voice = speaker(voice_id, here.settings, here.switchboard.workers.voices(), options.language_code)
    await websocket.accept()
    await _Session(here, websocket, sound, voice, options, many=many).run()


@dataclass(eq=False, slots=True)
class _Context:
    """A context: its take, its one utterance, what makes its audio and its times."""

    name: str
    uid: str
    take: Take
    encoder: Encoder
    alignment: Alignment
    text: str = ""
    heard_ms: float = 0.0
    dropped: bool = False
    idle: asyncio.TimerHandle | None = None


class _Session:
    """One socket."""

    def __init__(
        self,
        here: Context,
        websocket: WebSocket,
        sound: Sound,
        voice: str,
        options: SocketOptions,
        *,
        many: bool,
    ) -> None:
        self._here = here
        self._socket = websocket
        self._sound = sound
        self._voice = voice
        self._options = options
        self._many = many
        self._talk = Talk(many=many, eager=options.auto_mode)
        self._contexts: dict[int, _Context] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until either side closes."""
        try:
            while (message := await self._socket.receive())["type"] != "websocket.disconnect":
                await self._read(message)
        except WebSocketDisconnect:  # it left while something was sent to it
            pass
        finally:
            for context in self._contexts.values():
                context.take.close()
                if context.idle is not None:
                    context.idle.cancel()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _read(self, message: Mapping[str, Any]) -> None:
        value: Any = None
        try:
            value = _parsed(message)
            effects = self._talk.say(value)
        except BadMessage as error:
            name = value.get("context_id") if isinstance(value, dict) else None
            await self._refuse("invalid_input_message", str(error), name if isinstance(name, str) else "")
        else:
            await self._do(effects)
            key = self._talk.named(value)
            if key in self._contexts:
                self._await_more(key, self._contexts[key])

    def _await_more(self, key: int, context: _Context) -> None:
        """From now on the client has its time again to say more of a context."""
        if context.idle is not None:
            context.idle.cancel()
        loop = asyncio.get_running_loop()
        context.idle = loop.call_later(self._options.inactivity_timeout, self._forsake, key)

    def _forsake(self, key: int) -> None:
        self._spawn(self._do(self._talk.forsaken(key)))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="elevenlabs")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(report_failure)

    async def _do(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Open(key, name, speed):
                    await self._open(key, name, speed)
                case Do() if effect.context in self._contexts:
                    await self._carry_out(effect, self._contexts[effect.context])
                case Leave():
                    await self._leave(_NORMAL)

    async def _open(self, key: int, name: str, speed: float) -> None:
        take = None
        try:
            owner, codec = self._socket.state.key, self._sound.codec
            take = self._here.take("elevenlabs", owner, self._voice, codec, words=True)
            await take.__aenter__()
            utterance = await take.open_text(rate=speed)
        except Refusal as refusal:
            if take is not None:
                take.close()
            await self._refuse(refusal.code, refusal.detail, name)
            await self._do(self._talk.ended(key))
            return
        alignment = Alignment(absolute=self._options.sync_alignment)
        context = self._contexts[key] = _Context(name, utterance.id, take, self._sound.encoder(), alignment)
        self._spawn(self._follow(key, context))

    async def _carry_out(self, effect: Do, context: _Context) -> None:
        take, uid = context.take, context.uid
        try:
            match effect.deed:
                case "write":
                    take.write(uid, effect.text)
                    context.text += effect.text
                case "flush":
                    take.flush(uid)
                case "end":
                    take.end(uid)
                case "drop":
                    context.dropped = True
                    await take.clear(uid)
        except Refusal as refusal:
            if refusal.code != "wrong_state":  # it has just ended
                await self._refuse(refusal.code, refusal.detail, context.name)

    # -- what is said -------------------------------------------------------------------------------------

    async def _follow(self, key: int, context: _Context) -> None:
        """Send what is said of a context, up to its end."""
        ended = False
        try:
            async for batch in context.take.batches():
                for _, end in flow.runs(batch):
                    ended = ended or end is not None
                    if end is not None and end.kind == "utterance.failed":
                        failure = flow.failure(end)
                        await self._refuse(failure.code, failure.detail, context.name)
                await self._send(context, batch, last=ended)
                if ended:
                    break
        except Refusal as refusal:  # the gateway ended it
            await self._refuse(refusal.code, refusal.detail, context.name)
        except WebSocketDisconnect:
            return
        finally:
            context.take.close()
            self._contexts.pop(key, None)
            if context.idle is not None:
                context.idle.cancel()
        await self._tell(context.name, {"isFinal": True} | ({} if self._many else _NOTHING))
        await self._do(self._talk.ended(key))

    async def _send(self, context: _Context, batch: Batch, *, last: bool) -> None:
        octets = octets_of(batch)
        context.heard_ms += len(octets) / 8
        words = [Said.of(item.data) for item in batch if isinstance(item, Told) and item.kind == "word"]
        pieces = [context.alignment.say(context.text, words)]
        if context.dropped:
            return
        made = await flow.fed(context.encoder, octets, last=last)
        if last:
            pieces.append(context.alignment.rest(context.text, context.heard_ms))
        there: list[Piece | None] = [piece for piece in pieces if piece is not None]
        for piece in there or [None] * bool(made):
            await self._tell_audio(context.name, made, piece)
            made = b""

    async def _tell_audio(self, name: str, audio: bytes, piece: Piece | None) -> None:
        times = msgspec.Raw(msgspec.json.encode(None if piece is None else piece.over_websocket()))
        told = {"audio": audio, "isFinal": None, "alignment": times, "normalizedAlignment": times}
        await self._tell(name, told)

    # -- telling ------------------------------------------------------------------------------------------

    async def _refuse(self, code: str, detail: str, name: str) -> None:
        """An error: of one of many contexts, after which the socket lives on, or of the only one."""
        await self._tell(name, {"message": detail, "error": code, "code": _POLICY})
        if not self._many:
            await self._leave(_POLICY)

    async def _tell(self, name: str, message: Mapping[str, Any]) -> None:
        if self._socket.application_state is WebSocketState.CONNECTED:
            # clients read either name of it
            named = {"contextId": name, "context_id": name} if self._many else {}
            await self._socket.send_text(msgspec.json.encode({**message, **named}).decode())  # octets: base64

    async def _leave(self, code: int) -> None:
        if self._socket.application_state is WebSocketState.CONNECTED:
            await self._socket.close(code)


_NOTHING: Final = {"audio": None, "alignment": None, "normalizedAlignment": None}


def _parsed(message: Mapping[str, Any]) -> Any:
    """A message as JSON. Raises BadMessage."""
    text = message.get("text")
    if text is None:
        raise BadMessage("send JSON as text, not binary data")
    try:
        return bodies.parse(text.encode("utf-8", "surrogatepass"))
    except json.JSONDecodeError as error:
        raise BadMessage(f"it is not JSON: {error.msg} (character {error.pos})") from None
