"""``/asyncapi.json``: the WebSockets in AsyncAPI 3.0, made from what is read and told there.

``python -m gateway.api.asyncapi`` writes docs/asyncapi.json.

What is sent to us has the shapes of ``written``, what we tell those of the structs that the client reads.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel

from gateway.api import answers, synthesize_socket, written
from gateway.api.doors import described
from gateway.api.fields import Request

COMMITTED: Final = Path(__file__).parents[2] / "docs" / "asyncapi.json"
_REF: Final = "#/components/schemas/{}"
_WRITTEN: Final[dict[str, type[BaseModel]]] = {
    "open": written.OpenText,
    "text": written.MoreText,
    "flush": written.FlushText,
    "end": written.EndText,
    "clear": written.ClearText,
}
_DESCRIPTION: Final = """
Text that is said while it is written, the events of calls, and speech without a call, over WebSockets, in text
messages of JSON; audio is binary where a channel says so. What HTTP offers is in `/openapi.json`.

The sockets of `/v1/text-to-speech` are ElevenLabs', that of `/v1/speak` is Deepgram's, for their clients; fields
of theirs that are not listed are ignored.

A WebSocket needs the same key as any request, and is refused like one: a problem (RFC 9457) with its HTTP status.
"""

router = APIRouter(include_in_schema=False)


class Following(BaseModel):
    """The first message: events follow that come after this one; null: from the first that is kept."""

    type: str = "following"
    after: str | None


@router.get("/asyncapi.json")
async def asyncapi() -> dict[str, Any]:
    """The document."""
    return await asyncio.to_thread(document)


@cache
def document() -> dict[str, Any]:
    """The document; not to be changed."""
    from voxtrunk.client import writing  # brings httpx and websockets

    schemas: dict[str, Any] = {}
    messages = {name: _read(model, schemas) for name, model in _WRITTEN.items()}
    messages |= _told(writing.KINDS, schemas)
    messages["error"] = {"summary": "A message was not carried out; the socket lives on", "payload": _ERROR}
    messages["following"] = _read(Following, schemas)
    messages["event"] = _read(answers.Event, schemas)
    _read(answers.Problem, schemas)
    told = [*writing.KINDS, "error"]
    messages["say"] = _read(synthesize_socket.SayText, schemas)
    messages["openSpeech"] = _read(synthesize_socket.OpenSpeech, schemas)
    asked = ["say", "openSpeech", "text", "flush", "end", "clear"]
    messages |= described.MESSAGES
    made = ["ready", "audio", "started", "word", "mark", "paused", "resumed", "finished", "error"]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Voxtrunk",
            "version": version("voxtrunk"),
            "description": _DESCRIPTION.strip(),
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "gateway": {
                "host": "127.0.0.1:8080",
                "protocol": "ws",
                "security": [
                    {"$ref": "#/components/securitySchemes/bearer"},
                    {"$ref": "#/components/securitySchemes/key"},
                ],
            }
        },
        "channels": {
            "speech": _channel(
                "/v1/calls/{call_id}/speech",
                "Closes with 1000 when the call has ended, 1012 when the server ends, 1008 when a client is too "
                "slow a reader, or its key or token is good no more. What is open when it closes is said to its "
                "end.",
                [*_WRITTEN, *told],
                parameters={"call_id": {"description": "The call"}},
            ),
            "events": _channel(
                "/v1/events",
                "Closes with 1000 when the one call has ended, 1012 when the server ends, 1008 when a client is "
                "too slow a reader, or its key or token is good no more. `after` resumes; refused with 410 when "
                "that is too old.",
                ["following", "event"],
                query={
                    "call_id": "Only this call's, from its first that is kept to its last",
                    "after": "`id` of the last one seen",
                },
            ),
            "synthesize": _channel(
                "/v1/synthesize/ws",
                "Utterances are said in the order in which they were begun. Closes with 1012 when the server "
                "ends.",
                [*asked, *made],
                query={
                    "speaker_id": "`default`, or one of `GET /v1/voices`",
                    "language": "BCP 47; where the voice does not speak it, one that does takes its place",
                    "format": "pcm (default), mulaw, alaw, wav, mp3, opus, aac, flac",
                    "sample_rate": "8000 (default), 16000, 24000",
                    "words": "`false`: no `word` messages",
                },
            ),
            **{
                name: _channel(
                    door.address,
                    door.description,
                    [*door.takes, *door.tells],
                    parameters=door.parameters,
                    query=door.query,
                )
                for name, door in described.CHANNELS.items()
            },
        },
        "operations": {
            "write": _operation("receive", "speech", _WRITTEN, "Write what is to be said"),
            "tell": _operation("send", "speech", told, "What becomes of it"),
            "follow": _operation("send", "events", ["following", "event"], "What happens on calls"),
            "ask": _operation("receive", "synthesize", asked, "Ask for speech"),
            "make": _operation("send", "synthesize", made, "Speech, and what becomes of it"),
            **{
                f"{name}.{way}": _operation(action, name, messages, summary)
                for name, door in described.CHANNELS.items()
                for way, action, messages, summary in (
                    ("takes", "receive", door.takes, "What a client says"),
                    ("tells", "send", door.tells, "What it is told"),
                )
            },
        },
        "components": {
            "messages": {name: {"name": name, **message} for name, message in messages.items()},
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "httpApiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


_ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "type": {"const": "error"},
        "id": {"type": "string", "description": "The utterance that it is about"},
        "code": {"type": "string"},
        "status": {"type": "integer"},
        "title": {"type": "string"},
        "detail": {"type": "string"},
        "retryable": {"type": "boolean"},
        "retry_after": {"type": "integer", "description": "Seconds, on what may be sent again"},
        "errors": {"type": "array", "items": {"$ref": _REF.format("FieldError")}},
    },
    "required": ["type", "code", "status", "title", "detail", "retryable"],
}


def _read(model: type[BaseModel], schemas: dict[str, Any]) -> dict[str, Any]:
    """A message of a model's shape; its schema goes into ``schemas``."""
    mode: Literal["validation", "serialization"] = "serialization"
    if issubclass(model, Request):
        mode = "validation"
    schema = model.model_json_schema(ref_template=_REF.format("{model}"), mode=mode)
    schemas |= schema.pop("$defs", {})
    schemas[model.__name__] = schema
    return {
        "summary": (model.__doc__ or "").split("\n\n")[0],
        "payload": {"$ref": _REF.format(model.__name__)},
    }


def _told(kinds: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """The messages to a writer by ``type``, which the structs leave out."""
    _, made = msgspec.json.schema_components(kinds.values(), ref_template=_REF.format("{name}"))
    schemas |= made
    messages = {}
    for name, kind in kinds.items():
        schema = schemas[kind.__name__]
        schema["properties"] = {"type": {"const": name}, **schema["properties"]}
        schema["required"] = ["type", *schema["required"]]
        messages[name] = {
            "summary": schema.pop("description"),
            "payload": {"$ref": _REF.format(kind.__name__)},
        }
    return messages


def _channel(
    address: str,
    description: str,
    messages: Sequence[str],
    parameters: Mapping[str, Any] | None = None,
    query: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    asked: dict[str, Any] = {"method": "GET", "bindingVersion": "0.1.0"}
    if query is not None:
        properties = {name: {"type": "string", "description": text} for name, text in query.items()}
        asked["query"] = {"type": "object", "properties": properties}
    return {
        "address": address,
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"ws": asked},
    } | ({"parameters": dict(parameters)} if parameters else {})


def _operation(action: str, channel: str, messages: Any, summary: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
    }


if __name__ == "__main__":
    COMMITTED.write_text(json.dumps(document(), indent=1) + "\n")
