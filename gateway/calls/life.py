"""An utterance's states, what changes them, and why it ended."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, Literal

State = Literal["queued", "speaking", "paused", "finished", "stopped", "failed"]
Happening = Literal["start", "pause", "resume", "finish", "stop", "fail"]
Cause = Literal[
    "normal",
    "barge_in",
    "stopped",
    "replaced",
    "interrupted",
    "call_closed",
    "worker_died",
    "error",
    "cleared",
    "writer_gone",
]
"""Why an utterance ended; the words are those of MRCPv2's Completion-Cause (RFC 6787 8.4), adapted.
``cleared``: by who wrote it; ``writer_gone``: who wrote it went away, and what had been written was said."""

TRANSITIONS: Final = MappingProxyType[tuple[State, Happening], State](
    {
        ("queued", "start"): "speaking",
        ("queued", "finish"): "finished",  # there was nothing to say
        ("queued", "stop"): "stopped",
        ("queued", "fail"): "failed",
        ("speaking", "pause"): "paused",
        ("speaking", "finish"): "finished",
        ("speaking", "stop"): "stopped",
        ("speaking", "fail"): "failed",
        ("paused", "resume"): "speaking",
        ("paused", "finish"): "finished",  # its last packet was leaving when the pause came
        ("paused", "stop"): "stopped",
        ("paused", "fail"): "failed",
    }
)
TERMINAL: Final = frozenset[State]({"finished", "stopped", "failed"})
ENDS: Final = frozenset(f"utterance.{state}" for state in TERMINAL)
"""The events that tell of an end."""
