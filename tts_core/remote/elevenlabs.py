"""ElevenLabs: G.711 at 8 kHz, streamed, with the time of every character.

POST /v1/text-to-speech/{voice}/stream/with-timestamps?output_format=ulaw_8000 answers a JSON object a line:
`audio_base64` and `alignment` with `characters`, `character_start_times_seconds`. The text before and after goes
along, so that a clause sounds like a part of what it is a part of.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tts_core.engine import Pcm
from tts_core.remote.asking import LINE_RATE, NOTHING, Asking, Expand, Heard, Line, Timbre, Unanswered
from tts_core.remote.octets import telephone

BASE_URL = "https://api.elevenlabs.io"
_FORMATS = {"mulaw": "ulaw_8000", "alaw": "alaw_8000"}
_SLOWEST, _FASTEST = 0.7, 1.2
_MODEL = "eleven_flash_v2_5"
_LONGEST_LINE = 4_000_000


class ElevenLabs:
    """See Provider. `law`: "mulaw" or "alaw"."""

    rate = LINE_RATE
    times_words = True

    def __init__(self, law: str, expand: Expand) -> None:
        self._law, self._expand = law, expand

    def headers(self, key: str) -> dict[str, str]:
        """See Provider."""
        return {"xi-api-key": key}

    def asking(self, line: Line, timbre: Timbre) -> Asking:
        """See Provider. A rate it cannot do is the nearest that it can."""
        more = dict(timbre.more)
        speed = min(max(line.rate, _SLOWEST), _FASTEST)
        settings = {**more.pop("voice_settings", {}), **({"speed": speed} if speed != 1 else {})}
        body: dict[str, Any] = {"text": line.text, "model_id": timbre.model or _MODEL, **more}
        if settings:
            body["voice_settings"] = settings
        if line.before:
            body["previous_text"] = line.before
        if line.after:
            body["next_text"] = line.after
        path = f"/v1/text-to-speech/{timbre.own}/stream/with-timestamps"
        return Asking(path, {"output_format": _FORMATS[self._law]}, {}, json=body)

    def answering(self, headers: Mapping[str, str]) -> Lines:
        """See Provider."""
        return Lines(self._law, self._expand)


class Lines:
    """Reads its JSON lines. Times are the whole answer's, or their own piece's where they begin anew."""

    def __init__(self, law: str, expand: Expand) -> None:
        self.rate = LINE_RATE
        self._octets = telephone(law, expand, {})
        self._rest = b""
        self._read = self._chars = 0
        self._base = self._latest = 0.0

    def read(self, octets: bytes) -> Heard:
        """See Answering."""
        *lines, self._rest = (self._rest + octets).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            raise Unanswered("garbage", "it answered a line without end")
        return self._heard(lines)

    def end(self) -> Heard:
        """See Answering."""
        heard = self._heard([self._rest])
        last = self._octets.end()
        return Heard(_joined(heard.pcm, last.pcm), heard.onsets)

    def _heard(self, lines: list[bytes]) -> Heard:
        pieces, onsets = [], []
        for line in lines:
            if line.strip():
                octets, timed = self._piece(line)
                pieces.append(self._octets.read(octets).pcm)
                self._read += len(octets)
                onsets += timed
        return Heard(_joined(*pieces), tuple(onsets))

    def _piece(self, line: bytes) -> tuple[bytes, list[tuple[int, int]]]:
        try:
            piece = json.loads(line)
            octets = base64.b64decode(piece.get("audio_base64") or "", validate=True)
            alignment = piece.get("alignment") or {}
            chars = "".join(alignment.get("characters") or ())
            starts = [float(each) for each in alignment.get("character_start_times_seconds") or ()]
        except (ValueError, TypeError, AttributeError, binascii.Error) as error:
            kind = "broken" if line.startswith(b"{") else "garbage"
            raise Unanswered(kind, f"it answered a line that is no audio: {error}") from None
        if len(chars) != len(starts) or not all(map(math.isfinite, starts)):
            return octets, []
        if starts and starts[0] + self._base < self._latest:
            self._base = self._read / LINE_RATE
        onsets = [(self._chars + n, int((self._base + at) * LINE_RATE)) for n, at in enumerate(starts)]
        if starts:
            self._chars += len(starts)
            self._latest = self._base + starts[-1]
        return octets, onsets


def _joined(*pieces: Pcm) -> Pcm:
    return np.concatenate((NOTHING, *pieces))
