"""The gRPC door (extra ``grpc``): ``gateway/rpc/speech.proto`` in control's loop, with health and reflection.

Keys, rates and refusals are those of HTTP: ``authorization`` or ``x-api-key`` in the metadata, and each refusal
with the status of its kind, its code and when to try again in the trailing metadata.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from pydantic import ValidationError

from gateway.api.formats import Encoder, encoded, ended, fed, sound_of
from gateway.api.requests import Synthesize
from gateway.api.spoken import Order, Stopwatch, order_of, record
from gateway.calls.life import ENDS
from gateway.calls.studio import Take, Told
from gateway.errors import Refusal
from gateway.rpc import speech_pb2 as pb
from gateway.rpc import speech_pb2_grpc

if TYPE_CHECKING:
    from fastapi import FastAPI

    from gateway.api.context import Context
    from gateway.api.keyring import Key

SERVICE: Final = "voxtrunk.v1.Speech"
_VOICES: Final = "/v1/voices"
_GRACE_SECONDS: Final = 3.0
_LOOK_SECONDS: Final = 0.5
_CODES: Final[Mapping[int, grpc.StatusCode]] = MappingProxyType(
    {
        401: grpc.StatusCode.UNAUTHENTICATED,
        403: grpc.StatusCode.PERMISSION_DENIED,
        404: grpc.StatusCode.NOT_FOUND,
        409: grpc.StatusCode.FAILED_PRECONDITION,
        429: grpc.StatusCode.RESOURCE_EXHAUSTED,
        502: grpc.StatusCode.INTERNAL,
        503: grpc.StatusCode.UNAVAILABLE,
    }
)
_log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def speaking(
    app: FastAPI, host: str, port: int, tls: tuple[Path, Path] | None = None
) -> AsyncIterator[int]:
    """Serve gRPC while the context is open; yields the port that was bound. Raises OSError when none can be.

    ``tls``: certificate and key, read again for each connection.
    """
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", 1 << 20)])
    healthy = health.aio.HealthServicer()
    speech_pb2_grpc.add_SpeechServicer_to_server(Speech(app), server)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    try:
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        bound = (
            server.add_insecure_port(where) if tls is None else server.add_secure_port(where, _secured(*tls))
        )
    except RuntimeError as error:
        raise OSError(f"gRPC cannot listen on {host} port {port}: {error}") from None
    await server.start()
    looking = asyncio.create_task(_tell_health(app.state.context, healthy), name="gRPC health")
    _log.info("gRPC on %s:%d", host, bound)
    try:
        yield bound
    finally:
        looking.cancel()
        await healthy.enter_graceful_shutdown()
        await server.stop(_GRACE_SECONDS)


def _secured(certificate: Path, key: Path) -> grpc.ServerCredentials:
    """What is in the files now, for each connection; what was good last, when it is not."""
    good: tuple[bytes, bytes] | None = None

    def pair() -> Any:
        nonlocal good
        try:
            found = key.read_bytes(), certificate.read_bytes()
        except OSError:
            return None
        if found == good:
            return None
        good = found
        return grpc.ssl_server_certificate_configuration([found])

    return grpc.dynamic_ssl_server_credentials(pair(), pair)


async def _tell_health(here: Context, healthy: health.aio.HealthServicer) -> None:
    """For ever: serving while new calls are taken."""
    status = health_pb2.HealthCheckResponse
    while True:
        now = status.SERVING if here.switchboard.obstacle in (None, "full") else status.NOT_SERVING
        for service in ("", SERVICE):
            await healthy.set(service, now)
        await asyncio.sleep(_LOOK_SECONDS)


class Speech(speech_pb2_grpc.SpeechServicer):
    """The service; see the .proto."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._here: Context = app.state.context

    async def Synthesize(self, request: pb.SynthesizeRequest, context: Any) -> pb.SynthesizeResponse:
        """All at once."""
        async with _answering(context), self._admitted(context) as key:
            order = await self._order(key, request, time.monotonic_ns())
            async with order.take(self._here, "grpc", key) as take:
                made = await record(take, order, self._here.settings.synthesize_seconds)
            pieces = encoded(_all(made.octets), order.sound.encoder(len(made.octets)))
            audio = b"".join([piece async for piece in pieces])
            return pb.SynthesizeResponse(audio=audio, done=_done(order, made.figures))
        raise AssertionError("aborted")

    async def SynthesizeStream(self, request: pb.SynthesizeRequest, context: Any) -> None:
        """As it is made. What is written by ``context`` can be cut off; what is yielded could not."""
        async with _answering(context), self._admitted(context) as key:
            order = await self._order(key, request, time.monotonic_ns())
            async with order.take(self._here, "grpc", key, words=True) as take:
                await take.say(order.say)
                await _write_out(context, _events(take, order))

    async def Write(self, requests: AsyncIterator[pb.WriteRequest], context: Any) -> None:
        """A text that is being written."""
        async with _answering(context), self._admitted(context) as key:
            first = await anext(aiter(requests), None)
            if first is None or first.WhichOneof("part") != "open":
                raise Refusal("bad_request", "The first message should be `open`")
            order = await self._order(
                key, pb.SynthesizeRequest(text="-", manner=first.open), time.monotonic_ns()
            )
            async with order.take(self._here, "grpc", key, words=True) as take:
                say = order.say
                opened = await take.open_text(rate=say.rate, volume_db=say.volume_db, lexicons=say.lexicons)
                writing = asyncio.create_task(_write(take, opened.id, requests))
                writing.add_done_callback(partial(_stop_if_failed, take))
                try:
                    await _write_out(context, _events(take, order))
                    if writing.done():
                        writing.result()
                finally:
                    writing.cancel()
                    with contextlib.suppress(asyncio.CancelledError, Refusal):
                        await writing

    async def ListVoices(self, request: pb.ListVoicesRequest, context: Any) -> pb.ListVoicesResponse:
        """As ``GET /v1/voices``."""
        async with _answering(context), self._admitted(context, _VOICES):
            voices = [
                pb.Voice(
                    name=voice.name,
                    language=voice.language,
                    engine=voice.engine,
                    description=voice.description,
                    gender=voice.gender or "",
                    version=voice.version,
                )
                for voice in self._here.switchboard.workers.voices()
            ]
            return pb.ListVoicesResponse(voices=voices, default_voice=self._here.settings.default_voice)
        raise AssertionError("aborted")

    @contextlib.asynccontextmanager
    async def _admitted(self, context: Any, path: str = "/v1/synthesize") -> AsyncIterator[Key]:
        """Whose call it is, who may do what HTTP's ``path`` does, for as long as he may.

        Refusals ``unauthorized``, ``not_permitted``, ``too_many_requests``.
        """
        pairs = context.invocation_metadata() or ()
        headers = [(name.encode(), value.encode()) for name, value in pairs if isinstance(value, str)]
        method = "GET" if path == _VOICES else "POST"
        scope = {
            "type": "http", "method": method, "path": path, "query_string": b"", "headers": headers, "state": {},
        }  # fmt: skip
        async with self._app.state.gate.admitted(scope) as stay, stay.lasting():
            self._app.state.ledger.count(stay.key, time.monotonic())
            yield stay.key

    async def _order(self, key: Key, request: pb.SynthesizeRequest, requested_ns: int) -> Order:
        manner, given = request.manner, request.WhichOneof("input")
        body = Synthesize.model_validate(
            {
                "text": request.text if given == "text" else None,
                "ssml": request.ssml if given == "ssml" else None,
                "speaker_id": manner.speaker_id or "default",
                "language": manner.language or None,
                "speed": manner.speed if manner.HasField("speed") else 1.0,
                "volume_db": manner.volume_db,
                "lexicons": list(manner.lexicons),
            }
        )
        if manner.encoding not in pb.Encoding.values():
            raise Refusal("invalid", f"There is no encoding {manner.encoding}", field="encoding")
        name = "pcm" if not manner.encoding else pb.Encoding.Name(manner.encoding).lower()
        sound = sound_of(name, manner.sample_rate or 8000, field="encoding")
        return replace(await order_of(self._here, key, body, requested_ns), sound=sound)


