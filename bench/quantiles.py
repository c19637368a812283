"""Quantiles of few samples, as every bench tells them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

_OF: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}


def quantiles(values: Sequence[float], *names: str, digits: int = 1) -> dict[str, float]:
    """p50, p95 and max of ``values``, or those named of p50, p95, p99 and max; NaN for no values.

    Each is a value that was measured, the next one above: interpolated, the p95 of a dozen would be better than
    the worst of them, which is all that a dozen can tell of it.
    """
    held = np.array(values if len(values) else [np.nan])
    return {
        name: round(float(np.quantile(held, _OF[name], method="higher")), digits)
        for name in names or ("p50", "p95", "max")
    }
