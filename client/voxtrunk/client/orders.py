"""What is asked, as typed keywords: what is not given is not sent, and the gateway's defaults hold.

Their meanings are the API's (``/docs`` of a gateway)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, TypedDict

Codec = Literal["PCMU", "PCMA"]
Mode = Literal["append", "interrupt", "replace"]
CallState = Literal["ringing", "open", "closed"]
Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class RtpTarget(TypedDict):
    """Where RTP goes: a literal address."""

    address: str
    port: int
    rtcp_port: NotRequired[int]
    rtcp_mux: NotRequired[bool]


class SipAuth(TypedDict):
    """Digest credentials."""

    user: str
    password: str


SipTarget = TypedDict(
    "SipTarget",
    {
        "to": str,
        "from": NotRequired[str],
        "headers": NotRequired[Mapping[str, str]],
        "auth": NotRequired[SipAuth],
        "ring_timeout": NotRequired[float],
    },
)
"""Whom to call by SIP."""


class BargeIn(TypedDict, total=False):
    """What of the caller's cuts speech."""

    digits: str
    voice: bool
    confirm_ms: int
    meanwhile: Literal["pause", "duck"]


class OpenCall(TypedDict, total=False):
    """A call: exactly one of ``rtp`` and ``sip``."""

    rtp: RtpTarget
    sip: SipTarget
    codec: Codec
    ptime: Literal[10, 20, 30, 40, 60]
    dtmf_payload_type: int | None
    silence: Literal["send", "suppress"]
    voice: str
    client_state: str
    webhook_url: str
    volume_db: float
    barge_in: BargeIn
    max_seconds: int


class Manner(TypedDict, total=False):
    """How something is said."""

    id: str
    voice: str
    rate: float
    volume_db: float
    mode: Mode
    interruptible: Literal["none", "dtmf", "any"]
    barge_in: BargeIn
    client_state: str
    lexicons: Sequence[str]


class PromptSlot(TypedDict):
    """A recording that fills a slot."""

    prompt: str


class Say(Manner, total=False):
    """An utterance: exactly one of ``text``, ``ssml``, ``prompt`` and ``template``."""

    text: str
    ssml: str
    prompt: str
    template: str
    slots: Mapping[str, str | PromptSlot]


class SayRest(TypedDict, total=False):
    """How the rest of an utterance is said."""

    id: str
    mode: Mode
    client_state: str


class Page(TypedDict, total=False):
    """Which calls are listed."""

    state: CallState
    limit: int
    after: str


class PlayBackground(TypedDict, total=False):
    """What sounds behind speech."""

    prompt: str
    volume_db: float
    duck_db: float
