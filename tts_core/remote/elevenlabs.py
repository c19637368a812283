"""ElevenLabs: G.711 at 8 kHz, streamed, with the time of every character.

POST /v1/text-to-speech/{voice}/stream/with-timestamps?output_format=ulaw_8000 answers a JSON object a line:
`audio_base64` and `alignment` with `characters`, `character_start_times_seconds`. The text before and after goes
along, so that a clause sounds like a part of what it is a part of.
"""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tts_core.remote.asking import (
    LINE_RATE,
    NOTHING,
    UNREADABLE,
    Asking,
    Expand,
    Heard,
    Line,
    Timbre,
    Unanswered,
)
from tts_core.remote.octets import telephone
from tts_core.remote.timed import Timed, joined

BASE_URL = "https://api.elevenlabs.io"
FORMATS = MappingProxyType({"mulaw": "ulaw_8000", "alaw": "alaw_8000"})
MODEL = "eleven_flash_v2_5"
_SLOWEST, _FASTEST = 0.7, 1.2
_LONGEST_LINE = 4_000_000


class ElevenLabs:
    """See Provider. `law`: "mulaw" or "alaw"."""

    rate = LINE_RATE
    times_words = True

    def __init__(self, law: str, expand: Expand) -> None:
        self._law, self._expand = law, expand

    def headers(self, key: str) -> dict[str, str]:
        """See Provider."""
        return {"xi-api-key": key} if key else {}

    def asking(self, line: Line, timbre: Timbre) -> Asking:
        """See Provider. A rate it cannot do is the nearest that it can."""
        more = dict(timbre.more)
        settings = voice_settings(line, more.pop("voice_settings", {}))
        body: dict[str, Any] = {"text": line.text, "model_id": timbre.model or MODEL, **more}
        if settings:
            body["voice_settings"] = settings
        if line.before:
            body["previous_text"] = line.before
        if line.after:
            body["next_text"] = line.after
        path = path_of(timbre, "stream/with-timestamps")
        return Asking(path, {"output_format": FORMATS[self._law]}, {}, json=body)

    def answering(self, headers: Mapping[str, str]) -> Lines:
        """See Provider."""
        return Lines(self._law, self._expand)


def path_of(timbre: Timbre, rest: str) -> str:
    """Where its speech is had, over HTTP as over a socket."""
    return f"/v1/text-to-speech/{urllib.parse.quote(timbre.own, safe='')}/{rest}"


def voice_settings(line: Line, configured: Mapping[str, Any]) -> dict[str, Any]:
    """What is configured of them, and how fast the line is to be said."""
    speed = min(max(line.rate, _SLOWEST), _FASTEST)
    return {**configured, **({"speed": speed} if speed != 1 else {})}


class Lines:
    """Reads its JSON lines."""

    def __init__(self, law: str, expand: Expand) -> None:
        self._timed = Timed(telephone(law, expand, {}))
        self._rest = b""

    @property
    def rate(self) -> int:
        """See Answering."""
        return self._timed.rate

    def read(self, octets: bytes) -> Heard:
        """See Answering."""
        *lines, self._rest = (self._rest + octets).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            raise Unanswered("garbage", "it answered a line without end")
        return joined(*map(self._piece, lines))

    def end(self) -> Heard:
        """See Answering."""
        return joined(self._piece(self._rest), self._timed.end())

    def _piece(self, line: bytes) -> Heard:
        if not line.strip():
            return Heard(NOTHING)
        try:
            piece = json.loads(line)
            octets = base64.b64decode(piece.get("audio_base64") or "", validate=True)
            alignment = piece.get("alignment") or {}
            chars = "".join(alignment.get("characters") or ())
            starts = tuple(float(each) for each in alignment.get("character_start_times_seconds") or ())
        except UNREADABLE as error:
            kind = "broken" if line.startswith(b"{") else "garbage"
            raise Unanswered(kind, f"it answered a line that is no audio: {error}") from None
        return self._timed.read(octets, chars, starts)
