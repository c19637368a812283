"""Where a figure comes from: the machine, the versions and the commit that belong to every result."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

RESULTS: Final = Path(__file__).parent / "results"
_WRITTEN: Final = (":!bench/results", ":!bench/report", ":!bench/REPORT.md")
ALIKE: Final = ("cpu", "cores")
"""Of `describe`: figures of machines that differ in these do not stand beside each other."""


def describe() -> dict[str, Any]:
    """Machine, kernel, versions, commit and command."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "cpu": model,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("voxtrunk", "numpy", "uvloop", "fastapi")},
        "commit": _commit(),
        "command": " ".join(["voxtrunk", "bench", *sys.argv[1:]]),
    }


def stolen_seconds() -> float:
    """CPU time, all cores together, that the hypervisor gave to others since boot (proc(5), "steal")."""
    total = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return int(total[8]) / os.sysconf("SC_CLK_TCK")


def _commit() -> str | None:
    """The checkout's commit, with a plus where more was changed than results; None outside a checkout."""
    here = Path(__file__).parent.parent
    commit = _git(here, "rev-parse", "--short", "HEAD")
    changed = commit and _git(here, "status", "--porcelain", "--untracked-files=no", "--", ".", *_WRITTEN)
    return f"{commit}+" if changed else commit or None


def _git(folder: Path, *arguments: str) -> str:
    asked = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip()


def kept(name: str) -> dict[str, Any] | None:
    """The result of bench ``name`` as it was saved last; None where there is none."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def save(name: str, figures: dict[str, Any]) -> Path:
    """Write a result beside its machine to ``bench/results/NAME.json``."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"bench": name, "machine": describe(), "figures": figures}, indent=2) + "\n")
    return path
