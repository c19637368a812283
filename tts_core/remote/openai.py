"""OpenAI, and whoever speaks its API: 16-bit PCM at 24 kHz, which is resampled for the line.

POST /v1/audio/speech with response_format pcm. What tells another rate, or comes as WAV, is read at that.
"""

from __future__ import annotations

from collections.abc import Mapping

from tts_core.remote.asking import Asking, Expand, Line, Timbre
from tts_core.remote.octets import Octets

BASE_URL = "https://api.openai.com"
_MODEL = "gpt-4o-mini-tts"


class OpenAI:
    """See Provider. `law` is of no use to it: it has no G.711."""

    rate = 24_000
    times_words = False

    def __init__(self, law: str, expand: Expand) -> None:
        self._expand = expand

    def headers(self, key: str) -> dict[str, str]:
        """See Provider."""
        return {"Authorization": f"Bearer {key}"} if key else {}

    def asking(self, line: Line, timbre: Timbre) -> Asking:
        """See Provider."""
        body = {
            "input": line.text,
            "model": timbre.model or _MODEL,
            "voice": timbre.own,
            "response_format": "pcm",
            **({"speed": line.rate} if line.rate != 1 else {}),
            **timbre.more,
        }
        return Asking("/v1/audio/speech", {}, {}, json=body)

    def answering(self, headers: Mapping[str, str]) -> Octets:
        """See Provider."""
        return Octets("pcm", self.rate, self._expand, headers)
