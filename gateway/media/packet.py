"""RTP packets: the fixed header (RFC 3550 5.1) and the telephone-event payload (RFC 4733 2.3).

Sending audio goes through ``gateway.media.group``, which stamps headers by the hundred; this module is for
the rare packet that is read or built on its own.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np

HEADER_OCTETS: Final = 12
VERSION_2: Final = 0x80
MARKER: Final = 0x80

HEADER: Final = np.dtype(
    [("version", "u1"), ("marker_type", "u1"), ("sequence", ">u2"), ("timestamp", ">u4"), ("ssrc", ">u4")]
)
"""The fixed header as a numpy record, 12 octets, network order."""

_FIXED = struct.Struct("!BBHII")
_EVENT = struct.Struct("!BBH")
EVENT_OCTETS: Final = _EVENT.size
DIGITS: Final = "0123456789*#ABCD"
"""RFC 4733 3.2: event codes 0 to 15."""


class MalformedPacket(ValueError):
    """A peer sent something that is not what its port is for."""


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """A parsed RTP packet; ``payload`` is without CSRCs, extension and padding."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class TelephoneEvent:
    """One telephone-event payload: ``duration`` in timestamp units of 1/8000 s."""

    code: int
    end: bool
    volume: int
    duration: int


def parse_rtp(data: bytes) -> RtpPacket:
    """Parse one datagram. Raises MalformedPacket for anything that is not RTP version 2."""
    if len(data) < HEADER_OCTETS:
        raise MalformedPacket("shorter than an RTP header")
    first, second, sequence, timestamp, ssrc = _FIXED.unpack_from(data)
    if first >> 6 != 2:
        raise MalformedPacket("not RTP version 2")
    begin = HEADER_OCTETS + 4 * (first & 0x0F)
    if first & 0x10:  # header extension: four octets whose second half counts further words
        if len(data) < begin + 4:
            raise MalformedPacket("cut off in the header extension")
        begin += 4 + 4 * int.from_bytes(data[begin + 2 : begin + 4], "big")
    end = len(data)
    if first & 0x20:
        if not 1 <= data[-1] <= end - begin:
            raise MalformedPacket("padding longer than the packet")
        end -= data[-1]
    if begin > end:
        raise MalformedPacket("cut off in the header")
    return RtpPacket(second & 0x7F, bool(second & MARKER), sequence, timestamp, ssrc, data[begin:end])


def build_rtp(packet: RtpPacket) -> bytes:
    """The packet as a datagram, without CSRCs, extension or padding."""
    second = packet.payload_type | (MARKER if packet.marker else 0)
    fixed = _FIXED.pack(VERSION_2, second, packet.sequence, packet.timestamp, packet.ssrc)
    return fixed + packet.payload


def parse_event(payload: bytes) -> TelephoneEvent:
    """Parse a telephone-event payload; octets behind the first event are ignored."""
    if len(payload) < _EVENT.size:
        raise MalformedPacket("shorter than a telephone-event")
    code, flags, duration = _EVENT.unpack_from(payload)
    return TelephoneEvent(code, bool(flags & 0x80), flags & 0x3F, duration)


def build_event(event: TelephoneEvent) -> bytes:
    """The telephone-event payload, four octets."""
    return _EVENT.pack(event.code, (0x80 if event.end else 0) | event.volume, event.duration)
