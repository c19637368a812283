"""Deepgram: raw G.711 at 8 kHz.

POST /v1/speak?model=VOICE&encoding=mulaw&sample_rate=8000&container=none; a voice is a model.
"""

from __future__ import annotations

from collections.abc import Mapping

from tts_core.remote.asking import LINE_RATE, Asking, Expand, Line, Timbre
from tts_core.remote.octets import Octets, telephone

BASE_URL = "https://api.deepgram.com"
_SLOWEST, _FASTEST = 0.7, 1.5


class Deepgram:
    """See Provider. `law`: "mulaw" or "alaw"."""

    rate = LINE_RATE
    times_words = False

    def __init__(self, law: str, expand: Expand) -> None:
        self._law, self._expand = law, expand

    def headers(self, key: str) -> dict[str, str]:
        """See Provider."""
        return {"Authorization": f"Token {key}"} if key else {}

    def asking(self, line: Line, timbre: Timbre) -> Asking:
        """See Provider. A rate it cannot do is the nearest that it can."""
        params = query(line, timbre, self._law) | {"container": "none"}
        return Asking("/v1/speak", params, {}, json={"text": line.text})

    def answering(self, headers: Mapping[str, str]) -> Octets:
        """See Provider."""
        return telephone(self._law, self._expand, headers)


def query(line: Line, timbre: Timbre, law: str) -> dict[str, str]:
    """What is asked for, of HTTP as of a socket."""
    speed = min(max(line.rate, _SLOWEST), _FASTEST)
    return {
        "model": timbre.own,
        "encoding": law,
        "sample_rate": str(LINE_RATE),
        **{name: str(value) for name, value in timbre.more.items()},
        **({"speed": f"{speed:g}"} if speed != 1 else {}),
    }
