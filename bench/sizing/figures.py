"""The figures that a plan stands on: kept results of this machine, else a measurement, half a minute."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from typing import Any, Final

from bench import machine
from bench.peers.peer import OTHER_CPU, Missing
from bench.sizing.plan import Figures
from gateway.settings import Settings

_RUNGS: Final = (50, 400)
_SECONDS: Final = 4.0
NOW: Final = "measured now"


def figures(settings: Settings, voice: str, *, measure: bool, rtf: float | None = None) -> Figures:
    """Of pacing from `growth`, of speech from `engines`, unless ``rtf`` is given.

    Raises Missing where nothing can be measured, TtsError for a voice that there is not.
    """
    if importlib.util.find_spec("aiohttp") is None:
        raise Missing(
            "measuring needs the extra: scripts/setup bench, or pip install 'voxtrunk[bench]'; "
            "--measured FILE does not"
        )
    pacing = None if measure else _kept("growth")
    speaking = None if measure or rtf is not None else _kept("engines")
    kept = _rtf(speaking["figures"]["rows"], voice) if speaking else None
    came = "as given" if rtf is not None else _when(speaking if kept is not None else None)
    # speech first, which is quick: a voice that there is not is told at once
    found = next((each for each in (rtf, kept) if each is not None), None) or _quick_rtf(voice)
    rows = pacing["figures"]["rows"] if pacing else _quick_growth()
    return of_rows(rows, voice, found, settings, f"pacing: {_when(pacing)}; speech: {came}")


def of_rows(rows: Sequence[dict[str, Any]], voice: str, rtf: float, settings: Settings, came: str) -> Figures:
    """A straight line through the rungs that were carried. Raises Missing with fewer than two."""
    from bench.growth import line  # it needs the extra bench, which --measured does not

    carried = [row for row in rows if row["carried"]]
    if len(carried) < 2:
        broke = "; ".join(f"{row['legs']} legs: {', '.join(row['broke'])}" for row in rows)
        raise Missing(f"fewer than two rungs were carried ({broke})")
    idle, each = line(carried, "sender_cores")
    mb, mb_each = line(carried, "memory_mb")
    return Figures(
        came_from=came,
        media_idle=max(0.0, idle),
        media_a_leg=each,
        memory_mb=mb,
        memory_kb_a_leg=max(0.0, 1000 * mb_each),
        voice=voice,
        rtf=rtf,
        media_limit=settings.media_limit,
        synthesis_limit=settings.synthesis_limit,
        cache_mb=settings.cache_octets / 1e6,
    )


def _kept(name: str) -> dict[str, Any] | None:
    """A result of `bench run NAME`, if it is of a machine like this one."""
    kept = machine.kept(name)
    here = machine.describe()
    return kept if kept and all(kept["machine"].get(what) == here[what] for what in machine.ALIKE) else None


def _when(kept: dict[str, Any] | None) -> str:
    if kept is None:
        return NOW
    came = kept["machine"]
    return f"bench run {kept['bench']} of {came['time']}, {came['cores']} cores of {came['cpu']}"


def _rtf(rows: Sequence[dict[str, Any]], voice: str) -> float | None:
    return next((float(row["rtf"]) for row in rows if row["voice"] == voice and "rtf" in row), None)


def _quick_growth() -> list[dict[str, Any]]:
    if len(os.sched_getaffinity(0)) < 2:
        raise Missing("measuring takes two cores: one sends, one hears")
    from bench import growth

    free = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {OTHER_CPU})
    try:
        return list(growth.climb(_RUNGS, _SECONDS))
    finally:
        os.sched_setaffinity(0, free)


def _quick_rtf(voice: str) -> float:
    from bench import engines

    runtime = "ort-cpu" if voice.startswith("neural:") else "-"
    return float(engines.at_rest(voice, runtime, OTHER_CPU)["rtf"])
