"""RTCP receiver reports from what was really received (RFC 3550 6.4.2, A.3, A.8). Pure: `now` comes in."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gateway.listen.analysis import by_ssrc
from gateway.listen.packets import is_event
from gateway.listen.rtcp import RtcpType, SenderReport
from gateway.listen.store import Records
from gateway.listen.timing import jitter

MAX_BLOCKS: Final = 31
"""Report blocks that the 5-bit count of one RR holds."""

_HEADER = struct.Struct("!BBHL")
_BLOCK = struct.Struct("!LLLLLL")
_SDES_CNAME = 1


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """RFC 3550 6.4.1; fields as on the wire."""

    ssrc: int
    fraction_lost: int
    """Of 256, since the report before."""
    cumulative_lost: int
    """Negative where repeats outnumber losses."""
    highest_seq: int
    """Extended to 32 bits."""
    jitter: int
    """Timestamp units."""
    lsr: int
    """Middle 32 bits of the last sender report's NTP timestamp, 0 where none came."""
    dlsr: int
    """Delay since that report in 1/65536 s."""


class Reception:
    """Running figures of one SSRC, fed in slices."""

    def __init__(self, ssrc: int, clock_rate: int) -> None:
        self.ssrc = ssrc
        self._rate = clock_rate
        self._base: int | None = None
        self._highest = 0
        self._received = 0
        self._expected_before = 0
        self._received_before = 0
        self._last: tuple[int, int] | None = None  # arrival ns, RTP timestamp of the last media packet
        self._jitter = 0.0
        self._lsr = 0
        self._lsr_at_ns = 0

    def hear(self, packets: Records) -> None:
        """Count PACKET[n], n >= 1, of this SSRC, in order of arrival."""
        seq = packets["seq"].astype(np.int64)
        start = int(seq[0]) if self._base is None else self._highest
        extended = start + np.diff(np.concatenate([[start], seq])).astype(np.int16).astype(np.int64).cumsum()
        if self._base is None:
            self._base = int(extended[0])
        self._highest = max(self._highest, int(extended.max()))
        self._received += len(packets)
        self._time(packets[~is_event(packets)])

    def _time(self, media: Records) -> None:
        if not len(media):
            return
        arrivals, timestamps = media["t_ns"], media["timestamp"]
        if self._last is not None:
            arrivals = np.concatenate([[self._last[0]], arrivals])
            timestamps = np.concatenate([np.array([self._last[1]], np.uint32), timestamps])
        told = np.diff(timestamps).astype(np.int32)
        deviations = np.diff(arrivals) * 1e-9 * self._rate - told
        if len(deviations):
            self._jitter = float(jitter(deviations, self._jitter)[-1])
        self._last = int(arrivals[-1]), int(timestamps[-1])

    def hear_report(self, report: SenderReport, t_ns: int) -> None:
        """Note a sender report of this SSRC, for the sender's round trip time."""
        self._lsr = (report.ntp >> 16) & 0xFFFFFFFF
        self._lsr_at_ns = t_ns

    def block(self, now_ns: int) -> ReportBlock | None:
        """The block as of `now_ns` (the packets' clock), which opens the next interval; None before media."""
        if self._base is None:
            return None
        expected = self._highest - self._base + 1
        expected_now = expected - self._expected_before
        lost_now = expected_now - (self._received - self._received_before)
        self._expected_before, self._received_before = expected, self._received
        return ReportBlock(
            ssrc=self.ssrc,
            fraction_lost=min(255, (lost_now << 8) // expected_now) if expected_now and lost_now > 0 else 0,
            cumulative_lost=max(-(1 << 23), min((1 << 23) - 1, expected - self._received)),
            highest_seq=self._highest & 0xFFFFFFFF,
            jitter=int(self._jitter) & 0xFFFFFFFF,
            lsr=self._lsr,
            dlsr=(now_ns - self._lsr_at_ns) * 65536 // 1_000_000_000 & 0xFFFFFFFF if self._lsr else 0,
        )


class Receptions:
    """Running figures of every SSRC."""

    def __init__(self, clock_rate: int = 8000) -> None:
        self._rate = clock_rate
        self._of: dict[int, Reception] = {}

    def _reception(self, ssrc: int) -> Reception:
        return self._of.setdefault(ssrc, Reception(ssrc, self._rate))

    def hear(self, packets: Records) -> None:
        """Count PACKET[n] of any SSRCs, in order of arrival."""
        for group in by_ssrc(packets):
            self._reception(int(group["ssrc"][0])).hear(group)

    def hear_report(self, report: SenderReport, t_ns: int) -> None:
        """Note a sender report that came at `t_ns`."""
        self._reception(report.ssrc).hear_report(report, t_ns)

    def blocks(self, ssrcs: Sequence[int], now_ns: int) -> tuple[ReportBlock, ...]:
        """Report blocks of those of `ssrcs` that media came from."""
        blocks = (self._reception(ssrc).block(now_ns) for ssrc in ssrcs)
        return tuple(block for block in blocks if block is not None)


def build_receiver_report(ssrc: int, cname: str, blocks: Sequence[ReportBlock]) -> bytes:
    """A compound of RR (several where blocks exceed 31; an empty one for none) and SDES CNAME."""
    groups = [blocks[at : at + MAX_BLOCKS] for at in range(0, len(blocks), MAX_BLOCKS)] or [()]
    reports = b"".join(_report(ssrc, group) for group in groups)
    name = cname.encode()
    assert len(name) <= 255, "a CNAME is at most 255 octets"
    item = bytes([_SDES_CNAME, len(name)]) + name
    item += bytes(4 - len(item) % 4)  # one to four zero octets end the chunk
    return reports + _HEADER.pack(0x81, RtcpType.SDES, 1 + len(item) // 4, ssrc) + item


def _report(ssrc: int, blocks: Sequence[ReportBlock]) -> bytes:
    header = _HEADER.pack(0x80 | len(blocks), RtcpType.RR, 1 + 6 * len(blocks), ssrc)
    return header + b"".join(
        _BLOCK.pack(
            block.ssrc,
            block.fraction_lost << 24 | block.cumulative_lost & 0xFFFFFF,
            block.highest_seq,
            block.jitter,
            block.lsr,
            block.dlsr,
        )
        for block in blocks
    )
