"""A listening session as a table for a person and as JSON for a program."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from math import isfinite
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.listen.analysis import CLOCK_RATE, GapDistribution, StreamReport, analyse, pooled
from gateway.listen.listener import EndedBy, SessionControl
from gateway.listen.receiver import Capture
from gateway.listen.recording import Recording, recordings, to_dbm0

_ONE_SCREEN = 20
_SIDE_BY_SIDE = 3


@dataclass(frozen=True, slots=True)
class HeardStream:
    """A stream's figures with what was heard in it."""

    report: StreamReport
    recording: Recording | None
    level_dbm0: float | None
    """Active speech level; None where no speech was found or nothing was recorded."""
    activity: float | None


@dataclass(frozen=True, slots=True)
class SessionReport:
    """All that a session has to tell."""

    streams: tuple[HeardStream, ...]
    gap: GapDistribution
    """Over all streams together."""
    kernel_drops: int
    malformed: int
    control: SessionControl
    ended_by: EndedBy

    def to_json(self) -> dict[str, Any]:
        """Plain types, audio left out."""
        return {
            "streams": [_stream_json(stream) for stream in self.streams],
            "gap": dataclasses.asdict(self.gap),
            "kernel_drops": self.kernel_drops,
            "malformed": self.malformed,
            "rtcp": dataclasses.asdict(self.control),
            "ended_by": self.ended_by,
        }

    def render(self) -> RenderableType:
        """One screen for a rich console."""
        control = ", ".join(f"{count} {name}" for name, count in sorted(self.control.received.items()))
        lines = [
            f"RTCP: {control or 'none'}; receiver reports sent: {self.control.reports_sent}; "
            f"ended by {self.ended_by}"
        ]
        if len(self.streams) > 1:
            lines.append(f"all streams: gap error {_gap_text(self.gap)} ms")
        bad = self.malformed + self.control.malformed
        if self.kernel_drops or bad:
            lines.append(f"dropped by this listener: {self.kernel_drops}; malformed datagrams: {bad}")
        text = Text("\n".join(lines))
        if not self.streams:
            return Group(Text("No media heard."), text)
        few = len(self.streams) <= _SIDE_BY_SIDE
        return Group(_columns(self.streams) if few else _rows(self.streams), text)


def report_session(capture: Capture, control: SessionControl, ended_by: EndedBy) -> SessionReport:
    """Work the session out; audio only where the capture has payloads."""
    heard = recordings(capture.packets, capture.payloads) if len(capture.payloads) else ()
    by_ssrc = {recording.ssrc: recording for recording in heard}
    return SessionReport(
        streams=tuple(_hear(report, by_ssrc.get(report.ssrc)) for report in analyse(capture.packets)),
        gap=pooled(capture.packets),
        kernel_drops=capture.kernel_drops,
        malformed=capture.malformed,
        control=control,
        ended_by=ended_by,
    )


def _hear(report: StreamReport, recording: Recording | None) -> HeardStream:
    if recording is None:
        return HeardStream(report, None, None, None)
    level = recording.level()
    dbm0 = to_dbm0(level.dbov) if isfinite(level.dbov) else None
    return HeardStream(report, recording, dbm0, level.activity)


def _stream_json(stream: HeardStream) -> dict[str, Any]:
    out = dataclasses.asdict(stream.report)
    out["duration_s"] = stream.report.duration_s
    out["level_dbm0"] = stream.level_dbm0
    out["activity"] = stream.activity
    if stream.recording is not None:
        out["audio_s"] = len(stream.recording.pcm) / CLOCK_RATE
        out["filled_s"] = stream.recording.filled / CLOCK_RATE
        out["unheard_packets"] = stream.recording.unheard
        out["digits"] = stream.recording.digits
        out["digit_ms"] = [event.duration * 1e3 / CLOCK_RATE for event in stream.recording.events]
    return out


def _gap_text(gap: GapDistribution) -> str:
    return f"p50 {gap.p50_ms:.3f}, p99 {gap.p99_ms:.3f}, p99.9 {gap.p999_ms:.3f}, max {gap.max_ms:.2f}"


def _optional(value: float | None, form: str, unit: str) -> str:
    return "-" if value is None else f"{value:{form}} {unit}"


def _facts(stream: HeardStream) -> list[tuple[str, str]]:
    report = stream.report
    facts = [
        ("from", ", ".join(report.sources)),
        ("payload types", ", ".join(map(str, report.payload_types))),
        ("heard", f"{report.packets} packets, {report.duration_s:.2f} s"),
        ("ptime", _optional(report.ptime_ms, "g", "ms")),
        ("lost", _lost_text(report)),
        ("duplicates, reordered", f"{report.duplicates}, {report.reordered}"),
        ("gap error (ms)", _gap_text(report.gap)),
        ("jitter (RFC 3550)", f"{report.jitter_ms:.3f} ms, at most {report.jitter_max_ms:.3f} ms"),
        ("rate error", _optional(report.rate_error_ppm, "+.1f", "ppm")),
        ("worst drift", f"{report.drift_ms:+.2f} ms"),
        ("talkspurts, markers", f"{report.talkspurts}, {report.markers}"),
        ("timestamp jumps, restarts", f"{report.timestamp_jumps}, {report.sequence_restarts}"),
    ]
    if stream.recording is not None:
        facts.append(("active level (P.56)", _optional(stream.level_dbm0, ".1f", "dBm0")))
        facts.append(("digits", stream.recording.digits or "-"))
    return facts


def _lost_text(report: StreamReport) -> str:
    expected = report.packets - report.duplicates - report.strays + report.lost
    return f"{report.lost} ({100 * report.lost / expected:.2f} %)" if expected else "0"


def _columns(streams: tuple[HeardStream, ...]) -> Table:
    table = Table()
    table.add_column("SSRC", style="bold")
    for stream in streams:
        table.add_column(f"{stream.report.ssrc:08x}")
    for cells in zip(*(_facts(stream) for stream in streams), strict=True):
        table.add_row(cells[0][0], *(text for _, text in cells))
    return table


def _rows(streams: tuple[HeardStream, ...]) -> Table:
    worst = sorted(streams, key=lambda s: (s.report.lost, s.report.gap.max_ms), reverse=True)[:_ONE_SCREEN]
    table = Table(title=f"{len(streams)} streams, the worst {len(worst)}")
    for name in ("SSRC", "packets", "lost", "dup", "reord", "gap p99", "gap max", "jitter", "ppm", "dBm0"):
        table.add_column(name, justify="right")
    for stream in worst:
        report = stream.report
        table.add_row(
            f"{report.ssrc:08x}",
            str(report.packets),
            str(report.lost),
            str(report.duplicates),
            str(report.reordered),
            f"{report.gap.p99_ms:.3f}",
            f"{report.gap.max_ms:.2f}",
            f"{report.jitter_ms:.3f}",
            _optional(report.rate_error_ppm, "+.0f", "").strip(),
            _optional(stream.level_dbm0, ".1f", "").strip(),
        )
    return table
