"""What processes use: processor time and memory, as /proc tells it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def cpu_seconds(*pids: int) -> float:
    """User and system time of processes so far, all their threads; one that is gone counts nothing."""
    ticks = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mb(pids: Iterable[int], *kinds: str) -> float:
    """Proportional set size of processes together: shared pages are divided among those who share them.

    ``kinds``: of these parts of it alone, such as Pss_Anon (proc_pid_smaps(5)): what files weigh in it depends on
    who else has loaded the same libraries.
    """
    names = tuple(f"{kind}:" for kind in kinds or ("Pss",))
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith(names))
    return total / 1024
