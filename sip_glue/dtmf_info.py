"""Digits in INFO requests: ``application/dtmf-relay`` and ``application/dtmf``. Pure.

Neither was ever standardised (RFC 6086 has packages instead); these are the forms that PBXs send.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

RELAY: Final = "application/dtmf-relay"
PLAIN: Final = "application/dtmf"
ACCEPTED: Final = (RELAY, PLAIN)
FLASH: Final = frozenset({"!", "16"})

# RFC 4733 numbers the events past 9; some peers send the number instead of the key
_BY_NUMBER: Final = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D"}
_KEYS: Final = frozenset("0123456789*#ABCD")
_LONGEST_MS: Final = 60_000


class BadDigit(ValueError):
    """A body of a known kind that names no key. The peer's fault; 400."""


@dataclass(frozen=True, slots=True)
class Digit:
    """A key, and how long it was held if the peer says so."""

    key: str
    duration_ms: int | None


def parse_digit(content_type: str, body: str) -> Digit | None:
    """The digit in an INFO's body; None for a hook flash, which is no digit. Raises ``BadDigit``.

    ``content_type`` is one of ``ACCEPTED``, in lower case and without parameters.
    """
    if content_type == PLAIN:
        signal, duration = body.strip(), None
    else:
        fields = {
            name.strip().lower(): value.strip()
            for name, equals, value in (line.partition("=") for line in re.split(r"[\r\n]+", body))
            if equals
        }
        signal, duration = fields.get("signal", ""), fields.get("duration")
    if signal in FLASH:
        return None
    key = _BY_NUMBER.get(signal, signal.upper())
    if key not in _KEYS:
        raise BadDigit(f"{signal[:20]!r} is no key")
    if duration is not None and not re.fullmatch(r"[0-9]{1,6}", duration):
        raise BadDigit(f"{duration[:20]!r} is no duration")
    return Digit(key, None if duration is None else min(int(duration), _LONGEST_MS))