async def _write_out(context: Any, events: AsyncIterator[pb.SpeechEvent]) -> None:
    """All of them, or until the client has left."""
    async for event in events:
        try:
            await context.write(event)
        except grpc.aio.InternalError:  # it left meanwhile
            return


async def _write(take: Take, uid: str, requests: AsyncIterator[pb.WriteRequest]) -> None:
    """Hand on what is written until the client's half-close."""
    async for request in requests:
        match request.WhichOneof("part"):
            case "text":
                take.write(uid, request.text)
            case "mark":
                take.write(uid, "", request.mark)
            case "flush":
                take.flush(uid)
            case "open":
                raise Refusal("bad_request", "`open` comes once, at first")
    take.end(uid)


def _stop_if_failed(take: Take, writing: asyncio.Task[None]) -> None:
    if not writing.cancelled() and writing.exception() is not None:
        take.close()


async def _events(take: Take, order: Order) -> AsyncIterator[pb.SpeechEvent]:
    """Audio, words and marks of a take's one utterance, then ``done``. Refusal ``speech_failed``."""
    encoder: Encoder = order.sound.encoder()
    watch = Stopwatch(order)
    async for item in take.items():
        if isinstance(item, bytes):
            watch.hear(item)
            if octets := await fed(encoder, item):
                yield pb.SpeechEvent(audio=octets)
        elif item.kind in ENDS:
            if item.kind == "utterance.failed":
                raise Refusal("speech_failed", str(item.data.get("detail", item.data["cause"])))
            if octets := await ended(encoder):
                yield pb.SpeechEvent(audio=octets)
            yield pb.SpeechEvent(done=_done(order, watch.told()))
            return
        elif (told := _told(item)) is not None:
            yield told


def _told(told: Told) -> pb.SpeechEvent | None:
    data: Any = told.data
    if told.kind == "word":
        return pb.SpeechEvent(word=pb.Word(**data))
    if told.kind == "utterance.mark":
        return pb.SpeechEvent(mark=pb.Mark(name=data["name"], at_ms=data["at_ms"]))
    return None


def _done(order: Order, figures: dict[str, Any]) -> pb.Done:
    return pb.Done(**figures, warnings=order.warnings)


async def _all(octets: bytes) -> AsyncIterator[bytes]:
    yield octets


@contextlib.asynccontextmanager
async def _answering(context: Any) -> AsyncIterator[None]:
    """Refusals become statuses."""
    try:
        yield
    except Refusal as refusal:
        await _abort(context, refusal)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        said = str(first["msg"]).removeprefix("Value error, ")
        await _abort(context, Refusal("invalid", f"{where}: {said}" if where else said, field=where))


async def _abort(context: Any, refusal: Refusal) -> None:
    trailing = [("voxtrunk-code", refusal.code)]
    if refusal.retry_after is not None:
        trailing.append(("retry-after", str(refusal.retry_after)))
    code = _CODES.get(refusal.kind.status, grpc.StatusCode.INVALID_ARGUMENT)
    await context.abort(code, refusal.detail, tuple(trailing))
