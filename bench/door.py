"""Speech APIs as their clients speak them, one client each: a text in, octets of audio out as they come."""

from __future__ import annotations

import base64
import itertools
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from bench.peers.peer import free_port

Speech = AsyncIterator[int]
"""Octets of audio, piece after piece as they come."""
Say = Callable[[str], Speech]
"""Says a text over a connection that is there."""
Connect = Callable[[aiohttp.ClientSession, str], AbstractAsyncContextManager[Say]]
"""Takes a session and the voice."""


@dataclass(frozen=True, slots=True)
class Door:
    """A speech API. ``path``: in /openapi.json, None for gRPC. ``rate``: octets in a second of its audio."""

    name: str
    path: str | None
    connect: Connect
    rate: int = 8000


async def _refuse(answer: aiohttp.ClientResponse) -> None:
    if not answer.ok:
        raise RuntimeError(f"{answer.url.path}: {answer.status} {await answer.text()}")


@asynccontextmanager
async def _events(http: aiohttp.ClientSession, voice: str) -> AsyncIterator[Say]:
    async def say(text: str) -> Speech:
        order = {"text": text, "speaker_id": voice, "format": "mulaw", "chunk_size_ms": 20}
        async with http.post("/v1/synthesize/stream", json=order) as answer:
            await _refuse(answer)
            async for line in answer.content:
                if line.startswith(b"data:") and '"audio"' in (data := line[5:].decode()):
                    yield len(base64.b64decode(json.loads(data)["audio"]))

    yield say


@asynccontextmanager
async def _openai(http: aiohttp.ClientSession, voice: str) -> AsyncIterator[Say]:
    async def say(text: str) -> Speech:
        order = {"model": "tts-1", "input": text, "voice": voice, "response_format": "pcm"}
        async with http.post("/v1/audio/speech", json=order) as answer:
            await _refuse(answer)
            async for piece in answer.content.iter_any():
                yield len(piece)

    yield say


@asynccontextmanager
async def _elevenlabs(http: aiohttp.ClientSession, voice: str) -> AsyncIterator[Say]:
    path = f"/v1/text-to-speech/{voice}/multi-stream-input?output_format=ulaw_8000"
    numbers = itertools.count()
    async with http.ws_connect(path) as socket:

        async def say(text: str) -> Speech:
            name = f"c{next(numbers)}"
            await socket.send_json({"text": f"{text} ", "context_id": name, "flush": True})
            await socket.send_json({"context_id": name, "close_context": True})
            async for message in socket:
                told = json.loads(message.data)
                if told.get("error"):
                    raise RuntimeError(message.data)
                if told.get("audio"):
                    yield len(base64.b64decode(told["audio"]))
                if told.get("isFinal") or told.get("is_final"):
                    return

        yield say


@asynccontextmanager
async def _deepgram(http: aiohttp.ClientSession, voice: str) -> AsyncIterator[Say]:
    path = f"/v1/speak?model={voice}&encoding=mulaw&sample_rate=8000"
    async with http.ws_connect(path) as socket:

        async def say(text: str) -> Speech:
            await socket.send_json({"type": "Speak", "text": text})
            await socket.send_json({"type": "Flush"})
            async for message in socket:
                if message.type is aiohttp.WSMsgType.BINARY:
                    yield len(message.data)
                    continue
                told = json.loads(message.data)
                if told["type"] in ("Warning", "Error"):
                    raise RuntimeError(message.data)
                if told["type"] == "Flushed":
                    return

        yield say


@asynccontextmanager
async def _grpc(target: str, voice: str) -> AsyncIterator[Say]:
    import grpc

    from gateway.rpc import speech_pb2, speech_pb2_grpc

    async with grpc.aio.insecure_channel(target) as channel:
        await channel.channel_ready()
        stub: Any = speech_pb2_grpc.SpeechStub(channel)  # type: ignore[no-untyped-call]

        async def say(text: str) -> Speech:
            manner = speech_pb2.Manner(speaker_id=voice, encoding=speech_pb2.MULAW)
            asked = stub.SynthesizeStream(speech_pb2.SynthesizeRequest(text=text, manner=manner))
            try:
                async for event in asked:
                    if event.WhichOneof("event") == "audio":
                        yield len(event.audio)
            except grpc.aio.AioRpcError as error:
                raise RuntimeError(str(error.details())) from error

        yield say


_OVER_HTTP: Final = (
    Door("/v1/synthesize/stream", "/v1/synthesize/stream", _events),
    Door("OpenAI", "/v1/audio/speech", _openai, 48_000),
    Door("ElevenLabs", "/v1/text-to-speech/{voice_id}", _elevenlabs),
    Door("Deepgram", "/v1/speak", _deepgram),
)


def port_for_grpc() -> int | None:
    """A free port, or None where there is no gRPC door."""
    try:
        import grpc  # noqa: F401

        from gateway.rpc import speech_pb2_grpc  # noqa: F401
    except ImportError:
        return None
    return free_port(socket.SOCK_STREAM)


async def doors(http: aiohttp.ClientSession, port: int | None) -> list[Door]:
    """Those that the gateway of ``http`` has; ``port`` is its gRPC door's."""
    async with http.get("/openapi.json") as answer:
        paths = (await answer.json())["paths"]
    found = [door for door in _OVER_HTTP if door.path in paths]
    if port is not None:
        found.append(Door("gRPC", None, lambda _, voice: _grpc(f"127.0.0.1:{port}", voice)))
    return found
