"""The gateway under test: its processes, and the settings that it has where a bench gives none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gateway.running import RunningGateway
from gateway.settings import Settings


def processes(gateway: RunningGateway) -> dict[str, int]:
    """The gateway's process ids by kind: control, media, speech."""
    kinds = {kind: workers(gateway, kind) for kind in ("media", "speech")}
    return {"control": gateway.process.pid} | {kind: pids[-1] for kind, pids in kinds.items() if pids}


def workers(gateway: RunningGateway, kind: str) -> list[int]:
    """The process ids of the workers of a kind, media or speech, as the kernel has them."""
    control = gateway.process.pid
    children = Path(f"/proc/{control}/task/{control}/children").read_text().split()
    named = f"gateway.{kind}.worker"
    return [int(pid) for pid in children if named in Path(f"/proc/{pid}/cmdline").read_text()]


def default_settings(**given: Any) -> Settings:
    """Settings as a gateway of this environment reads them."""
    return Settings(**given)
