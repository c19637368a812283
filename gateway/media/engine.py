"""The RTP engine of one media worker: legs, their sockets and the ticks that pace them.

    open(order, now)      a leg: port, and the lane that it sends in
    change(order, now)    another target or codec, hold
    tick(tick, due, now)  one tick: act on cuts, stamp and send what is due
    close(row, now)       BYE, statistics

Ports are ``gateway.media.binding``'s; the event loop and the link to control live in ``gateway.media.worker``;
what comes in lives in ``gateway.media.inbound``.
"""

from __future__ import annotations

import errno
import ipaddress
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from gateway.media import rtcp
from gateway.media.binding import Bindings
from gateway.media.counters import Counter
from gateway.media.cuts import Cuts
from gateway.media.lane import Lane
from gateway.media.lanes import Lanes
from gateway.media.leg import Leg
from gateway.media.mixing import FADE_NS, Samples, open_bed
from gateway.media.packet import EVENT_OCTETS
from gateway.media.ports import NoPorts
from gateway.media.schedule import TICK_NS, period
from gateway.media.sockets import Port, family_of
from gateway.messages.media import (
    ChangeLeg,
    FromMedia,
    LegClosed,
    LegOpened,
    LegRefused,
    Listen,
    MixLeg,
    OpenLeg,
)
from gateway.ring import COUNTERS, RingBlock
from gateway.told import Told

_BUSY = (errno.EAGAIN, errno.ENOBUFS)
_REFUSING = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH)

Tell = Callable[[FromMedia], None]


@dataclass(slots=True)
class Clock:
    """Wall-clock time that no step of the system clock can touch: one reading, then CLOCK_MONOTONIC."""

    offset_ns: int

    @classmethod
    def start(cls) -> Clock:
        """Read the wall clock once."""
        return cls(time.time_ns() - time.monotonic_ns())

    def ntp(self, now_ns: int) -> int:
        """64-bit NTP time at CLOCK_MONOTONIC ``now_ns``."""
        return rtcp.ntp_time(now_ns + self.offset_ns)


