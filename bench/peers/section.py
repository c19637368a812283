"""The report's section on who else sends RTP: first where they beat us."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.peers.ladder import CLOCK_PPM, LOSS, P99_MS
from bench.peers.paced import Paced
from bench.peers.verdict import Peer, beaten, best, carried, held
from bench.peers.voxtrunk import Voxtrunk
from bench.plots import Line, plot, survival
from bench.tables import measured, source, table

_NONE: Final = "–"


def section(pictures: Path) -> str:
    """Of the report; empty where nobody was measured."""
    peers = measured("peers")
    if not peers:
        return ""
    losses = beaten(peers) or ["Nobody, in any figure of the table, at the same number of legs."]
    lines: list[Line] = []
    for peer in peers:
        points = [
            (legs, tried["gap_error_ms"]["p99"]) for legs, tried in best(peer).items() if tried["carried"]
        ]
        lines.append(Line(peer["way"], points, *_look(peer)))
    plot(
        pictures / "lateness.svg", lines, "Legs against lateness", "legs", "gap error p99 (ms)",
        limit=(P99_MS, f"{P99_MS:g} ms: no longer held"),
    )  # fmt: skip
    cost = [
        Line(
            peer["way"],
            [(n, t["cpu_us_a_leg_second"]) for n, t in best(peer).items() if t["carried"] and t["sender_cores"]],
            *_look(peer),
        )
        for peer in peers
    ]  # fmt: skip
    plot(
        pictures / "cost.svg", cost, "Cost of a leg against legs", "legs",
        "processor time a leg (µs a second)",
    )  # fmt: skip
    gaps = []
    for peer in peers:
        tries = best(peer)
        at = held(peer) or min((n for n, tried in tries.items() if tried["carried"]), default=0)
        if at:
            gaps.append(
                Line(f"{peer['way']}, {at:,} legs", survival(tries[at]["gap_curve_ms"]), *_look(peer))
            )
    plot(
        pictures / "gaps.svg", gaps, "How late: share of packets with a larger gap error", "gap error (ms)",
        "share", stairs=True,
    )  # fmt: skip
    return "\n".join(
        [
            "## Where others beat us\n",
            *(f"- {loss}" for loss in losses),
            "\n## Who else sends RTP\n",
            _origin(peers),
            f"The same speech, the same core in real time, the same receiver. **Held**: every leg is heard, gap "
            f"error p99 under {P99_MS:g} ms, at most {100 * LOSS:g} % missing, the median leg's clock right to "
            f"{CLOCK_PPM:,.0f} ppm. **Carried**: all packets come, however late. Figures are of the highest rung "
            "held, or else of the lowest carried. Sound is compared with the file, frame for frame, with ten "
            "legs.\n",
            table(
                ("way", "held", "carried", "gap error p50 / p99 / p99.9 (ms)", "clock, median (ppm)", "missing",
                 "µs a leg-second: sender, all processes", "sound", "then"),
                [_peer_row(peer) for peer in peers],
            ),
            "![](report/lateness.svg)\n\n![](report/gaps.svg)\n\n![](report/cost.svg)\n",
            "What ran:\n",
            *(
                f"- {peer['way']}: {peer.get('version', _NONE)}{_when(peer)}; `{peer['command']}`"
                for peer in peers
            ),
            "",
        ]
    )  # fmt: skip


def _origin(peers: Sequence[Peer]) -> str:
    """Where the figures come from; of peers measured one by one, each has its own time below."""
    if len({peer.get("time") for peer in peers}) == 1:
        return source("peers")
    return source("peers") + "\nThat was the last run; when each was measured is told below.\n"


def _when(peer: Peer) -> str:
    if "time" not in peer:
        return ""
    return f", measured {peer['time']}" + (f" at {peer['commit']}" if peer.get("commit") else "")


def _look(peer: Peer) -> tuple[bool, bool]:
    return peer["way"] == Voxtrunk.name, peer["way"] == Paced.name


def _peer_row(peer: Peer) -> Sequence[object]:
    tries = best(peer)
    if not tries:
        why = peer.get("missing") or "; ".join(t["broke"][0] for t in peer["tries"][:1])
        return (peer["way"], *[_NONE] * 7, why)
    most = held(peer)
    at = most or min((n for n, tried in tries.items() if tried["carried"]), default=min(tries))
    tried = tries[at]
    gap = tried["gap_error_ms"]
    broke = next(
        (f"{n:,} legs: {'; '.join(t['broke'])}" for n, t in tries.items() if t["broke"]), "not broken"
    )
    failed = next((t for t in peer["tries"] if "gap_error_ms" not in t), None)
    if failed is not None and not any(t["broke"] for t in tries.values()):
        broke = f"{failed['legs']:,} legs: {failed['broke'][0]}"
    if "out_of_time" in peer:
        broke += f"; {peer['out_of_time']}"
    proof = next((t["audio"]["right"] for t in tries.values() if "audio" in t), None)
    return (
        peer["way"], f"**{most:,}**", f"{carried(peer):,}", f"{gap['p50']} / {gap['p99']} / {gap['p99.9']}",
        tried["clock_error_ppm_median"], max(tried["lost"], tried["missed"]),
        f"{tried['cpu_us_a_leg_second']:,.0f}, {1e6 * tried['all_cores'] / at:,.0f}",
        "none to compare" if proof is None else f"{100 * proof:g} % right", broke,
    )  # fmt: skip
