"""The engine over real loopback sockets, its ticks driven by hand."""

import os
import resource
import socket
import time
from contextlib import ExitStack, suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.media.counters import Counter
from gateway.media.packet import (
    RtpPacket,
    TelephoneEvent,
    build_event,
    build_rtp,
    parse_event,
    parse_rtp,
)
from gateway.media.rtcp import parse_compound
from gateway.messages.media import (
    DigitReceived,
    DigitsSent,
    Latched,
    LegOpened,
    LegRefused,
    LegTrouble,
    Quality,
)

from .conftest import PORT, Peer, Rig, S, ports


def test_a_leg_sends_from_the_port_it_was_given(rig, peer, writer):
    rig, far = rig(), peer()
    opened = rig.open(0, far)
    assert isinstance(opened, LegOpened)
    assert opened.local_port % 2 == 0
    assert opened.local_rtcp_port == opened.local_port + 1
    rig.run(100)
    data, source = far.rtp.recvfrom(2048)
    assert source == ("127.0.0.1", opened.local_port)
    assert parse_rtp(data).ssrc == opened.ssrc
    assert len(far.packets()) == 4


def test_ipv6_and_mapped_ipv4(rig, peer):
    rig = rig()
    six = peer(socket.AF_INET6, "::1")
    assert isinstance(rig.open(0, six), LegOpened)
    four = peer()
    four.host = "::ffff:127.0.0.1"
    opened = rig.open(1, four)
    assert opened.local_address == "127.0.0.1"
    rig.run(40)
    assert len(six.packets()) == 2
    assert len(four.packets()) == 2


def test_shared_ports_when_the_range_is_used_up(rig, peer):
    rig, far = rig(rtp_ports=ports(4)), [peer() for _ in range(5)]
    opened = [rig.open(row, one) for row, one in enumerate(far)]
    assert all(isinstance(o, LegOpened) for o in opened)
    assert {o.local_port for o in opened} == {PORT, PORT + 2}
    rig.run(200)
    for o, one in zip(opened, far, strict=True):
        packets = one.packets()
        assert len(packets) == 10
        assert {p.ssrc for p in packets} == {o.ssrc}, "each leg hears its own only"
        assert [p.sequence for p in packets] == [(packets[0].sequence + i) % 65536 for i in range(10)]
    again = [rig.open(10 + row, far[0]) for row in range(2)]
    assert sum(isinstance(o, LegRefused) and o.code == "no_ports" for o in again) >= 1
    rig.engine.close(0, rig.now)
    rig.run(100)
    assert all(len(one.packets()) == 5 for one in far[1:]), "its neighbours on the port go on"


def test_descriptors_used_up_refuses_and_breaks_nothing(rig, peer):
    rig, far = rig(), peer()
    rig.open(0, far)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = os.dup(0)
    os.close(used)
    resource.setrlimit(resource.RLIMIT_NOFILE, (used, hard))
    try:
        refused = rig.open(1, far)
        rig.run(100)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert isinstance(refused, LegRefused)
    assert refused.code == "no_descriptors"
    assert len(far.packets()) == 5
    assert isinstance(rig.open(1, peer()), LegOpened), "the port was given back"


def test_an_address_that_cannot_be_reached_is_refused(rig, peer):
    rig, far = rig(), peer()
    far.host = "192.0.2.1"  # never sent to: connect() from 127.0.0.1 fails
    refused = rig.open(0, far)
    assert refused.code == "address"
    assert "VOXTRUNK_RTP_ADDRESSES" in refused.detail


def test_a_port_of_another_program_is_passed_over(rig, peer):
    rig, far = rig(rtp_ports=ports(6)), peer()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", PORT + 1))  # an RTCP port
        assert {rig.open(row, far).local_port for row in range(2)} == {PORT + 2, PORT + 4}


