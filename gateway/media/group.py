"""The legs that are due in the same tick, as a structure of arrays: the arithmetic of the pacer, no socket.

A tick does, for all legs of the group at once: read the ring, choose speech or silence, stamp headers, and
say which packets are to leave. The caller sends them and then nothing else happens for the leg until its next
tick. Everything is written into arrays that exist already.

    stamp(k) -> ``packet`` [n] holds them, ``leaving`` [n] says which are to leave, and the answer how many

RTP time (RFC 3550 5.1) is the tick's number, not the packets sent: ``timestamp = base + step * k``. It runs
through silence, holes and stalls. The sequence number counts packets that leave. The marker opens a talkspurt
after a packet time in which nothing was sent (RFC 3551 4.1).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gateway.media.columns import Columns
from gateway.media.fades import Fades
from gateway.media.mixing import Bed, Mixing, Samples
from gateway.media.packet import MARKER, VERSION_2
from gateway.messages.base import Law
from gateway.ring import CAPACITY, NEVER, UNIT_MS, UNIT_OCTETS, RingBlock

_LOOK_TICKS: Final = 64


class Group(Columns):
    """Legs with the same packet time and phase, by index 0 to ``n - 1``; removing one moves the last there."""

    def __init__(self, ring: RingBlock, ptime_ms: int) -> None:
        self.ring = ring
        self.ptime_ms = ptime_ms
        self.units = ptime_ms // UNIT_MS
        self.step = 8 * ptime_ms
        super().__init__(self.units * UNIT_OCTETS)
        self._slots = CAPACITY // self.units
        self._frames = ring.frames.reshape(-1, self.octets)
        self._fades = Fades()
        self._mixing = Mixing(self.octets)
        self._beds: dict[int, Bed] = {}  # by row
        self.underruns = 0
        self.dry_ticks = 0
        self.stalls = 0
        self.leaving: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)
        """Which of the packets that ``stamp`` made ready are to leave."""
        self._dry = False
        self._marked = False

    # -- membership, between ticks ------------------------------------------------------------------------

    def add(
        self,
        row: int,
        payload_type: int,
        law: Law,
        ssrc: int,
        sequence: int,
        timestamp: int,
        suppress: bool,
        *,
        acked: int | None = None,
        changes: int = 0,
    ) -> int:
        """A leg that has sent nothing yet; its ring row begins at position 0. ``timestamp`` is that of tick 0.

        ``acked``, ``changes``: those that it had, if it comes from another group.

        Returns its index. ``packet`` may have moved in memory: see ``capacity``.
        """
        i = self._append()
        self.rows[i] = row
        self.sent[i] = self.sent_ns[i] = self.slot[i] = 0
        self.first_slot[i] = row * self._slots
        self.limit[i] = NEVER
        self._hold_from(i, int(self.ring.hold_at[row]))
        self.acked[i] = self.ring.generation[row] if acked is None else acked
        self.changes[i] = changes
        self.code(i, payload_type, law)
        self.suppress[i] = suppress
        self.speech_waits[i] = self.mute[i] = self.sent_before[i] = self.dry_before[i] = False
        self.speaking[i] = self.faded[i] = False
        self.levels[i] = (1, 1, 0, 0, 0, 1, False)
        self.timestamp_base[i] = timestamp
        self.sequence[i] = sequence
        self.packets[i] = self.missed[i] = 0
        header = self.packet["header"]
        header["version"][i] = VERSION_2
        header["ssrc"][i] = ssrc
        for name in ("sent", "sent_ns", "underruns", "dry_ticks", "stalls", "blocked"):
            getattr(self.ring, name)[row] = 0
        self.ring.acked[row] = self.acked[i]
        self._members_changed()
        return i

    def remove(self, i: int) -> int:
        """Take out the leg at ``i``. Returns the index of the leg that took its place (``i`` if none did)."""
        self._beds.pop(int(self.rows[i]), None)
        last = self._remove(i)
        self._fades.move(last, i)
        self._members_changed()
        return last

    def code(self, i: int, payload_type: int, law: Law) -> None:
        """Send ``law`` as ``payload_type`` from the next packet on."""
        self.payload_type[i] = payload_type
        self.alaw[i] = law == "PCMA"
        self.silence[i] = (self.ring.legs + ("PCMU", "PCMA").index(law)) * self._slots
        self.packet["header"]["marker_type"][i] = payload_type

    def _members_changed(self) -> None:
        self._slice()
        asking = np.flatnonzero(self.levels["asks"][: self.n])
        if len(asking) or len(self._mixing):
            self._mixing.lay_out(asking, [self._beds.get(row) for row in self.rows[asking].tolist()])

    def mix(self, i: int, gain: float, bed: Samples | None, bed_level: float, duck: float) -> None:
        """Send leg ``i`` at ``gain`` and over ``bed`` from the next packet on; see ``gateway.media.mixing``.

        Levels are linear factors; ``bed`` is int16 [n + BED_REPEATED], None: nothing is behind its speech.
        """
        levels, row = self.levels, int(self.rows[i])
        levels["gain"][i], levels["duck"][i], levels["asks"][i] = gain, duck, True
        old = self._beds.get(row)
        if old is not None and old.pcm is not bed:
            old.follows = None if bed is None else (bed, bed_level)
            bed_level = 0  # until it has faded out
        elif bed is not None and old is None:
            self._beds[row] = Bed(bed)
            levels["bed_now"][i] = 0
        elif old is not None:
            old.follows = None
        levels["bed"][i] = bed_level if bed is not None else 0
        levels["bed_own"][i] = max(bed_level, levels["bed_own"][i])
        self._members_changed()

    def _let_go_of_mixes(self) -> None:
        """Legs that ask for nothing any more cost nothing any more."""
        idle = np.flatnonzero(Mixing.idle(self.levels[: self.n])).tolist()
        beds = {i: self._beds.get(int(self.rows[i])) for i in idle}
        done = [i for i, bed in beds.items() if bed is None or bed.follows is None]
        for i in done:
            self.levels["asks"][i] = False
            self._beds.pop(int(self.rows[i]), None)
        if done:
            self._members_changed()

    # -- cuts, every tick of the worker -------------------------------------------------------------------

    def cut(self, i: int) -> bool:
        """Act on a new generation of leg ``i`` (see ``gateway.ring``); True once the ring is let go."""
        ring, row = self.ring, int(self.rows[i])
        generation, at = int(ring.generation[row]), int(ring.cut_at[row])
        if self.changes[i] < ring.changes[row]:
            self.limit[i] = at  # what the cut makes room for has yet to be told us
            return False
        end = min(at, int(ring.written[row]))
        # a row that the writer has not taken back since the last cut has nothing more to send
        taken_back = ring.written_generation[row] == self.acked[i]
        if self.sent[i] < end and taken_back and self.sent[i] < self.held_from[i]:
            self.limit[i] = at
            return False
        if ring.fading[row] and at < min(self.sent[i], self.limit[i]):  # at once, and not seen coming
            self._fade_out(i)
        self._fades.rising.discard(i)
        self.faded[i] = False
        if self.held_from[i] != NEVER:
            self.held_from[i] = 0  # the word at whose end it was to be held is gone
        self.limit[i] = NEVER
        self.acked[i] = generation
        ring.acked[row] = generation
        return True

    def hold(self, i: int, at: int, *, fade: bool = True) -> bool:
        """Hold speech at position ``at``, or let it go on (see ``gateway.ring``); True once that is done.

        ``fade``: it dies away there, and comes back.
        """
        if at == NEVER:
            if self.faded[i]:
                self._fades.rising.add(i)
            self.held_from[i], self.faded[i] = NEVER, False
            return True
        if self.held_from[i] > self.sent[i]:
            self._hold_from(i, at)
            if self.held_from[i] > self.sent[i]:
                return False
        if fade and not self.faded[i]:
            self.faded[i] = self._fade_out(i)
        return True

    def _hold_from(self, i: int, at: int) -> None:
        """Send no packet that reaches beyond ``at``."""
        self.held_from[i] = at if at == NEVER else at - self.units + 1

    def _fade_out(self, i: int) -> bool:
        """What would come next of leg ``i`` dies away under its next packet; False if nothing would."""
        ring, row = self.ring, int(self.rows[i])
        its_own = ring.written_generation[row] == self.acked[i] and ring.written[row] > self.sent[i]
        if not (its_own and self.speaking[i]) or i in self._fades.falling:
            return False
        frame = self._frames[self.first_slot[i] + self.slot[i]]
        self._fades.fall(i, frame[:UNIT_OCTETS], alaw=bool(self.alaw[i]))
        return True

    # -- the tick -----------------------------------------------------------------------------------------

    def stamp(self, k: int, now_ns: int, *, stalled: bool = False) -> int:
        """Make the packets of the group's ``k``-th packet time ready; returns how many are to leave.

        ``now_ns`` is recorded as the time at which speech left. ``stalled``: packet times before this one
        were skipped, so a receiver is told (marker) that a new talkspurt begins.
        """
        v = self._views
        everybody = self._choose(v)
        self._frames.take(v["index"], axis=0, out=self._payloads[: self.n], mode="clip")
        self.leaving = sending = v["everybody"] if everybody else self._select(v)
        if self._fades:
            self._fades.mix(self._payloads, self.alaw, self.speaking)
        if len(self._mixing):
            self._mixing.mix(self._payloads, self.levels, self.alaw, self.speaking)
            if not k % _LOOK_TICKS:
                self._let_go_of_mixes()
        self._packet_payloads[...] = self._payloads[: self.n]
        self._head(v, sending, k, stalled)
        self._account(v, sending, now_ns)
        return self.n if everybody else int(np.count_nonzero(sending))

    def late(self) -> None:
        """What ``stamp`` made ready leaves a packet time late or more: count a stall for each leg that speaks."""
        v = self._views
        self.ring.stalls[v["rows"]] += v["speaking"]
        self.stalls += int(np.count_nonzero(v["speaking"]))

    def speaks(self, i: int) -> bool:
        """Whether the packet that ``stamp`` made ready for leg ``i`` holds speech."""
        return bool(self._views["speaking"][i])

    def _choose(self, v: dict[str, npt.NDArray[Any]]) -> bool:
        """Fill ``speaking`` [n] and ``index`` [n], the frame to send: from the ring, or silence.

        True when every leg speaks, which is quickest, and then no leg is muted.
        """
        ring, rows, speaking, mask = self.ring, v["rows"], v["speaking"], v["mask"]
        # the generation first: a writer that takes the row back in between stores ``written`` before it, so
        # what is read second can only be newer
        ring.written_generation.take(rows, out=v["generation"], mode="clip")
        self._look(v)
        np.equal(v["generation"], v["acked"], out=mask)
        np.greater_equal(v["sent"], v["held_from"], out=v["waiting"])
        np.logical_or(v["waiting"], v["speech_waits"], out=v["waiting"])
        np.greater(mask, v["waiting"], out=mask)  # the ring may be read: of this generation, and not waiting
        np.greater_equal(v["available"], self.units, out=speaking)
        np.logical_and(speaking, mask, out=speaking)
        np.add(v["first_slot"], v["slot"], out=v["index"])
        everybody = bool(speaking.all())
        if not everybody:
            self._find_dry(v)
            np.logical_not(speaking, out=mask)
            np.copyto(v["index"], v["silence"], where=mask)
        elif self._dry:
            self._dry = False
            v["dry_before"][...] = False
        return everybody

    def _look(self, v: dict[str, npt.NDArray[Any]]) -> None:
        """How much is laid and may be sent now."""
        self.ring.written.take(v["rows"], out=v["written"], mode="clip")
        np.minimum(v["written"], v["limit"], out=v["written"])
        np.subtract(v["written"], v["sent"], out=v["available"])

    def _find_dry(self, v: dict[str, npt.NDArray[Any]]) -> None:
        """Count underruns among the legs whose ring may be read (``mask``) and that do not speak.

        An underrun: the utterance goes on and the ring is dry. A run of dry ticks is one underrun.
        """
        ring, rows, dry, new = self.ring, v["rows"], v["dry"], v["fresh"]
        ring.unfinished.take(rows, out=v["flag"], mode="clip")
        np.logical_and(v["mask"], v["flag"], out=dry)
        np.greater(dry, v["speaking"], out=dry)
        if dry.any():
            # the writer may have laid since we looked, and stores ``written`` before the flag that was just read
            self._look(v)
            np.less(v["available"], self.units, out=new)
            np.logical_and(dry, new, out=dry)
        if not self._dry and not dry.any():
            return
        np.greater(dry, v["dry_before"], out=new)
        ring.underruns[rows] += new
        ring.dry_ticks[rows] += dry
        self.underruns += int(np.count_nonzero(new))
        self.dry_ticks += int(np.count_nonzero(dry))
        v["dry_before"][...] = dry
        self._dry = bool(dry.any())

    def _select(self, v: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.bool_]:
        """Which packets leave: all but those of silent legs that suppress silence, and of muted ones."""
        sending: npt.NDArray[np.bool_] = v["sending"]
        np.logical_not(v["suppress"], out=sending)
        np.logical_or(sending, v["speaking"], out=sending)
        for i in self._fades.falling:
            sending[i] = True
        np.greater(sending, v["mute"], out=sending)
        return sending

    def _head(
        self, v: dict[str, npt.NDArray[Any]], sending: npt.NDArray[np.bool_], k: int, stalled: bool
    ) -> None:
        """Stamp the headers. A packet opens a talkspurt when it leaves and the one before it did not."""
        np.add(v["timestamp_base"], np.uint32(self.step * k & 0xFFFFFFFF), out=v["timestamp"])
        self._header_timestamp[...] = v["timestamp"]
        self._header_sequence[...] = v["sequence"]
        np.add(v["sequence"], sending, out=v["sequence"])
        fresh = v["fresh"]
        if stalled:
            fresh[...] = sending
        else:
            np.greater(sending, v["sent_before"], out=fresh)
        marked = bool(fresh.any())
        if marked or self._marked:
            np.multiply(fresh, np.uint8(MARKER), out=v["marker_type"])
            np.bitwise_or(v["marker_type"], v["payload_type"], out=v["marker_type"])
            self._header_marker_type[...] = v["marker_type"]
            self._marked = marked
        np.logical_or(sending, v["mute"], out=v["sent_before"])

    def _account(self, v: dict[str, npt.NDArray[Any]], sending: npt.NDArray[np.bool_], now_ns: int) -> None:
        """Advance what was sent and publish it. What the kernel then refuses is counted by the lane."""
        rows, speaking, slot, mask = v["rows"], v["speaking"], v["slot"], v["mask"]
        np.multiply(speaking, self.units, out=v["available"])
        np.add(v["sent"], v["available"], out=v["sent"])
        np.add(slot, speaking, out=slot)
        np.greater_equal(slot, self._slots, out=mask)
        np.copyto(slot, 0, where=mask)
        np.add(v["packets"], sending, out=v["packets"])
        np.copyto(v["sent_ns"], now_ns, where=speaking)
        self.ring.sent_ns[rows] = v["sent_ns"]
        self.ring.sent[rows] = v["sent"]
