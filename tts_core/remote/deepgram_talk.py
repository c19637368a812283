"""Deepgram's `/v1/speak` WebSocket: Speak and Flush say a clause, Flushed ends it, Clear cuts it.

Audio is binary. A socket has one voice and says one thing at a time; it may be asked to flush 20 times a minute.
"""

from __future__ import annotations

import json
import urllib.parse

from tts_core.remote.asking import UNREADABLE, Line, Timbre, Told, Unanswered
from tts_core.remote.deepgram import query
from tts_core.remote.refusals import by_words


class DeepgramTalk:
    """See Talking. `law`: "mulaw" or "alaw"."""

    most = 1
    a_minute = 20
    cut_by = "cut"

    def __init__(self, law: str) -> None:
        self.law = law

    def headers(self, key: str) -> dict[str, str]:
        """See Talking."""
        return {"Authorization": f"Token {key}"} if key else {}

    def address(self, line: Line, timbre: Timbre) -> str:
        """See Talking. The speed is a socket's, so each has sockets of its own."""
        return f"/v1/speak?{urllib.parse.urlencode(query(line, timbre, self.law))}"

    def say(self, clause: str, line: Line, timbre: Timbre) -> tuple[str, ...]:
        """See Talking."""
        return json.dumps({"type": "Speak", "text": line.text}), json.dumps({"type": "Flush"})

    def cut(self, clause: str) -> str:
        """See Talking."""
        return json.dumps({"type": "Clear"})

    def stay(self) -> str:
        """See Talking."""
        return ""

    def told(self, message: str | bytes) -> Told:
        """See Talking."""
        if isinstance(message, bytes):
            return Told(octets=message)
        try:
            said = json.loads(message)
            kind = said["type"]
            code = said.get("code") or said.get("err_code") or said.get("warn_code") or ""
            about = said.get("description") or said.get("err_msg") or said.get("warn_msg") or ""
        except UNREADABLE as error:
            raise Unanswered("garbage", f"it sent a message that is none of its own: {error!r}") from None
        words = f"{code}: {about}"
        if kind in ("Error", "error"):
            return Told(trouble=by_words(words, "failed"), said=words)
        if kind == "Warning" and by_words(words, "") == "busy":  # what was flushed is not said
            return Told(trouble="busy", said=words)
        return Told(over=kind == "Flushed", cut=kind == "Cleared")
