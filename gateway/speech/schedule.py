"""Which leg's next clause is made next: the one whose audio runs out first.

Earliest deadline first. A leg's deadline is when the caller would hear a gap: the moment at which what is
made for it has been sent. For a leg with nothing to send that moment has passed; it keeps the one at which it
ran dry or was asked to speak, so that legs without audio are served in the order in which they came.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from gateway.ring import UNIT_MS

LOOKAHEAD: Final = 300
"""Units made beyond what is sent, at most: a longer lead gains nothing and is wasted by barge-in."""

_UNIT_NS: Final = UNIT_MS * 1_000_000


def deadlines(
    now_ns: int, slack: npt.NDArray[np.int64], dry_ns: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """When each leg's audio runs out, i64 [n] on CLOCK_MONOTONIC.

    ``slack`` i64 [n]: units made and not sent; ``dry_ns`` i64 [n]: since when there are none, used at 0.
    """
    return np.where(slack > 0, now_ns + slack * _UNIT_NS, dry_ns)


def most_urgent(
    now_ns: int,
    waiting: npt.NDArray[np.bool_],
    slack: npt.NDArray[np.int64],
    dry_ns: npt.NDArray[np.int64],
) -> tuple[int, int] | None:
    """The (index, deadline) that is due first among the legs ``waiting`` for audio with too short a lead."""
    indices = np.flatnonzero(waiting & (slack < LOOKAHEAD))
    if not len(indices):
        return None
    due = deadlines(now_ns, slack[indices], dry_ns[indices])
    first = int(due.argmin())
    return int(indices[first]), int(due[first])
