"""How cost grows with legs: processor time and memory of the whole gateway, and the straight line through them.

The legs play one prompt to the ladder's receiver, as beside the peers. A line is fitted to the rungs that were
carried; where a rung lies off it, the report shows by how much. Each rung is climbed once more beside a process
that never sleeps: a core that dozes off between two ticks wakes with cold caches, and what that costs is not what
legs cost.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.peers.ladder import rung, write_speech
from bench.peers.peer import SENDER_CPU
from bench.peers.voxtrunk import Voxtrunk
from bench.priority import neighbour


def climb(legs: Sequence[int], seconds: float, *, awake: bool = False) -> Iterator[dict[str, Any]]:
    """Each number of legs for ``seconds``: `sender_cores` is the media worker, `all_cores` the gateway.

    ``awake``: `awake_cores` too, the media worker's when its core never sleeps.
    """
    with tempfile.TemporaryDirectory() as folder:
        recording = write_speech(Path(folder))
        for count in legs:
            row = rung(Voxtrunk(), count, seconds, recording)
            if awake and row["carried"]:
                with neighbour(SENDER_CPU):
                    again = rung(Voxtrunk(), count, seconds, recording)
                if again["carried"]:
                    row["awake_cores"] = again["sender_cores"]
            yield row


def line(rows: Sequence[dict[str, Any]], figure: str) -> tuple[float, float]:
    """The least-squares line of ``figure`` over the legs of ``rows``: what none cost, and what each adds.

    Errors are relative, so that a few legs weigh as much as thousands. Raises ValueError for fewer than two rows.
    """
    if len(rows) < 2:
        raise ValueError("a line needs two rungs that were carried")
    legs = np.array([row["legs"] for row in rows], float)
    values = np.array([row[figure] for row in rows], float)
    each, none = np.polyfit(legs, values, 1, w=1 / np.maximum(values, 1e-3))
    return float(none), float(each)
