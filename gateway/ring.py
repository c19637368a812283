"""The shared ring: encoded speech on its way from a synthesis worker to the pacer, and nothing else.

One block of shared memory for each media worker, a structure of arrays indexed by leg row. Every array has
exactly one writing process, so there is no lock and no message for a frame:

    control     generation, cut_at, fading, changes, hold_at, cuts
    synthesis   frames, written, written_generation, unfinished
    media       sent, sent_ns, acked, underruns, dry_ticks, stalls, blocked, counters

Positions count units of 10 ms (80 octets of G.711) since the leg was opened. ``written - sent`` is the leg's
exact time to underrun and ``sent`` is what the caller was really given. Who breaks off speech is counted apart:
``underruns`` are synthesis's, which had not laid enough; ``stalls`` the pacer's, which was late with what was
there; ``blocked`` the socket's, which took no more. A run of either is one.

A cut (barge-in, stop, unqueue) takes three steps, each by the one who owns the memory:

1. control stores ``cut_at`` and then ``generation + 1``: nothing beyond position ``cut_at`` may be sent;
2. the pacer sends what is left below ``cut_at``, then stores ``acked = generation`` and lets the ring be;
   from here on ``sent`` stands still and is the truth about what was heard;
3. the writer sees the acknowledgement, takes back what was not sent (``written = sent``) and stores
   ``written_generation = generation``; what it lays from now on is sent again.

With ``fading`` the pacer lets what it cuts at once die away within 10 ms, under whatever is sent next: the unit
at ``sent``, falling to nothing, which does not count as sent. Speech is held (a pause) at position ``hold_at``:
at once when that was passed, NEVER when it goes on; it dies away and comes back likewise, from the same sample.

A leg whose codec is agreed on late, or changes, is cut, too: control counts up ``changes`` before the cut and
then tells the pacer of the change. The pacer lets go only when it has been told as often, so each generation is
of one codec.

Frames laid for an old generation in the meantime die at the door: the pacer reads a row only while
``written_generation == acked``. Stores become visible in program order on x86-64 (total store order).
"""

from __future__ import annotations

import mmap
import os
from typing import Final

import numpy as np
import numpy.typing as npt

UNIT_MS: Final = 10
UNIT_OCTETS: Final = 80
CAPACITY: Final = 240
"""Units in a leg's ring: 2.4 s. A multiple of every packet size (1, 2, 3, 4, 6 units), so that a packet's
payload never wraps and the kernel can read it in place."""

SILENCE: Final = (0xFF, 0xD5)
"""An octet of silence by RTP payload type's law: mu-law, A-law (ITU-T G.711)."""

NEVER: Final = np.iinfo(np.int64).max

_INT64_PER_LEG: Final = (
    "generation",
    "cut_at",
    "hold_at",
    "changes",
    "written",
    "written_generation",
    "sent",
    "sent_ns",
    "acked",
    "underruns",
    "dry_ticks",
    "stalls",
    "blocked",
)
_FLAG_PER_LEG: Final = ("fading", "unfinished")
COUNTERS: Final = 64
_PAGE: Final = 4096


