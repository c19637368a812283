"""DTMF as RTP events (RFC 4733), both ways, as two small state machines without clock or socket."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from gateway.media.packet import DIGITS, TelephoneEvent

END_PACKETS: Final = 3
"""RFC 4733 2.5.1.4: the final packet is sent three times in all."""
GAP_MS: Final = 60
"""Silence between two digits; receivers after ITU-T Q.24 want 40 ms or more."""
_REMEMBERED: Final = 4
_LONGEST: Final = 0xFFFF
_STEP: Final = 480
"""Of the longest packet, 60 ms: a segment that is told once a packet is as long as it can be within one."""


@dataclass(frozen=True, slots=True)
class EventPacket:
    """What to send in place of an audio packet: ``timestamp`` is that of the event's start."""

    timestamp: int
    marker: bool
    event: TelephoneEvent


class DigitSender:
    """Sends a string of digits, one packet a ptime.

    Drive it with ``tick(timestamp)`` once a packet time while ``active``; None means a pause between digits,
    in which silence goes out as usual.
    """

    def __init__(self, ptime_ms: int, volume_dbm0: int) -> None:
        self._step = 8 * ptime_ms
        self._gap_packets = -(-GAP_MS // ptime_ms)
        self._volume = -volume_dbm0
        self._waiting: deque[tuple[str, int]] = deque()
        self._code = 0
        self._start: int | None = None
        self._duration = 0
        self._target = 0
        self._ends = 0
        self._gap = 0

    @property
    def active(self) -> bool:
        """Whether a digit, or the pause behind it, is still to be sent."""
        return bool(self._waiting) or self._start is not None or self._gap > 0

    def add(self, digits: str, duration_ms: int) -> None:
        """Queue digits, each ``duration_ms`` long. Raises ValueError on an unknown one."""
        for digit in digits.upper():
            if digit not in DIGITS:
                raise ValueError(f"{digit!r} is not a DTMF digit")
            self._waiting.append((digit, duration_ms))

    def tick(self, timestamp: int) -> EventPacket | None:
        """The packet for this packet time, whose RTP timestamp is ``timestamp``."""
        if self._start is None:
            if self._gap:
                self._gap -= 1
                return None
            if not self._waiting:
                return None
            digit, duration_ms = self._waiting.popleft()
            self._code = DIGITS.index(digit)
            self._start = timestamp
            self._duration = 0
            self._target = min(8 * duration_ms, _LONGEST)
            self._ends = 0
        marker = self._duration == 0
        start = self._start
        if self._ends == 0:
            self._duration = min(self._duration + self._step, self._target)
        end = self._duration >= self._target
        self._ends += end
        if self._ends == END_PACKETS:
            self._start = None
            self._gap = self._gap_packets
        return EventPacket(start, marker, TelephoneEvent(self._code, end, self._volume, self._duration))


@dataclass(frozen=True, slots=True)
class Digit:
    """A digit from the peer: at its first packet with ``duration_ms`` None, and once more at its end."""

    digit: str
    duration_ms: int | None


@dataclass(slots=True)
class _Open:
    """A digit that has begun: its newest segment's timestamp and duration, and how long those ``before`` were."""

    timestamp: int
    digit: str
    duration: int
    before: int = 0


class DigitReceiver:
    """Turns the peer's event packets into digits: one for each timestamp, however often it is resent.

    A digit that is held for more than 8 s comes in segments, each of which takes up where the one before it is as
    long as it can be (RFC 4733 2.5.1.3).
    """

    def __init__(self) -> None:
        self._open: _Open | None = None
        self._seen: deque[int] = deque(maxlen=_REMEMBERED)

    def receive(self, timestamp: int, event: TelephoneEvent) -> list[Digit]:
        """Digits that begin or end with this packet. Events that are not DTMF (code above 15) are ignored."""
        if event.code >= len(DIGITS):
            return []
        digits: list[Digit] = []
        digit, new = DIGITS[event.code], timestamp not in self._seen
        if new:
            self._seen.append(timestamp)
            if self._open is not None and not self._goes_on(self._open, digit, timestamp):
                digits.append(self._close(self._open))  # its end packets were lost: the next event ends it
            if self._open is None:
                self._open = _Open(timestamp, digit, 0)
                digits.append(Digit(digit, None))
        held = self._open
        if held is None or held.timestamp != timestamp:
            return digits  # a late copy of an older event
        held.duration = max(held.duration, event.duration)
        if event.end:
            digits.append(self._close(held))
        return digits

    @staticmethod
    def _goes_on(held: _Open, digit: str, timestamp: int) -> bool:
        """Whether the next segment of the digit begins, which is then taken up."""
        after = (timestamp - held.timestamp) & 0xFFFFFFFF
        if digit != held.digit or not _LONGEST - _STEP < after <= _LONGEST:
            return False
        held.timestamp, held.duration, held.before = timestamp, 0, held.before + after
        return True

    def _close(self, held: _Open) -> Digit:
        self._open = None
        return Digit(held.digit, (held.before + held.duration) // 8)
