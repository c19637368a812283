"""How a worker is preferred to other processes that want its core."""

from __future__ import annotations

import logging
import os

_log = logging.getLogger(__name__)


def take_niceness(nice: int, setting: str) -> None:
    """This process's niceness, threads that it starts later included. ``setting``: who asked for it."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    except PermissionError:
        _log.info("niceness left as it is: %s %d is not permitted here", setting, nice)
