"""Which line of a peer's description we take, and what it says about sending audio there.

The same reading serves an offer that we answer and an answer to our offer: either way the peer describes what
it wants to receive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sip_glue.sdp.errors import NotAcceptable
from sip_glue.sdp.model import STATIC, TELEPHONE_EVENT, MediaDescription, RtpMap, SessionDescription

Law = Literal["PCMU", "PCMA"]

PTIMES: Final = (10, 20, 30, 40, 60)
"""Packet times that the gateway sends, in ms."""

PROFILE: Final = "RTP/AVP"
_RTCP_TYPES: Final = range(64, 96)
"""Payload types whose packets look like RTCP when both share a port (RFC 5761 4)."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What we speak. ``laws`` in our order of preference, which counts only when ``ours_first``.

    ``ptime_ms``: ours when the peer names none. ``dtmf_payload_type``: the number in our offers; an answer
    takes the peer's; None does without telephone-event. ``rtcp_mux``: take it when the peer offers it.
    ``ptime_fixed``: packets of ``ptime_ms`` are in use, and stay whatever the peer wishes.
    """

    laws: tuple[Law, ...] = ("PCMU", "PCMA")
    ours_first: bool = False
    ptime_ms: int = 20
    dtmf_payload_type: int | None = 101
    rtcp_mux: bool = True
    ptime_fixed: bool = False

    def __post_init__(self) -> None:
        if not self.laws or len(set(self.laws)) != len(self.laws):
            raise ValueError("laws names PCMU, PCMA or both, each once")
        if self.ptime_ms not in PTIMES:
            raise ValueError(f"ptime_ms is one of {PTIMES}, not {self.ptime_ms}")
        if self.dtmf_payload_type in STATIC or self.dtmf_payload_type not in (None, *range(128)):
            raise ValueError(f"dtmf_payload_type is 0 to 127 and no law's, not {self.dtmf_payload_type}")


@dataclass(frozen=True, slots=True)
class Media:
    """The decision: where audio goes and how.

    ``address`` is what the peer wrote, a literal or a host name, for the target policy to judge; None when it
    wrote 0.0.0.0 or ``::``, which names no target and is always a hold. RTCP goes to the same address, to
    ``rtcp_port``. ``hold``: send nothing, the RTP clock runs on.
    """

    address: str | None
    port: int
    rtcp_port: int
    rtcp_mux: bool
    payload_type: int
    law: Law
    ptime_ms: int
    dtmf_payload_type: int | None
    direction: Literal["send", "hold"]


@dataclass(frozen=True, slots=True)
class Selection:
    """The m= line taken, by its place in the body, and the decision."""

    index: int
    media: Media


def select(
    offer: SessionDescription, capabilities: Capabilities, previous: SessionDescription | None = None
) -> Selection:
    """The first usable line of ``offer``; in a re-offer the line in use, while it is usable.

    Needs no port of ours, so that the target can be judged and the port opened before the answer is made.
    Raises NotAcceptable when no line is usable.
    """
    if not offer.media:
        raise NotAcceptable("no m= line")
    current = live_index(previous) if previous else None
    order = sorted(range(len(offer.media)), key=lambda index: (index != current, index))
    reasons: dict[int, str] = {}
    for index in order:
        try:
            return Selection(index, media_of(offer.media[index], capabilities))
        except NotAcceptable as refused:
            reasons[index] = str(refused)
    raise NotAcceptable(*(reasons[index] for index in sorted(reasons)))


def live_index(description: SessionDescription) -> int:
    """The place of the one line that a description of ours has audio on."""
    (index,) = (index for index, media in enumerate(description.media) if media.port)
    return index


def media_of(line: MediaDescription, capabilities: Capabilities) -> Media:
    """What the peer's ``line`` says about sending there. Raises NotAcceptable if we cannot."""
    name = f"m={line.kind} {line.port} {line.protocol}"
    if line.kind != "audio" or line.protocol.upper() != PROFILE:
        raise NotAcceptable(f"{name}: only audio over {PROFILE} is spoken")
    if not line.port:
        raise NotAcceptable(f"{name}: switched off")
    found = _law(line.codecs, capabilities)
    if not found:
        raise NotAcceptable(f"{name}: none of {', '.join(capabilities.laws)} at 8000 Hz")
    law, payload_type = found
    fixed = capabilities.ptime_ms if capabilities.ptime_fixed else None
    ptime_ms = packet_time(fixed or line.ptime, line.maxptime, capabilities.ptime_ms)
    if ptime_ms is None or fixed not in (None, ptime_ms):
        raise NotAcceptable(f"{name}: maxptime {line.maxptime} is less than {fixed or PTIMES[0]} ms")
    dtmf = event_type(line.codecs) if capabilities.dtmf_payload_type is not None else None
    mux = line.rtcp_mux and capabilities.rtcp_mux and not {payload_type, dtmf} & set(_RTCP_TYPES)
    rtcp_port = line.port if mux else (line.rtcp and line.rtcp.port) or line.port + 1
    if rtcp_port > 65535:
        raise NotAcceptable(f"{name}: RTCP would go to port {rtcp_port}")
    assert line.connection is not None, "the parser refuses a live line without one"
    blind = line.connection.is_unspecified
    return Media(
        address=None if blind else line.connection.address,
        port=line.port,
        rtcp_port=rtcp_port,
        rtcp_mux=mux,
        payload_type=payload_type,
        law=law,
        ptime_ms=ptime_ms,
        dtmf_payload_type=dtmf,
        direction="send" if line.direction.receives and not blind else "hold",
    )


def packet_time(ptime: int | None, maxptime: int | None, default: int) -> int | None:
    """The longest of PTIMES that neither exceeds what the peer wants nor ``maxptime``, all in ms.

    ``ptime`` is a wish (RFC 8866 6.4), so 10 serves a peer that wants less; ``maxptime`` is a limit: None if
    nothing keeps it.
    """
    wanted = max(ptime or default, PTIMES[0])
    limit = wanted if maxptime is None else min(wanted, maxptime)
    return max((choice for choice in PTIMES if choice <= limit), default=None)


def _law(codecs: tuple[RtpMap, ...], capabilities: Capabilities) -> tuple[Law, int] | None:
    found = [(law, codec.payload_type) for codec in codecs for law in capabilities.laws if codec.means(law)]
    if capabilities.ours_first:
        found.sort(key=lambda entry: capabilities.laws.index(entry[0]))
    return found[0] if found else None


def event_type(codecs: tuple[RtpMap, ...]) -> int | None:
    """The payload type of telephone-event at the audio's clock rate (RFC 4733 2.1), if it is among them."""
    return next((codec.payload_type for codec in codecs if codec.means(TELEPHONE_EVENT)), None)
