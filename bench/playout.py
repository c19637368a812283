"""One synthesis worker in virtual time: somebody chooses who is made next, making takes its time, callers listen.

The clock moves by what ``make`` says that a step took and jumps over what nobody waits for, so that a policy is
judged on the same trace as every other, whatever else runs on the machine. A caller listens from their first
stretch on; 20 ms of theirs that begin with nothing to hear are a missed tick.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from gateway.ring import UNIT_MS
from gateway.speech.schedule import LOOKAHEAD, Waiting

UNIT_NS = UNIT_MS * 1_000_000
_TICK_NS = 20_000_000


@dataclass(slots=True, eq=False)
class Caller:
    """Asks at ``asked_ns`` for speech, and cuts it ``cut_ns`` after its first word, if ever."""

    asked_ns: int
    voice: int = 0
    cut_ns: int | None = None
    dry_ns: int = 0
    made: int = 0
    first_ns: int | None = None
    over: bool = False


@dataclass(slots=True)
class Report:
    """``first_ns``: request to first stretch; ``wasted``: units made and cut before they were heard."""

    missed: int = 0
    first_ns: list[int] = field(default_factory=list)
    wasted: int = 0
    made: int = 0
    steps: int = 0
    busy_ns: int = 0
    ended_ns: int = 0


Choose = Callable[[int, Waiting, Sequence[Caller]], Sequence[int]]
Make = Callable[[Sequence[Caller]], tuple[int, Sequence[tuple[int, bool]]]]
"""A step for these callers: nanoseconds, and for each the units made and whether they were the last."""


def play(callers: Sequence[Caller], choose: Choose, make: Make, lookahead: int = LOOKAHEAD) -> Report:
    """Serve all callers to their ends. ``choose`` gets the clock and the waiting, ``make`` those chosen."""
    report = Report()
    coming = sorted(callers, key=lambda caller: caller.asked_ns, reverse=True)
    live: list[Caller] = []
    now = 0
    while live or coming:
        while coming and coming[-1].asked_ns <= now:
            live.append(coming.pop())
        _cut(live, now, report)
        waiting = [caller for caller in live if caller.dry_ns - now < lookahead * UNIT_NS]
        if not waiting:
            times = [caller.dry_ns - lookahead * UNIT_NS + 1 for caller in live]
            now = min(times + [caller.asked_ns for caller in coming[-1:]], default=now)
            continue
        picked = [waiting[index] for index in choose(now, _described(waiting, now), waiting)]
        if not picked:  # all can wait: until the next packet, or the next caller
            now = min([now + 2 * UNIT_NS, *(caller.asked_ns for caller in coming[-1:])])
            continue
        took, made = make(picked)
        now += took
        report.steps += 1
        report.busy_ns += took
        for caller, (units, last) in zip(picked, made, strict=True):
            _hear(caller, units, now, report)
            caller.over = last
        live = [caller for caller in live if not caller.over]
    report.ended_ns = now
    return report


def _described(waiting: Sequence[Caller], now: int) -> Waiting:
    slack = np.array([max(0, (caller.dry_ns - now) // UNIT_NS) for caller in waiting], np.int64)
    since = np.array([caller.dry_ns if caller.made else caller.asked_ns for caller in waiting], np.int64)
    begun = np.array([caller.made > 0 for caller in waiting])
    voice = np.array([caller.voice for caller in waiting], np.int64)
    patient = np.zeros(len(waiting), np.bool_)
    return Waiting(slack, since, begun, voice, np.arange(len(waiting)), patient)


def _hear(caller: Caller, units: int, now: int, report: Report) -> None:
    if caller.first_ns is None and units:
        caller.first_ns = now
        report.first_ns.append(now - caller.asked_ns)
        caller.dry_ns = now
    elif units and now > caller.dry_ns:
        report.missed += -(-(now - caller.dry_ns) // _TICK_NS)
        caller.dry_ns = now
    caller.dry_ns += units * UNIT_NS
    caller.made += units
    report.made += units


def _cut(live: list[Caller], now: int, report: Report) -> None:
    """Those who have heard enough are gone, and what was made beyond that was made for nothing."""
    for caller in tuple(live):
        if caller.cut_ns is None or caller.first_ns is None or now < caller.first_ns + caller.cut_ns:
            continue
        report.wasted += max(0, caller.dry_ns - max(now, caller.first_ns + caller.cut_ns)) // UNIT_NS
        live.remove(caller)
