"""Cartesia: raw G.711 at 8 kHz.

POST /tts/bytes with an output_format of pcm_mulaw (or pcm_alaw) at 8 kHz. The version of its API is in a header.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tts_core.remote.asking import LINE_RATE, Asking, Expand, Line, Timbre
from tts_core.remote.octets import Octets, telephone

BASE_URL = "https://api.cartesia.ai"
VERSION = "2025-04-16"
"""Of its API; that which livekit's plug-in asks for."""
_ENCODINGS = MappingProxyType({"mulaw": "pcm_mulaw", "alaw": "pcm_alaw"})
_MODEL = "sonic-3"
_SLOWEST, _FASTEST = 0.6, 1.5


class Cartesia:
    """See Provider. `law`: "mulaw" or "alaw"."""

    rate = LINE_RATE
    times_words = False

    def __init__(self, law: str, expand: Expand) -> None:
        self._law, self._expand = law, expand

    def headers(self, key: str) -> dict[str, str]:
        """See Provider."""
        return headers(key)

    def asking(self, line: Line, timbre: Timbre) -> Asking:
        """See Provider. A rate it cannot do is the nearest that it can."""
        return Asking("/tts/bytes", {}, {}, json=generation(line, timbre, self._law))

    def answering(self, headers: Mapping[str, str]) -> Octets:
        """See Provider."""
        return telephone(self._law, self._expand, headers)


def headers(key: str) -> dict[str, str]:
    """What goes with each request, of HTTP as of a socket."""
    return {"X-API-Key": key, "Cartesia-Version": VERSION}


def generation(line: Line, timbre: Timbre, law: str) -> dict[str, Any]:
    """What is asked for, of HTTP as of a socket."""
    more = dict(timbre.more)
    speed = min(max(line.rate, _SLOWEST), _FASTEST)
    manner = {**more.pop("generation_config", {}), **({"speed": speed} if speed != 1 else {})}
    return {
        "model_id": timbre.model or _MODEL,
        "transcript": line.text,
        "voice": {"mode": "id", "id": timbre.own},
        "output_format": {"container": "raw", "encoding": _ENCODINGS[law], "sample_rate": LINE_RATE},
        "language": timbre.language.partition("-")[0],
        **({"generation_config": manner} if manner else {}),
        **more,
    }
