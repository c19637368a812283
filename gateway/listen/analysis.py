"""What the far end of each stream got, from a receiver's packets alone. Pure.

Loss, repeats and order count every packet; timing leaves telephone-events, repeats and strays out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from gateway.listen.packets import Bools, is_event, source_text
from gateway.listen.sequence import Sequence, follow
from gateway.listen.store import Records
from gateway.listen.timing import Floats, MediaTime, drift, gap_errors, jitter, media_time, rate_error

CLOCK_RATE: Final = 8000
"""Hz, of every payload type we send (RFC 3551 6)."""


@dataclass(frozen=True, slots=True)
class GapDistribution:
    """Sizes of gap errors (|inter-arrival minus timestamp difference|) in ms."""

    count: int
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class StreamReport:
    """One SSRC as it was heard."""

    ssrc: int
    sources: tuple[str, ...]
    """`address:port` it came from; more than one is a source that moved, or two that share an SSRC."""
    port_indexes: tuple[int, ...]
    payload_types: tuple[int, ...]
    packets: int
    octets: int
    """Of payload."""
    events: int
    """Telephone-event packets among `packets`."""
    started_ns: int
    ended_ns: int
    """Arrival of the first and last packet, CLOCK_MONOTONIC."""
    lost: int
    duplicates: int
    reordered: int
    strays: int
    sequence_restarts: int
    timestamp_jumps: int
    markers: int
    talkspurts: int
    """Runs of media between times when the timestamp went on and no packet was sent."""
    ptime_ms: float | None
    """Usual timestamp step; None where no two packets in a row tell."""
    jitter_ms: float
    """RFC 3550 6.4.1, after the last packet."""
    jitter_max_ms: float
    gap: GapDistribution
    rate_error_ppm: float | None
    """Positive: the source's clock runs fast. None below a second of media."""
    drift_ms: float
    """Farthest that any packet was from the ideal schedule, late positive, early negative."""

    @property
    def duration_s(self) -> float:
        """First packet to last."""
        return (self.ended_ns - self.started_ns) * 1e-9


@dataclass(frozen=True, slots=True)
class _Stream:
    packets: Records
    sequence: Sequence
    timed: Records
    """The packets that timing is told from."""
    media: MediaTime | None
    """Of `timed`; None where there are none."""
    extended: Records
    """Extended sequence numbers of `timed`."""


def by_ssrc(packets: Records) -> Iterator[Records]:
    """Split PACKET[n] into one PACKET[m] per SSRC, each in order of arrival."""
    order = np.argsort(packets["ssrc"], kind="stable")
    ssrc = packets["ssrc"][order]
    edges = np.flatnonzero(np.diff(ssrc)) + 1
    for rows in np.split(order, edges):
        if len(rows):
            yield packets[rows]


def _stream(packets: Records, rate: int) -> _Stream:
    sequence = follow(packets["seq"])
    use: Bools = sequence.first & ~is_event(packets)
    every = bool(use.all())
    timed = packets if every else packets[use]
    extended = sequence.extended if every else sequence.extended[use]
    media = media_time(timed["t_ns"], timed["timestamp"], extended, rate) if len(timed) else None
    return _Stream(packets, sequence, timed, media, extended)


def gap_errors_ms(packets: Records, rate: int = CLOCK_RATE) -> Floats:
    """Signed gap errors in ms of all streams in PACKET[n], one stream after the other."""
    streams = (_stream(group, rate) for group in by_ssrc(packets))
    parts = [gap_errors(s.timed["t_ns"], s.media, rate) * 1e3 for s in streams if s.media is not None]
    return np.concatenate(parts) if parts else np.empty(0)


def distribution(errors_ms: Floats) -> GapDistribution:
    """Summary of gap errors f64[n] in ms; all zero for none."""
    if not len(errors_ms):
        return GapDistribution(0, 0.0, 0.0, 0.0, 0.0)
    p50, p99, p999, largest = np.quantile(np.abs(errors_ms), [0.5, 0.99, 0.999, 1.0]).tolist()
    return GapDistribution(len(errors_ms), p50, p99, p999, largest)


def pooled(packets: Records, rate: int = CLOCK_RATE) -> GapDistribution:
    """Gap errors over all streams in PACKET[n] together."""
    return distribution(gap_errors_ms(packets, rate))


def analyse(packets: Records, rate: int = CLOCK_RATE) -> tuple[StreamReport, ...]:
    """One report per SSRC in PACKET[n], in order of their first packets; RTP clock `rate` in Hz."""
    reports = [_report(_stream(group, rate), rate) for group in by_ssrc(packets)]
    return tuple(sorted(reports, key=lambda report: report.started_ns))


def _report(stream: _Stream, rate: int) -> StreamReport:
    packets, sequence, media = stream.packets, stream.sequence, stream.media
    arrivals = stream.timed["t_ns"]
    gaps = np.empty(0)
    worst = 0.0
    error: float | None = None
    if media is not None:
        gaps = gap_errors(arrivals, media, rate)
        error = rate_error(arrivals, media.samples, rate)
        lateness = drift(arrivals, media.samples, rate)
        worst = float(lateness[np.argmax(np.abs(lateness))])
    jitters = jitter(gaps)
    step = media.step if media is not None else 0
    return StreamReport(
        ssrc=int(packets["ssrc"][0]),
        sources=_sources(packets),
        port_indexes=tuple(np.unique(packets["port_index"]).tolist()),
        payload_types=tuple(np.unique(packets["payload_type"]).tolist()),
        packets=len(packets),
        octets=int(packets["payload_length"].sum(dtype=np.int64)),
        events=int(np.count_nonzero(is_event(packets))),
        started_ns=int(packets["t_ns"].min()),
        ended_ns=int(packets["t_ns"].max()),
        lost=sequence.lost,
        duplicates=sequence.duplicates,
        reordered=sequence.reordered,
        strays=sequence.strays,
        sequence_restarts=sequence.restarts,
        timestamp_jumps=int(np.count_nonzero(media.jumps)) if media is not None else 0,
        markers=int(np.count_nonzero(stream.timed["marker"])),
        talkspurts=_talkspurts(stream),
        ptime_ms=step * 1e3 / rate if step else None,
        jitter_ms=float(jitters[-1]) * 1e3 if len(jitters) else 0.0,
        jitter_max_ms=float(jitters.max()) * 1e3 if len(jitters) else 0.0,
        gap=distribution(gaps * 1e3),
        rate_error_ppm=None if error is None else error * 1e6,
        drift_ms=worst * 1e3,
    )


def _talkspurts(stream: _Stream) -> int:
    """1 and one more wherever, in sequence order, time passed that the packets do not fill."""
    media = stream.media
    if media is None:
        return 0
    order = np.argsort(stream.extended, kind="stable")
    steps = np.diff(media.samples[order])
    idle = steps > (np.diff(stream.extended[order]) + 0.5) * media.step
    return 1 + int(np.count_nonzero(idle & ~media.jumps[order][1:]))


def _sources(packets: Records) -> tuple[str, ...]:
    ends = packets[["source_ip", "source_port"]]
    if (ends["source_port"] == ends["source_port"][0]).all() and (
        ends["source_ip"] == ends["source_ip"][0]
    ).all():
        return (source_text(packets[0]),)
    keys = np.concatenate([ends["source_ip"], ends["source_port"][:, None].view(np.uint8)], axis=1)
    _, first = np.unique(keys, axis=0, return_index=True)
    return tuple(source_text(packets[row]) for row in sorted(first.tolist()))
