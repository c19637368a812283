"""A leg that is opened before its target is known, moved, held and recoded: over real sockets, ticks by hand."""

import socket

import numpy as np
import pytest

from gateway.media.packet import RtpPacket, build_rtp, parse_event
from gateway.media.ports import NoPorts
from gateway.media.rtcp import parse_compound
from gateway.messages.media import DigitsSent, Latched, LegOpened, OpenLeg
from gateway.ring import NEVER, UNIT_OCTETS

from .conftest import PORT, S, ports

MU, A = 0xFF, 0xD5
SHARED = 2
"""Room for one port, which all legs of a rig then share."""


def unbroken(packets):
    """One stream: SSRC, sequence and, by wall time, timestamps go on."""
    assert len({packet.ssrc for packet in packets}) == 1
    sequence = np.array([packet.sequence for packet in packets], np.uint16)
    assert np.all(np.diff(sequence) == 1)
    return np.diff(np.array([packet.timestamp for packet in packets], np.uint32)).tolist()


def lay(rig, writer, row, octets):
    """Speech in the ring."""
    pen = writer(row)
    pen.ring = rig.ring
    assert pen.adopt()
    assert pen.lay(octets) == len(octets)
    return pen


def unaimed(rig, row, **more):
    """A leg whose target is not known yet."""
    order = OpenLeg(row, "0.0.0.0", 0, 0, "PCMU", 20, 101, False, held=True, **more)
    rig.ring.cut(row)
    return rig.engine.open(order, rig.now)


@pytest.mark.parametrize("count", [200, SHARED])
def test_a_leg_moves_at_a_packet_boundary(rig, peer, writer, speech, count):
    rig, here, there, other = rig(rtp_ports=ports(count)), peer(), peer(), peer()
    opened = rig.open(0, here)
    rig.open(1, other)
    said = speech(40)
    lay(rig, writer, 0, said)
    rig.run(110)
    rig.change(0, there)
    rig.run(290)
    first, second = here.packets(), there.packets()
    assert len(first) + len(second) == 20
    assert len(first) in (5, 6)
    assert unbroken(first + second) == [160] * 19
    assert b"".join(packet.payload for packet in first + second) == said
    assert {packet.ssrc for packet in first} == {opened.ssrc}
    assert len(other.packets()) == 20, "its neighbour goes on"
    assert [packet.marker for packet in second] == [False] * len(second)
    rig.engine.close(0, rig.now)
    assert parse_compound(there.drain(there.rtcp)[-1]).byes == (opened.ssrc,)
    assert here.drain(here.rtcp) == []


def test_from_ipv4_to_ipv6_is_refused_and_sends_nothing_more(rig, peer):
    rig, here, there = rig(), peer(), peer(socket.AF_INET6, "::1")
    rig.open(0, here)
    rig.run(40)
    with pytest.raises(OSError, match="the leg is at"):
        rig.change(0, there)
    rig.run(100)
    assert (len(here.packets()), there.packets()) == (2, [])


def test_a_leg_without_a_target_sends_nothing_at_all(rig, peer):
    rig, far = rig(), peer()
    opened = unaimed(rig, 0)
    assert isinstance(opened, LegOpened)
    rig.run(400)
    rig.engine.report(rig.engine.legs[0], rig.engine.port_of[0], rig.now)
    assert (rig.engine.legs[0].send_errors, sum(rig.engine.counters[1:4])) == (0, 0)
    rig.change(0, far, held=False)
    rig.run(100)
    packets = far.packets()
    assert len(packets) == 5
    assert packets[0].marker
    assert {packet.ssrc for packet in packets} == {opened.ssrc}
    rig.engine.report(rig.engine.legs[0], rig.engine.port_of[0], rig.now)
    (report,) = far.drain(far.rtcp)
    assert parse_compound(report).senders == (opened.ssrc,)


def test_one_that_never_learns_its_target_says_no_bye(rig):
    rig = rig()
    unaimed(rig, 0)
    rig.run(100)
    statistics = rig.engine.close(0, rig.now).statistics
    assert (statistics.packets, statistics.send_errors) == (0, 0)


def test_legs_without_a_target_share_a_port_until_they_have_one(rig, peer):
    rig, far = rig(rtp_ports=ports(SHARED)), [peer(), peer()]
    opened = [unaimed(rig, row) for row in range(2)]
    assert {one.local_port for one in opened} == {PORT}
    for row, one in enumerate(far):
        rig.change(row, one, held=False)
    rig.run(100)
    for one, leg in zip(far, opened, strict=True):
        packets = one.packets()
        assert (len(packets), {packet.ssrc for packet in packets}) == (5, {leg.ssrc})