class Engine:
    """All legs of one media worker. ``tell`` takes what control should know; it must not wait."""

    def __init__(
        self, ring: RingBlock, settings: Told, ports: tuple[int, int], start_ns: int, tell: Tell
    ) -> None:
        self.ring = ring
        self.counters = [0] * COUNTERS
        self.legs: dict[int, Leg] = {}
        self.listening: dict[int, Leg] = {}
        """Legs whose caller is listened to."""
        self.beds: dict[int, Samples] = {}
        """Sounds to be played behind speech, by number."""
        self._fading: dict[int, Leg] = {}
        self.clock = Clock.start()
        self._settings = settings
        self._tell = tell
        self._start_ns = start_ns
        self._lanes = Lanes(ring)
        self.next_busy = self._lanes.next_busy
        self.bindings = Bindings(settings, ports, lambda leg: self._lanes[leg.group_key].changed(leg))
        self.port_of = self.bindings.of
        self.cuts = Cuts(ring, self.legs, self._lanes).act
        self._patience_ns = int(settings.unreachable_seconds * 1e9)

    # -- legs ---------------------------------------------------------------------------------------------

    def open(self, order: OpenLeg, now_ns: int) -> LegOpened | LegRefused:
        """Open a leg; it sends from its lane's next tick on."""
        address = _plain(order.remote_address)
        local = next(
            (each for each in self._settings.rtp_addresses if family_of(each) == family_of(address)), None
        )
        if local is None:
            detail = f"no address of {address}'s family in VOXTRUNK_RTP_ADDRESSES"
            return LegRefused(order.row, "address", detail)
        leg = Leg(order, address, order.remote_port, rtcp.random_cname(), now_ns)
        try:
            port = self.bindings.bind(leg, local, now_ns)
        except NoPorts as error:
            return LegRefused(order.row, "no_ports", f"{error} (VOXTRUNK_RTP_PORTS)")
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                return LegRefused(order.row, "no_descriptors", str(error))
            detail = f"cannot send from {local} to {address}: {error.strerror} (VOXTRUNK_RTP_ADDRESSES)"
            return LegRefused(order.row, "address", detail)
        self.legs[order.row] = leg
        self._join_lane(leg, port)
        self.counters[Counter.LEGS] = len(self.legs)
        rtcp_port = port.number + (0 if order.rtcp_mux or port.rtcp is None else 1)
        return LegOpened(order.row, port.rtp.getsockname()[0], port.number, rtcp_port, leg.ssrc)

    def close(self, row: int, now_ns: int) -> LegClosed:
        """Say BYE, free the port, and account for the leg."""
        leg, port = self.legs[row], self.port_of[row]
        self.report(leg, port, now_ns, bye=True)
        del self.legs[row]
        self.listening.pop(row, None)
        self._fading.pop(row, None)
        (packets, octets), missed = self._sent(leg), int(self._lanes[leg.group_key].group.missed[leg.index])
        self._lanes[leg.group_key].remove(leg)
        self.bindings.release(leg, now_ns)
        self.counters[Counter.LEGS] = len(self.legs)
        ring = self.ring
        causes = {cause: int(counts[row]) for cause, counts in ring.breaks.items()}
        dry = int(ring.dry_ticks[row])
        return LegClosed(row, leg.statistics(packets, octets, missed, causes, dry))

    def listen(self, order: Listen, now_ns: int) -> None:
        """Begin or cease to listen to the caller: the kernel lets his audio through, or no more."""
        leg = self.legs[order.row]
        for message in leg.listen(order.confirm_ms, now_ns):
            self._tell(message)
        if leg.hearing is None:
            self.listening.pop(leg.row, None)
        else:
            self.listening[leg.row] = leg
        self.bindings.filter(leg)

    def mix(self, order: MixLeg, now_ns: int) -> None:
        """Send at another level, or over another sound, from the next packet on. See ``MixLeg``."""
        leg = self.legs[order.row]
        if order.bed and order.bed not in self.beds:
            try:
                self.beds[order.bed] = open_bed(order.memory)
            except OSError:  # it is gone already: the order to play nothing follows
                order = msgspec.structs.replace(order, bed=0)
        had_bed = leg.mix is not None and leg.mix.bed > 0
        leg.mix = order
        if had_bed and not order.bed:
            leg.bed_until_ns = now_ns + FADE_NS
            self._fading[leg.row] = leg
        elif order.bed:
            leg.bed_until_ns = 0
        self._mix(leg)

    def _mix(self, leg: Leg) -> None:
        order, group = leg.mix, self._lanes[leg.group_key].group
        if order is not None:
            bed = self.beds[order.bed] if order.bed else None
            group.mix(leg.index, order.gain, bed, order.bed_level, order.duck)
            group.suppress[leg.index] = leg.suppresses

    def _join_lane(self, leg: Leg, port: Port, acked: int | None = None, changes: int = 0) -> None:
        lane = self._lanes.place(leg, port)
        lane.add(leg, port, secrets.randbits(16), secrets.randbits(32), acked, changes)

    def change(self, order: ChangeLeg, now_ns: int) -> None:
        """Send elsewhere or otherwise from the next packet on. Raises NoPorts, OSError; nothing is sent then."""
        leg = self.legs[order.row]
        lane, i = self._lanes[leg.group_key], leg.index
        lane.group.changes[i] += order.with_cut
        try:
            self.bindings.retarget(leg, (_plain(order.remote_address), order.remote_port), now_ns)
        except (NoPorts, OSError):
            leg.lost = lane.group.mute[i] = lane.group.speech_waits[i] = True
            raise
        if leg.lost:
            leg.lost = lane.group.mute[i] = lane.group.sent_before[i] = False
            lane.group.speech_waits[i] = leg in lane.dialling
        if order.dtmf_payload_type is None and leg in lane.dialling:
            self._dialled(leg, lane)  # nothing is left to send the rest as
        leg.order = msgspec.structs.replace(
            leg.order,
            payload_type=order.payload_type,
            law=order.law,
            ptime_ms=order.ptime_ms,
            dtmf_payload_type=order.dtmf_payload_type,
            remote_rtcp_port=order.remote_rtcp_port,
            held=order.held,
        )
        self.bindings.filter(leg)
        if order.ptime_ms != lane.group.ptime_ms:
            assert not lane.group.packets[i], "a packet time cannot change once packets were sent"
            acked, changes = int(lane.group.acked[i]), int(lane.group.changes[i])
            lane.remove(leg)
            self._join_lane(leg, self.port_of[leg.row], acked, changes)
            lane, i = self._lanes[leg.group_key], leg.index
            self._mix(leg)
        lane.group.code(i, order.payload_type, order.law)
        lane.group.suppress[i] = leg.suppresses

    # -- ticks --------------------------------------------------------------------------------------------

    def tick(self, tick: int, now_ns: int) -> None:
        """Everything that is due at tick number ``tick``."""
        self.cuts()
        for ptime in self._lanes.periods:
            ticks = period(ptime)
            lane = self._lanes[ptime, tick % ticks]
            if lane.group.n:
                late = now_ns - self._start_ns - tick * TICK_NS >= ptime * 1_000_000
                self._tick_lane(lane, tick // ticks, now_ns, late=late)
        self.cuts()  # what was cut where it has now come to: who lays what follows has till the leg's next tick

    def publish(self, now_ns: int) -> None:
        """Put the counters where control reads them, and tell who has stopped speaking."""
        for leg in self.listening.values():
            for message in leg.fallen_silent(now_ns):
                self._tell(message)
        for leg in [leg for leg in self._fading.values() if now_ns >= leg.bed_until_ns]:
            del self._fading[leg.row]
            leg.bed_until_ns = 0
            self._lanes[leg.group_key].group.suppress[leg.index] = leg.suppresses
        groups = [lane.group for lane in self._lanes.values()]
        self.counters[Counter.UNDERRUNS] = sum(group.underruns for group in groups)
        self.counters[Counter.DRY_TICKS] = sum(group.dry_ticks for group in groups)
        self.counters[Counter.STALLS] = sum(group.stalls for group in groups)
        self.ring.counters[:] = self.counters

    def _tick_lane(self, lane: Lane, k: int, now_ns: int, *, late: bool) -> None:
        lane.lay_out()
        group = lane.group
        missed = 0 if lane.last_k is None else k - lane.last_k - 1
        lane.last_k = k
        if missed:
            group.missed[: group.n] += missed
        if lane.dialling:
            self._dial(lane, k)
        packets = group.stamp(k, now_ns, stalled=missed > 0)
        if (late or missed) and not lane.late:
            group.late()
        lane.late = late
        lane.send(packets, self._unsent)
        self.counters[Counter.PACKETS] += packets
        self.counters[Counter.OCTETS] += packets * group.octets

    def _dial(self, lane: Lane, k: int) -> None:
        """Digits take the place of the audio of this packet time (RFC 4733 2.5.1.1)."""
        group = lane.group
        for leg in list(lane.dialling):
            i = leg.index
            assert leg.sender is not None
            if not leg.sender.active:
                for message in self._dialled(leg, lane):
                    self._tell(message)
                continue
            if leg.lost or leg.order.held:
                group.mute[i] = leg.lost
                continue
            timestamp = (int(group.timestamp_base[i]) + group.step * k) & 0xFFFFFFFF
            datagram = leg.digit_packet(timestamp, int(group.sequence[i]))
            group.mute[i] = datagram is not None
            if datagram is not None:
                group.sequence[i : i + 1] += (
                    1  # as an array: a number of numpy's own would warn when it wraps
                )
                group.packets[i] += 1
                leg.event_packets += 1
                self.counters[Counter.PACKETS] += 1
                self.counters[Counter.OCTETS] += EVENT_OCTETS
                self.send_to_peer(leg, datagram)

    def _dialled(self, leg: Leg, lane: Lane) -> list[FromMedia]:
        """Back to speech; returns what to tell of the digits."""
        lane.dialling.remove(leg)
        lane.group.mute[leg.index] = lane.group.speech_waits[leg.index] = False
        return leg.digits_done()

    def dial(self, row: int, digits: str, duration_ms: int) -> None:
        """Send digits from the next packet time on; speech waits meanwhile."""
        leg = self.legs[row]
        lane = self._lanes[leg.group_key]
        leg.send_digits(digits, duration_ms, self._settings.dtmf_volume_dbm0)
        lane.group.speech_waits[leg.index] = True
        if leg not in lane.dialling:
            lane.dialling.append(leg)

    def send_to_peer(self, leg: Leg, datagram: bytes) -> None:
        """One packet to the leg's RTP target, outside the batch."""
        try:
            self.port_of[leg.row].send(datagram, (leg.address, leg.remote_port))
        except OSError as error:
            self._failed(leg, error.errno or errno.EIO)

    def _unsent(self, leg: Leg, error: int) -> None:
        """The kernel did not take an audio packet of this leg."""
        self._failed(leg, error)
        group = self._lanes[leg.group_key].group
        if error in _BUSY and group.speaks(leg.index):
            number = int(group.packets[leg.index])
            if number != leg.blocked + 1:
                self.counters[Counter.BLOCKED] += 1
                self.ring.blocked[leg.row] += 1
            leg.blocked = number

    def _failed(self, leg: Leg, error: int) -> None:
        """The kernel did not take a packet of this leg."""
        leg.send_errors += 1
        self.counters[Counter.SEND_ERRORS] += 1
        if error in _BUSY:
            self.counters[Counter.SEND_BLOCKED] += 1
        elif error in _REFUSING:
            self.refused(leg, time.monotonic_ns())

    def refused(self, leg: Leg, now_ns: int) -> None:
        """ICMP says that the leg's target does not listen."""
        self.counters[Counter.UNREACHABLE] += 1
        for message in leg.refuse(now_ns, self._patience_ns):
            self._tell(message)

    # -- RTCP ---------------------------------------------------------------------------------------------

    def rtp_timestamp(self, leg: Leg, now_ns: int) -> int:
        """The leg's RTP clock at ``now_ns`` (RFC 3550 6.4.1: the SR's two times name the same instant)."""
        _, phase = leg.group_key
        base = int(self._lanes[leg.group_key].group.timestamp_base[leg.index])
        since_first_ns = now_ns - self._start_ns - phase * TICK_NS
        return (base + since_first_ns * 8 // 1_000_000) & 0xFFFFFFFF

    def _sent(self, leg: Leg) -> tuple[int, int]:
        """The leg's packets so far, and octets of payload in them."""
        group = self._lanes[leg.group_key].group
        packets, events = int(group.packets[leg.index]), leg.event_packets
        return packets, (packets - events) * group.octets + events * EVENT_OCTETS

    def report(self, leg: Leg, port: Port, now_ns: int, *, bye: bool = False) -> None:
        """Send the leg's SR, SDES and, at its end, BYE; nothing while its target is not known."""
        if not leg.aimed:
            return
        packets, octets = self._sent(leg)
        datagram = rtcp.build_sender_report(
            leg.ssrc,
            self.clock.ntp(now_ns),
            self.rtp_timestamp(leg, now_ns),
            packets - leg.sent_before[0],
            octets - leg.sent_before[1],
            leg.description,
            bye=bye,
        )
        self.counters[Counter.RTCP_SENT] += 1
        if leg.order.rtcp_mux:
            self.send_to_peer(leg, datagram)
            return
        try:
            (port.rtcp or port.rtp).sendto(datagram, leg.rtcp_target)
        except OSError:  # nobody listens for reports, or port 65536: the peer's own business
            leg.send_errors += 1

    def new_ssrc(self, leg: Leg, now_ns: int) -> None:
        """Our SSRC is the peer's too (RFC 3550 8.2): BYE with the old one, go on with another."""
        leg.collided = False
        self.report(leg, self.port_of[leg.row], now_ns, bye=True)
        leg.sent_before = self._sent(leg)  # the new one's reports begin at 0 (RFC 3550 6.4.1)
        leg.rename(secrets.randbits(32))
        self._lanes[leg.group_key].group.packet["header"]["ssrc"][leg.index] = leg.ssrc


def _plain(address: str) -> str:
    """A literal address as sockets know it: IPv4 that is mapped into IPv6 is IPv4."""
    ip = ipaddress.ip_address(address)
    return str(getattr(ip, "ipv4_mapped", None) or ip)
