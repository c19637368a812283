"""``voxtrunk bench run NAME``: a bench a command; it prints its figures and keeps them in bench/results/."""

from __future__ import annotations

from bench.commands import packets, speech, whole  # noqa: F401 - they add their commands, in this order
from bench.commands.present import runs

__all__ = ["benches", "runs"]


def benches() -> dict[str, str]:
    """Name and what it is of every bench, in the order of `run all`."""
    return {
        command.name or command.callback.__name__: (command.callback.__doc__ or "").split("\n")[0]
        for command in runs.registered_commands
        if command.callback is not None
    }
