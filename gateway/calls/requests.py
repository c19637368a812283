"""What a controller may ask of a call, after the edge has checked the shapes and types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tts_core import Script

Mode = Literal["append", "interrupt", "replace"]
Interruptible = Literal["none", "dtmf", "any"]
Codec = Literal["PCMU", "PCMA"]
Ptime = Literal[10, 20, 30, 40, 60]


@dataclass(frozen=True, slots=True)
class SipFacts:
    """What a call is to SIP. ``dialog`` is the adapter's handle of it.

    ``headers``: the peer's, of the INVITE that came in, or those that ours was given.
    """

    dialog: str
    direction: Literal["in", "out"]
    call_id: str
    from_uri: str
    to_uri: str
    request_uri: str
    headers: tuple[tuple[str, str], ...] = ()

    def told(self) -> dict[str, Any]:
        """What of it events and answers tell."""
        return {
            "direction": self.direction,
            "call_id": self.call_id,
            "from": self.from_uri,
            "to": self.to_uri,
            "request_uri": self.request_uri,
            "headers": [list(header) for header in self.headers],
        }


@dataclass(frozen=True, slots=True)
class Media:
    """What was agreed on with a peer in the course of a call: where audio goes, and how. See ``OpenCall``.

    ``held``: the peer wants none for now, and ``address`` may then be None: it stays as it was.
    """

    address: str | None
    port: int
    rtcp_port: int
    codec: Codec
    payload_type: int
    ptime: Ptime
    dtmf_payload_type: int | None
    held: bool


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A leg to an RTP target. ``address`` is a literal IP address; the target policy is the switchboard's.

    ``port`` 0: the target is not known yet, the address tells its family. ``payload_type`` None: the codec's
    own. ``sip``: it rings, and nothing is sent, until it is answered.
    """

    address: str
    port: int
    codec: Codec = "PCMU"
    ptime: Ptime = 20
    dtmf_payload_type: int | None = 101
    silence: Literal["send", "suppress"] = "send"
    voice: str | None = None
    client_state: str | None = None
    webhook_url: str | None = None
    max_seconds: int | None = None
    rtcp_port: int | None = None
    rtcp_mux: bool = False
    payload_type: int | None = None
    sip: SipFacts | None = None


@dataclass(frozen=True, slots=True)
class Say:
    """An utterance. Exactly one of ``text``, ``ssml``, ``prompt``; ``script`` is what the first two say.

    ``requested_ns``: CLOCK_MONOTONIC when the request came in; first_audio_ms counts from here.
    """

    requested_ns: int
    script: Script | None = None
    text: str | None = None
    ssml: str | None = None
    prompt: str | None = None
    id: str | None = None
    voice: str | None = None
    rate: float = 1.0
    volume_db: float = 0.0
    mode: Mode = "append"
    interruptible: Interruptible = "any"
    client_state: str | None = None