@pytest.mark.parametrize("count", [200, SHARED])
def test_a_held_leg_sends_rtcp_alone_and_resumes_with_a_marker(rig, peer, count):
    rig, far, other = rig(rtp_ports=ports(count)), peer(), peer()
    rig.open(0, far)
    rig.open(1, other)
    rig.run(100)
    rig.change(0, held=True)
    rig.run(1000)
    rig.engine.report(rig.engine.legs[0], rig.engine.port_of[0], rig.now)
    assert len(far.drain(far.rtcp)) == 1
    before = far.packets()
    assert len(before) == 5
    rig.change(0, held=False)
    rig.run(100)
    after = far.packets()
    assert unbroken(before + after) == [160] * 4 + [160 * 51] + [160] * 4
    assert [packet.marker for packet in before + after] == [True, *[False] * 4] * 2
    assert len(other.packets()) == 60


def test_what_a_peer_held_goes_on_with_the_change_that_says_so(rig, peer, writer, speech):
    """Its target may be another: what left before would be lost."""
    rig, old, new = rig(), peer(), peer()
    rig.open(0, old)
    spoken = speech(20)
    lay(rig, writer, 0, spoken)
    rig.ring.hold(0, 0)
    rig.change(0, held=True)
    rig.run(100)
    rig.ring.hold(0, NEVER)
    rig.run(100)
    assert rig.ring.sent[0] == 0
    rig.change(0, new, held=False)
    rig.run(300)
    assert b"".join(packet.payload for packet in new.packets())[: 20 * 80] == spoken
    assert old.packets() == []


def test_who_lays_what_follows_a_cut_has_a_packet_time_for_it(rig, peer, writer, speech):
    """The worker wakes in ticks alone in which somebody sends: with few legs there is one in 20 ms."""
    rig, far = rig(), peer()
    rig.open(0, far)
    old, rest = speech(20), speech(10, seed=1)
    lay(rig, writer, 0, old)
    rig.ring.cut(0, at=10)
    pen, laid = writer(0), False
    pen.ring = rig.ring
    for _ in range(12):
        rig.engine.tick(rig.next_tick, rig.now)
        rig.next_tick, rig.now = rig.next_tick + 8, rig.now + 20_000_000
        if not laid and pen.adopt():
            laid = bool(pen.lay(rest))
    assert b"".join(packet.payload for packet in far.packets())[: 20 * 80] == old[: 10 * 80] + rest


def test_what_goes_on_and_is_cut_at_once_is_sent_up_to_the_cut(rig, peer, writer, speech):
    """Both are found in one look: it is not cut where it was held."""
    rig, far = rig(), peer()
    rig.open(0, far, suppress_silence=True)
    spoken = speech(40)
    lay(rig, writer, 0, spoken)
    rig.run(100)
    rig.ring.hold(0, 0)
    rig.run(100)
    held_at = int(rig.ring.sent[0])
    rig.ring.hold(0, NEVER)
    rig.ring.cut(0, 30)
    rig.run(400)
    assert held_at < 20 < rig.ring.sent[0] == 30
    assert b"".join(packet.payload for packet in far.packets()).endswith(spoken[2400 - 800 : 2400])


def test_suppressed_silence_stays_suppressed_over_a_hold(rig, peer, writer, speech):
    rig, far = rig(), peer()
    rig.open(0, far, suppress_silence=True)
    for held in (True, False):
        rig.change(0, held=held)
        rig.run(100)
    assert far.packets() == []
    lay(rig, writer, 0, speech(4))
    rig.run(100)
    assert len(far.packets()) == 2


def test_a_codec_changes_with_its_cut_and_not_before(rig, peer, writer, speech):
    rig, far = rig(), peer()
    rig.open(0, far)
    old, new = speech(40), speech(20, seed=1)
    pen = lay(rig, writer, 0, old)
    rig.run(100)
    rig.ring.changes[0] += 1
    rig.ring.cut(0)
    rig.run(60)
    assert not pen.adopt(), "let go before the change was told"
    rig.change(0, law="PCMA", payload_type=8, with_cut=True)
    rig.run(20)
    assert pen.adopt()
    pen.lay(new)
    rig.run(300)
    packets = far.packets()
    assert unbroken(packets) == [160] * 23
    spoken = b"".join(packet.payload for packet in packets)
    assert spoken[: 5 * 160] == old[: 5 * 160]
    assert set(spoken[5 * 160 : 8 * 160]) == {MU}
    assert set(spoken[8 * 160 : 9 * 160]) == {A}
    assert spoken[9 * 160 : 19 * 160] == new
    assert [packet.payload_type for packet in packets] == [0] * 8 + [8] * 16
    assert rig.ring.sent[0] == 30