def test_where_other_programs_have_nearly_all_ports_legs_share_what_there_is(rig, peer):
    rig, far = rig(rtp_ports=ports(200)), [peer() for _ in range(3)]
    first = rig.open(0, far[0]).local_port
    with ExitStack() as others:
        for port in {*range(PORT, PORT + 200, 2)} - {first}:
            other = others.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            with suppress(OSError):  # somebody's already
                other.bind(("127.0.0.1", port))
        assert [rig.open(row, far[row]).local_port for row in (1, 2)] == [first, first]
        refused = rig.open(3, far[0])
    assert (refused.code, "VOXTRUNK_RTP_PORTS" in refused.detail) == ("no_ports", True)
    rig.run(40)
    assert [len(one.packets()) for one in far] == [2, 2, 2]


def test_icmp_is_told_after_patience_and_only_to_its_leg(rig, peer):
    rig = rig(unreachable_seconds=0.1)
    dead, alive = peer(), peer()
    rig.open(0, dead)
    rig.open(1, alive)
    dead.close()
    for _ in range(20):
        rig.run(20)
        rig.read()
        time.sleep(0.01)
    troubles = [m for m in rig.told if isinstance(m, LegTrouble)]
    assert [(m.row, m.kind) for m in troubles] == [(0, "unreachable")]
    assert len(alive.packets()) == 20
    closed = rig.engine.close(0, rig.now)
    assert closed.statistics.unreachable > 3


def test_icmp_on_a_shared_port_loses_no_packet_of_the_others(rig, peer):
    rig = rig(rtp_ports=ports(2), unreachable_seconds=0.1)
    dead, alive = peer(), peer()
    rig.open(0, dead)
    rig.open(1, alive)
    dead.close()
    for _ in range(20):
        rig.run(20)
        rig.read()
        time.sleep(0.01)
    assert [(m.row, m.kind) for m in rig.told if isinstance(m, LegTrouble)] == [(0, "unreachable")]
    sequence = [p.sequence for p in alive.packets()]
    assert len(sequence) == 20
    assert np.all(np.diff(np.array(sequence, np.uint16)) == 1)


def test_icmp_on_a_shared_port_is_nobody_elses_whoever_meets_it(rig, peer):
    rig = rig(rtp_ports=ports(2), unreachable_seconds=0)
    dead, alive = peer(), peer()
    rig.open(0, dead)
    rig.open(1, alive)
    dead.close()
    legs, port = rig.engine.legs, rig.engine.port_of[1]
    for met in (
        lambda: rig.inbound._read_socket(port, port.rtp, rig.now),
        lambda: rig.engine.send_to_peer(legs[1], b"one"),
    ):
        rig.engine.send_to_peer(legs[0], b"lost")
        time.sleep(0.01)
        met()
    assert alive.drain(alive.rtp) == [b"one"]
    rig.read()
    assert [(m.row, m.kind) for m in rig.told] == [(0, "unreachable")]
    assert legs[1].send_errors == legs[1].refusals == 0


def test_digits_both_ways(rig, peer, writer, speech):
    rig, far = rig(), peer()
    opened = rig.open(0, far)
    rig.run(40)
    rig.engine.dial(0, "1#", 100)
    rig.run(800)
    packets = far.packets()
    events = [(p, parse_event(p.payload)) for p in packets if p.payload_type == 101]
    starts = [p.timestamp for p, _ in events]
    assert events[0][1].code == 1
    assert {e.code for _, e in events} == {1, 11}
    assert len(set(starts)) == 2
    assert [e.end for _, e in events].count(True) == 6
    assert rig.told == [DigitsSent(0, "1#")]
    sequence = np.array([p.sequence for p in packets], np.uint16)
    assert np.all(np.diff(sequence) == 1), "one sequence for audio and events"
    audio = [p for p in packets if p.payload_type == 0]
    assert np.all(np.diff([p.timestamp - audio[0].timestamp for p in audio]) % 160 == 0)
    assert sum(p.marker for p in audio) == 1, "the clock and the talkspurt go on behind a digit"

    rig.told.clear()
    for i, (end, duration) in enumerate([(False, 160), (False, 320), (True, 480), (True, 480)]):
        event = build_event(TelephoneEvent(5, end, 10, duration))
        data = build_rtp(RtpPacket(101, i == 0, 100 + i, 7777, 42, event))
        far.rtp.sendto(data, ("127.0.0.1", opened.local_port))
    rig.read()
    assert rig.told == [DigitReceived(0, "5", None), DigitReceived(0, "5", 60)]


