import dataclasses
import json

import numpy as np
import pytest

from gateway.listen.analysis import analyse, distribution, gap_errors_ms, pooled
from gateway.listen.packets import PACKET
from gateway.listen.timing import jitter

MS = 1_000_000
CLEAN = {
    "lost": 0,
    "duplicates": 0,
    "reordered": 0,
    "strays": 0,
    "sequence_restarts": 0,
    "timestamp_jumps": 0,
    "events": 0,
    "talkspurts": 1,
}


def _only(packets, **expected):
    """The one stream's report; every count not named in `expected` must be that of a clean stream."""
    (report,) = analyse(packets)
    found = dataclasses.asdict(report)
    assert {name: found[name] for name in CLEAN} == CLEAN | expected
    return report


def test_nothing_heard_is_no_stream():
    nothing = np.empty(0, PACKET)
    assert analyse(nothing) == ()
    assert pooled(nothing).count == 0
    assert len(gap_errors_ms(nothing)) == 0


def test_a_perfect_stream(ideal):
    packets = ideal(500, ssrc=7)
    packets["marker"][0] = True
    report = _only(packets)
    assert (report.ssrc, report.packets, report.octets, report.markers) == (7, 500, 80000, 1)
    assert report.sources == ("127.0.0.1:4000",)
    assert report.ptime_ms == 20
    assert report.duration_s == pytest.approx(499 * 0.02)
    assert report.gap.max_ms == pytest.approx(0, abs=1e-6)
    assert report.jitter_max_ms == pytest.approx(0, abs=1e-6)
    assert report.rate_error_ppm == pytest.approx(0, abs=1e-3)
    assert report.drift_ms == pytest.approx(0, abs=1e-6)


def test_one_packet(ideal):
    report = _only(ideal(1))
    assert report.gap.count == 0
    assert report.rate_error_ppm is None
    assert report.ptime_ms is None


def test_lost_packets(ideal):
    report = _only(np.delete(ideal(500), [100, 101, 300]), lost=3)
    assert report.gap.max_ms == pytest.approx(0, abs=1e-6)
    assert report.rate_error_ppm == pytest.approx(0, abs=1e-3)


def test_a_repeated_packet_is_counted_and_not_timed(ideal):
    packets = ideal(500)
    again = packets[200:201].copy()
    again["t_ns"] += 3 * MS
    report = _only(np.insert(packets, 201, again), duplicates=1)
    assert report.gap.max_ms == pytest.approx(0, abs=1e-6)


def test_packets_that_change_places(ideal):
    packets = ideal(500)
    for field in ("seq", "timestamp"):
        packets[field][[250, 251]] = packets[field][[251, 250]]
    report = _only(packets, reordered=1)
    # each of the two came one packet away from its place, and they are one packet apart the wrong way round
    assert report.gap.max_ms == pytest.approx(40)
    assert report.drift_ms == pytest.approx(20, abs=1e-6) or report.drift_ms == pytest.approx(-20, abs=1e-6)


def test_one_packet_late_by_30_ms(ideal):
    packets = ideal(1000)
    packets["t_ns"][400] += 30 * MS
    packets["t_ns"][401] += 12 * MS  # 32 - 20: it cannot overtake
    report = _only(packets)
    errors = gap_errors_ms(packets)
    assert errors[399:402] == pytest.approx([30, -18, -12])
    assert np.count_nonzero(np.abs(errors) > 1e-6) == 3
    assert report.gap.max_ms == pytest.approx(30)
    assert report.drift_ms == pytest.approx(30)
    assert report.rate_error_ppm == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("ppm", [-50_000, -200, 0, 37, 200, 20_000])
def test_a_clock_off_by_known_ppm_under_noise_and_stalls(ideal, ppm):
    source = np.random.default_rng(5)
    packets = ideal(3000)
    elapsed = np.arange(3000) * 20 * MS / (1 + ppm * 1e-6)
    late = source.exponential(0.2 * MS, 3000)
    late[1000:1100] += np.linspace(2000 * MS, 20 * MS, 100)  # a stall, caught up
    packets["t_ns"] = 1_000_000_000 + (elapsed + late).astype(np.int64)
    report = _only(packets)
    assert report.rate_error_ppm == pytest.approx(ppm, abs=2)


def test_a_first_packet_that_is_late_does_not_tilt_the_schedule(ideal):
    packets = ideal(500)
    packets["t_ns"][0] += 15 * MS
    assert _only(packets).drift_ms == pytest.approx(15)


def test_a_stall_is_lateness_and_no_jump(ideal):
    packets = ideal(500)
    packets["t_ns"][300:] += 2000 * MS
    report = _only(packets)
    assert report.gap.max_ms == pytest.approx(2000)
    assert report.drift_ms == pytest.approx(2000)


