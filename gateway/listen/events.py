"""Telephone-events as they came, made into digits: one event per timestamp (RFC 4733 2.5.2). Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from gateway.listen.store import Records

DIGITS: Final = "0123456789*#ABCD"
"""Event codes 0 to 15 (RFC 4733 3.2)."""

_LONGEST = 0xFFFF


@dataclass(frozen=True, slots=True)
class HeardEvent:
    """One event, over all the packets that told of it."""

    code: int
    timestamp: int
    """RTP timestamp of its start."""
    duration: int
    """Timestamp units."""
    volume_dbm0: int
    ended: bool
    """A packet with the end bit came."""
    packets: int
    started_ns: int
    """Arrival of its first packet, CLOCK_MONOTONIC."""

    @property
    def digit(self) -> str:
        """The key, or the code in brackets where it is no key."""
        return DIGITS[self.code] if self.code < len(DIGITS) else f"[{self.code}]"


def heard_events(events: Records, payloads: Records) -> tuple[HeardEvent, ...]:
    """Events in the telephone-event packets PACKET[n] of one stream, which are in sequence order.

    `payloads` is u8[n, 4], row for row. A long event's segments (RFC 4733 2.5.1.3) are one event again.
    """
    found: dict[tuple[int, int], HeardEvent] = {}
    durations = payloads[:, 2].astype(np.int64) << 8 | payloads[:, 3]
    for packet, payload, duration in zip(events, payloads.tolist(), durations.tolist(), strict=True):
        key = int(packet["timestamp"]), payload[0]
        event = found.get(key) or HeardEvent(
            code=payload[0],
            timestamp=key[0],
            duration=0,
            volume_dbm0=-(payload[1] & 0x3F),
            ended=False,
            packets=0,
            started_ns=int(packet["t_ns"]),
        )
        found[key] = replace(
            event,
            duration=max(event.duration, duration),
            ended=event.ended or payload[1] >= 0x80,
            packets=event.packets + 1,
        )
    whole: list[HeardEvent] = []
    for event in found.values():
        if whole and _continues(whole[-1], event):
            whole[-1] = replace(
                whole[-1],
                duration=whole[-1].duration + event.duration,
                ended=event.ended,
                packets=whole[-1].packets + event.packets,
            )
        else:
            whole.append(event)
    return tuple(whole)


def _continues(before: HeardEvent, event: HeardEvent) -> bool:
    return (
        before.code == event.code
        and not before.ended
        and before.duration > 0
        and before.duration % _LONGEST == 0
        and event.timestamp == (before.timestamp + before.duration) % (1 << 32)
    )
