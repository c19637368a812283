"""The legs that are due in the same tick, as a structure of arrays: the arithmetic of the pacer, no socket.

A tick does, for all legs of the group at once: read the ring, choose speech or silence, stamp headers, and
say which packets are to leave. The caller sends them and then nothing else happens for the leg until its next
tick. Everything is written into arrays that exist already.

    stamp(k) -> the packets [n, 12 + 8 * ptime] are ready, ``sending`` [n] says which of them are to leave

RTP time (RFC 3550 5.1) is the tick's number, not the packets sent: ``timestamp = base + step * k``. It runs
through silence, holes and stalls. The sequence number counts packets that leave. The marker opens a talkspurt
after a packet time in which nothing was sent (RFC 3551 4.1).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gateway.media.counters import Counter
from gateway.media.packet import HEADER, MARKER, VERSION_2
from gateway.ring import CAPACITY, NEVER, UNIT_MS, UNIT_OCTETS, RingBlock

_FIRST_CAPACITY: Final = 64

_FIELDS: Final[dict[str, str]] = {
    "rows": "i8",
    "sent": "i8",
    "limit": "i8",
    "acked": "i8",
    "silence": "i8",
    "payload_type": "u1",
    "suppress": "?",
    "speech_waits": "?",
    "mute": "?",
    "timestamp_base": "u4",
    "sequence": "u2",
    "packets": "i8",
    "missed": "i8",
    "sent_before": "?",
    "dry_before": "?",
}
"""A leg's state, by index in the group. ``limit``: the position of a cut under way. ``speech_waits``: the ring is
not to be read (a digit is being sent). ``missed``: packet times that stalls skipped. ``mute``: another packet
takes the audio packet's place."""

_SCRATCH: Final[dict[str, str]] = {
    "written": "i8",
    "available": "i8",
    "generation": "i8",
    "index": "i8",
    "flag": "u1",
    "speaking": "?",
    "sending": "?",
    "mask": "?",
    "dry": "?",
    "timestamp": "u4",
    "marker_type": "u1",
    "sent_ns": "i8",
    "counted": "i8",
}


