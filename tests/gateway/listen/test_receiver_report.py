import numpy as np
import pytest
from aiortc.rtp import RtcpPacket, RtcpRrPacket, RtcpSdesPacket

from gateway.listen.analysis import gap_errors_ms
from gateway.listen.receiver_report import Reception, Receptions, ReportBlock, build_receiver_report
from gateway.listen.rtcp import SenderReport
from gateway.listen.timing import jitter

S = 1_000_000_000


def _block(ssrc: int = 1, lost: int = 0) -> ReportBlock:
    return ReportBlock(ssrc, 64, lost, 0x1_0005 & 0xFFFFFFFF, 12, 0xAABBCCDD, 65536)


def test_aiortc_reads_what_is_built():
    report, sdes = RtcpPacket.parse(build_receiver_report(77, "listen@127.0.0.1", [_block(9, -3)]))
    assert isinstance(report, RtcpRrPacket)
    assert isinstance(sdes, RtcpSdesPacket)
    (info,) = report.reports
    assert (report.ssrc, info.ssrc, info.fraction_lost, info.packets_lost) == (77, 9, 64, -3)
    assert (info.highest_sequence, info.jitter, info.lsr, info.dlsr) == (0x10005, 12, 0xAABBCCDD, 65536)
    assert [(chunk.ssrc, chunk.items) for chunk in sdes.chunks] == [(77, [(1, b"listen@127.0.0.1")])]


@pytest.mark.parametrize("blocks", [0, 1, 30, 31, 32, 62, 63, 100])
def test_more_blocks_than_one_report_holds(blocks):
    packets = RtcpPacket.parse(build_receiver_report(1, "c", [_block(k) for k in range(blocks)]))
    reports = [packet for packet in packets if isinstance(packet, RtcpRrPacket)]
    assert [info.ssrc for report in reports for info in report.reports] == list(range(blocks))
    assert len(reports) == max(1, -(-blocks // 31))


@pytest.mark.parametrize("length", range(256))
def test_a_name_of_every_length_is_framed(length):
    packets = RtcpPacket.parse(build_receiver_report(1, "x" * length, []))
    assert packets[1].chunks[0].items == [(1, b"x" * length)]


def test_loss_of_the_interval_and_of_all(ideal):
    packets = ideal(1000, seq=65000)
    reception = Reception(1, 8000)
    assert reception.block(0) is None
    reception.hear(np.delete(packets[:500], np.arange(100, 225)))
    first = reception.block(0)
    assert first is not None
    assert (first.cumulative_lost, first.fraction_lost) == (125, 64)
    assert (first.highest_seq, first.lsr, first.dlsr) == (65499, 0, 0)
    reception.hear(packets[500:])
    second = reception.block(0)
    assert second is not None
    assert (second.cumulative_lost, second.fraction_lost, second.highest_seq) == (125, 0, 65999)
    third = reception.block(0)
    assert third is not None
    assert third.fraction_lost == 0


def test_repeats_make_the_loss_negative(ideal):
    reception = Reception(1, 8000)
    reception.hear(np.repeat(ideal(100), 2))
    block = reception.block(0)
    assert block is not None
    assert (block.cumulative_lost, block.fraction_lost) == (-100, 0)
    info = RtcpPacket.parse(build_receiver_report(1, "c", [block]))[0].reports[0]
    assert info.packets_lost == -100


def test_jitter_fed_in_slices_is_that_of_the_whole(ideal):
    source = np.random.default_rng(11)
    packets = ideal(600, timestamp=(1 << 32) - 30_000)
    packets["t_ns"] = np.sort(packets["t_ns"] + source.integers(0, 8_000_000, 600))
    reception = Reception(1, 8000)
    for part in np.split(packets, [1, 2, 50, 51, 400]):
        reception.hear(part)
    block = reception.block(0)
    assert block is not None
    assert block.jitter == int(jitter(gap_errors_ms(packets))[-1] * 8)
    assert block.jitter > 0


def test_the_sender_can_tell_its_round_trip(ideal):
    receptions = Receptions()
    receptions.hear(np.concatenate([ideal(10, ssrc=5), ideal(10, ssrc=6)]))
    receptions.hear_report(SenderReport(5, 0x11112222_33334444, 0, 0, 0), 10 * S)
    five, six = receptions.blocks([5, 6, 7], 10 * S + S // 4)
    assert (five.ssrc, five.lsr, five.dlsr) == (5, 0x22223333, 16384)
    assert (six.ssrc, six.lsr, six.dlsr) == (6, 0, 0)
