"""RTCP (RFC 3550 6): the sender reports that we send, the receiver reports that we read.

Pure: the NTP time is passed in. We send media and mostly receive none, so our reports carry no report blocks.
"""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, field
from typing import Final

from gateway.media.packet import MalformedPacket

SENDER_REPORT: Final = 200
RECEIVER_REPORT: Final = 201
SOURCE_DESCRIPTION: Final = 202
BYE: Final = 203
_CNAME: Final = 1
_HEADER_OCTETS: Final = 4
_BLOCK_OCTETS: Final = 24
NTP_EPOCH: Final = 2_208_988_800
"""Seconds from 1900 (NTP) to 1970 (Unix)."""
_RECONSIDERATION: Final = 2.718281828 - 1.5
"""RFC 3550 6.3.1: compensates for the randomised interval's bias."""


def ntp_time(unix_ns: int) -> int:
    """64-bit NTP timestamp of a Unix time in nanoseconds."""
    seconds, rest = divmod(unix_ns, 1_000_000_000)
    return (seconds + NTP_EPOCH) << 32 | (rest << 32) // 1_000_000_000


def next_interval(mean_seconds: float, uniform: float) -> float:
    """Seconds to the next report (RFC 3550 6.3.1); ``uniform`` is random in 0..1."""
    return mean_seconds * (0.5 + uniform) / _RECONSIDERATION


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


_REPORT = struct.Struct("!BBHIQIII")


def build_description(ssrc: int, cname: str) -> bytes:
    """SDES with CNAME alone (RFC 3550 6.5); the same for all of a leg's life."""
    name = cname.encode()
    chunk = struct.pack("!IBB", ssrc, _CNAME, len(name)) + name
    chunk += bytes(4 - len(chunk) % 4)  # at least one null octet ends the list of items
    return _packet(SOURCE_DESCRIPTION, 1, chunk)


def build_sender_report(
    ssrc: int,
    ntp: int,
    rtp_timestamp: int,
    packets: int,
    octets: int,
    description: bytes,
    *,
    bye: bool = False,
) -> bytes:
    """A compound packet: SR (RFC 3550 6.4.1), ``description``, and BYE (6.6) when ``bye``.

    Counts are taken modulo 2^32; ``ntp`` is 64-bit; the datagram is a multiple of four octets.
    """
    report = _REPORT.pack(
        0x80,
        SENDER_REPORT,
        6,
        ssrc,
        ntp,
        rtp_timestamp & 0xFFFFFFFF,
        packets & 0xFFFFFFFF,
        octets & 0xFFFFFFFF,
    )
    compound = report + description
    return compound + _packet(BYE, 1, struct.pack("!I", ssrc)) if bye else compound


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says of one source (RFC 3550 6.4.1); jitter in timestamp units."""

    ssrc: int
    fraction_lost: float
    cumulative_lost: int
    highest_sequence: int
    jitter: int
    last_sr: int
    delay_since_last_sr: int

    def round_trip_seconds(self, now_ntp: int) -> float | None:
        """Round trip at NTP time ``now_ntp`` (64-bit); None when the peer has seen no SR or errs."""
        if self.last_sr == 0:
            return None
        middle = now_ntp >> 16 & 0xFFFFFFFF
        trip = (middle - self.last_sr - self.delay_since_last_sr) & 0xFFFFFFFF
        return trip / 65536 if trip < 0x80000000 else None


@dataclass(frozen=True, slots=True)
class Compound:
    """What we want to know of a received compound packet."""

    senders: tuple[int, ...]
    blocks: tuple[ReportBlock, ...]
    byes: tuple[int, ...] = field(default=())


def parse_compound(data: bytes) -> Compound:
    """Parse a compound RTCP packet. Raises MalformedPacket (RFC 3550 A.2's validity checks)."""
    senders: list[int] = []
    blocks: list[ReportBlock] = []
    byes: list[int] = []
    offset = 0
    while offset < len(data):
        if len(data) - offset < _HEADER_OCTETS:
            raise MalformedPacket("cut off in an RTCP header")
        first, kind, words = struct.unpack_from("!BBH", data, offset)
        end = offset + _HEADER_OCTETS + 4 * words
        if first >> 6 != 2 or end > len(data):
            raise MalformedPacket("not RTCP version 2, or longer than its datagram")
        if offset == 0 and kind not in (SENDER_REPORT, RECEIVER_REPORT):
            raise MalformedPacket("a compound packet begins with a report")
        count = first & 0x1F
        body = data[offset + _HEADER_OCTETS : end]
        if kind in (SENDER_REPORT, RECEIVER_REPORT):
            begin = 24 if kind == SENDER_REPORT else 4
            if len(body) < begin + count * _BLOCK_OCTETS:
                raise MalformedPacket("cut off in a report")
            senders.append(int.from_bytes(body[:4], "big"))
            blocks += [_block(body[begin + i * _BLOCK_OCTETS :]) for i in range(count)]
        elif kind == BYE:
            if len(body) < 4 * count:
                raise MalformedPacket("cut off in a BYE")
            byes += struct.unpack_from(f"!{count}I", body)
        offset = end
    if not data:
        raise MalformedPacket("empty")
    return Compound(tuple(senders), tuple(blocks), tuple(byes))


def _block(data: bytes) -> ReportBlock:
    ssrc, loss, highest, jitter, last_sr, delay = struct.unpack_from("!IIIIII", data)
    cumulative = loss & 0xFFFFFF
    if cumulative & 0x800000:  # signed 24 bit: duplicates make it negative
        cumulative -= 0x1000000
    return ReportBlock(ssrc, (loss >> 24) / 256, cumulative, highest, jitter, last_sr, delay)


def random_cname() -> str:
    """A short-term persistent CNAME (RFC 7022 4.2): 96 random bits, telling nothing of the host."""
    return f"{random.SystemRandom().getrandbits(96):024x}"
