"""What is to be said, independent of any engine."""

from __future__ import annotations

from dataclasses import dataclass

from tts_core.errors import ScriptError

LONGEST_PAUSE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Say:
    """Speak `script.text[start:end]`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Pause:
    """`ms` milliseconds of silence, whatever the rate. It takes the place of the clause's own pause."""

    ms: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A named point; it falls where the next word begins."""

    name: str


Piece = Say | Pause | Mark


@dataclass(frozen=True, slots=True)
class Script:
    """`text` as a listener hears it, the pieces that speak it in order, and what was let go on the way.

    Char offsets everywhere in this package are code points of `text`. Raises ScriptError when a Say
    leaves the text or goes backwards, or a Pause is not 0 to 60,000 ms.
    """

    text: str
    pieces: tuple[Piece, ...]
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        at = 0
        for piece in self.pieces:
            if isinstance(piece, Say):
                if not at <= piece.start <= piece.end <= len(self.text):
                    raise ScriptError(f"{piece} is out of order or outside {len(self.text)} characters")
                at = piece.end
            elif isinstance(piece, Pause) and not 0 <= piece.ms <= LONGEST_PAUSE_MS:
                raise ScriptError(f"a pause must be 0 to {LONGEST_PAUSE_MS} ms, not {piece.ms}")

    @classmethod
    def from_text(cls, text: str) -> Script:
        """A script that says all of `text`. Any string will do; what cannot be spoken is silent."""
        return cls(text, (Say(0, len(text)),) if text else ())

    @classmethod
    def from_ssml(cls, ssml: str) -> Script:
        """A script from an SSML 1.1 document. Raises ScriptError, with line and column, where it is wrong."""
        from tts_core.ssml import parse  # ssml builds scripts, so it imports this module

        return parse(ssml)
