"""The report's sections on what the gateway endures: chaos and soak."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from bench.plots import Line, plot
from bench.tables import measured, source, table

_TELLS_OF_AN_HOUR_S: Final = 1800


def chaos(_: Path) -> str:
    """What broke under speaking legs, and who noticed; empty where it was not run."""
    found = measured("chaos")
    blows = [row for row in found if "others_noticed" in row]
    if not blows:
        return ""
    (control,) = (row for row in found if row["blow"] == "control killed")
    (left,) = (row for row in found if row["blow"] == "left behind")
    return "\n".join(
        [
            "## Chaos\n",
            source("chaos"),
            "Blows under speaking legs, two media and two synthesis workers, a Redis. **Ended**: calls that a "
            "blow ended, each with its event. **Noticed**: other calls that no packet reached for 60 ms, or that "
            "missed one for good. **Broke off**: calls in whose speech there was silence, as it was not made in "
            "time. The first row is what the machine does by itself.\n",
            table(
                ("blow", "calls", "ended", "others that noticed", "longest silence (ms)", "speech broke off",
                 "missed ticks", "send errors", "workers replaced", "all workers up after (s)"),
                [
                    (
                        r["blow"], r["calls"], f"{r['ended']} {r['ended_as']}".strip(),
                        f"{r['others_noticed']} of {r['others']}", _or_none(r["longest_silence_ms"]),
                        r["speech_broke_off"], r["missed_ticks"], r["send_errors"], r["workers_replaced"],
                        _or_none(r["whole_again_s"]),
                    )
                    for r in blows
                ],
            ),
            f"Control killed: its workers are gone after {control['workers_gone_ms']} ms, "
            f"{control['workers_left']} are left. Over the run {left['calls']} calls were opened. With all legs "
            f"speaking, before the first blow and after the last: {_weight(left['first'])}; "
            f"{_weight(left['last'])}. With none: {_weight(left['closed'])}.\n",
        ]
    )  # fmt: skip


def _weight(left: dict[str, Any]) -> str:
    return f"{left['descriptors']} descriptors, {left['threads']} threads, {left['memory_mb']:,.0f} MB"


def _or_none(value: object) -> object:
    return "–" if value is None else value


def _slope(row: dict[str, Any]) -> str:
    """How memory grew; nothing is said of an hour by a run of minutes."""
    each = f"along a line of {row['kb_a_call']:g} kB a call"
    return each + (
        f", {row['growth_mb_an_hour']:g} MB an hour" if row["seconds"] >= _TELLS_OF_AN_HOUR_S else ""
    )


def _tasks(row: dict[str, Any]) -> str:
    """Of control's event loop; not told by results of before they were counted."""
    told = row.get("tasks")
    return f"tasks {told['first']} at first, {told['after']} after; " if told else ""


def soak(pictures: Path) -> str:
    """What calls by the thousand leave behind, and the curve; empty where it was not run."""
    found = measured("soak")
    if not found:
        return ""
    (row,) = found
    step = row.get("sample_seconds", 2.0) / 60
    memory = [(n * step, mb) for n, mb in enumerate(row["memory_curve_mb"])]
    lines = [Line("memory of all processes (MB)", memory, ours=True)]
    if "descriptor_curve" in row:
        lines.append(
            Line("descriptors", [(n * step, count) for n, count in enumerate(row["descriptor_curve"])])
        )
    plot(
        pictures / "soak.svg", lines, f"{row['calls']:,} calls opened and closed", "minutes", "",
        log_x=False, log_y=False, stairs=True,
    )  # fmt: skip
    return "\n".join(
        [
            "## Soak\n",
            source("soak"),
            f"{row['calls']:,} calls in the last three quarters of {row['seconds'] / 60:.3g} minutes, each "
            f"opened, spoken on, stopped and closed; {len(row['errors'])} errors. Memory went from "
            f"{row['memory_mb']['first']:g} to {row['memory_mb']['last']:g} MB, {_slope(row)}; descriptors "
            f"{row['descriptors']['first']} at first, {row['descriptors']['after']} after; {_tasks(row)}"
            f"{row['open_calls_after']} calls and {row['shared_memory_left_kb']:,} kB of shared memory were "
            "left.\n",
            "![](report/soak.svg)\n",
        ]
    )
