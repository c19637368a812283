"""ElevenLabs' `multi-stream-input` WebSocket: a context for each clause, several at a time, each with its end.

A context begins with a blank and its settings, has one text that is flushed, and is closed at once: what was
flushed is still said, and `isFinal` says that all of it was. So there is nothing more to be said of one that is
cut: it goes on to its end, nobody listens, and until then it is one of the five that a socket may have.
"""

from __future__ import annotations

import base64
import json
import urllib.parse
from typing import Any

from tts_core.remote.asking import UNREADABLE, Line, Timbre, Told, Unanswered
from tts_core.remote.elevenlabs import FORMATS, MODEL, path_of, voice_settings
from tts_core.remote.refusals import by_words

_INACTIVE_S = 180
"""The most that it allows."""
_OF_A_CONTEXT = ("generation_config", "pronunciation_dictionary_locators")


class ElevenLabsTalk:
    """See Talking. `law`: "mulaw" or "alaw"."""

    most = 4  # of five: one that has ended here may not have ended there
    a_minute = 0
    cut_by = "over"

    def __init__(self, law: str) -> None:
        self.law = law

    def headers(self, key: str) -> dict[str, str]:
        """See Talking."""
        return {"xi-api-key": key} if key else {}

    def address(self, line: Line, timbre: Timbre) -> str:
        """See Talking. What is said before and after a clause cannot be told here."""
        query = {
            "model_id": timbre.model or MODEL,
            "output_format": FORMATS[self.law],
            "auto_mode": "true",
            "sync_alignment": "true",
            "inactivity_timeout": str(_INACTIVE_S),
        }
        for name, value in timbre.more.items():
            if name != "voice_settings" and name not in _OF_A_CONTEXT:
                query[name] = str(value).lower() if isinstance(value, bool) else str(value)
        return f"{path_of(timbre, 'multi-stream-input')}?{urllib.parse.urlencode(query)}"

    def say(self, clause: str, line: Line, timbre: Timbre) -> tuple[str, ...]:
        """See Talking."""
        settings = voice_settings(line, timbre.more.get("voice_settings", {}))
        begin: dict[str, Any] = {"text": " ", "voice_settings": settings, "context_id": clause}
        begin |= {name: timbre.more[name] for name in _OF_A_CONTEXT if name in timbre.more}
        text = {"text": f"{line.text} ", "context_id": clause, "flush": True}
        return json.dumps(begin), json.dumps(text), json.dumps({"context_id": clause, "close_context": True})

    def cut(self, clause: str) -> str:
        """See Talking."""
        return ""

    def stay(self) -> str:
        """See Talking. As pipecat has it: without a context it begins none."""
        return json.dumps({"text": ""})

    def told(self, message: str | bytes) -> Told:
        """See Talking."""
        try:
            said = json.loads(message)
            clause = str(said.get("contextId") or said.get("context_id") or "")
            if said.get("error"):
                words = f"{said['error']}: {said.get('message', '')}"
                return Told(clause, trouble=by_words(words, "failed"), said=words)
            octets = base64.b64decode(said.get("audio") or "", validate=True)
            alignment = said.get("alignment") or {}
            chars = "".join(alignment.get("chars") or ())
            starts = tuple(float(each) / 1000 for each in alignment.get("charStartTimesMs") or ())
        except UNREADABLE as error:
            raise Unanswered("garbage", f"it sent a message that is no audio: {error}") from None
        return Told(clause, octets, chars, starts, over=bool(said.get("isFinal")))
