"""A page to judge a voice by: teacher and student, sentence by sentence, to see and to hear, in one file."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from scipy.io import wavfile

from tts_core.neural.frame import FFT, RATE, Floats, window
from tts_core.neural.learn import measure, train
from tts_core.neural.learn.acoustic import Acoustic
from tts_core.neural.learn.corpus import Item
from tts_core.neural.learn.vocoder import Vocoder

_STYLE = (
    "body{font:16px sans-serif;margin:2em;max-width:70em}img{width:100%}td{padding:.3em;vertical-align:top}"
)
_LOUDEST_DB, _QUIETEST_DB = 0, -80


def page(
    title: str, metrics: dict[str, object], model: Acoustic, vocoder: Vocoder, items: Sequence[Item]
) -> str:
    """HTML with `metrics` and, for each item, the teacher, copy synthesis and speech from text."""
    rows = []
    for item in items:
        spoken = {
            "teacher": item.audio,
            "vocoder alone": measure.vocode(vocoder, item.features),
            "from text": measure.vocode(vocoder, train.predict(model, item)),
        }
        cells = "".join(
            f"<td>{name}<br>{_picture(audio)}{_sound(audio)}</td>" for name, audio in spoken.items()
        )
        rows.append(f"<h3>{html.escape(item.text)}</h3><table><tr>{cells}</tr></table>")
    figures = html.escape(json.dumps(metrics, indent=1))
    return (
        f'<!doctype html><meta charset="utf-8"><title>{html.escape(title)}</title><style>{_STYLE}</style>'
        f"<h1>{html.escape(title)}</h1>{''.join(rows)}"
        f"<h2>Measured on held-out sentences</h2><pre>{figures}</pre>\n"
    )


def _sound(audio: Floats) -> str:
    wave = io.BytesIO()
    wavfile.write(wave, RATE, (np.clip(audio, -1, 1) * 32767).astype(np.int16))
    return (
        f'<audio controls src="data:audio/wav;base64,{base64.b64encode(wave.getvalue()).decode()}"></audio>'
    )


def _picture(audio: Floats) -> str:
    """A spectrogram as a PNG in the page: 30 ms windows, 5 ms apart, 80 dB deep."""
    size = len(window())
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(audio, size), size)[::40]
    power = 20 * np.log10(np.abs(np.fft.rfft(frames * window(), 2 * FFT)) + 1e-6)
    level = power - power.max()
    figure = Figure(figsize=(5, 2), dpi=90, layout="constrained")
    axes = figure.add_subplot()
    extent = (0.0, len(audio) / RATE, 0.0, RATE / 2000)
    axes.imshow(
        level.T,
        origin="lower",
        aspect="auto",
        extent=extent,
        vmin=_QUIETEST_DB,
        vmax=_LOUDEST_DB,
        cmap="magma",
    )
    axes.set_xlabel("s")
    axes.set_ylabel("kHz")
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return (
        f'<img alt="spectrogram" src="data:image/png;base64,{base64.b64encode(drawn.getvalue()).decode()}">'
    )
