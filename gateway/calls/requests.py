"""What a controller may ask of a call, after the edge has checked the shapes and types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tts_core import Script

Mode = Literal["append", "interrupt", "replace"]
Interruptible = Literal["none", "dtmf", "any"]
Ptime = Literal[10, 20, 30, 40, 60]


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A leg to an RTP target. ``address`` is a literal IP address; the target policy is the switchboard's."""

    address: str
    port: int
    codec: Literal["PCMU", "PCMA"] = "PCMU"
    ptime: Ptime = 20
    dtmf_payload_type: int | None = 101
    silence: Literal["send", "suppress"] = "send"
    voice: str | None = None
    client_state: str | None = None
    webhook_url: str | None = None
    max_seconds: int | None = None
    rtcp_port: int | None = None
    rtcp_mux: bool = False


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
