"""Cartesia's `/tts/websocket`: a context for each clause, many at a time, each of them cancelled by itself."""

from __future__ import annotations

import base64
import json

from tts_core.remote import cartesia
from tts_core.remote.asking import UNREADABLE, Line, Timbre, Told, Unanswered
from tts_core.remote.refusals import by_status, by_words


class CartesiaTalk:
    """See Talking. `law`: "mulaw" or "alaw"."""

    most = 16  # "dozens", but who breaks should not take too many with it
    a_minute = 0
    cut_by = ""

    def __init__(self, law: str) -> None:
        self.law = law

    def headers(self, key: str) -> dict[str, str]:
        """See Talking."""
        return cartesia.headers(key)

    def address(self, line: Line, timbre: Timbre) -> str:
        """See Talking. All its voices have the same sockets, whose version is in the query, as livekit has it."""
        return f"/tts/websocket?cartesia_version={cartesia.VERSION}"

    def say(self, clause: str, line: Line, timbre: Timbre) -> tuple[str, ...]:
        """See Talking."""
        asked = cartesia.generation(line, timbre, self.law)
        return (json.dumps({**asked, "context_id": clause, "continue": False}),)

    def cut(self, clause: str) -> str:
        """See Talking."""
        return json.dumps({"context_id": clause, "cancel": True})

    def stay(self) -> str:
        """See Talking."""
        return ""

    def told(self, message: str | bytes) -> Told:
        """See Talking."""
        try:
            said = json.loads(message)
            clause = str(said.get("context_id") or "")
            if said.get("type") == "error":
                words = f"{said.get('error_code') or ''} {said.get('message') or said.get('error') or ''}"
                status = int(said.get("status_code") or 0)
                kind = by_status(status) if status >= 400 else by_words(words, "failed")
                return Told(clause, trouble=kind, said=f"{status}: {words}")
            octets = base64.b64decode(said.get("data") or "", validate=True)
        except UNREADABLE as error:
            raise Unanswered("garbage", f"it sent a message that is no audio: {error}") from None
        return Told(clause, octets, over=bool(said.get("done")))
