"""The messages of speech sockets as ``/asyncapi.json`` has them: ElevenLabs', Deepgram's, and audio on any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from gateway.api.doors.deepgram import PATH as DEEPGRAM
from gateway.api.doors.elevenlabs import PATH as ELEVENLABS
from gateway.api.doors.elevenlabs_socket import MOST_IDLE_SECONDS
from gateway.api.doors.elevenlabs_talk import FASTEST, MOST_CONTEXTS, SLOWEST


@dataclass(frozen=True, slots=True)
class Channel:
    """A socket: what it takes of a client and what it tells, by the names of MESSAGES."""

    address: str
    description: str
    takes: tuple[str, ...]
    tells: tuple[str, ...]
    query: Mapping[str, str]
    parameters: Mapping[str, Any] = field(default_factory=dict)


def _message(summary: str, *required: str, **properties: Any) -> dict[str, Any]:
    payload = {"type": "object", "properties": properties, "required": list(required)}
    return {"summary": summary, "payload": payload}


def _kind(name: str) -> dict[str, Any]:
    return {"const": name}


_TEXT: Final = {"type": "string"}

_NUMBER: Final = {"type": "integer"}
_MAYBE: Final = {"type": ["string", "null"]}
_NAME: Final = {"contextId": _TEXT, "context_id": _TEXT}
_TIMES: Final = {
    "type": ["object", "null"],
    "properties": {
        "chars": {"type": "array", "items": _TEXT},
        "charStartTimesMs": {"type": "array", "items": _NUMBER},
        "charDurationsMs": {"type": "array", "items": _NUMBER},
    },
    "required": ["chars", "charStartTimesMs", "charDurationsMs"],
}
_SETTINGS: Final = {
    "type": ["object", "null"],
    "properties": {"speed": {"type": ["number", "null"], "minimum": SLOWEST, "maximum": FASTEST}},
}
_WARNED: Final = {"description": _TEXT, "code": _TEXT}
_CONTEXT: Final = {
    **_NAME,
    "text": {"type": ["string", "null"], "description": "A blank begins a context"},
    "flush": {"type": ["boolean", "null"], "description": "Say all of it that came"},
    "voice_settings": _SETTINGS,
    "close_context": {"type": ["boolean", "null"], "description": "What was flushed is said, no more"},
    "close_socket": {"type": ["boolean", "null"], "description": "Close all contexts, then the socket"},
}

MESSAGES: Final[Mapping[str, dict[str, Any]]] = MappingProxyType(
    {
        "ready": _message(
            "The first message", "type", "format", "sample_rate", "model_version",
            type=_kind("ready"), format=_TEXT, sample_rate=_NUMBER, model_version=_TEXT,
        ),
        "audio": {
            "summary": "A binary message: audio, as it is made",
            "contentType": "application/octet-stream",
            "payload": {"type": "string", "format": "binary"},
        },
        "elevenlabs.text": _message(
            "Text, or no more of it: \"\" ends the speech, and the socket with it",
            text=_CONTEXT["text"], flush=_CONTEXT["flush"], voice_settings=_SETTINGS,
        ),
        "elevenlabs.context": _message("Text of a context, or what is to become of it", **_CONTEXT),
        "elevenlabs.audio": _message(
            "Audio in base64, and when its characters are said", "audio", "alignment",
            audio=_MAYBE, isFinal={"type": ["boolean", "null"]}, alignment=_TIMES, normalizedAlignment=_TIMES,
            **_NAME,
        ),
        "elevenlabs.final": _message(
            "All was said", "isFinal",
            isFinal={"const": True}, audio=_MAYBE, alignment=_TIMES, normalizedAlignment=_TIMES, **_NAME,
        ),
        "elevenlabs.error": _message(
            "Something was not done; of one speech it is the end", "error", "message", "code",
            error=_TEXT, message=_TEXT, code=_NUMBER, **_NAME,
        ),
        "deepgram.Speak": _message("Text to be said", "type", "text", type=_kind("Speak"), text=_TEXT),
        "deepgram.Flush": _message("Say all that came", "type", type=_kind("Flush")),
        "deepgram.Clear": _message("Say no more of what came", "type", type=_kind("Clear")),
        "deepgram.Close": _message("Say what came, then close", "type", type=_kind("Close")),
        "deepgram.Metadata": _message(
            "The first message", "type", "request_id", "model_name", "model_version", "model_uuid",
            type=_kind("Metadata"), request_id=_TEXT, model_name=_TEXT, model_version=_TEXT, model_uuid=_TEXT,
        ),
        "deepgram.Flushed": _message(
            "All audio up to a Flush was sent", "type", "sequence_id",
            type=_kind("Flushed"), sequence_id=_NUMBER,
        ),
        "deepgram.Cleared": _message(
            "No more audio comes of what was cleared", "type", "sequence_id",
            type=_kind("Cleared"), sequence_id=_NUMBER,
        ),
        "deepgram.Warning": _message(
            "A message was not understood or not carried out; the socket lives on", "type", *_WARNED,
            type=_kind("Warning"), **_WARNED, warn_msg=_TEXT, warn_code=_TEXT,
        ),
        "deepgram.Error": _message(
            "What was written was not said", "type", *_WARNED,
            type=_kind("Error"), **_WARNED, err_msg=_TEXT, err_code=_TEXT,
        ),
    }
)  # fmt: skip
"""By name, those of a door after whose API it is."""

_OF_ELEVENLABS: Final = MappingProxyType(
    {
        "output_format": "mp3_44100_128 (default), pcm_RATE, wav_RATE, ulaw_8000, alaw_8000, opus_48000, …",
        "language_code": "A voice that stands for another is one that speaks it",
        "auto_mode": "`true`: each text is a whole phrase, to be said when it comes",
        "inactivity_timeout": f"Seconds of silence after which a text is whole: 20, {MOST_IDLE_SECONDS} at most",
        "sync_alignment": "`true`: times count from the beginning, not from each message",
    }
)
_VOICE: Final = MappingProxyType({"voice_id": {"description": "One of `GET /v1/voices`, or an alias"}})

CHANNELS: Final[Mapping[str, Channel]] = MappingProxyType(
    {
        "elevenlabs": Channel(
            f"{ELEVENLABS}/stream-input",
            "One speech. Closes with 1000 after the last of it, 1008 after an error.",
            ("elevenlabs.text",),
            ("elevenlabs.audio", "elevenlabs.final", "elevenlabs.error"),
            _OF_ELEVENLABS,
            _VOICE,
        ),
        "elevenlabsMulti": Channel(
            f"{ELEVENLABS}/multi-stream-input",
            f"Up to {MOST_CONTEXTS} contexts at a time, each a speech of its own.",
            ("elevenlabs.context",),
            ("elevenlabs.audio", "elevenlabs.final", "elevenlabs.error"),
            _OF_ELEVENLABS,
            _VOICE,
        ),
        "deepgram": Channel(
            DEEPGRAM,
            "Closes with 1000 after Close, 1011 when the server ends.",
            ("deepgram.Speak", "deepgram.Flush", "deepgram.Clear", "deepgram.Close"),
            (
                "deepgram.Metadata",
                "audio",
                "deepgram.Flushed",
                "deepgram.Cleared",
                "deepgram.Warning",
                "deepgram.Error",
            ),
            MappingProxyType(
                {
                    "model": "One of `GET /v1/voices`, `aura-…` (its ending says the language), or an alias",
                    "encoding": "linear16 (default), mulaw, alaw",
                    "sample_rate": "8000 to 48000: 24000 for linear16, 8000 for G.711 where it is left out",
                    "speed": "0.5 to 2.0",
                }
            ),
        ),
    }
)
"""By name. Their first messages come from the client, but Deepgram's Metadata."""
