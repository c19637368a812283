"""Our side of a session: where we receive, and how we write that down."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field, replace
from typing import Final

from sip_glue.sdp.choice import PROFILE, Capabilities
from sip_glue.sdp.model import (
    TELEPHONE_EVENT,
    Connection,
    Direction,
    MediaDescription,
    Origin,
    Rtcp,
    RtpMap,
    SessionDescription,
)

_DIGITS: Final = "0-15"
"""RFC 4733 3.2: the sixteen DTMF events, which are all that we take in."""


@dataclass(frozen=True, slots=True)
class LocalMedia:
    """The socket that a leg receives on, and its session's id.

    ``rtcp_port`` None: ``port`` + 1. ``session_id``: chosen once a session, 0 to 2^62 - 1; it and the address
    of the o= line stay as they were first said. ValueError for what cannot be written into a body.
    """

    address: str
    port: int
    session_id: int
    rtcp_port: int | None = None
    capabilities: Capabilities = field(default_factory=Capabilities)

    def __post_init__(self) -> None:
        literal = ipaddress.ip_address(self.address)
        mapped = isinstance(literal, ipaddress.IPv6Address) and (literal.ipv4_mapped or literal.scope_id)
        if literal.is_unspecified or literal.is_multicast or mapped:
            raise ValueError(f"{self.address} is no address that a peer could send to")
        if not (1 <= self.port <= 65535 and 1 <= self.rtcp <= 65535):
            raise ValueError(f"ports are 1 to 65535, not {self.port} and {self.rtcp} for RTCP")
        if not 0 <= self.session_id < 1 << 62:
            raise ValueError("session_id is 0 to 2^62 - 1 (RFC 3264 5)")

    @property
    def rtcp(self) -> int:
        return self.port + 1 if self.rtcp_port is None else self.rtcp_port

    @property
    def connection(self) -> Connection:
        literal = ipaddress.ip_address(self.address)
        return Connection("IP4" if literal.version == 4 else "IP6", str(literal))


def audio_line(
    local: LocalMedia,
    codecs: tuple[RtpMap, ...],
    dtmf_payload_type: int | None,
    *,
    ptime_ms: int,
    direction: Direction,
    rtcp_mux: bool,
    mid: str | None,
) -> MediaDescription:
    """The m= line that we receive on. It always says ptime and direction, so that no default is relied on."""
    events = () if dtmf_payload_type is None else (RtpMap(dtmf_payload_type, TELEPHONE_EVENT, 8000),)
    plain = rtcp_mux or local.rtcp == local.port + 1
    return MediaDescription(
        kind="audio",
        port=local.port,
        protocol=PROFILE,
        formats=tuple(str(codec.payload_type) for codec in codecs + events),
        connection=local.connection,
        direction=direction,
        rtpmaps=codecs + events,
        fmtps=tuple((event.payload_type, _DIGITS) for event in events),
        ptime=ptime_ms,
        rtcp=None if plain else Rtcp(local.rtcp),
        rtcp_mux=rtcp_mux,
        mid=mid,
    )


def rejected(line: MediaDescription, local: LocalMedia) -> MediaDescription:
    """``line`` turned down: port 0, same kind, protocol and formats (RFC 3264 6)."""
    formats = line.formats or ("0",)  # the grammar wants one, whatever the peer left out
    return MediaDescription(line.kind, 0, line.protocol, formats, local.connection, mid=line.mid)


def describe(
    local: LocalMedia,
    media: tuple[MediaDescription, ...],
    times: tuple[tuple[int, int], ...],
    previous: SessionDescription | None,
) -> SessionDescription:
    """Our body. The o= line is ``previous``'s, its version one more if anything else changed (RFC 3264 8)."""
    ours = local.connection
    origin = previous.origin if previous else Origin("-", local.session_id, 1, ours.version, ours.address)
    description = SessionDescription(origin, ours, media, times)
    if previous is None or description == previous:
        return description
    return replace(description, origin=replace(origin, version=origin.version + 1))
