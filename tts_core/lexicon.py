"""Pronunciation lexicons: W3C PLS 1.0 documents, and scripts that follow them.

Parsed by expat without entities, bounded in size. https://www.w3.org/TR/pronunciation-lexicon/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from tts_core.document import Document
from tts_core.errors import LexiconError
from tts_core.reading.xsampa import ipa
from tts_core.script import Alias, How, Phonemes, Piece, Say, Script

LARGEST = 1_048_576  # octets of a document
MOST = 20_000  # lexemes
LONGEST = 200  # characters of a grapheme
DEEPEST = 16
_FIRST = re.compile(r"(?<!\w)\w+|(?<!\w)[^\w\s]")
_IN_LEXEME = frozenset(("grapheme", "phoneme", "alias"))


@dataclass(frozen=True, slots=True)
class Lexicon:
    """`language` is a BCP 47 tag in lower case; `entries` say how each grapheme, case and all, is said."""

    language: str
    entries: dict[str, How]

    @classmethod
    def from_pls(cls, document: bytes) -> Lexicon:
        """A lexicon from a PLS document. Raises LexiconError, with line and column, where it is wrong."""
        if len(document) > LARGEST:
            raise LexiconError(f"the lexicon has {len(document)} octets, {LARGEST} are allowed")
        return _Reader().read(document)


def follow(script: Script, lexicons: Sequence[Lexicon], language: str) -> Script:
    """`script` with every word that a lexicon knows said as it says, the first lexicon's word before the next's.

    `language` is what is spoken where the script does not say. What SSML says of a text stands.
    """
    if not lexicons:
        return script
    found = [(_primary(lexicon.language), _indexed(lexicon)) for lexicon in lexicons]
    pieces: list[Piece] = []
    for piece in script.pieces:
        if not isinstance(piece, Say) or piece.how is not None:
            pieces.append(piece)
            continue
        spoken = _primary(piece.manner.language or language)
        tables = [table for tag, table in found if not tag or tag == spoken]
        pieces += _followed(piece, script.text, tables) if tables else [piece]
    return replace(script, pieces=tuple(pieces))


Table = dict[str, list[tuple[str, How]]]


def _indexed(lexicon: Lexicon) -> Table:
    """The entries by their first word, the longest first."""
    table: Table = {}
    for grapheme, how in lexicon.entries.items():
        first = _FIRST.match(grapheme)
        if first is not None:
            table.setdefault(first[0], []).append((grapheme, how))
    for entries in table.values():
        entries.sort(key=lambda entry: -len(entry[0]))
    return table


def _followed(say: Say, text: str, tables: Sequence[Table]) -> Iterator[Say]:
    at = say.start
    for word in _FIRST.finditer(text, say.start, say.end):
        if word.start() < at:
            continue
        found = _at(text, word, say.end, tables)
        if found is None:
            continue
        grapheme, how = found
        if at < word.start():
            yield replace(say, start=at, end=word.start())
        at = word.start() + len(grapheme)
        yield replace(say, start=word.start(), end=at, how=how)
    if at < say.end:
        yield replace(say, start=at)


def _at(text: str, word: re.Match[str], end: int, tables: Iterable[Table]) -> tuple[str, How] | None:
    for table in tables:
        for grapheme, how in table.get(word[0], ()):
            behind = word.start() + len(grapheme)
            whole = behind <= end and text.startswith(grapheme, word.start())
            if whole and not (grapheme[-1].isalnum() and text[behind : behind + 1].isalnum()):
                return grapheme, how
    return None


def _primary(tag: str) -> str:
    return tag.lower().partition("-")[0]


class _Reader(Document):
    error = LexiconError

    def __init__(self) -> None:
        super().__init__()
        self._open: list[str] = []
        self._language = self._alphabet = ""
        self._entries: dict[str, How] = {}
        self._graphemes: list[str] = []
        self._how: How | None = None
        self._ipa = True
        self._text: list[str] = []

    def read(self, document: bytes) -> Lexicon:
        self._parse(document)
        return Lexicon(self._language, self._entries)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self._open and tag != "lexicon":
            raise self._wrong(f"the root element is <{tag[:64]}>; it must be <lexicon>")
        if len(self._open) >= DEEPEST:
            raise self._wrong(f"elements are nested deeper than {DEEPEST}")
        self._open.append(tag)
        if tag == "lexicon":
            self._language = attributes.get("xml:lang", "").lower()
            self._alphabet = self._checked(attributes.get("alphabet", "ipa"))
        elif tag == "lexeme":
            self._graphemes, self._how = [], None
        elif tag == "phoneme":
            self._ipa = self._checked(attributes.get("alphabet", self._alphabet)) == "ipa"
        if tag in _IN_LEXEME:
            self._text = []

    def _end(self, tag: str) -> None:
        text = " ".join("".join(self._text).split())
        if tag in _IN_LEXEME and not text:
            raise self._wrong(f"<{tag}> is empty")
        if tag == "grapheme":
            if len(text) > LONGEST:
                raise self._wrong(f"a grapheme has {len(text)} characters, {LONGEST} are allowed")
            self._graphemes.append(text)
        elif tag == "phoneme" and self._how is None:  # the first is the preferred one
            self._how = Phonemes(text if self._ipa else ipa(text))
        elif tag == "alias" and self._how is None:
            self._how = Alias(text)
        elif tag == "lexeme":
            self._lexeme()
        self._open.pop()

    def _lexeme(self) -> None:
        if not self._graphemes or self._how is None:
            raise self._wrong("a <lexeme> needs a <grapheme>, and a <phoneme> or an <alias>")
        for grapheme in self._graphemes:
            self._entries.setdefault(grapheme, self._how)
        if len(self._entries) > MOST:
            raise self._wrong(f"a lexicon may have {MOST} graphemes")

    def _characters(self, data: str) -> None:
        if self._open[-1] in _IN_LEXEME:
            self._text.append(data)

    def _checked(self, alphabet: str) -> str:
        if alphabet not in ("ipa", "x-sampa"):
            raise self._wrong(f"the alphabet {alphabet[:64]!r} is not known; it may be ipa or x-sampa")
        return alphabet
