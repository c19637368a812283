"""bench/REPORT.md and its pictures, from what lies in bench/results/ and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench import endured, growth, machine, priority
from bench.peers.section import section as peers
from bench.plots import Line, plot
from bench.tables import measured, source, table

HERE: Final = Path(__file__).parent
_NONE: Final = "–"


def write(folder: Path = HERE) -> Path:
    """Write ``folder``/REPORT.md and ``folder``/report/*.svg. Raises ImportError without matplotlib."""
    pictures = folder / "report"
    pictures.mkdir(exist_ok=True)
    parts = [
        "# What was measured\n\nWritten by `voxtrunk bench report` from `bench/results/`; "
        "`voxtrunk bench run all` measures everything anew. Figures of one run are comparable with each other, "
        "not with another machine's.\n"
    ]
    sections = (
        peers,
        _growth,
        _load,
        _words,
        _engines,
        _schedule,
        endured.chaos,
        endured.soak,
        priority.section,
        _receiver,
        _kept,
    )
    parts += [section(pictures) for section in sections]
    path = folder / "REPORT.md"
    path.write_text("\n".join(part for part in parts if part))
    return path


def _receiver(pictures: Path) -> str:
    rows = [row for row in measured("receiver") if "packets" in row]
    if not rows:
        return ""
    well = max((row for row in rows if row["carried"]), key=lambda row: int(row["legs"]), default=None)
    heard = (
        f"**{well['legs']:,} streams**, {well['packets_a_second']:,} packets a second,"
        if well
        else "no stream"
    )
    return "\n".join(
        [
            "## The receiver's own limit\n",
            source("receiver"),
            "The judge is a process of its own on the other core and reads kernel receive timestamps. Fed by the "
            f"C loop it heard {heard} without losing a packet. While the C loop keeps its time, the gap errors "
            "below are the most that can be the judge's own.\n",
            table(
                ("streams", "packets a second", "dropped by it", "lost", "gap error p50 / p99 / p99.9 (ms)",
                 "its processor time", "then"),
                [
                    (
                        f"{r['legs']:,}", f"{r['packets_a_second']:,}", r["receiver_drops"], r["lost"],
                        f"{r['gap_error_ms']['p50']} / {r['gap_error_ms']['p99']} / {r['gap_error_ms']['p99.9']}",
                        f"{r['receiver_cpu_s']} s in all", "; ".join(r["broke"]) or "held",
                    )
                    for r in rows
                ],
            ),
        ]
    )  # fmt: skip


def _load(pictures: Path) -> str:
    rows = measured("load")
    if not rows:
        return ""
    well = [row for row in rows if not row["broke"]]
    said = "No step was held.\n"
    if well:
        top = max(well, key=lambda row: int(row["calls_at_once"]))
        limit = (
            "Highest load held"
            if len(well) < len(rows)
            else "Every step was held, so no limit was met; the highest"
        )
        said = (
            f"{limit}: **{top['calls_at_once']:,} calls at once**, {top['legs_speaking']:,} of them "
            f"speaking, {top['calls_at_once'] / top['cores_used']:,.0f} calls a core used.\n"
        )
    return "\n".join(
        [
            "## Call load\n",
            source("load"),
            said,
            table(
                ("step", "calls at once", "speaking", "calls", "first audio p50 / p95 / p99 (ms)",
                 "refused", "gap error p99 (ms)", "holes", "wrong", "cores used", "then"),
                [
                    (
                        r["profile"], r["calls_at_once"], r["legs_speaking"], r["calls"],
                        " / ".join(str(r["first_audio_ms"][q]) for q in ("p50", "p95", "p99")),
                        r.get("refused", _NONE), r["gap_error_ms"]["p99"], r["holes"],
                        r["wrong_leg"] + r["wrong"], r["cores_used"],
                        "; ".join(r["broke"]) or "held",
                    )
                    for r in rows
                ],
            ),
        ]
    )  # fmt: skip


def _words(pictures: Path) -> str:
    words, load = measured("first-word"), measured("load")
    if not words and not load:
        return ""
    lines = [
        Line(
            f"one at a time beside speaking legs, {q}",
            sorted((r["legs_speaking"], r["request_to_first_packet_ms"][q]) for r in words),
            dashed=q == "p50",
        )
        for q in ("p50", "p95")
    ] + [
        Line(
            f"under call load, {q}",
            sorted((r["legs_speaking"], r["first_audio_ms"][q]) for r in load),
            ours=q == "p95",
        )
        for q in ("p50", "p95")
    ]  # fmt: skip
    plot(
        pictures / "first-audio.svg", lines, "First audio against load", "legs speaking",
        "request to first packet (ms)", log_x=False, log_y=False,
    )  # fmt: skip
    return "## First audio against load\n\n![](report/first-audio.svg)\n"


_GROWS = {
    "sender_cores": "media worker, cores",
    "all_cores": "whole gateway, cores",
    "memory_mb": "memory, MB",
    "awake_cores": "media worker awake, cores",
}
"""What grows with legs, by its figure in the rows; the last is told by newer results only."""


def _growth(pictures: Path) -> str:
    rows = [row for row in measured("growth") if row["carried"]]
    if len(rows) < 2:
        return ""
    named = {figure: name for figure, name in _GROWS.items() if all(figure in row for row in rows)}
    lines = {figure: growth.line(rows, figure) for figure in named}
    plot(
        pictures / "growth.svg",
        [
            Line("whole gateway", [(r["legs"], r["all_cores"]) for r in rows]),
            Line("media worker", [(r["legs"], r["sender_cores"]) for r in rows], ours=True),
            *(
                Line(f"straight line, {name}", [(r["legs"], none + each * r["legs"]) for r in rows], dashed=True)
                for name, (none, each) in list(lines.items())[:2]
            ),
        ],
        "Processor time against legs", "legs", "cores", log_x=False, log_y=False,
    )  # fmt: skip
    said = "; ".join(
        f"{name}: {none:.3g} + {each * 1000:.3g} a thousand legs"
        for name, (none, each) in zip(named.values(), lines.values(), strict=True)
    )
    flame = next(iter(measured("flame")), None)
    where = (
        [
            f"Where the media worker's time goes at {flame['legs']:,} legs (py-spy, native frames too, "
            "[flame graph](report/flame.svg)): "
            + ", ".join(f"{kind} {100 * part:.0f} %" for kind, part in flame["share"].items())
            + ".\n"
        ]
        if flame
        else []
    )
    return "\n".join(
        [
            "## How cost grows\n",
            source("growth"),
            f"Legs that play one prompt. The straight lines through it: {said}. `off` is how far a rung lies "
            "from them. Few legs share a tick, many are spread over 400 a second, and each wakes the core: a few "
            "hundred legs lie above the line. "
            + ("**Awake**: beside a process that never sleeps." if "awake_cores" in named else "")
            + "\n",
            table(
                ("legs", *(f"{name}, off" for name in named.values()), "gap error p99 (ms)", "then"),
                [
                    (
                        f"{r['legs']:,}",
                        *(f"{r[figure]:.3g}, {_off(r[figure], *lines[figure], r['legs'])}" for figure in lines),
                        r["gap_error_ms"]["p99"], "; ".join(r["broke"]) or "held",
                    )
                    for r in rows
                ],
            ),
            "![](report/growth.svg)\n",
            *where,
        ]
    )  # fmt: skip


def _off(value: float, none: float, each: float, legs: int) -> str:
    return f"{100 * (value / (none + each * legs) - 1):+.0f} %"


def _engines(_: Path) -> str:
    rows = measured("engines")
    if not rows:
        return ""
    return "\n".join(
        [
            "## Speech engines\n",
            source("engines"),
            "At rest, one utterance at a time on one core: real-time factor by processor time, text to mu-law. "
            "Under load: more legs of fresh speech than a core carries, of which admission takes what it can; "
            "**held** is how many spoke at once, and `ran dry` the packet times that synthesis owed "
            "them and did not deliver. Control shares the core.\n",
            table(
                ("voice", "runtime", "real-time factor", "first stretch p50 / p95 (ms)", "held, of",
                 "refused utterances", "ran dry", "first audio under load p50 / p95 (ms)"),
                [
                    (r["voice"], r["runtime"], *[_NONE] * 5, r["missing"])
                    if "missing" in r
                    else (
                        r["voice"], r["runtime"], r["rtf"],
                        f"{r['first_stretch_ms']['p50']} / {r['first_stretch_ms']['p95']}",
                        f"**{r['held']}**, {r['offered']}", r["refused"], r["ran_dry"],
                        f"{r['first_audio_ms']['p50']} / {r['first_audio_ms']['p95']}",
                    )
                    for r in rows
                ],
            ),
        ]
    )  # fmt: skip


def _schedule(_: Path) -> str:
    rows = measured("schedule")
    if not rows:
        return ""
    return "\n".join(
        [
            "## Who is made next\n",
            source("schedule"),
            "One recorded trace of callers, every policy with the same engine, in virtual time; load is of what "
            "the core makes flat out, eight to a step.\n",
            table(
                ("policy", "load", "look-ahead (ms)", "missed ticks", "first audio p50 / p95 (ms)",
                 "made in vain", "busy"),
                [
                    (
                        r["policy"], r["load"], r["lookahead_ms"], f"**{r['missed_ticks']:,}**",
                        f"{r['first_audio_ms']['p50']} / {r['first_audio_ms']['p95']}",
                        f"{100 * r['wasted']:.0f} %", f"{100 * r['busy']:.0f} %",
                    )
                    for r in rows
                    if "missed_ticks" in r
                ],
            ),
            "Choosing itself: "
            + ", ".join(f"{r['microseconds']} µs among {r['legs']:,} legs" for r in rows if "microseconds" in r)
            + ".\n",
        ]
    )  # fmt: skip


def _kept(pictures: Path) -> str:
    rows = []
    for path in sorted(machine.RESULTS.glob("*.json")):
        kept = machine.kept(path.stem)
        if kept is not None:
            of = kept["machine"]
            rows.append(
                (f"[{path.stem}](results/{path.name})", of["time"], of["commit"], f"`{of['command']}`")
            )
    return "## All results\n\n" + table(("bench", "of", "commit", "command"), rows)