class Group:
    """Legs with the same packet time and phase, by index 0 to ``n - 1``; removing one moves the last there."""

    rows: npt.NDArray[np.int64]
    sent: npt.NDArray[np.int64]
    limit: npt.NDArray[np.int64]
    acked: npt.NDArray[np.int64]
    silence: npt.NDArray[np.int64]
    payload_type: npt.NDArray[np.uint8]
    suppress: npt.NDArray[np.bool_]
    speech_waits: npt.NDArray[np.bool_]
    mute: npt.NDArray[np.bool_]
    timestamp_base: npt.NDArray[np.uint32]
    sequence: npt.NDArray[np.uint16]
    packets: npt.NDArray[np.int64]
    missed: npt.NDArray[np.int64]
    sent_before: npt.NDArray[np.bool_]
    dry_before: npt.NDArray[np.bool_]

    def __init__(self, ring: RingBlock, ptime_ms: int) -> None:
        self.ring = ring
        self.ptime_ms = ptime_ms
        self.units = ptime_ms // UNIT_MS
        self.step = 8 * ptime_ms
        self.octets = self.units * UNIT_OCTETS
        self.n = 0
        self.capacity = 0
        self._slots = CAPACITY // self.units
        self._frames = ring.frames.reshape(-1, self.octets)
        self._packet = np.dtype([("header", HEADER), ("payload", "u1", (self.octets,))])
        self.packet = np.zeros(0, self._packet)
        for name, kind in (_FIELDS | _SCRATCH).items():
            setattr(self, name, np.zeros(0, kind))
        self._views: dict[str, npt.NDArray[Any]] = {}
        self._suppressed = 0

    # -- membership, between ticks ------------------------------------------------------------------------

    def add(
        self, row: int, payload_type: int, ssrc: int, sequence: int, timestamp: int, suppress: bool
    ) -> int:
        """A new leg; its ring row begins at position 0. ``timestamp`` is that of tick number 0.

        Returns its index. ``packet`` may have moved in memory: see ``capacity``.
        """
        if self.n == self.capacity:
            self._grow()
        i = self.n
        self.n += 1
        self.rows[i] = row
        self.sent[i] = 0
        self.limit[i] = NEVER
        self.acked[i] = self.ring.generation[row]
        self.silence[i] = (self.ring.legs + (payload_type == 8)) * self._slots
        self.payload_type[i] = payload_type
        self.suppress[i] = suppress
        self.speech_waits[i] = self.mute[i] = self.sent_before[i] = self.dry_before[i] = False
        self.timestamp_base[i] = timestamp
        self.sequence[i] = sequence
        self.packets[i] = self.missed[i] = 0
        header = self.packet["header"]
        header["version"][i] = VERSION_2
        header["ssrc"][i] = ssrc
        for name in ("sent", "sent_ns", "packets", "octets", "underruns", "dry_ticks"):
            getattr(self.ring, name)[row] = 0
        self.ring.acked[row] = self.acked[i]
        self._members_changed()
        return i

    def remove(self, i: int) -> int:
        """Take out the leg at ``i``. Returns the index of the leg that took its place (``i`` if none did)."""
        last = self.n - 1
        if i != last:
            for name in _FIELDS:
                array = getattr(self, name)
                array[i] = array[last]
            self.packet[i] = self.packet[last]
        self.n = last
        self._members_changed()
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

    def _members_changed(self) -> None:
        """Slices to the first ``n`` of every array, so that a tick makes none."""
        n = self.n
        self._views = {name: getattr(self, name)[:n] for name in _FIELDS | _SCRATCH}
        header = self.packet["header"][:n]
        self._header_sequence = header["sequence"]
        self._header_timestamp = header["timestamp"]
        self._header_marker_type = header["marker_type"]
        self._packet_payloads = self.packet["payload"][:n]
        self._suppressed = int(np.count_nonzero(self.suppress[:n]))

    # -- cuts, every tick of the worker -------------------------------------------------------------------

    def cut(self, i: int) -> bool:
        """Act on a new generation of leg ``i`` (see ``gateway.ring``); True once the ring is let go."""
        ring, row = self.ring, int(self.rows[i])
        generation, at = int(ring.generation[row]), int(ring.cut_at[row])
        end = min(at, int(ring.written[row]))
        # a row that the writer has not taken back since the last cut has nothing more to send
        taken_back = ring.written_generation[row] == self.acked[i]
        if self.sent[i] < end and taken_back and not ring.paused[row]:
            self.limit[i] = at
            return False
        self.limit[i] = NEVER
        self.acked[i] = generation
        ring.acked[row] = generation
        return True

    # -- the tick -----------------------------------------------------------------------------------------

    def stamp(self, k: int, now_ns: int, *, stalled: bool = False) -> npt.NDArray[np.bool_]:
        """Make the packets of the group's ``k``-th packet time ready; returns ``sending`` [n].

        ``now_ns`` is recorded as the time at which speech left. ``stalled``: packet times before this one
        were skipped, so a receiver is told (marker) that a new talkspurt begins.
        """
        v = self._views
        self._choose(v)
        sending = v["sending"]
        if self._suppressed:
            np.logical_not(v["suppress"], out=sending)
            np.logical_or(sending, v["speaking"], out=sending)
        else:
            sending[:] = True
        mask = v["mask"]
        np.logical_not(v["mute"], out=mask)
        np.logical_and(sending, mask, out=sending)

        self._frames.take(v["index"], axis=0, out=self._payloads[: self.n], mode="clip")
        self._packet_payloads[...] = self._payloads[: self.n]
        np.add(v["timestamp_base"], np.uint32(self.step * k & 0xFFFFFFFF), out=v["timestamp"])
        self._header_timestamp[...] = v["timestamp"]
        self._header_sequence[...] = v["sequence"]
        np.add(v["sequence"], sending, out=v["sequence"])
        # a packet opens a talkspurt when it leaves and the one before it did not
        if stalled:
            np.copyto(mask, sending)
        else:
            np.logical_and(sending, ~v["sent_before"], out=mask)
        np.multiply(mask, np.uint8(MARKER), out=v["marker_type"])
        np.bitwise_or(v["marker_type"], v["payload_type"], out=v["marker_type"])
        self._header_marker_type[...] = v["marker_type"]
        np.logical_or(sending, v["mute"], out=v["sent_before"])
        self._account(v, now_ns)
        return sending

    def _choose(self, v: dict[str, npt.NDArray[Any]]) -> None:
        """Fill ``speaking`` [n] and ``index`` [n], the frame to send: from the ring, or silence."""
        ring, rows, speaking, mask, flag = self.ring, v["rows"], v["speaking"], v["mask"], v["flag"]
        # the generation first: a writer that takes the row back in between stores ``written`` before it, so
        # what is read second can only be newer
        ring.written_generation.take(rows, out=v["generation"], mode="clip")
        ring.written.take(rows, out=v["written"], mode="clip")
        np.minimum(v["written"], v["limit"], out=v["written"])
        np.subtract(v["written"], v["sent"], out=v["available"])
        np.greater_equal(v["available"], self.units, out=speaking)
        np.equal(v["generation"], v["acked"], out=mask)
        np.logical_and(speaking, mask, out=speaking)
        ring.unfinished.take(rows, out=flag, mode="clip")
        np.logical_and(mask, flag, out=v["dry"])
        ring.paused.take(rows, out=flag, mode="clip")
        np.logical_or(flag, v["speech_waits"], out=mask)
        np.logical_not(mask, out=mask)
        np.logical_and(speaking, mask, out=speaking)
        np.logical_and(v["dry"], mask, out=v["dry"])
        np.logical_not(speaking, out=mask)
        np.logical_and(v["dry"], mask, out=v["dry"])

        index = v["index"]
        np.remainder(v["sent"], CAPACITY, out=index)
        np.floor_divide(index, self.units, out=index)
        np.multiply(rows, self._slots, out=v["counted"])
        np.add(index, v["counted"], out=index)
        np.copyto(index, v["silence"], where=mask)

    def _account(self, v: dict[str, npt.NDArray[Any]], now_ns: int) -> None:
        """Advance what was sent and publish it. What the kernel then refuses is counted by the lane."""
        ring, rows, speaking, counted = self.ring, v["rows"], v["speaking"], v["counted"]
        np.multiply(speaking, self.units, out=counted)
        np.add(v["sent"], counted, out=v["sent"])
        np.copyto(v["sent_ns"], now_ns, where=speaking)
        np.add(v["packets"], v["sending"], out=v["packets"])
        ring.sent_ns[rows] = v["sent_ns"]
        ring.sent[rows] = v["sent"]
        ring.packets[rows] = v["packets"]
        np.multiply(v["packets"], self.octets, out=counted)
        ring.octets[rows] = counted
        if v["dry"].any():
            self._count_dry(v)
        elif v["dry_before"].any():
            v["dry_before"][...] = False

    def _count_dry(self, v: dict[str, npt.NDArray[Any]]) -> None:
        """An underrun: the utterance goes on and the ring is dry. A run of dry ticks is one underrun."""
        rows = v["rows"]
        np.logical_not(v["dry_before"], out=v["mask"])
        np.logical_and(v["mask"], v["dry"], out=v["mask"])
        self.ring.underruns[rows] += v["mask"]
        self.ring.dry_ticks[rows] += v["dry"]
        self.ring.counters[Counter.UNDERRUNS] += np.count_nonzero(v["mask"])
        self.ring.counters[Counter.DRY_TICKS] += np.count_nonzero(v["dry"])
        v["dry_before"][...] = v["dry"]