def test_speech_waits_for_a_digit_and_loses_nothing(rig, peer, writer, speech):
    rig, far = rig(), peer()
    rig.open(0, far)
    pen = writer(0)
    pen.ring = rig.ring
    assert pen.adopt()
    said = speech(40)
    pen.lay(said)
    rig.run(100)
    rig.engine.dial(0, "7", 100)
    rig.run(900)
    audio = b"".join(p.payload for p in far.packets() if p.payload_type == 0)
    assert audio.replace(b"\xff" * 160, b"") == said


def test_rtcp_out_and_in(rig, peer):
    rig, far = rig(), peer()
    opened = rig.open(0, far)
    rig.run(1000)
    leg, port = rig.engine.legs[0], rig.engine.port_of[0]
    rig.engine.report(leg, port, rig.now)
    (report,) = far.drain(far.rtcp)
    assert parse_compound(report).senders == (opened.ssrc,)
    ntp = int.from_bytes(report[8:16], "big")
    rtp, packets, octets = (int.from_bytes(report[i : i + 4], "big") for i in (16, 20, 24))
    assert (packets, octets) == (50, 50 * 160)
    last = far.packets()[-1]
    assert 0 <= (rtp - last.timestamp) % 2**32 <= 320, "the SR names this instant of the RTP clock"

    import aiortc.rtp

    block = aiortc.rtp.RtcpReceiverInfo(
        ssrc=opened.ssrc,
        fraction_lost=64,
        packets_lost=3,
        highest_sequence=9,
        jitter=80,
        lsr=ntp >> 16 & 0xFFFFFFFF,
        dlsr=0,
    )
    rig.now += S // 10
    datagram = bytes(aiortc.rtp.RtcpRrPacket(ssrc=5, reports=[block]))
    far.rtcp.sendto(datagram, ("127.0.0.1", opened.local_rtcp_port))
    rig.read()
    (quality,) = rig.told
    assert isinstance(quality, Quality)
    assert (quality.fraction_lost, quality.cumulative_lost, quality.jitter_ms) == (0.25, 3, 10)
    assert quality.round_trip_ms == pytest.approx(100, abs=1)
    rig.engine.close(0, rig.now)
    assert parse_compound(far.drain(far.rtcp)[-1]).byes == (opened.ssrc,)


def test_muxed_rtcp_uses_one_port(rig, peer):
    rig, far = rig(), peer()
    opened = rig.open(0, far, rtcp_mux=True)
    assert opened.local_rtcp_port == opened.local_port
    rig.engine.close(0, rig.now)
    (data,) = far.drain(far.rtp)
    assert parse_compound(data).byes == (opened.ssrc,)


@pytest.mark.parametrize("first_muxes", [True, False])
def test_legs_that_share_a_port_mux_rtcp_each_as_it_wants(rig, peer, first_muxes):
    rig, far = rig(rtp_ports=ports(2)), [peer(), peer()]
    for row, muxes in enumerate((first_muxes, not first_muxes)):
        opened = rig.open(row, far[row], rtcp_mux=muxes)
        port = rig.engine.port_of[row]
        assert opened.local_rtcp_port == PORT + (0 if muxes or port.rtcp is None else 1)
        rig.engine.report(rig.engine.legs[row], port, rig.now)
        data, source = (far[row].rtp if muxes else far[row].rtcp).recvfrom(2048)
        assert parse_compound(data).senders == (opened.ssrc,)
        assert source[1] == opened.local_rtcp_port


def test_colliding_ssrc_is_given_up(rig, peer):
    rig, far = rig(), peer()
    opened = rig.open(0, far)
    report = bytes([0x80, 201, 0, 1]) + opened.ssrc.to_bytes(4, "big")
    for _ in range(10):  # an echo must not make us change for ever
        far.rtcp.sendto(report, ("127.0.0.1", opened.local_rtcp_port))
        rig.read()
    rig.run(20)
    (packet,) = far.packets()
    assert packet.ssrc != opened.ssrc
    assert parse_compound(far.drain(far.rtcp)[0]).byes == (opened.ssrc,)


