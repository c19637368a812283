"""The report's pictures, one function each: figures in, an SVG out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.judge import CURVE

_INK: Final = "#1f2933"
_QUIET: Final = "#9aa5b1"
_OURS: Final = "#d1495b"
_COLOURS: Final = (
    "#0b6e99",
    "#edae49",
    "#66a182",
    "#8d6a9f",
    "#2e4057",
    "#b56576",
    "#5c946e",
    "#c17817",
    "#3a7ca5",
)
_FLOOR_MS: Final = 0.005
_LEAST_SHARE: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Line:
    """A way to send, or a measure: points in order of x."""

    name: str
    points: Sequence[tuple[float, float]]
    ours: bool = False
    dashed: bool = False


def plot(
    path: Path, lines: Iterable[Line], title: str, x: str, y: str, *,
    log_x: bool = True, log_y: bool = True, limit: tuple[float, str] | None = None, stairs: bool = False,
) -> None:  # fmt: skip
    """Draw lines with a legend; ``limit`` is a level that must not be passed, and what it is.

    Raises ImportError without matplotlib (extra bench), OSError when the file cannot be written.
    """
    try:
        import matplotlib
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("the report's pictures need matplotlib: pip install 'voxtrunk[bench]'") from error
    with matplotlib.rc_context({"svg.hashsalt": "voxtrunk", "font.size": 9}):
        figure = Figure(figsize=(8.6, 4.6), facecolor="white", layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        colours = iter(_COLOURS * 4)
        for line in lines:
            if not line.points:
                continue
            axes.plot(
                [p[0] for p in line.points], [p[1] for p in line.points], label=line.name,
                color=_OURS if line.ours else next(colours), linewidth=2.4 if line.ours else 1.3,
                linestyle="--" if line.dashed else "-", marker=None if stairs else "o", markersize=3,
                drawstyle="default",
            )  # fmt: skip
        if limit is not None:
            axes.axhline(limit[0], color=_QUIET, linewidth=1, linestyle=":")
            axes.annotate(
                limit[1], (0.005, limit[0]), xycoords=("axes fraction", "data"), va="bottom", color=_QUIET
            )
        axes.set_xscale("log" if log_x else "linear")
        axes.set_yscale("log" if log_y else "linear")
        _tidy(axes, title, x, y)
        figure.savefig(path, format="svg", metadata={"Date": None})


def _tidy(axes: Any, title: str, x: str, y: str) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    plain: Callable[[float, int], str] = lambda value, _: f"{value:,.10g}"  # noqa: E731 - a formatter
    axes.xaxis.set_major_formatter(plain)
    axes.yaxis.set_major_formatter(plain)
    axes.grid(True, which="major", color="#e4e7eb", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.set_title(title, loc="left", color=_INK, fontweight="bold")
    axes.set_xlabel(x, color=_INK)
    axes.set_ylabel(y, color=_INK)
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))


def survival(curve_ms: Sequence[float]) -> list[tuple[float, float]]:
    """`gap_curve_ms` as (ms, share of gaps that are later than that): the tail, on a log axis."""
    shares = [max(_LEAST_SHARE, 1 - q) for q in CURVE]
    return [(max(_FLOOR_MS, ms), share) for ms, share in zip(curve_ms, shares, strict=True)]
