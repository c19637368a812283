"""One leg in a media worker: what the peer's packets mean, and what the pacer does not do by the hundred.

No sockets here: datagrams and times are passed in, what to tell control and what to send is returned.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Final

from gateway.media import rtcp
from gateway.media.batch import socket_address
from gateway.media.dtmf import DigitReceiver, DigitSender
from gateway.media.hearing import STOP_MS, Heard, Hearing
from gateway.media.packet import RtpPacket, build_event, build_rtp, parse_event
from gateway.messages.media import (
    DigitReceived,
    DigitsSent,
    FromMedia,
    LegStatistics,
    LegTrouble,
    MixLeg,
    OpenLeg,
    Quality,
    VoiceHeard,
)
from telephony_codecs import Law

REFUSING_NS: Final = 3_000_000_000
"""ICMP is rate limited by its sender, to about one a second: a longer pause means that somebody listens now."""
_COLLISIONS: Final = 3
_STATIC: Final = {law.payload_type: law for law in Law}
"""What a peer may send whatever we send it (RFC 3551 table 4)."""


@dataclass(slots=True)
class Latch:
    """Symmetric RTP: follow the peer's source address once, after ``needed`` packets in a row from it.

    The window closes at ``until_ns``. A new source starts the count anew; sequence numbers must go up.
    """

    until_ns: int
    needed: int
    source: tuple[str, int] | None = None
    sequence: int = 0
    count: int = 0

    def offer(self, source: tuple[str, int], packet: RtpPacket, payload_types: set[int]) -> bool:
        """Whether this packet, in time, makes the leg latch on to ``source``; to port 0 nothing can be sent."""
        if packet.payload_type not in payload_types or not source[1]:
            return False
        follows = source == self.source and (packet.sequence - self.sequence) & 0xFFFF in (1, 2, 3)
        self.count = self.count + 1 if follows else 1
        self.source, self.sequence = source, packet.sequence
        return self.count >= self.needed


@dataclass(slots=True, eq=False)
class Leg:
    """What the worker knows of a leg. Its place in the pacer is ``group_key`` and ``index``."""

    order: OpenLeg
    address: str
    remote_port: int
    cname: str
    opened_ns: int
    ssrc: int = field(default_factory=lambda: secrets.randbits(32))
    socket_address: bytes = b""
    """``struct sockaddr`` of where its packets go; set with ``aim``."""
    description: bytes = b""
    """Its SDES packet; set with ``rename``."""
    booked: tuple[str, int] = ("", 0)
    """The remote address that its port was taken for; a latch may move the leg away from it."""
    index: int = -1
    group_key: tuple[int, int] = (0, 0)
    sender: DigitSender | None = None
    receiver: DigitReceiver = field(default_factory=DigitReceiver)
    sending_digits: list[str] = field(default_factory=list)
    mix: MixLeg | None = None
    """What was last asked for; None while it was nothing."""
    bed_until_ns: int = 0
    """Until when the sound behind its speech may be heard, as long as ``mix`` has none."""
    hearing: Hearing | None = None
    """Its ear, when somebody wants to know whether the caller speaks."""
    latch: Latch | None = None
    lost: bool = False
    """Where it should send cannot be had: rather silent than heard by whom it is no longer meant for."""
    event_packets: int = 0
    """Telephone-events among its packets."""
    sent_before: tuple[int, int] = (0, 0)
    """Packets and octets under an earlier SSRC."""
    report: Quality | None = None
    heard_ns: int = 0
    timed_out: bool = False
    refused_since_ns: int = 0
    refused_ns: int = 0
    refusal_told: bool = False
    refusals: int = 0
    send_errors: int = 0
    blocked: int = -2
    """The number of its newest speech packet that met a full send buffer."""
    rtcp_received: int = 0
    digits_received: int = 0
    inbound_dropped: int = 0
    collisions: int = 0
    collided: bool = False

    @property
    def row(self) -> int:
        """Its row in the ring."""
        return self.order.row

    @property
    def suppresses(self) -> bool:
        """Whether its silence is not sent: it is on hold, or that was asked for and nothing sounds behind it."""
        sounds = self.bed_until_ns > 0 or (self.mix is not None and self.mix.bed > 0)
        return self.order.held or (self.order.suppress_silence and not sounds)

    @property
    def aimed(self) -> bool:
        """Whether it is known where to send."""
        return self.remote_port != 0

    @property
    def rtcp_target(self) -> tuple[str, int]:
        """Where reports go: the port named, else the RTP port when muxed, else the next (RFC 3550 11)."""
        order = self.order
        if order.remote_rtcp_port is not None:
            return self.address, order.remote_rtcp_port
        return self.address, self.remote_port + (0 if order.rtcp_mux else 1)

    def __post_init__(self) -> None:
        self.aim(self.address, self.remote_port)
        self.rename(self.ssrc)

    def rename(self, ssrc: int) -> None:
        """Take another SSRC."""
        self.ssrc = ssrc
        self.description = rtcp.build_description(ssrc, self.cname)

    def aim(self, address: str, port: int) -> None:
        """Send to this address from now on."""
        self.address, self.remote_port = address, port
        self.socket_address = socket_address(address, port)

    # -- from the peer ------------------------------------------------------------------------------------

    def receive_rtp(self, packet: RtpPacket, now_ns: int) -> list[FromMedia]:
        """A packet from the peer's address: a telephone-event, or audio, if somebody listens."""
        self.heard_ns, self.timed_out = now_ns, False
        if packet.payload_type != self.order.dtmf_payload_type:
            return self._listen(packet, now_ns)
        digits = self.receiver.receive(packet.timestamp, parse_event(packet.payload))
        self.digits_received += sum(digit.duration_ms is None for digit in digits)
        return [DigitReceived(self.row, digit.digit, digit.duration_ms) for digit in digits]

    def _listen(self, packet: RtpPacket, now_ns: int) -> list[FromMedia]:
        law = _STATIC.get(packet.payload_type)
        if packet.payload_type == self.order.payload_type:
            law = Law(self.order.law)
        if self.hearing is None or law is None:
            return []
        return self._heard(
            self.hearing.hear(packet.ssrc, packet.timestamp, packet.payload, law, now_ns), now_ns
        )

    def _heard(self, heard: list[Heard], now_ns: int) -> list[FromMedia]:
        return [VoiceHeard(self.row, one.kind, one.voice_ms, now_ns) for one in heard]

    def listen(self, confirm_ms: int | None, now_ns: int) -> list[FromMedia]:
        """Tell from now on when the caller speaks; None: no more. See ``Listen``."""
        if confirm_ms is None:
            told = [] if self.hearing is None or not self.hearing.speaking else self.hearing.miss()
            self.hearing = None
            return self._heard(told, now_ns)
        if self.hearing is None:
            self.hearing = Hearing(confirm_ms)
        self.hearing.confirm_ms = confirm_ms
        return []

    def fallen_silent(self, now_ns: int) -> list[FromMedia]:
        """Tell that the caller has stopped speaking if he has stopped sending."""
        hearing = self.hearing
        if hearing is None or not hearing.speaking or now_ns - hearing.heard_ns < STOP_MS * 1_000_000:
            return []
        return self._heard(hearing.miss(), now_ns)

    def receive_rtcp(self, data: bytes, now_ns: int, now_ntp: int) -> list[FromMedia]:
        """A compound packet from the peer. Raises MalformedPacket.

        ``collided`` is set when the peer turns out to use our SSRC (RFC 3550 8.2): the caller then says BYE
        and takes a new one, a few times at the most, in case it merely echoes what we send.
        """
        compound = rtcp.parse_compound(data)
        self.heard_ns, self.timed_out = now_ns, False
        self.rtcp_received += 1
        if self.ssrc in compound.senders:
            self.collisions += 1
            self.collided = self.collisions <= _COLLISIONS
            return []
        told: list[FromMedia] = []
        for block in compound.blocks:
            if block.ssrc == self.ssrc:
                trip = block.round_trip_seconds(now_ntp)
                self.report = Quality(
                    self.row,
                    block.fraction_lost,
                    block.cumulative_lost,
                    block.jitter / 8,
                    None if trip is None else 1000 * trip,
                )
                told.append(self.report)
        if compound.byes:
            told.append(LegTrouble(self.row, "bye", "the peer's RTCP said BYE"))
        return told

    def refuse(self, now_ns: int, patience_ns: int) -> list[FromMedia]:
        """ICMP says that nobody listens. Told once, when it has gone on for ``patience_ns``."""
        if now_ns - self.refused_ns > REFUSING_NS:
            self.refused_since_ns, self.refusal_told = now_ns, False
        self.refused_ns = now_ns
        self.refusals += 1
        if self.refusal_told or now_ns - self.refused_since_ns < patience_ns:
            return []
        self.refusal_told = True
        target = f"{self.address} port {self.remote_port}"
        return [LegTrouble(self.row, "unreachable", f"{target} refuses packets (ICMP)")]

    def silence_of_peer(self, now_ns: int, patience_ns: int) -> list[FromMedia]:
        """Tell, once, that nothing has come from the peer for ``patience_ns``; to be asked about once a second.

        One who has not answered yet, or has put us on hold, need not send anything.
        """
        if self.order.held:
            self.heard_ns, self.timed_out = now_ns, False
        if self.timed_out or now_ns - max(self.heard_ns, self.opened_ns) < patience_ns:
            return []
        self.timed_out = True
        return [LegTrouble(self.row, "timeout", f"nothing received for {patience_ns / 1e9:g} s")]

    # -- to the peer --------------------------------------------------------------------------------------

    def send_digits(self, digits: str, duration_ms: int, volume_dbm0: int) -> None:
        """Queue digits; the pacer then calls ``digit_packet`` each packet time."""
        if self.sender is None:
            self.sender = DigitSender(self.order.ptime_ms, volume_dbm0)
        self.sender.add(digits, duration_ms)
        self.sending_digits.append(digits)

    def digit_packet(self, timestamp: int, sequence: int) -> bytes | None:
        """The event packet that takes this packet time's place; None while there is a pause between digits."""
        assert self.sender is not None
        assert self.order.dtmf_payload_type is not None
        packet = self.sender.tick(timestamp)
        if packet is None:
            return None
        payload = build_event(packet.event)
        kind = self.order.dtmf_payload_type
        return build_rtp(RtpPacket(kind, packet.marker, sequence, packet.timestamp, self.ssrc, payload))

    def digits_done(self) -> list[FromMedia]:
        """Once the sender has nothing more: what was sent, and back to speech."""
        self.sender = None
        told: list[FromMedia] = [DigitsSent(self.row, digits) for digits in self.sending_digits]
        self.sending_digits.clear()
        return told

    def statistics(
        self, packets: int, octets: int, missed: int, causes: dict[str, int], dry_ticks: int
    ) -> LegStatistics:
        """The leg's account; the pacer's counts are passed in."""
        report = self.report
        return LegStatistics(
            packets=packets,
            octets=octets,
            send_errors=self.send_errors,
            unreachable=self.refusals,
            missed_ticks=missed,
            underruns=sum(causes.values()),
            dry_ticks=dry_ticks,
            rtcp_received=self.rtcp_received,
            fraction_lost=report.fraction_lost if report else None,
            cumulative_lost=report.cumulative_lost if report else None,
            jitter_ms=report.jitter_ms if report else None,
            round_trip_ms=report.round_trip_ms if report else None,
            digits_received=self.digits_received,
            inbound_dropped=self.inbound_dropped,
            underrun_causes=causes,
        )
