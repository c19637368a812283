"""What a process of this machine uses, by Linux's /proc (proc(5))."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Usage(NamedTuple):
    """Processor time since its start in seconds, resident memory in octets, open file descriptors."""

    cpu_seconds: float
    memory: int
    descriptors: int


def usage(pid: int) -> Usage | None:
    """None when there is no such process (any more)."""
    folder = Path("/proc", str(pid))
    try:
        # the name, in parentheses, may hold spaces and parentheses
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        descriptors = len(os.listdir(folder / "fd"))
    except OSError:
        return None
    user, system, pages = (int(fields[index]) for index in (11, 12, 21))
    return Usage((user + system) / _TICKS, pages * _PAGE, descriptors)
