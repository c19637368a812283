"""The state of a group's legs as a structure of arrays, and what a tick computes on the way, laid out beforehand.

A leg is an index from 0 to ``n - 1``. Arrays are as long as ``capacity`` and grow by doubling; ``_views`` are
slices of them to the first ``n``, so that a tick makes none.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gateway.media.mixing import LEVELS
from gateway.media.packet import HEADER

_FIRST_CAPACITY: Final = 64

_FIELDS: Final[dict[str, Any]] = {
    "rows": "i8",
    "sent": "i8",
    "sent_ns": "i8",
    "slot": "i8",
    "first_slot": "i8",
    "limit": "i8",
    "held_from": "i8",
    "acked": "i8",
    "changes": "i8",
    "silence": "i8",
    "payload_type": "u1",
    "suppress": "?",
    "speech_waits": "?",
    "mute": "?",
    "speaking": "?",
    "faded": "?",
    "alaw": "?",
    "timestamp_base": "u4",
    "sequence": "u2",
    "packets": "i8",
    "missed": "i8",
    "sent_before": "?",
    "dry_before": "?",
    "levels": LEVELS,
}
"""A leg's state, by index in the group.

``slot``: the place of the next packet in its part of the ring, which begins at ``first_slot``. ``limit``: the
position of a cut under way. ``held_from``: the position from which on speech is held, NEVER when it is not, and
``faded``: it died away there. ``changes``: how many that belong to a cut were made (see ``gateway.ring``).
``speech_waits``: the ring is not to be read (a digit is being sent). ``missed``: packet times skipped by stalls.
``mute``: another packet takes the audio packet's place. ``speaking``: its newest packet held speech.
"""

_SCRATCH: Final[dict[str, str]] = {
    "written": "i8",
    "available": "i8",
    "generation": "i8",
    "index": "i8",
    "flag": "u1",
    "waiting": "?",
    "sending": "?",
    "everybody": "?",
    "mask": "?",
    "fresh": "?",
    "dry": "?",
    "timestamp": "u4",
    "marker_type": "u1",
}


class Columns:
    """The arrays. ``octets``: of a packet's payload. ``packet`` [capacity] holds what leaves, headers and all."""

    rows: npt.NDArray[np.int64]
    sent: npt.NDArray[np.int64]
    sent_ns: npt.NDArray[np.int64]
    slot: npt.NDArray[np.int64]
    first_slot: npt.NDArray[np.int64]
    limit: npt.NDArray[np.int64]
    held_from: npt.NDArray[np.int64]
    acked: npt.NDArray[np.int64]
    changes: npt.NDArray[np.int64]
    silence: npt.NDArray[np.int64]
    payload_type: npt.NDArray[np.uint8]
    suppress: npt.NDArray[np.bool_]
    speech_waits: npt.NDArray[np.bool_]
    mute: npt.NDArray[np.bool_]
    speaking: npt.NDArray[np.bool_]
    faded: npt.NDArray[np.bool_]
    alaw: npt.NDArray[np.bool_]
    timestamp_base: npt.NDArray[np.uint32]
    sequence: npt.NDArray[np.uint16]
    packets: npt.NDArray[np.int64]
    missed: npt.NDArray[np.int64]
    sent_before: npt.NDArray[np.bool_]
    dry_before: npt.NDArray[np.bool_]
    levels: npt.NDArray[Any]

    def __init__(self, octets: int) -> None:
        self.octets = octets
        self.n = 0
        self.capacity = 0
        self._packet = np.dtype([("header", HEADER), ("payload", "u1", (octets,))])
        self.packet = np.zeros(0, self._packet)
        for name, kind in (_FIELDS | _SCRATCH).items():
            setattr(self, name, np.zeros(0, kind))
        self._payloads = np.zeros((0, octets), np.uint8)
        self._slice()

    def _append(self) -> int:
        """Room for one more, whose state is to be set; returns its index. ``packet`` may have moved in memory."""
        if self.n == self.capacity:
            self._grow()
        self.n += 1
        return self.n - 1

    def _remove(self, i: int) -> int:
        """The last one takes the place of ``i``; returns the index that it had."""
        last = self.n = self.n - 1
        if i != last:
            for name in _FIELDS:
                array = getattr(self, name)
                array[i] = array[last]
            self.packet[i] = self.packet[last]
        return last

    def _grow(self) -> None:
        self.capacity = max(_FIRST_CAPACITY, 2 * self.capacity)
        for name in _FIELDS | _SCRATCH:
            old = getattr(self, name)
            new = np.zeros(self.capacity, old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)
        packet = np.zeros(self.capacity, self._packet)
        packet[: len(self.packet)] = self.packet
        self.packet = packet
        self._payloads = np.zeros((self.capacity, self.octets), np.uint8)

    def _slice(self) -> None:
        """Slices to the first ``n`` of every array; to be called whenever ``n`` has changed."""
        n = self.n
        self._views: dict[str, npt.NDArray[Any]] = {
            name: getattr(self, name)[:n] for name in _FIELDS | _SCRATCH
        }
        header = self.packet["header"][:n]
        self._header_sequence = header["sequence"]
        self._header_timestamp = header["timestamp"]
        self._header_marker_type = header["marker_type"]
        self._packet_payloads = self.packet["payload"][:n]
        self._views["everybody"][...] = True
