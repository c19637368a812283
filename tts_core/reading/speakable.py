"""How much of a text that is still being written may be spoken already."""

from __future__ import annotations

import re

from tts_core.clauses import WIDE_STOPS
from tts_core.reading.kind import LETTER
from tts_core.reading.languages import language_of

_NEAR = 400  # characters looked at from the end: beyond that something is closed, or nothing is
_TOKEN = re.compile(r"\S+")
_OPENERS = "\"'“‘«¿¡([{„‚"
_CLOSERS = "\"'”’»›)]},;:!?…।"
_WORD = re.compile(rf"{LETTER}+(?:['’-]{LETTER}+)*")
_ABBREVIATED = re.compile(rf"(?:{LETTER}{{1,3}}\.)+")


def speakable(text: str, language: str) -> int:
    """How many characters of `text` may be spoken now, and are read the same whatever follows.

    They end behind the white space after a word (or behind a full stop that needs none), never inside or just
    before the end of a number, a date, a time, an amount, a name that carries a numeral, an abbreviation or a
    word: what follows could change how those are read. 0 when nothing is settled yet. Looks at no more than
    the last 400 characters; `language` is a BCP 47 tag, and any will do.
    """
    reader = language_of(language)
    open_words = reader.language.open_words if reader is not None else frozenset[str]()
    endings = tuple(reader.language.endings) if reader is not None else ()
    start = max(0, len(text) - _NEAR)
    settled = start and _after_space(text, start)  # what is far behind is closed by now
    for token in _TOKEN.finditer(text, settled):
        end = token.end()
        if token[0][-1] in WIDE_STOPS:
            settled = end
        elif end < len(text) and not token[0].endswith(endings) and _closed(token[0], open_words):
            settled = _skip(text, end)
    return settled


def _closed(token: str, open_words: frozenset[str]) -> bool:
    """Whether nothing that follows is read together with `token`."""
    bare = token.lstrip(_OPENERS).rstrip(_CLOSERS)
    stopped = bare.rstrip(".")
    if _WORD.fullmatch(stopped) is None or len(stopped) < 2:
        return False
    lower = stopped.lower()
    if lower in open_words or f"{lower}." in open_words:
        return False
    if bare != stopped and (_ABBREVIATED.fullmatch(bare) is not None or bare.endswith("..")):
        return False
    return not (stopped.isupper() and len(stopped) <= 7)  # an acronym, a numeral, a currency


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _after_space(text: str, at: int) -> int:
    """The beginning of the first whole token from `at` on."""
    while at < len(text) and not text[at].isspace():
        at += 1
    return _skip(text, at)
