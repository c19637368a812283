"""Azure: SSML in, raw G.711 at 8 kHz out.

POST /cognitiveservices/v1 with X-Microsoft-OutputFormat: raw-8khz-8bit-mono-mulaw (or -alaw); the key is
Ocp-Apim-Subscription-Key. There is no default host: the region is in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape, quoteattr

from tts_core.remote.asking import LINE_RATE, Asking, Expand, Line, Timbre
from tts_core.remote.octets import Octets, telephone

BASE_URL = ""
_AGENT = "voxtrunk"


class Azure:
    """See Provider. `law`: "mulaw" or "alaw"."""

    rate = LINE_RATE
    times_words = False

    def __init__(self, law: str, expand: Expand) -> None:
        self._law, self._expand = law, expand

    def headers(self, key: str) -> dict[str, str]:
        """See Provider."""
        return {"Ocp-Apim-Subscription-Key": key}

    def asking(self, line: Line, timbre: Timbre) -> Asking:
        """See Provider."""
        said = escape(line.text)
        prosody = ""
        if line.rate != 1:
            prosody += f' rate="{(line.rate - 1) * 100:+.0f}%"'
        if line.pitch != 1:
            prosody += f' pitch="{(line.pitch - 1) * 100:+.0f}%"'
        if prosody:
            said = f"<prosody{prosody}>{said}</prosody>"
        ssml = (
            '<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" '
            f"xml:lang={quoteattr(timbre.language)}><voice name={quoteattr(timbre.own)}>{said}</voice></speak>"
        )
        headers = {
            "Content-Type": "application/ssml+xml",
            "X-Microsoft-OutputFormat": f"raw-8khz-8bit-mono-{self._law}",
            "User-Agent": _AGENT,
        }
        return Asking("/cognitiveservices/v1", {}, headers, content=ssml.encode())

    def answering(self, headers: Mapping[str, str]) -> Octets:
        """See Provider."""
        return telephone(self._law, self._expand, headers)
