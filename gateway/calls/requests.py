"""What a controller may ask of a call, after the edge has checked the shapes and types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Literal

from gateway.calls.draft import Draft
from gateway.messages.synthesis import Piece, Resume
from tts_core import Script

Mode = Literal["append", "interrupt", "replace"]
Interruptible = Literal["none", "dtmf", "any"]
Codec = Literal["PCMU", "PCMA"]
Ptime = Literal[10, 20, 30, 40, 60]
Listener = Callable[[str, Mapping[str, object]], None]
"""Told what happens to one utterance and each word of it that is said, kind and data, in the middle of things."""


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
class BargeIn:
    """What of the caller's may cut speech that is ``interruptible``.

    ``digits``: the keys that do; others are only told. ``voice``: whether his voice does. ``confirm_ms``: at
    first speech only pauses, or is ducked (``meanwhile``); it is cut once the caller has spoken for so long, and
    else goes on. 0: cut at once.
    """

    digits: frozenset[str] = frozenset("0123456789*#ABCD")
    voice: bool = False
    confirm_ms: int = 0
    meanwhile: Literal["pause", "duck"] = "pause"


@dataclass(frozen=True, slots=True)
class Background:
    """A prompt that is repeated behind a call's speech: at ``volume_db``, and ``duck_db`` from that under speech.

    ``bed`` and ``memory``: as media workers know it (see ``MixLeg``).
    """

    prompt: str
    volume_db: float
    duck_db: float
    bed: int
    memory: str


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A leg to an RTP target. ``address`` is a literal IP address; the target policy is the reception's.

    ``port`` 0: the target is not known yet, the address tells its family. ``payload_type`` None: the codec's
    own. ``sip``: it rings, and nothing is sent, until it is answered.
    ``owner``: the key that it is opened with, which may have ``owner_limit`` calls open (0: any number) and send
    to ``owner_allow`` alone, where that names any.
    ``door``: the speech API whose client is handed what is said (``gateway.calls.studio``), by no RTP.
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
    owner: str = ""
    owner_limit: int = 0
    owner_allow: tuple[IPv4Network | IPv6Network, ...] = ()
    door: str | None = None
    barge_in: BargeIn = BargeIn()
    volume_db: float = 0.0

    @property
    def own_payload_type(self) -> int:
        """The payload type asked for, or the codec's own (RFC 3551 table 4)."""
        if self.payload_type is not None:
            return self.payload_type
        return 0 if self.codec == "PCMU" else 8

    @property
    def origin(self) -> Literal["rtp", "sip_in", "sip_out", "door"]:
        """Which way the call comes to be."""
        if self.door is not None:
            return "door"
        if self.sip is None:
            return "rtp"
        return "sip_in" if self.sip.direction == "in" else "sip_out"


@dataclass(frozen=True, slots=True)
class Say:
    """An utterance. Exactly one of ``text``, ``ssml``, ``prompt``, ``pieces``, ``draft``; ``script`` is what they
    say, once it is known.

    ``barge_in`` None: the call's.
    ``requested_ns``: CLOCK_MONOTONIC when the request came in; first_audio_ms counts from here. ``draft``: text
    that is still being written. ``resume``: only what follows there is said.
    """

    requested_ns: int
    script: Script | None = None
    text: str | None = None
    ssml: str | None = None
    prompt: str | None = None
    pieces: tuple[Piece, ...] | None = None
    id: str | None = None
    voice: str | None = None
    rate: float = 1.0
    volume_db: float = 0.0
    mode: Mode = "append"
    interruptible: Interruptible = "any"
    barge_in: BargeIn | None = None
    client_state: str | None = None
    trace: str | None = None
    """The W3C Trace Context that the request came with (traceparent)."""
    draft: Draft | None = None
    listener: Listener | None = None
    words: bool = True
    """Whether the listener is told of each word."""
    resume: Resume | None = None
    lexicons: tuple[str, ...] = ()
    audio: tuple[tuple[str, str], ...] = ()
    """The recordings in its SSML that can be had: src and path."""
