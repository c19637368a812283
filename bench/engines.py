"""Speech engines beside each other: every voice that is installed, in every runtime that speaks here.

At rest: an utterance at a time, text to mu-law on one core, as the synthesis worker makes it. Under load: far
more legs of fresh speech than a core can carry are offered to a gateway, and admission takes as many as it holds;
`held` is how many of them spoke at once, on the mean; `ran_dry` counts the packet times that synthesis owed them
and did not deliver. `late_packets` are the pacer's, which shares its core with the callers here.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from bench import speaking
from bench.quantiles import quantiles
from bench.speaking import fresh_text
from bench.under_test import default_settings
from gateway.ring import UNIT_MS, UNIT_OCTETS
from gateway.speech.recipe import Recipe
from gateway.speech.voice import VoiceSource
from tts_core import EngineError, open_default

RUNTIMES: Final = ("ort-cpu", "torch-cpu")
_TURNS: Final = 20
_PER_S: Final = 1000 / UNIT_MS


def pairs(voices: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each voice with each runtime that can speak it; espeak needs none."""
    for voice in voices:
        for runtime in RUNTIMES if voice.startswith("neural:") else ("-",):
            yield voice, runtime


def at_rest(voice: str, runtime: str, core: int) -> dict[str, Any]:
    """Real-time factor (processor time) and first audio (the clock) of one utterance at a time, on one core.

    ``ran`` is the runtime that spoke, which need not be what was asked for. Raises EngineError.
    """
    free = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        settings = default_settings()
        door = open_default(settings.voices_folder, runtime if runtime != "-" else "ort-cpu")
        source = VoiceSource(door, settings.level_dbm0, voice)
        first_ms, spent, units = [], 0.0, 0
        dice = random.Random(1)
        for _ in range(_TURNS):
            recipe = Recipe("text", fresh_text(dice), None, voice, 1.0, 0.0, "PCMU", 20)
            asked, began = time.perf_counter(), time.thread_time()
            for number, stretch in enumerate(source(recipe)):
                if number == 0:
                    first_ms.append(1000 * (time.perf_counter() - asked))
                units += len(stretch.payload) // UNIT_OCTETS
            spent += time.thread_time() - began
    finally:
        os.sched_setaffinity(0, free)
    return {
        "rtf": round(spent * _PER_S / units, 5),
        "first_stretch_ms": quantiles(first_ms, "p50", "p95", digits=2),
    }


def measure(voice: str, runtime: str, offered: int, seconds: float, core: int) -> dict[str, Any]:
    """One row: at rest and under load. Where a runtime cannot be had, ``missing`` says why."""
    row: dict[str, Any] = {"voice": voice, "runtime": runtime}
    if runtime.startswith("torch"):
        try:
            import torch  # noqa: F401
        except ImportError:
            return row | {"missing": "torch is not installed here: pip install 'voxtrunk[train]'"}
    try:
        row |= at_rest(voice, runtime, core)
    except EngineError as error:
        return row | {"missing": str(error)}
    if runtime == "-":
        loaded = speaking.run(offered, 0, seconds, voice)
    else:
        loaded = speaking.run(offered, 0, seconds, voice, neural_runtime=runtime)
    return row | {
        "offered": offered,
        "held": round(loaded["audio_seconds_a_second"]),
        "refused": loaded["refused"],
        "ran_dry": loaded["dry_ticks"] + loaded["failed"],
        "late_packets": loaded["missed_ticks"] + loaded["underruns"],
        "stolen_s": loaded["stolen_s"],
        "first_audio_ms": loaded["first_audio_ms"],
        "speech_cores": loaded["cores"]["speech"],
    }
