"""RTP, telephone-event and RTCP as octets: against aiortc's independent parsers, captures, and rubbish."""

import struct
from pathlib import Path

import aiortc.rtp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media import rtcp
from gateway.media.dtmf import DigitReceiver
from gateway.media.packet import (
    DIGITS,
    MalformedPacket,
    RtpPacket,
    TelephoneEvent,
    build_event,
    build_rtp,
    parse_event,
    parse_rtp,
)

u8, u16, u32 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32))
packets = st.builds(RtpPacket, st.integers(0, 127), st.booleans(), u16, u32, u32, st.binary(max_size=200))


@given(packets)
def test_rtp_round_trip_and_aiortc_agrees(packet):
    data = build_rtp(packet)
    assert parse_rtp(data) == packet
    theirs = aiortc.rtp.RtpPacket.parse(data)
    assert (theirs.payload_type, theirs.marker, theirs.sequence_number) == (
        packet.payload_type,
        packet.marker,
        packet.sequence,
    )
    assert (theirs.timestamp, theirs.ssrc, theirs.payload) == (packet.timestamp, packet.ssrc, packet.payload)


def test_extension_csrc_and_padding_are_not_payload():
    fixed = struct.pack("!BBHII", 0x80 | 0x20 | 0x10 | 2, 101, 7, 8, 9)
    data = fixed + bytes(8) + struct.pack("!HH", 0xBEDE, 1) + b"extn" + b"payload" + b"\0\0\3"
    assert parse_rtp(data).payload == b"payload"
    for cut in range(len(data)):
        try:
            parse_rtp(data[:cut])
        except MalformedPacket:
            continue


@given(st.binary(max_size=80))
def test_no_octets_crash_a_parser(data):
    for parse in (parse_rtp, parse_event, rtcp.parse_compound):
        try:
            parse(data)
        except MalformedPacket:
            continue


@given(st.builds(TelephoneEvent, u8, st.booleans(), st.integers(0, 63), u16))
def test_event_round_trip(event):
    assert parse_event(build_event(event)) == event


def _udp_payloads(path: Path) -> list[bytes]:
    """Payloads of the UDP packets in a classic pcap file of Ethernet frames."""
    data = path.read_bytes()
    order = "<" if data[:4] == b"\xd4\xc3\xb2\xa1" else ">"
    payloads, at = [], 24
    while at < len(data):
        (size,) = struct.unpack_from(f"{order}I", data, at + 8)
        frame = data[at + 16 : at + 16 + size]
        at += 16 + size
        ip = frame[14:]
        payloads.append(ip[4 * (ip[0] & 15) + 8 : int.from_bytes(ip[2:4], "big")])
    return payloads


@pytest.mark.parametrize("digit", "0123456789*#")
def test_captured_digits_are_received_once(digit):
    """SIPp's own captures of a real telephone's RFC 4733 digits (Debian package sip-tester)."""
    name = {"*": "star", "#": "pound"}.get(digit, digit)
    capture = Path(f"/usr/share/sip-tester/dtmf_2833_{name}.pcap")
    receiver, heard = DigitReceiver(), []
    for payload in _udp_payloads(capture):
        packet = parse_rtp(payload)
        heard += receiver.receive(packet.timestamp, parse_event(packet.payload))
    starts = [d.digit for d in heard if d.duration_ms is None]
    ends = [d for d in heard if d.duration_ms is not None]
    assert starts == [digit]
    assert [d.digit for d in ends] == [digit]
    assert 20 <= ends[0].duration_ms <= 500


@given(u32, u32, u32, st.integers(0, 2**40), st.booleans())
def test_sender_report_as_aiortc_reads_it(ssrc, timestamp, packets, octets, bye):
    ntp = rtcp.ntp_time(1_700_000_000_123_456_789)
    named = rtcp.build_description(ssrc, "c" * (ssrc % 30 + 1))
    data = rtcp.build_sender_report(ssrc, ntp, timestamp, packets, octets, named, bye=bye)
    assert len(data) % 4 == 0
    report, description, *rest = aiortc.rtp.RtcpPacket.parse(data)
    info = report.sender_info
    assert (report.ssrc, info.ntp_timestamp, info.rtp_timestamp) == (ssrc, ntp, timestamp)
    assert (info.packet_count, info.octet_count) == (packets, octets % 2**32)
    assert description.chunks[0].ssrc == ssrc
    assert description.chunks[0].items == [(1, b"c" * (ssrc % 30 + 1))]
    assert [packet.sources for packet in rest] == ([[ssrc]] if bye else [])
    assert rtcp.parse_compound(data).byes == ((ssrc,) if bye else ())


@given(u32, u8, st.integers(-(2**23), 2**23 - 1), u32, u32)
def test_receiver_report_of_aiortc_is_read(ssrc, fraction, lost, highest, jitter):
    block = aiortc.rtp.RtcpReceiverInfo(
        ssrc=ssrc,
        fraction_lost=fraction,
        packets_lost=lost,
        highest_sequence=highest,
        jitter=jitter,
        lsr=1,
        dlsr=2,
    )
    compound = rtcp.parse_compound(bytes(aiortc.rtp.RtcpRrPacket(ssrc=5, reports=[block])))
    assert compound.senders == (5,)
    (ours,) = compound.blocks
    bare = bytes(aiortc.rtp.RtcpRrPacket(ssrc=5, reports=[block])) + bytes([0x80, 202, 0, 0])
    assert rtcp.parse_compound(bare) == compound, "an SDES without a chunk is no more than its header"
    assert (ours.ssrc, ours.fraction_lost, ours.cumulative_lost) == (ssrc, fraction / 256, lost)
    assert (ours.highest_sequence, ours.jitter) == (highest, jitter)


def test_round_trip_is_ours_minus_the_peers_delay():
    sent = rtcp.ntp_time(1_700_000_000_000_000_000)
    now = rtcp.ntp_time(1_700_000_000_350_000_000)
    block = rtcp.ReportBlock(1, 0, 0, 0, 0, sent >> 16 & 0xFFFFFFFF, int(0.3 * 65536))
    assert block.round_trip_seconds(now) == pytest.approx(0.05, abs=1e-4)
    assert rtcp.ReportBlock(1, 0, 0, 0, 0, 0, 0).round_trip_seconds(now) is None
    late = rtcp.ReportBlock(1, 0, 0, 0, 0, sent >> 16 & 0xFFFFFFFF, int(0.4 * 65536))
    assert late.round_trip_seconds(now) is None, "a peer that claims more delay than has passed"


def test_digits_are_the_sixteen_of_the_rfc():
    assert [DIGITS[code] for code in (0, 9, 10, 11, 12, 15)] == ["0", "9", "*", "#", "A", "D"]
