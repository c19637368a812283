"""What happens on calls, as log lines: who and what, with ids, and never what is said unless that is asked for.

A call's beginning and end are told at INFO, failures at WARNING, the rest at DEBUG. Digits are personal, too.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.calls.actions import Publish
    from gateway.calls.call import Call

_log = logging.getLogger("voxtrunk.calls")
_INFO: Final = frozenset({"call.opened", "call.incoming", "call.answered", "call.closed"})
_TOLD: Final = (
    "cause", "code", "first_audio_ms", "cached", "duration_ms", "spoken_ms", "underruns", "error", "codec",
    "fraction_lost", "jitter_ms", "round_trip_ms", "door",
)  # fmt: skip
"""Members of events that are nobody's words, digits, addresses or headers."""


class Journal:
    """``texts``: whether what is said is logged, too."""

    def __init__(self, *, texts: bool) -> None:
        self._texts = texts

    def observe_event(self, call: Call, note: Publish) -> None:
        """An event of a call."""
        level = logging.DEBUG
        if note.type in _INFO:
            level = logging.INFO
        elif note.type == "utterance.failed":
            level = logging.WARNING
        if not _log.isEnabledFor(level):
            return
        told: dict[str, object] = {"call_id": call.id, "seq": note.seq}
        told |= {name: note.data[name] for name in _TOLD if note.data.get(name) is not None}
        if note.utterance_id is not None:
            utterance = call.utterance(note.utterance_id)
            told |= {"utterance_id": utterance.id, "voice": utterance.voice}
            if self._texts:
                told["text"] = utterance.text
        _log.log(level, note.type, extra=told)
