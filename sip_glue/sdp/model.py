"""A session description as values (RFC 8866), reduced to what decides about audio.

``MediaDescription`` holds what counts for that m= line, whether its own section or the session's said it.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

AddressType = Literal["IP4", "IP6"]
TELEPHONE_EVENT: Final = "telephone-event"
"""RFC 4733 7.1.1."""


class Direction(StrEnum):
    """Which way media flows, as the describing side sees it (RFC 8866 6.7)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def receives(self) -> bool:
        return self in (Direction.SENDRECV, Direction.RECVONLY)

    @property
    def mirrored(self) -> Direction:
        """The same flow as the other side sees it (RFC 3264 6.1)."""
        return _MIRROR.get(self, self)


_MIRROR: Final = {Direction.SENDONLY: Direction.RECVONLY, Direction.RECVONLY: Direction.SENDONLY}


@dataclass(frozen=True, slots=True)
class Connection:
    """A c= line (RFC 8866 5.7). ``address``: a literal in its usual spelling, or a host name as sent."""

    version: AddressType
    address: str

    @property
    def is_unspecified(self) -> bool:
        """0.0.0.0 or ``::``, the old way to say hold (RFC 3264 8.4), also as an IPv4-mapped address."""
        try:
            literal = ipaddress.ip_address(self.address)
        except ValueError:
            return False
        mapped = literal.ipv4_mapped if isinstance(literal, ipaddress.IPv6Address) else None
        return (mapped or literal).is_unspecified


@dataclass(frozen=True, slots=True)
class Origin:
    """An o= line (RFC 8866 5.2). ``address`` is where the session was made, never where audio goes."""

    username: str
    session_id: int
    version: int
    address_type: AddressType
    address: str


@dataclass(frozen=True, slots=True)
class RtpMap:
    """What a payload type stands for (RFC 8866 6.6)."""

    payload_type: int
    encoding: str
    clock_rate: int
    channels: int = 1

    def means(self, encoding: str) -> bool:
        """Whether it is ``encoding`` at 8000 Hz, mono. Encoding names have no case (RFC 8866 6.6)."""
        named = self.encoding.upper() == encoding.upper()
        return named and self.clock_rate == 8000 and self.channels == 1


STATIC: Final = {0: RtpMap(0, "PCMU", 8000), 8: RtpMap(8, "PCMA", 8000)}
"""RFC 3551 table 4, the two that we speak: good without an rtpmap."""


@dataclass(frozen=True, slots=True)
class Rtcp:
    """``a=rtcp`` (RFC 3605): RTCP's port if it is not RTP's plus one."""

    port: int
    connection: Connection | None = None


@dataclass(frozen=True, slots=True)
class MediaDescription:
    """An m= line and its attributes. ``formats`` is text: payload types for RTP, tokens for the rest.

    ``crypto_suites`` are the names alone (RFC 4568), so that no key reaches a log. ``line`` is where it stood.
    """

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    connection: Connection | None
    direction: Direction = Direction.SENDRECV
    rtpmaps: tuple[RtpMap, ...] = ()
    fmtps: tuple[tuple[int, str], ...] = ()
    ptime: int | None = None
    maxptime: int | None = None
    rtcp: Rtcp | None = None
    rtcp_mux: bool = False
    mid: str | None = None
    crypto_suites: tuple[str, ...] = ()
    port_count: int = 1
    line: int = field(default=0, compare=False)

    @property
    def codecs(self) -> tuple[RtpMap, ...]:
        """What the payload types of ``formats`` mean, in their order.

        Left out: what nothing explains, and a static number that is explained as something else.
        """
        known = STATIC | {entry.payload_type: entry for entry in reversed(self.rtpmaps)}
        for number, static in STATIC.items():
            if not known[number].means(static.encoding):
                del known[number]
        numbers = [int(name) for name in self.formats if name.isascii() and name.isdigit() and len(name) <= 3]
        return tuple(known[number] for number in dict.fromkeys(numbers) if number in known)


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """One body. ``times`` are the t= lines; (0, 0) is a session without bounds."""

    origin: Origin
    connection: Connection | None
    media: tuple[MediaDescription, ...]
    times: tuple[tuple[int, int], ...] = ((0, 0),)
