"""RTP headers of a whole batch of datagrams at once, in numpy (RFC 3550 5.1, RFC 5761 4).

Pure: bytes in, columns out. Nothing here trusts a length field, so no datagram can raise.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from gateway.listen.store import Records

SLOT: Final = 2048
"""Bytes set aside for one datagram; an Ethernet MTU fits, anything longer is counted as malformed."""

PACKET: Final = np.dtype(
    [
        ("t_ns", np.int64),  # arrival at the kernel, CLOCK_MONOTONIC
        ("payload_start", np.int64),  # offset in the payload store, -1 where payloads are not kept
        ("ssrc", np.uint32),
        ("timestamp", np.uint32),
        ("seq", np.uint16),
        ("payload_length", np.uint16),
        ("port_index", np.uint16),  # which of the receiver's ports heard it
        ("source_port", np.uint16),
        ("payload_type", np.uint8),
        ("marker", np.bool_),
        ("source_ip", np.uint8, (16,)),  # IPv6, or IPv4 mapped into it (RFC 4291 2.5.5.2)
    ],
    align=True,
)
"""One received RTP packet."""

_RTP_HEADER = 12
_RTCP_HEADER = 4
_PLAIN = 0x80  # version 2, no padding, no extension, no CSRC
_FIRST_RTCP_TYPE, _LAST_RTCP_TYPE = 192, 223
_FIRST_DYNAMIC_TYPE = 96
_EVENT_PAYLOAD = 4

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Headers:
    """Columns of n datagrams. Rows with neither `rtp` nor `rtcp` set hold no meaning."""

    rtp: Bools
    rtcp: Bools
    payload_start: Ints
    """Offset in the datagram, after CSRCs and extension."""
    payload_length: Ints
    """Octets, without padding."""
    payload_type: npt.NDArray[np.uint8]
    marker: Bools
    seq: npt.NDArray[np.uint16]
    timestamp: npt.NDArray[np.uint32]
    ssrc: npt.NDArray[np.uint32]


def parse_headers(datagrams: npt.NDArray[np.uint8], lengths: Ints) -> Headers:
    """Parse `datagrams` u8[n, SLOT] (C-contiguous), of which the first `lengths` i64[n] octets are valid.

    RTCP is told from RTP by its second octet, 192 to 223 (RFC 5761 4), so both may share a port.
    """
    words = datagrams.view(">u4")[:, :3].astype(np.uint32)
    first = datagrams[:, 0]
    second = datagrams[:, 1]
    version_ok = (first >> 6) == 2
    is_control = (second >= _FIRST_RTCP_TYPE) & (second <= _LAST_RTCP_TYPE)
    rtcp = version_ok & is_control & (lengths >= _RTCP_HEADER)
    rtp = version_ok & ~is_control & (lengths >= _RTP_HEADER)
    start = np.full(len(lengths), _RTP_HEADER, np.int64)
    length = lengths - _RTP_HEADER
    odd = np.flatnonzero(rtp & (first != _PLAIN))
    if len(odd):
        start[odd], length[odd], rtp[odd] = _unusual(datagrams, lengths, odd)
    return Headers(
        rtp=rtp,
        rtcp=rtcp,
        payload_start=start,
        payload_length=length,
        payload_type=second & np.uint8(0x7F),
        marker=second >= 0x80,
        seq=words[:, 0].astype(np.uint16),
        timestamp=words[:, 1],
        ssrc=words[:, 2],
    )


def _unusual(datagrams: npt.NDArray[np.uint8], lengths: Ints, rows: Ints) -> tuple[Ints, Ints, Bools]:
    """Payload start, payload length and validity of `rows` that carry CSRCs, an extension or padding."""
    first = datagrams[rows, 0].astype(np.int64)
    total = lengths[rows]
    start = _RTP_HEADER + 4 * (first & 0x0F)
    extended = (first & 0x10) != 0
    # the two octets of the extension's length; clipped so that a truncated packet reads only its own slot
    at = np.minimum(start + 2, SLOT - 2)
    words = datagrams[rows, at].astype(np.int64) << 8 | datagrams[rows, at + 1]
    valid = np.where(extended, start + 4, start) <= total
    start = np.where(extended, start + 4 + 4 * words, start)
    padded = (first & 0x20) != 0
    padding = np.where(padded, datagrams[rows, total - 1], 0).astype(np.int64)
    length = total - start - padding
    valid &= (length >= 0) & ~(padded & (padding == 0))
    return start, length, valid


def is_event(packets: Records) -> Bools:
    """Which of `packets` PACKET[n] are RFC 4733 telephone-events: a dynamic payload type, four octets.

    Their timestamp stands still while their event lasts, so they have no place in timing or audio.
    """
    event: Bools = (packets["payload_type"] >= _FIRST_DYNAMIC_TYPE) & (
        packets["payload_length"] == _EVENT_PAYLOAD
    )
    return event


def source_text(packet: np.void) -> str:
    """`address:port` (or `[address]:port`) a PACKET record came from."""
    address = ipaddress.IPv6Address(packet["source_ip"].tobytes())
    mapped = address.ipv4_mapped
    return f"{mapped}:{packet['source_port']}" if mapped else f"[{address}]:{packet['source_port']}"