def test_a_source_that_skips_ahead_after_a_stall(ideal):
    packets = np.delete(ideal(500), np.arange(300, 350))
    packets["seq"][300:] -= 50  # sequence counts packets, the timestamp counts time
    report = _only(packets, talkspurts=2)
    assert report.gap.max_ms == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("jump", [8000, -8000, 1 << 31, 123_456_789])
def test_a_timestamp_jump_is_found_and_timing_goes_on(ideal, jump):
    packets = ideal(500)
    packets["timestamp"][250:] += np.uint32(jump & 0xFFFFFFFF)
    report = _only(packets, timestamp_jumps=1)
    assert report.gap.max_ms == pytest.approx(0, abs=1e-6)
    assert report.gap.count == 498
    assert report.drift_ms == pytest.approx(0, abs=0.1)


def test_wraps_of_sequence_and_timestamp(ideal):
    report = _only(ideal(1000, seq=65000, timestamp=(1 << 32) - 50_000))
    assert report.gap.max_ms == pytest.approx(0, abs=1e-6)
    assert report.rate_error_ppm == pytest.approx(0, abs=1e-3)


def test_suppressed_silence_makes_talkspurts(ideal):
    packets = ideal(900)
    packets["timestamp"][300:] += 8000
    packets["t_ns"][300:] += 1000 * MS
    packets["timestamp"][600:] += 800
    packets["t_ns"][600:] += 100 * MS
    packets["marker"][[0, 300, 600]] = True
    report = _only(packets, talkspurts=3)
    assert report.markers == 3
    assert report.gap.max_ms == pytest.approx(0, abs=1e-6)


def test_a_new_ssrc_is_another_stream(ideal):
    before, after = ideal(100, ssrc=5), ideal(200, ssrc=3, seq=9000, timestamp=77)
    after["t_ns"] += 100 * 20 * MS
    reports = analyse(np.concatenate([before, after]))
    assert [(r.ssrc, r.packets, r.lost) for r in reports] == [(5, 100, 0), (3, 200, 0)]


def test_a_source_that_moves_is_told(ideal):
    packets = ideal(100)
    packets["source_port"][50:] = 4002
    packets["source_ip"][70:, 15] = 9
    (report,) = analyse(packets)
    assert report.sources == ("127.0.0.1:4000", "127.0.0.1:4002", "127.0.0.9:4002")


def test_events_are_counted_and_not_timed(ideal):
    packets = ideal(500)
    packets["payload_type"][200:210] = 101
    packets["payload_length"][200:210] = 4
    packets["timestamp"][200:210] = packets["timestamp"][200]
    report = _only(packets, events=10)
    assert report.gap.max_ms == pytest.approx(0, abs=1e-6)
    assert report.payload_types == (0, 101)


def test_jitter_is_that_of_rfc_3550(ideal):
    source = np.random.default_rng(3)
    packets = ideal(400)
    packets["t_ns"] += source.integers(0, 5 * MS, 400)
    packets["t_ns"].sort()
    errors = gap_errors_ms(packets)
    expected, largest = 0.0, 0.0
    for error in errors:
        expected += (abs(error) - expected) / 16
        largest = max(largest, expected)
    report = _only(packets)
    assert report.jitter_ms == pytest.approx(expected)
    assert report.jitter_max_ms == pytest.approx(largest)
    assert jitter(errors[-3:], float(jitter(errors[:-3])[-1]))[-1] == pytest.approx(expected)


def test_distribution_is_of_sizes():
    found = distribution(np.array([-4.0, 0, 1, 2, 3]))
    assert (found.count, found.p50_ms, found.max_ms) == (5, 2, 4)


def test_pooled_holds_every_stream(ideal):
    streams = [ideal(50, ssrc=k) for k in range(20)]
    streams[7]["t_ns"][20] += 5 * MS
    found = pooled(np.concatenate(streams))
    assert found.count == 20 * 49
    assert found.max_ms == pytest.approx(5)


def test_interleaved_streams_are_told_apart(ideal):
    streams = np.stack([ideal(300, ssrc=k * 77, seq=k * 1000, timestamp=k << 24) for k in range(50)])
    reports = analyse(streams.T.ravel())
    assert [r.ssrc for r in reports] == [k * 77 for k in range(50)]
    assert all(r.packets == 300 and r.lost == 0 and r.gap.max_ms < 1e-6 for r in reports)


def test_a_report_goes_into_json(ideal):
    (report,) = analyse(ideal(100))
    assert json.loads(json.dumps(dataclasses.asdict(report)))["packets"] == 100
