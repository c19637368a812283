"""Speech engines beside each other: every voice that is installed, in every runtime that speaks here.

At rest: an utterance at a time, text to mu-law on one core, as the synthesis worker makes it: twenty, or as many
as half a minute takes. Under load: far more legs of fresh speech than a core can carry are offered to a gateway,
and admission takes as many as it holds; `held` is how many of them spoke at once, on the mean; `ran_dry` counts
the packet times that synthesis owed them and did not deliver. `late_packets` are the pacer's, which shares its
core with the callers here.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from aiohttp import ClientError

from bench import speaking
from bench.quantiles import quantiles
from bench.speaking import fresh_text
from bench.under_test import default_settings
from gateway.ring import UNIT_MS, UNIT_OCTETS
from gateway.speech.recipe import Recipe
from gateway.speech.voice import VoiceSource
from tts_core import TtsError, open_default
from tts_core.neural.exporting import find
from tts_core.neural.runtimes import open_runtime

RUNTIMES: Final = ("ort-cpu", "torch-cpu")
_TURNS: Final = 20
_LONGEST_S: Final = 30.0
_PER_S: Final = 1000 / UNIT_MS


def pairs(voices: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each voice with each runtime that can speak it; espeak needs none."""
    for voice in voices:
        for runtime in RUNTIMES if voice.startswith("neural:") else ("-",):
            yield voice, runtime


def at_rest(voice: str, runtime: str, core: int) -> dict[str, Any]:
    """Real-time factor (processor time of all threads) and first audio (the clock), one utterance at a time.

    Raises TtsError.
    """
    free = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        settings = default_settings()
        door = open_default(settings.voices_folder, runtime if runtime != "-" else "ort-cpu")
        source = VoiceSource(door, settings.level_dbm0, voice)
        first_ms: list[float] = []
        spent, units = 0.0, 0
        dice = random.Random(1)
        until = time.monotonic() + _LONGEST_S
        while len(first_ms) < _TURNS and (not first_ms or time.monotonic() < until):
            recipe = Recipe("text", fresh_text(dice), None, voice, 1.0, 0.0, "PCMU", 20)
            asked, began = time.perf_counter(), time.process_time()
            for number, stretch in enumerate(source(recipe)):
                if number == 0:
                    first_ms.append(1000 * (time.perf_counter() - asked))
                units += len(stretch.payload) // UNIT_OCTETS
            spent += time.process_time() - began
    finally:
        os.sched_setaffinity(0, free)
    return {
        "utterances": len(first_ms),
        "rtf": round(spent * _PER_S / units, 5),
        "first_stretch_ms": quantiles(first_ms, "p50", "p95", digits=2),
    }


def measure(voice: str, runtime: str, offered: int, seconds: float, core: int) -> dict[str, Any]:
    """One row: at rest and under load. Where a runtime cannot be had or breaks down, ``missing`` says why."""
    row: dict[str, Any] = {"voice": voice, "runtime": runtime}
    settings = {} if runtime == "-" else {"neural_runtime": runtime}
    try:
        if runtime != "-" and (ran := open_runtime(runtime, find(voice)).name) != runtime:
            return row | {"missing": f"cannot run here, {ran} would speak instead (torch: voxtrunk[train])"}
        row |= at_rest(voice, runtime, core)
        loaded = speaking.run(offered, 0, seconds, voice, **settings)
    except (TtsError, RuntimeError, OSError, ClientError) as error:
        return row | {"missing": str(error) or type(error).__name__}
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
