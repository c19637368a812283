"""Sequence numbers: 16 bits on the wire, counted on without end here (RFC 3550 A.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from gateway.listen.packets import Bools, Ints

MAX_DROPOUT: Final = 3000
"""A step forward of this many or more is a restart, not a loss (RFC 3550 A.1)."""

MAX_MISORDER: Final = 100
"""A step back of this many or more is a restart, not reordering (RFC 3550 A.1)."""


@dataclass(frozen=True, slots=True)
class Sequence:
    """One stream's sequence numbers in order of arrival."""

    extended: Ints
    """i64[n], unwrapped; at a restart it goes on from the last, so that nothing counts as lost."""
    first: Bools
    """[n], False for a repeat of a number already heard and for a stray."""
    restarts: int
    """Times that the numbering began anew elsewhere (two packets in a row confirm it)."""
    strays: int
    """Packets with a number far off that no next packet confirmed; not counted in anything else."""
    duplicates: int
    lost: int
    reordered: int
    """Packets whose number is below one heard before them (RFC 4737 4.2.2)."""


def _steps(seq: npt.NDArray[np.uint16]) -> Ints:
    return np.diff(seq).astype(np.int16).astype(np.int64)


def _jumps(steps: Ints) -> Bools:
    return (steps >= MAX_DROPOUT) | (steps <= -MAX_MISORDER)


def follow(seq: npt.NDArray[np.uint16]) -> Sequence:
    """Unwrap and count `seq` u16[n], n >= 1, of one stream in order of arrival."""
    steps = _steps(seq)
    jumps = _jumps(steps)
    stray = np.zeros(len(seq), np.bool_)
    if jumps.any():
        confirmed = np.append(steps[1:] == 1, False)
        stray[1:] = jumps & ~confirmed
        steps = _steps(seq[~stray])
        jumps = _jumps(steps)
        steps = np.where(jumps, 1, steps)
    kept = np.concatenate([[np.int64(seq[0])], steps]).cumsum()
    if (steps == 1).all():
        extended, first_kept, lost, reordered = kept, np.ones(len(kept), np.bool_), 0, 0
    else:
        numbers, at = np.unique(kept, return_index=True)
        first_kept = np.zeros(len(kept), np.bool_)
        first_kept[at] = True
        extended = kept
        lost = int(numbers[-1] - numbers[0] + 1 - len(numbers))
        reordered = int(np.count_nonzero((kept < np.maximum.accumulate(kept)) & first_kept))
    strays = int(np.count_nonzero(stray))
    if strays:
        extended = np.zeros(len(seq), np.int64)
        extended[~stray] = kept
    first = np.zeros(len(seq), np.bool_)
    first[~stray] = first_kept
    return Sequence(
        extended=extended,
        first=first,
        restarts=int(np.count_nonzero(jumps)),
        strays=strays,
        duplicates=int(len(kept) - np.count_nonzero(first_kept)),
        lost=lost,
        reordered=reordered,
    )
