"""What another precision costs: a voice exported, heard beside itself in float32, and timed (extra train)."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from bench import synth
from tts_core.neural import package, speech
from tts_core.neural.engine import SHIPPED
from tts_core.neural.frame import Floats
from tts_core.neural.frontend import Frontend
from tts_core.neural.runtime import OrtRuntime


def measure(voice: str, precision: str, seconds: float, core: int | None) -> dict[str, Any]:
    """Quality of `voice` in `precision` against itself in float32, on 30 English prompts, and its speed.

    PESQ, STOI and mel-cepstral distortion as in tts_core/neural/learn/measure.py; real-time factor of one stream.
    """
    from tts_core.neural.learn import measure as measures
    from tts_core.neural.learn import prompts
    from tts_core.neural.precision import convert

    held = package.read(SHIPPED / voice.removeprefix("neural:"))
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "voice"
        other = convert(held, precision, folder)
        one, two = OrtRuntime(held), OrtRuntime(other)
        frontend = Frontend(held.manifest.language, held.manifest.phonemes)
        scores = [
            (speech.compose(one, tokens, 1.0), speech.compose(two, tokens, 1.0))
            for tokens in map(frontend.read, prompts.ENGLISH)
        ]
        items: list[Any] = [
            SimpleNamespace(audio=_audio(one, mine), made=_audio(two, its)) for mine, its in scores
        ]
        heard = {id(item): item.made for item in items}
        table = measures.score(items, lambda item, _: heard[id(item)]).table()
        speed = [
            synth.measure("voice", "ort-cpu", 1, seconds, folder=Path(made), core=core)["rtf"]
            for _ in range(3)
        ]
        size = sum((folder / name).stat().st_size for name in package.GRAPHS)
    figures = {"precision": precision, "voice": voice, "rtf": float(np.median(speed)), "graphs_bytes": size}
    return figures | {"against_fp32": table}


def _audio(runtime: OrtRuntime, score: speech.Score) -> Floats:
    audio: Floats = np.concatenate(list(speech.frames(runtime, score)))
    return audio
