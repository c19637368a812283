import pytest
from aiortc.rtp import (
    RTCP_SDES,
    RtcpByePacket,
    RtcpPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
)
from hypothesis import given
from hypothesis import strategies as st

from gateway.listen.rtcp import Goodbye, MalformedRtcp, OtherRtcp, RtcpType, SenderReport, parse_compound

_BLOCK = RtcpReceiverInfo(
    ssrc=9, fraction_lost=1, packets_lost=2, highest_sequence=3, jitter=4, lsr=5, dlsr=6
)
_INFO = RtcpSenderInfo(
    ntp_timestamp=0xE0000000_80000000, rtp_timestamp=0xFFFFFFFF, packet_count=50, octet_count=8000
)
_SR = bytes(RtcpSrPacket(ssrc=7, sender_info=_INFO, reports=[_BLOCK] * 2))
_RR = bytes(RtcpRrPacket(ssrc=7, reports=[_BLOCK]))
_SDES = bytes(RtcpSdesPacket(chunks=[RtcpSourceInfo(ssrc=7, items=[(1, b"someone@127.0.0.1")])]))
_BYE = bytes(RtcpByePacket(sources=[7, 8]))
_COMPOUND = _SR + _SDES + _BYE


def test_a_compound_of_aiortc_is_read():
    report, other, goodbye = parse_compound(_COMPOUND)
    assert report == SenderReport(
        ssrc=7, ntp=0xE0000000_80000000, rtp_timestamp=0xFFFFFFFF, packets=50, octets=8000
    )
    assert other == OtherRtcp(RTCP_SDES)
    assert goodbye == Goodbye((7, 8), "")
    assert parse_compound(_RR) == (OtherRtcp(RtcpType.RR),)


def test_a_reason_for_leaving():
    assert parse_compound(b"\x81\xcb\x00\x03\x00\x00\x00\x07\x04done\x00\x00\x00") == (Goodbye((7,), "done"),)
    with pytest.raises(MalformedRtcp, match="reason"):
        parse_compound(b"\x81\xcb\x00\x02\x00\x00\x00\x07\x04don")


@pytest.mark.parametrize("length", range(len(_COMPOUND)))
def test_cut_off_at_every_length(length):
    whole = {len(_SR): 1, len(_SR + _SDES): 2}
    if length in whole:
        assert len(parse_compound(_COMPOUND[:length])) == whole[length]
    else:
        with pytest.raises(MalformedRtcp):
            parse_compound(_COMPOUND[:length])


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: b"\x81\xc8\x00\x0c" + tail))
def test_any_bytes_are_read_or_malformed_as_aiortc_has_it(data):
    try:
        packets = parse_compound(data)
    except MalformedRtcp:
        packets = None
    try:
        theirs = RtcpPacket.parse(data)
    except ValueError:
        return  # it looks into more kinds of packet than this does, and finds more amiss
    assert packets is not None or data == b""
    ours = [p.ssrc for p in packets or () if isinstance(p, SenderReport)]
    assert ours == [p.ssrc for p in theirs if isinstance(p, RtcpSrPacket)]
