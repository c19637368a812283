"""Who is made next, three ways, on one recorded trace: by deadline, first in first out, and in turn.

The trace is of fresh texts that come at random and are partly cut; it is committed, and played at every load.
Speech is really made, by the same code as in the gateway; only the clock is virtual (``bench.playout``), so that
a policy is judged by what its choices cost. Load 1 is as much speech as a core makes flat out, eight in a step.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.playout import UNIT_NS, Caller, Choose, Make, Report, play
from bench.quantiles import quantiles
from bench.speaking import fresh_text
from gateway.ring import UNIT_OCTETS
from gateway.speech.making import Making
from gateway.speech.recipe import Recipe
from gateway.speech.schedule import LOOKAHEAD, Scheduler, Waiting
from gateway.speech.track import Stretch, Track
from gateway.speech.voice import VoiceSource
from tts_core import open_default

TRACE: Final = Path(__file__).parent / "traces" / "callers.json"
POLICIES: Final = ("deadline", "fifo", "in turn")
_MS: Final = 1_000_000
_LEVEL_DBM0: Final = -20.0


def record(callers: int, seed: int = 0) -> None:
    """Make the trace: one caller a second on the mean, every fourth of whom cuts in."""
    dice = random.Random(seed)
    at, rows = 0.0, []
    for _ in range(callers):
        at += dice.expovariate(1.0)
        cut_s = round(dice.uniform(0.5, 4.0), 2) if dice.random() < 0.25 else None
        rows.append({"at_s": round(at, 4), "text": fresh_text(dice), "cut_s": cut_s})
    TRACE.parent.mkdir(exist_ok=True)
    TRACE.write_text(json.dumps(rows, indent=0) + "\n")


class Studio:
    """One voice, loaded, that makes speech for callers of the trace."""

    def __init__(self, voice: str) -> None:
        self._door = open_default()
        self._source = VoiceSource(self._door, _LEVEL_DBM0, voice)
        self._voice = voice
        self.most = self._door.together(voice)

    def recipe(self, text: str) -> Recipe:
        """What the gateway would have made."""
        return Recipe("text", text, None, self._voice, 1.0, 0.0, "PCMU", 20)

    def make(self, texts: dict[Caller, str], scheduler: Scheduler) -> Make:
        """How a step is made for some of these callers; what it took is told to ``scheduler``."""
        making = Making(self._source.parts)
        tracks = {caller: Track(self.recipe(text), kept=False) for caller, text in texts.items()}

        def make(callers: Sequence[Caller]) -> tuple[int, list[tuple[int, bool]]]:
            first = not all(caller.made for caller in callers)
            began = time.perf_counter_ns()
            results: dict[Track, Stretch] = {}
            for step in making.step([tracks[caller] for caller in callers]):
                for made in step.made:
                    assert isinstance(made.result, Stretch), made.result
                    results[made.track] = made.result
            took = time.perf_counter_ns() - began
            stretches = [results[tracks[caller]] for caller in callers]
            units = sum(len(stretch.payload) // UNIT_OCTETS for stretch in stretches)
            scheduler.took(0, took, len(callers), units, first=first)
            return took, [(len(stretch.payload) // UNIT_OCTETS, stretch.last) for stretch in stretches]

        return make

    def capacity(self) -> float:
        """Seconds of speech that it makes in a second, eight utterances at once; the median of five turns."""
        dice, rates = random.Random(1), []
        for _ in range(5):
            texts = {Caller(0): fresh_text(dice) for _ in range(self.most)}
            make = self.make(texts, _fresh(self.most))
            left, spent, units = list(texts), 0, 0
            while left:
                took, made = make(left)
                spent += took
                units += sum(count for count, _ in made)
                left = [caller for caller, (_, last) in zip(left, made, strict=True) if not last]
            rates.append(units * UNIT_NS / spent)
        return sorted(rates)[2]


def _fresh(most: int) -> Scheduler:
    scheduler = Scheduler()
    scheduler.voice(most)
    return scheduler


def policy(name: str, scheduler: Scheduler, most: int) -> Choose:
    """The chooser of this name; all may put as many into a step."""
    served: dict[Caller, int] = {}

    def by_deadline(now_ns: int, waiting: Waiting, callers: Sequence[Caller]) -> Sequence[int]:
        return scheduler.choose(now_ns, waiting)

    def first_come(now_ns: int, waiting: Waiting, callers: Sequence[Caller]) -> Sequence[int]:
        return sorted(range(len(callers)), key=lambda index: callers[index].asked_ns)[:most]

    def in_turn(now_ns: int, waiting: Waiting, callers: Sequence[Caller]) -> Sequence[int]:
        chosen = sorted(range(len(callers)), key=lambda index: served.get(callers[index], 0))[:most]
        for index in chosen:
            served[callers[index]] = now_ns + 1
        return chosen

    return {"deadline": by_deadline, "fifo": first_come, "in turn": in_turn}[name]


def compare(
    voice: str, loads: Sequence[float], seconds: float, lookaheads: Sequence[int] = (LOOKAHEAD,)
) -> list[dict[str, Any]]:
    """The trace at each load, under each policy; ``lookaheads`` (units) are compared under the first."""
    studio = Studio(voice)
    rate = studio.capacity()
    rows = json.loads(TRACE.read_text())
    spoken_s = 6.0  # of a text, about; a cut one is shorter
    found = []
    for load in loads:
        pace = load * rate / spoken_s  # callers a second
        for name in POLICIES:
            for lookahead in lookaheads if name == POLICIES[0] else (LOOKAHEAD,):
                texts = {
                    Caller(
                        int(row["at_s"] / pace * 1e9),
                        cut_ns=None if row["cut_s"] is None else int(row["cut_s"] * 1e9),
                    ): row["text"]
                    for row in rows
                    if row["at_s"] / pace < seconds
                }
                scheduler = _fresh(studio.most)
                report = play(
                    list(texts),
                    policy(name, scheduler, studio.most),
                    studio.make(texts, scheduler),
                    lookahead,
                )
                found.append(_row(name, load, lookahead, rate, report))
    return found


def _row(name: str, load: float, lookahead: int, rate: float, report: Report) -> dict[str, Any]:
    return {
        "policy": name,
        "load": load,
        "lookahead_ms": lookahead * 10,
        "callers": len(report.first_ns),
        "missed_ticks": report.missed,
        "first_audio_ms": quantiles([ns / _MS for ns in report.first_ns]),
        "wasted": round(report.wasted / report.made, 3),
        "busy": round(report.busy_ns / report.ended_ns, 3),
        "speech_seconds_a_second": round(report.made * UNIT_NS / report.ended_ns, 1),
        "flat_out": round(rate, 1),
        "steps": report.steps,
    }


def cost(streams: Sequence[int] = (50, 1000, 4096)) -> list[dict[str, Any]]:
    """What choosing itself costs, with so many legs that wait, microseconds: the median of 200."""
    rows = []
    dice = np.random.default_rng(0)
    for count in streams:
        waiting = Waiting(
            dice.integers(0, LOOKAHEAD - 70, count),
            dice.integers(0, 10**9, count),
            dice.random(count) < 0.95,
            np.zeros(count, np.int64),
            np.arange(count),
            np.zeros(count, np.bool_),
        )
        scheduler = _fresh(8)
        spent = []
        for _ in range(200):
            began = time.perf_counter_ns()
            scheduler.choose(10**10, waiting)
            spent.append(time.perf_counter_ns() - began)
        rows.append(
            {"policy": "choosing", "legs": count, "microseconds": round(sorted(spent)[100] / 1000, 1)}
        )
    return rows