@pytest.mark.parametrize("ptime", [10, 30, 40, 60])
def test_the_packet_time_may_change_while_nothing_was_sent(rig, peer, writer, speech, ptime):
    """The writer has laid speech, for the answer has told it how, before the change gets through."""
    rig, far = rig(), peer()
    unaimed(rig, 0)
    rig.run(100)
    rig.ring.changes[0] += 1
    generation = rig.ring.cut(0)
    assert not rig.ring.adopt(0, generation)
    rig.change(0, far, ptime_ms=ptime, law="PCMA", payload_type=8, held=False, with_cut=True)
    assert not rig.ring.adopt(0, generation), "it is let go in a tick"
    rig.run(2.5)
    said = speech(24)
    lay(rig, writer, 0, said)
    rig.run(480)
    packets = far.packets()
    assert set(unbroken(packets)) == {8 * ptime}
    assert b"".join(packet.payload for packet in packets).strip(bytes([A])) == said.strip(bytes([A]))
    assert {len(packet.payload) for packet in packets} == {ptime // 10 * UNIT_OCTETS}


def test_a_second_change_is_waited_for_over_a_change_of_packet_time(rig, peer):
    rig, far = rig(), peer()
    unaimed(rig, 0)
    rig.ring.changes[0] += 2
    rig.ring.cut(0)
    rig.change(0, far, ptime_ms=30, held=False, with_cut=True)
    rig.run(50)
    assert rig.ring.acked[0] != rig.ring.generation[0]
    rig.change(0, law="PCMA", payload_type=8, with_cut=True)
    rig.run(5)
    assert rig.ring.acked[0] == rig.ring.generation[0]


# -- changes that fail --------------------------------------------------------------------------------------


def nowhere(far):
    """A target to which a leg at 127.0.0.1 cannot connect."""
    far.host = "192.0.2.1"
    return far


def test_a_change_that_fails_mutes_and_its_cut_goes_through(rig, peer, writer, speech):
    rig, far = rig(), peer()
    rig.open(0, far)
    pen = lay(rig, writer, 0, speech(40))
    rig.run(100)
    rig.ring.changes[0] += 1
    rig.ring.cut(0)
    with pytest.raises(OSError, match=r"Invalid argument|unreachable"):
        rig.change(0, nowhere(peer()), law="PCMA", payload_type=8, with_cut=True)
    rig.run(100)
    assert pen.adopt(), "nobody waits for what will not come"
    pen.lay(speech(20))
    rig.run(300)
    assert (len(far.packets()), rig.ring.sent[0]) == (5, 10)


@pytest.mark.parametrize("count", [200, SHARED])
def test_after_a_change_that_failed_the_next_one_is_heard(rig, peer, count):
    rig, here, there, other = rig(rtp_ports=ports(count)), peer(), peer(), peer()
    rig.open(0, here)
    rig.open(1, other)
    rig.run(100)
    with pytest.raises((OSError, NoPorts)):
        rig.change(0, other if count == SHARED else nowhere(peer()))
    rig.run(100)
    rig.change(0, there)
    rig.run(100)
    heard = there.packets()
    assert [len(one.packets()) for one in (here, other)] == [5, 15]
    assert [packet.marker for packet in heard] == [True, *[False] * 4]


def test_asking_again_for_what_failed_fails_again(rig, peer):
    rig, here, there = rig(), peer(), nowhere(peer())
    rig.open(0, here)
    rig.run(100)
    for _ in range(2):
        with pytest.raises(OSError, match=r"Invalid argument|unreachable"):
            rig.change(0, there)
        rig.run(100)
    assert len(here.packets()) == 5, "heard by whom it is no longer meant for"
    rig.engine.close(0, rig.now)


def test_a_muted_leg_sends_no_digits_either(rig, peer):
    rig, here = rig(), peer()
    rig.open(0, here)
    rig.run(100)
    with pytest.raises(OSError, match=r"Invalid argument|unreachable"):
        rig.change(0, nowhere(peer()))
    rig.engine.dial(0, "12", 100)
    rig.run(1000)
    assert len(here.packets()) == 5


# -- what else goes on --------------------------------------------------------------------------------------


def test_digits_wait_while_on_hold_and_go_on(rig, peer):
    rig, far = rig(), peer()
    rig.open(0, far)
    rig.engine.dial(0, "123", 100)
    rig.run(60)
    rig.change(0, held=True)
    before = far.packets()
    rig.run(1000)
    assert far.packets() == []
    rig.change(0, held=False)
    rig.run(2000)
    packets = before + far.packets()
    events = [parse_event(packet.payload) for packet in packets if packet.payload_type == 101]
    assert [event.code for event in events if event.end] == [1] * 3 + [2] * 3 + [3] * 3
    assert rig.told == [DigitsSent(0, "123")]
    unbroken(packets)


@pytest.mark.parametrize("number", [None, 96])
def test_telephone_event_is_lost_or_renumbered_while_digits_go_out(rig, peer, number):
    rig, far = rig(), peer()
    rig.open(0, far)
    rig.engine.dial(0, "12", 100)
    rig.run(60)
    rig.change(0, dtmf_payload_type=number)
    rig.run(1000)
    packets = far.packets()
    kinds = [packet.payload_type for packet in packets]
    assert set(kinds[3:]) == ({0} if number is None else {0, 96})
    assert kinds[-1] == 0, "back to speech"
    unbroken(packets)


def test_symmetric_rtp_latches_anew_after_a_change(rig, peer):
    rig, sdp, real, moved, really = rig(symmetric_rtp=True), peer(), peer(), peer(), peer()
    opened = rig.open(0, sdp)

    def speak(far, count):
        for i in range(count):
            packet = build_rtp(RtpPacket(0, False, 50 + i, 160 * i, 3, bytes(160)))
            far.rtp.sendto(packet, ("127.0.0.1", opened.local_port))
        rig.read()

    speak(real, 4)
    rig.run(20)
    rig.change(0, moved)
    rig.run(20)
    speak(really, 4)
    rig.run(20)
    assert rig.told == [Latched(0, "127.0.0.1", real.port), Latched(0, "127.0.0.1", really.port)]
    streams = [far.packets() for far in (sdp, real, moved, really)]
    assert [len(stream) for stream in streams] == [0, 1, 1, 1]
    assert unbroken([packet for stream in streams for packet in stream]) == [160] * 2


def test_a_leg_that_is_opened_without_a_target_latches_once_it_has_one(rig, peer):
    rig, sdp, real = rig(symmetric_rtp=True), peer(), peer()
    opened = unaimed(rig, 0)
    rig.change(0, sdp, held=False)
    for i in range(4):
        packet = build_rtp(RtpPacket(0, False, 50 + i, 160 * i, 3, bytes(160)))
        real.rtp.sendto(packet, ("127.0.0.1", opened.local_port))
    rig.read()
    rig.run(20)
    assert rig.told == [Latched(0, "127.0.0.1", real.port)]
    assert (len(sdp.packets()), len(real.packets())) == (0, 1)


def test_a_leg_that_has_come_to_share_its_port_latches_no_more(rig, peer):
    """A latch connects the port, which is no longer its own."""
    rig, first, second, third = rig(symmetric_rtp=True, rtp_ports=ports(SHARED)), peer(), peer(), peer()
    opened = rig.open(0, first)
    rig.open(1, second)
    for i in range(8):
        packet = build_rtp(RtpPacket(0, False, 50 + i, 160 * i, 3, bytes(160)))
        first.rtp.sendto(packet, ("127.0.0.1", opened.local_port))
    rig.read()
    rig.run(100)
    rig.change(1, third)
    rig.run(100)
    assert [len(one.packets()) for one in (first, second, third)] == [10, 5, 5]
    assert rig.told == []


def test_a_peer_that_rings_or_holds_may_be_silent(rig, peer):
    rig, far = rig(), peer()
    rig.open(0, far, held=True)
    leg = rig.engine.legs[0]

    def told_within(seconds):
        told = []
        for _ in range(seconds):
            rig.now += S
            told += leg.silence_of_peer(rig.now, 5 * S)
        return [message.kind for message in told]

    assert told_within(60) == []
    rig.change(0, held=False)
    assert told_within(4) == []
    assert told_within(60) == ["timeout"], "once"
    rig.change(0, held=True)
    assert told_within(60) == []
    rig.change(0, held=False)
    assert told_within(60) == ["timeout"], "once more"
