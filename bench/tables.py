"""What the report's sections share: a bench's kept figures, where they come from, and a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench import machine


def measured(name: str) -> list[dict[str, Any]]:
    """What a bench measured; empty where it was not run."""
    kept = machine.kept(name)
    return kept["figures"]["rows"] if kept else []


def source(name: str) -> str:
    """Where the figures of a bench that was run come from, in a line."""
    kept = machine.kept(name)
    assert kept is not None
    of = kept["machine"]
    return (
        f"{of['cpu']}, {of['cores']} cores, Linux {of['kernel']}, Python {of['python']}; "
        f"commit {of['commit']}, {of['time']}: `{of['command']}`\n"
    )


def table(head: Sequence[str], body: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"
