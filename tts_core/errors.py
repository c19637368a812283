"""What can go wrong, and whose fault it is: the type says it.

TtsError
  CallerError     the request is wrong; trying again will not help
    ScriptError     text or SSML that cannot be spoken as written
    LexiconError    a lexicon that cannot be read
    UnknownVoice    no voice of that name
    BadRate         a speaking rate outside 0.5 to 2.0
  EngineError     the engine failed; the request was fine
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_SHOWN = 64  # characters of a caller's own string that go into a message


class TtsError(Exception):
    """Any error of this package."""


class CallerError(TtsError):
    """The request is at fault."""


class EngineError(TtsError):
    """The engine is at fault: its library, its data, its host."""


class _Placed(CallerError):
    """Something in a document. `line` and `column` count from 1; None where there is no source."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        self.line = line
        self.column = column
        super().__init__(message if line is None else f"line {line}, column {column}: {message}")


class ScriptError(_Placed):
    """A script that cannot be spoken."""


class LexiconError(_Placed):
    """A pronunciation lexicon that cannot be read."""


class UnknownVoice(CallerError):
    """No voice has this name. `near` holds up to five names that resemble it."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.near = tuple(difflib.get_close_matches(name[:_SHOWN].lower(), list(known), n=5, cutoff=0.5))
        hint = f"; near it: {', '.join(self.near)}" if self.near else ""
        super().__init__(f"no voice is named {name[:_SHOWN]!r}{hint}")


class BadRate(CallerError):
    """A speaking rate that is not a number from 0.5 to 2.0 (1.0 is the voice's own pace)."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        super().__init__(f"rate must be from 0.5 to 2.0, not {rate!r}")
