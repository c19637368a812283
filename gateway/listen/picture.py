"""One picture of a call as the far end had it: waveform, spectrogram, packet gaps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RATE: Final = 8000

_INK = "#1f2933"
_QUIET = "#7b8794"
_LINE = "#0b6e99"
_WINDOW = 256
_HOP = 40
_FLOOR_DB = -70.0
_LEAST_GAP_MS = 1.0


class MissingExtra(ImportError):
    """matplotlib is not installed."""


def draw_demo(
    path: Path, pcm: npt.NDArray[np.int16], gap_errors_ms: npt.NDArray[np.float64], title: str
) -> None:
    """Draw `pcm` int16[n] at 8 kHz and the signed gap error of each packet f64[m] to a PNG at `path`.

    Raises MissingExtra without matplotlib, OSError when the file cannot be written.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("drawing needs matplotlib: pip install 'voxtrunk[bench]'") from error
    figure = Figure(figsize=(11, 7.2), dpi=130, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    wave, spectrum, gaps = figure.subplots(3, 1, height_ratios=[1.0, 1.5, 1.0])
    figure.suptitle(title, x=0.012, ha="left", fontsize=13, fontweight="bold", color=_INK)
    seconds = max(len(pcm), 1) / RATE
    _draw_wave(wave, pcm, seconds)
    _draw_spectrum(spectrum, pcm, seconds, figure)
    _draw_gaps(gaps, gap_errors_ms)
    figure.align_ylabels()
    figure.savefig(path, format="png")


def _tidy(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_QUIET)
    axes.tick_params(colors=_QUIET, labelcolor=_INK, labelsize=9)
    axes.yaxis.label.set_color(_INK)
    axes.xaxis.label.set_color(_INK)


def _draw_wave(axes: Axes, pcm: npt.NDArray[np.int16], seconds: float) -> None:
    _tidy(axes)
    axes.plot(np.arange(len(pcm)) / RATE, pcm / 32768, color=_LINE, linewidth=0.5)
    axes.set_xlim(0, seconds)
    peak = max(0.1, float(np.abs(pcm.astype(np.int32)).max(initial=0)) / 32768 * 1.1)
    axes.set_ylim(-peak, peak)
    axes.set_ylabel("amplitude\n(full scale 1)")
    axes.tick_params(labelbottom=False)


def _draw_spectrum(axes: Axes, pcm: npt.NDArray[np.int16], seconds: float, figure: Any) -> None:
    _tidy(axes)
    padded = np.zeros(max(len(pcm), _WINDOW), np.float64)
    padded[: len(pcm)] = pcm / 32768
    from scipy.signal import ShortTimeFFT  # of the same extra
    from scipy.signal.windows import hann

    transform = ShortTimeFFT(hann(_WINDOW, sym=False), hop=_HOP, fs=RATE, scale_to="magnitude")
    power = np.abs(transform.stft(padded)) ** 2
    level = 10 * np.log10(power / max(float(power.max()), 1e-12) + 1e-12)
    image = axes.imshow(
        level,
        origin="lower",
        aspect="auto",
        extent=transform.extent(len(padded)),
        cmap="magma",
        vmin=_FLOOR_DB,
        vmax=0.0,
    )
    axes.set_xlim(0, seconds)
    axes.set_ylim(0, RATE / 2)
    axes.set_yticks([0, 1000, 2000, 3000, 4000], ["0", "1", "2", "3", "4"])
    axes.set_ylabel("frequency\n(kHz)")
    axes.set_xlabel("time (s)")
    bar = figure.colorbar(image, ax=axes, pad=0.01, fraction=0.02)
    bar.set_label("dB re peak", color=_INK, fontsize=9)
    bar.ax.tick_params(colors=_QUIET, labelcolor=_INK, labelsize=8)
    bar.outline.set_visible(False)


def _draw_gaps(axes: Axes, errors: npt.NDArray[np.float64]) -> None:
    _tidy(axes)
    axes.axhline(0, color=_QUIET, linewidth=0.8)
    axes.vlines(np.arange(1, len(errors) + 1), 0, errors, color=_LINE, linewidth=0.9)
    reach = max(_LEAST_GAP_MS, float(np.abs(errors).max(initial=0.0)) * 1.15)
    axes.set_ylim(-reach, reach)
    axes.set_xlim(0, max(len(errors), 1) + 1)
    axes.set_ylabel("gap error\n(ms)")
    axes.set_xlabel("packet")
    if len(errors):
        p50, p99, worst = np.quantile(np.abs(errors), [0.5, 0.99, 1.0]).tolist()
        text = f"|error|: median {p50:.3f}, p99 {p99:.3f}, max {worst:.2f} ms over {len(errors)} gaps"
        axes.set_title(text, loc="right", fontsize=9, color=_INK)
