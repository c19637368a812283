"""What is to be said, independent of any engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tts_core.errors import ScriptError

LONGEST_PAUSE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Manner:
    """How something is said: by which voice (its name, or a language), how fast, loud and high.

    Empty: as the utterance is. `rate` and `pitch` are factors, `volume_db` is relative to the voice's level.
    """

    voice: str = ""
    language: str = ""
    rate: float = 1.0
    volume_db: float = 0.0
    pitch: float = 1.0


PLAIN = Manner()


@dataclass(frozen=True, slots=True)
class SayAs:
    """Read as `kind` of thing, such as "digits" or "date"; `detail` is its format, such as "dmy"."""

    kind: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Alias:
    """Said as `text` instead, which is read as any text is."""

    text: str


@dataclass(frozen=True, slots=True)
class Phonemes:
    """Said as `ipa`, phonemes in the International Phonetic Alphabet."""

    ipa: str


How = SayAs | Alias | Phonemes


@dataclass(frozen=True, slots=True)
class Say:
    """Speak `script.text[start:end]` in `manner`; `how` None: as its language reads it."""

    start: int
    end: int
    manner: Manner = PLAIN
    how: How | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """Play the recording `src`; `script.text[start:end]`, which is never empty, stands for it, and is not spoken.

    `volume_db` is relative to the level of speech.
    """

    src: str
    start: int
    end: int
    volume_db: float = 0.0


@dataclass(frozen=True, slots=True)
class Pause:
    """`ms` milliseconds of silence, whatever the rate. It takes the place of the clause's own pause."""

    ms: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A named point; it falls where the next word begins."""

    name: str


Piece = Say | Recording | Pause | Mark


@dataclass(frozen=True, slots=True)
class Script:
    """`text` as the client wrote it, without markup; the pieces that speak it in order; what was let go.

    Char offsets everywhere in this package are code points of `text`. Clauses that end at `begin` or before
    are left out, with the pauses before it (see `rest`). `goes_on`: another script follows without a pause of
    its own. Raises ScriptError when a Say or a Recording leaves the text or goes
    backwards, or a Pause is not 0 to 60,000 ms.
    """

    text: str
    pieces: tuple[Piece, ...]
    warnings: tuple[str, ...] = ()
    begin: int = 0
    goes_on: bool = False

    def __post_init__(self) -> None:
        at = 0
        for piece in self.pieces:
            if isinstance(piece, Say | Recording):
                if not at <= piece.start <= piece.end <= len(self.text):
                    raise ScriptError(f"{piece} is out of order or outside {len(self.text)} characters")
                at = piece.end
            elif isinstance(piece, Pause) and not 0 <= piece.ms <= LONGEST_PAUSE_MS:
                raise ScriptError(f"a pause must be 0 to {LONGEST_PAUSE_MS} ms, not {piece.ms}")

    @classmethod
    def from_text(cls, text: str) -> Script:
        """A script that says all of `text`. Any string will do; what cannot be spoken is silent."""
        return cls(text, (Say(0, len(text)),) if text else ())

    def rest(self, begin: int) -> Script:
        """The same script from the clause with character `begin` on, cut into the same clauses.

        So it sounds as it does in the whole. The marks that were left out fall where it begins.
        """
        return replace(self, begin=begin)

    @classmethod
    def from_ssml(cls, ssml: str, missing: Callable[[str], str] | None = None) -> Script:
        """A script from an SSML 1.1 document; see `ssml.parse`. Raises ScriptError, with line and column."""
        from tts_core.ssml import no_recordings, parse  # ssml builds scripts, so it imports this module

        return parse(ssml, missing or no_recordings)