def _counts(report):
    """Packets and octets in a sender report."""
    return int.from_bytes(report[20:24], "big"), int.from_bytes(report[24:28], "big")


def test_sender_reports_count_what_their_ssrc_has_sent(rig, peer):
    rig, far = rig(), peer()
    opened = rig.open(0, far)
    leg, port = rig.engine.legs[0], rig.engine.port_of[0]
    rig.run(100)
    rig.engine.dial(0, "5", 60)
    rig.run(100)
    rig.engine.report(leg, port, rig.now)
    packets = far.packets()
    events = [p for p in packets if p.payload_type == 101]
    assert (len(packets), len(events)) == (10, 5)
    assert _counts(far.drain(far.rtcp)[0]) == (10, sum(len(p.payload) for p in packets))
    far.rtcp.sendto(
        bytes([0x80, 201, 0, 1]) + opened.ssrc.to_bytes(4, "big"), ("127.0.0.1", opened.local_rtcp_port)
    )
    rig.read()
    rig.run(60)
    rig.engine.report(leg, port, rig.now)
    goodbye, report = far.drain(far.rtcp)
    assert (_counts(goodbye)[0], _counts(report)) == (10, (3, 480))
    statistics = rig.engine.close(0, rig.now).statistics
    assert (statistics.packets, statistics.octets) == (13, 8 * 160 + 5 * 4)
    assert rig.engine.counters[Counter.PACKETS] == 13


def test_sequence_numbers_wrap_in_a_digit(rig, peer, recwarn):
    rig, far = rig(), peer()
    rig.open(0, far)
    leg = rig.engine.legs[0]
    rig.engine._lanes[leg.group_key].group.sequence[leg.index] = 65534
    rig.engine.dial(0, "5", 60)
    rig.run(100)
    assert [p.sequence for p in far.packets()] == [65534, 65535, 0, 1, 2]
    assert not recwarn.list


@pytest.mark.parametrize("count", [2, 200])
def test_inbound_audio_never_reaches_the_process(rig, peer, count):
    rig, far, other = rig(rtp_ports=ports(count)), peer(), peer()
    opened = rig.open(0, far)
    if count == 2:
        rig.open(1, other)
    audio = build_rtp(RtpPacket(0, False, 1, 1, 1, bytes(160)))
    for _ in range(50):
        far.rtp.sendto(audio, ("127.0.0.1", opened.local_port))
    rig.read()
    with pytest.raises(BlockingIOError):
        rig.engine.port_of[0].rtp.recv(2048)
    assert rig.engine.counters[Counter.INBOUND_DROPPED] == 0


def test_foreign_events_are_not_ours(rig, peer):
    rig, far, stranger = rig(), peer(), peer()
    opened = rig.open(0, far)
    event = build_rtp(RtpPacket(101, True, 1, 5, 9, build_event(TelephoneEvent(1, False, 10, 160))))
    stranger.rtp.sendto(event, ("127.0.0.1", opened.local_port))
    rig.read()
    assert rig.told == []


def test_a_flood_is_left_unread_and_heard_again_later(rig, peer):
    rig, far, quiet = rig(), peer(), peer()
    opened, calm = rig.open(0, far), rig.open(1, quiet)
    junk = bytes([0x80, 101]) + bytes(8)
    for _ in range(1000):
        far.rtp.sendto(junk, ("127.0.0.1", opened.local_port))
        if _ % 50 == 0:
            for _ in range(30):
                rig.inbound.read(rig.now)
    assert rig.engine.counters[Counter.INBOUND_MUTED] == 1
    event = build_rtp(RtpPacket(101, True, 1, 5, 9, build_event(TelephoneEvent(1, False, 10, 160))))
    quiet.rtp.sendto(event, ("127.0.0.1", calm.local_port))
    rig.read()
    assert rig.told == [DigitReceived(1, "1", None)], "another leg is heard meanwhile"
    rig.now += S
    Peer.drain(rig.engine.port_of[0].rtp)
    rig.inbound.second()
    far.rtp.sendto(event, ("127.0.0.1", opened.local_port))
    rig.read()
    assert rig.told[1:] == [DigitReceived(0, "1", None)]


