"""What the receiver says of a bench's streams, in the time that is judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from bench.window import Window
from gateway.listen.analysis import analyse, by_ssrc, distribution, gap_errors_ms
from gateway.listen.receiver import Capture

CURVE: Final = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 1.0)
"""The quantiles of `gap_curve_ms`: the tail is what matters, so it has most of them."""

_STEP: Final = 160
"""RTP timestamp units in a 20 ms packet."""


def judge(capture: Capture, window: Window, ssrcs: Sequence[int] | None = None) -> dict[str, Any]:
    """What the receiver says of a window: loss, gap error, clock error, over all streams, or these of them.

    ``missed`` are packet times that went by without a packet, whoever lost it. Raises RuntimeError for none.
    """
    packets = window.inside(capture.packets)
    if ssrcs is not None:
        packets = packets[np.isin(packets["ssrc"], np.array(ssrcs, np.uint32))]
    if not len(packets):
        raise RuntimeError("the receiver heard nothing at all: did the sender start?")
    reports = analyse(packets)
    errors = np.abs(gap_errors_ms(packets))
    gaps = distribution(errors)
    clock = np.abs([r.rate_error_ppm for r in reports if r.rate_error_ppm is not None])
    missed = 0
    for stream in by_ssrc(packets):
        span = int(stream["timestamp"][-1]) - int(stream["timestamp"][0]) & 0xFFFFFFFF
        missed += span // _STEP + 1 - len(stream)
    span_s = max(1e-9, float(packets["t_ns"].max() - packets["t_ns"].min()) / 1e9)
    return {
        "streams": len(reports),
        "seconds": round(span_s, 1),
        "packets": len(packets),
        "packets_a_second": round(len(packets) / span_s),
        "lost": sum(report.lost for report in reports),
        "missed": missed,
        "duplicates": sum(report.duplicates for report in reports),
        "reordered": sum(report.reordered for report in reports),
        "gap_error_ms": {
            "p50": round(gaps.p50_ms, 3),
            "p99": round(gaps.p99_ms, 3),
            "p99.9": round(gaps.p999_ms, 3),
            "max": round(gaps.max_ms, 3),
        },
        "gap_curve_ms": np.quantile(errors, CURVE).round(4).tolist() if len(errors) else [],
        "clock_error_ppm_worst": round(float(clock.max()), 1) if len(clock) else None,
        "clock_error_ppm_median": round(float(np.median(clock)), 1) if len(clock) else None,
        "receiver_drops": window.drops,
        "receiver_cpu_s": round(capture.cpu_s, 1),
    }