def _padded(size: int) -> int:
    return -(-size // _PAGE) * _PAGE


class RingBlock:
    """The arrays of one media worker's legs, mapped from an anonymous memory file.

    Anonymous (``memfd_create``): the kernel frees it with its last process, so no crash leaves shared memory
    behind. Pages are touched on first use, so a leg that never speaks costs no frames memory.

    Shapes, with L legs: ``frames`` u8 [L + 2, 19200], the last two rows being the silence of mu-law and A-law
    for the pacer to fall back on; counters and positions i64 [L]; flags u8 [L]; ``counters`` i64 [64], the
    worker's own (see ``gateway.media.counters``).
    """

    generation: npt.NDArray[np.int64]
    cut_at: npt.NDArray[np.int64]
    hold_at: npt.NDArray[np.int64]
    changes: npt.NDArray[np.int64]
    written: npt.NDArray[np.int64]
    written_generation: npt.NDArray[np.int64]
    sent: npt.NDArray[np.int64]
    sent_ns: npt.NDArray[np.int64]
    acked: npt.NDArray[np.int64]
    underruns: npt.NDArray[np.int64]
    dry_ticks: npt.NDArray[np.int64]
    stalls: npt.NDArray[np.int64]
    blocked: npt.NDArray[np.int64]
    fading: npt.NDArray[np.uint8]
    unfinished: npt.NDArray[np.uint8]

    def __init__(self, fd: int, legs: int) -> None:
        """Map the block behind ``fd``; ``legs`` must be what it was created with."""
        self.fd = fd
        self.legs = legs
        self._map = mmap.mmap(fd, self.size(legs))
        offset = 0
        for name in _INT64_PER_LEG:
            setattr(self, name, np.frombuffer(self._map, np.int64, legs, offset))
            offset += _padded(8 * legs)
        for name in _FLAG_PER_LEG:
            setattr(self, name, np.frombuffer(self._map, np.uint8, legs, offset))
            offset += _padded(legs)
        self.breaks: Final = {"synthesis": self.underruns, "pacer": self.stalls, "socket": self.blocked}
        """How often each leg's speech broke off, by whose fault: i64 [L] each."""
        self.cuts: npt.NDArray[np.int64] = np.frombuffer(self._map, np.int64, 1, offset)
        offset += _PAGE
        self.counters: npt.NDArray[np.int64] = np.frombuffer(self._map, np.int64, COUNTERS, offset)
        offset += _padded(8 * COUNTERS)
        rows = legs + len(SILENCE)
        flat = np.frombuffer(self._map, np.uint8, rows * CAPACITY * UNIT_OCTETS, offset)
        self.frames: npt.NDArray[np.uint8] = flat.reshape(rows, CAPACITY * UNIT_OCTETS)
        for row, octet in enumerate(SILENCE, legs):
            self.frames[row] = octet

    @staticmethod
    def size(legs: int) -> int:
        """Octets of a block for ``legs`` legs."""
        arrays = len(_INT64_PER_LEG) * _padded(8 * legs) + len(_FLAG_PER_LEG) * _padded(legs)
        return arrays + _PAGE + _padded(8 * COUNTERS) + (legs + len(SILENCE)) * CAPACITY * UNIT_OCTETS

    @classmethod
    def create(cls, legs: int) -> RingBlock:
        """A new block, all zero but that nothing is held. The descriptor is inheritable, for the workers."""
        fd = os.memfd_create("voxtrunk-ring", 0)
        os.ftruncate(fd, cls.size(legs))
        os.set_inheritable(fd, True)
        block = cls(fd, legs)
        block.hold_at[:] = NEVER
        return block

    def close(self) -> None:
        """Close the descriptor; the mapping goes with the last array that refers to it."""
        os.close(self.fd)

    # -- control ------------------------------------------------------------------------------------------

    def cut(self, row: int, at: int = 0, *, fade: bool = False) -> int:
        """Void everything beyond position ``at`` (0: at once). Returns the new generation.

        ``fade``: what is cut at once dies away, for it does not go on.
        """
        generation = int(self.generation[row])
        if int(self.acked[row]) != generation:
            at = min(at, int(self.cut_at[row]))  # an earlier cut is still under way; the nearer one holds
            fade = fade or bool(self.fading[row])
        self.fading[row] = fade
        self.cut_at[row] = at
        self.generation[row] = generation + 1
        self.cuts[0] += 1  # the pacer looks for the row only when this has changed
        return generation + 1

    def hold(self, row: int, at: int) -> None:
        """Speech stops at position ``at`` (0: at once) and stays; NEVER: it goes on from there."""
        self.hold_at[row] = at
        self.cuts[0] += 1

    def is_cut(self, row: int) -> bool:
        """Whether the pacer has acted on the newest generation: ``sent`` stands still until more is laid."""
        return bool(self.acked[row] == self.generation[row])

    def laid_to(self, row: int) -> int | None:
        """The position up to which the newest generation is laid; None while nobody has taken the row back."""
        written = int(self.written[row])
        return written if self.written_generation[row] == self.generation[row] else None

    # -- synthesis ----------------------------------------------------------------------------------------

    def ahead(self, row: int) -> int:
        """Units laid and not yet sent: the time to underrun in 10 ms."""
        return int(self.written[row] - self.sent[row])

    def adopt(self, row: int, generation: int) -> bool:
        """Take the row back after a cut. False until the pacer has let go, or when a newer cut has come."""
        if self.acked[row] != generation or self.generation[row] != generation:
            return False
        self.written[row] = self.sent[row]
        self.unfinished[row] = 0
        self.written_generation[row] = generation
        return True

    def lay(self, row: int, payload: memoryview, *, unfinished: bool) -> int:
        """Lay as much of ``payload`` (whole units of G.711) as fits; returns the octets taken.

        ``unfinished``: more of the same utterance is to come after this payload, so a dry ring is underrun.
        The caller owns the row: it has adopted the generation that it lays for.
        """
        written = int(self.written[row])
        room = CAPACITY - (written - int(self.sent[row]))
        take = min(room * UNIT_OCTETS, len(payload))
        if take:
            begin = written % CAPACITY * UNIT_OCTETS
            first = min(take, CAPACITY * UNIT_OCTETS - begin)
            target = self.frames[row]
            target[begin : begin + first] = np.frombuffer(payload[:first], np.uint8)
            if first < take:
                target[: take - first] = np.frombuffer(payload[first:take], np.uint8)
        follows = unfinished or take < len(payload)
        # the pacer may look between two stores, and counts a dry ring of which more is to follow as an underrun
        if not follows:
            self.unfinished[row] = False
        self.written[row] = written + take // UNIT_OCTETS
        if follows:
            self.unfinished[row] = True
        return take