def test_symmetric_rtp_latches_once_inside_the_window(rig, peer):
    rig, sdp, real, thief = rig(symmetric_rtp=True), peer(), peer(), peer()
    opened = rig.open(0, sdp)
    target = ("127.0.0.1", opened.local_port)
    rig.run(20)
    assert len(sdp.packets()) == 1

    def speak(far, first, count, payload_type=0):
        for i in range(count):
            packet = RtpPacket(payload_type, False, first + i, 160 * i, 3, bytes(160))
            far.rtp.sendto(build_rtp(packet), target)
        rig.read()

    speak(thief, 0, 3)  # not enough in a row
    speak(real, 100, 2, payload_type=34)  # not a payload type of ours
    assert rig.told == []
    speak(real, 200, 4)
    assert rig.told == [Latched(0, "127.0.0.1", real.port)]
    speak(thief, 300, 20)
    assert len(rig.told) == 1, "one latch, then locked"
    rig.run(20)
    assert (len(real.packets()), len(sdp.packets()), len(thief.packets())) == (1, 0, 0)


def test_symmetric_rtp_is_off_by_default_and_ends_with_its_window(rig, peer):
    rig, sdp, late = rig(symmetric_rtp=True, symmetric_rtp_window_seconds=1), peer(), peer()
    opened = rig.open(0, sdp)
    rig.now += 2 * S
    for i in range(10):
        data = build_rtp(RtpPacket(0, False, i, 160 * i, 3, bytes(160)))
        late.rtp.sendto(data, ("127.0.0.1", opened.local_port))
    rig.read()
    assert rig.told == []


def test_who_did_not_latch_in_time_is_listened_to_no_more_than_any_other(rig, peer):
    rig, sdp, late = rig(symmetric_rtp=True, symmetric_rtp_window_seconds=1), peer(), peer()
    opened = rig.open(0, sdp)
    port = rig.engine.port_of[0]
    audio = build_rtp(RtpPacket(0, False, 1, 160, 3, bytes(160)))
    rig.now += 2 * S
    late.rtp.sendto(audio, ("127.0.0.1", opened.local_port))
    rig.read()
    assert port.connected
    assert rig.told == []
    sdp.rtp.sendto(audio, ("127.0.0.1", opened.local_port))
    late.rtp.sendto(audio, ("127.0.0.1", opened.local_port))
    time.sleep(0.01)
    with pytest.raises(BlockingIOError):
        port.rtp.recv(2048)
    rig.run(20)
    assert (len(sdp.packets()), len(late.packets())) == (1, 0)


@pytest.mark.parametrize("source", [("127.0.0.1", 0), ("127.255.255.255", 4000)])
def test_a_source_that_nothing_can_be_sent_to_is_not_latched_on_to(rig, peer, source):
    rig, sdp, real = rig(symmetric_rtp=True), peer(), peer()
    opened = rig.open(0, sdp)
    port = rig.engine.port_of[0]
    for i in range(6):  # as a router would forge them
        data = build_rtp(RtpPacket(0, False, i, 160 * i, 3, bytes(160)))
        rig.inbound._datagram(port, port.rtp, data, source, rig.now)
    assert rig.told == []
    rig.run(20)
    assert len(sdp.packets()) == 1, "what was agreed on stands"
    for i in range(4):
        data = build_rtp(RtpPacket(0, False, i, 160 * i, 3, bytes(160)))
        real.rtp.sendto(data, ("127.0.0.1", opened.local_port))
    rig.read()
    assert rig.told == [Latched(0, "127.0.0.1", real.port)]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=60), st.binary(max_size=40).map(lambda b: b"\x80\x65" + b))))
def test_rubbish_at_every_port_changes_nothing(datagrams):
    rig, far = Rig(), Peer()
    try:
        opened = rig.open(0, far)
        for data in datagrams:
            far.rtp.sendto(data, ("127.0.0.1", opened.local_port))
            far.rtcp.sendto(data, ("127.0.0.1", opened.local_rtcp_port))
        for _ in range(10):
            rig.inbound.read(rig.now)
        rig.run(40)
        assert len(far.packets()) == 2
    finally:
        rig.close()
        far.close()
