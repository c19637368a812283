"""The ladder's tries read: what a peer held, what it carried, and where it beats us. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from bench.peers.voxtrunk import Voxtrunk

Try = dict[str, Any]
Peer = dict[str, Any]


def best(peer: Peer) -> dict[int, Try]:
    """The better of a peer's tries at each number of legs, by lateness; only those that were judged."""
    found: dict[int, Try] = {}
    for tried in peer["tries"]:
        if "gap_error_ms" not in tried:
            continue
        before = found.get(tried["legs"])
        if before is None or _worse(before) > _worse(tried):
            found[tried["legs"]] = tried
    return dict(sorted(found.items()))


def _worse(tried: Try) -> tuple[bool, bool, float]:
    return not tried["carried"], bool(tried["broke"]), tried["gap_error_ms"]["p99"]


def held(peer: Peer) -> int:
    """The most legs that it held, with none below that it did not."""
    most = 0
    for legs, tried in best(peer).items():
        if tried["broke"]:
            break
        most = legs
    return most


def carried(peer: Peer) -> int:
    """The most legs whose packets all came, however late."""
    return max((legs for legs, tried in best(peer).items() if tried["carried"]), default=0)


def beaten(peers: Sequence[Peer]) -> list[str]:
    """Every figure in which somebody (the C loop, which is the limit, too) is better than we are."""
    us = next((peer for peer in peers if peer["way"] == Voxtrunk.name and peer["tries"]), None)
    if us is None:
        return []
    ours, said = best(us), []
    for peer in peers:
        if peer is us or not peer["tries"]:
            continue
        theirs = best(peer)
        if held(peer) > held(us):
            said.append(f"**{peer['way']}** holds {held(peer):,} legs, Voxtrunk {held(us):,}.")
        for what, unit, figure in _FIGURES:
            common = [n for n in ours if n in theirs and not theirs[n]["broke"] and not ours[n]["broke"]]
            worse = [n for n in common if figure(theirs[n]) < figure(ours[n])]
            if worse:
                each = ", ".join(f"{figure(theirs[n]):g} against {figure(ours[n]):g} at {n:,}" for n in worse)
                said.append(f"**{peer['way']}**: {what} ({unit}) {each} legs.")
    return said


_FIGURES: Final[tuple[tuple[str, str, Callable[[Try], float]], ...]] = (
    ("gap error p99", "ms", lambda tried: float(tried["gap_error_ms"]["p99"])),
    ("processor time of the sender a leg", "us a second", lambda tried: float(tried["cpu_us_a_leg_second"])),
    ("memory", "MB", lambda tried: float(tried["memory_mb"])),
)
