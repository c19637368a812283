"""SSML 1.1 to a Script: the elements that a telephone prompt needs, anything else as plain text.

Parsed by expat as it streams. A DOCTYPE is refused, so no entity is ever declared or expanded; size and
depth are bounded. https://www.w3.org/TR/speech-synthesis11/
"""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.parsers import expat

from tts_core.errors import ScriptError
from tts_core.script import LONGEST_PAUSE_MS, Mark, Pause, Piece, Say, Script

LARGEST = 262_144  # characters of a document
DEEPEST = 32  # elements within each other
_MOST_WARNINGS = 20

_STRENGTHS = {"none": 0, "x-weak": 75, "weak": 150, "medium": 225, "strong": 300, "x-strong": 500}
_BLOCKS = {"p": 500, "s": 300}  # the pause between two of them, ms
_TIME = re.compile(r"\+?(\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})(ms|s)")
_SPELLED = frozenset(("characters", "spell-out", "verbatim"))
_DIGITS = frozenset(("digits", "telephone"))
_KNOWN = {
    "speak": frozenset(("version", "xml:lang", "xmlns")),
    "p": frozenset[str](),
    "s": frozenset[str](),
    "break": frozenset(("time", "strength")),
    "mark": frozenset(("name",)),
    "sub": frozenset(("alias",)),
    "say-as": frozenset(("interpret-as",)),
}

Attributes = dict[str, str]


def parse(ssml: str) -> Script:
    """The script that `ssml`, a whole <speak> document, asks for.

    Raises ScriptError with line and column: not well-formed, a DOCTYPE, no <speak> at the root, over
    262,144 characters or 32 levels, or an attribute that makes no sense.
    """
    if len(ssml) > LARGEST:
        raise ScriptError(f"the document has {len(ssml)} characters, {LARGEST} are allowed")
    return _Reader().read(ssml)


class _Reader:
    """One document's way through expat."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._open: list[str] = []
        self._verbalise: Callable[[str], str] | None = None  # what sub and say-as do to the text within
        self._verbal_depth = 0
        self._verbal: list[str] = []
        self._script = _Builder()

    def read(self, ssml: str) -> Script:
        try:
            self._parser.Parse(ssml, True)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            raise ScriptError(f"not well-formed XML: {reason}", error.lineno, error.offset + 1) from error
        except UnicodeEncodeError as error:
            line = ssml.count("\n", 0, error.start) + 1
            column = error.start - ssml.rfind("\n", 0, error.start)
            raise ScriptError("a lone surrogate is not a character", line, column) from error
        return self._script.finish()

    def _doctype(self, *_: object) -> None:
        raise self._wrong("a DOCTYPE is not allowed; leave it and its entities out")

    def _start(self, tag: str, attributes: Attributes) -> None:
        if not self._open and tag != "speak":
            raise self._wrong(f"the root element is <{tag[:64]}>; it must be <speak>")
        if len(self._open) >= DEEPEST:
            raise self._wrong(f"elements are nested deeper than {DEEPEST}")
        self._open.append(tag)
        self._warn_unknown(tag, attributes)
        if tag in _BLOCKS:
            self._script.block(_BLOCKS[tag])
        elif tag == "break":
            self._script.pause(self._break_ms(attributes))
        elif tag == "mark":
            self._script.mark(self._required(tag, "name", attributes))
        elif tag in ("sub", "say-as") and self._verbalise is None:
            self._verbalise = self._verbaliser(tag, attributes)
            self._verbal_depth = len(self._open)

    def _end(self, tag: str) -> None:
        if self._verbalise is not None and len(self._open) == self._verbal_depth:
            self._script.say(self._verbalise("".join(self._verbal)))
            self._verbalise = None
            self._verbal.clear()
        if tag in _BLOCKS:
            self._script.block(_BLOCKS[tag])
        self._open.pop()

    def _characters(self, data: str) -> None:
        if self._verbalise is not None:
            self._verbal.append(data)
        else:
            self._script.say(data)

    def _verbaliser(self, tag: str, attributes: Attributes) -> Callable[[str], str] | None:
        if tag == "sub":
            alias = self._required(tag, "alias", attributes)
            return lambda _: alias
        kind = self._required(tag, "interpret-as", attributes)
        if kind in _SPELLED:
            return _spell
        if kind in _DIGITS:
            return _read_digits
        self._warn(f"say-as interpret-as={kind[:64]!r} is read as plain text")
        return None

    def _break_ms(self, attributes: Attributes) -> int:
        time = attributes.get("time")
        if time is not None:
            match = _TIME.fullmatch(time.strip())
            if match is None:
                raise self._wrong(f"break time={time[:64]!r}; it must be like 500ms or 1.5s")
            ms = round(float(match[1]) * (1000 if match[2] == "s" else 1))
            if ms > LONGEST_PAUSE_MS:
                raise self._wrong(f"break time={time[:64]!r}; at most {LONGEST_PAUSE_MS // 1000}s is allowed")
            return ms
        strength = attributes.get("strength", "medium")
        if strength not in _STRENGTHS:
            raise self._wrong(f"break strength={strength[:64]!r}; it must be one of {', '.join(_STRENGTHS)}")
        return _STRENGTHS[strength]

    def _required(self, tag: str, name: str, attributes: Attributes) -> str:
        value = attributes.get(name, "").strip()
        if not value:
            raise self._wrong(f"<{tag}> needs the attribute {name}")
        return value

    def _warn_unknown(self, tag: str, attributes: Attributes) -> None:
        known = _KNOWN.get(tag)
        if known is None:
            self._warn(f"<{tag[:64]}> is not supported; what it holds is read as plain text")
            return
        for name in attributes:
            if name not in known and not (tag == "speak" and name.startswith(("xmlns:", "xsi:"))):
                self._warn(f"{name[:64]} of <{tag}> is not supported and has no effect")

    def _warn(self, message: str) -> None:
        line, column = self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber + 1
        self._script.warn(f"line {line}, column {column}: {message}")

    def _wrong(self, message: str) -> ScriptError:
        return ScriptError(message, self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber + 1)


class _Builder:
    """Text and pieces as they come; white space collapses to one space, as in any XML prose."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._length = 0
        self._pieces: list[Piece] = []
        self._warnings: list[str] = []
        self._block_ms = 0  # the pause of a block boundary, due if speech follows
        self._space = False  # white space seen and not yet written

    def say(self, data: str) -> None:
        words = data.split()
        if not words:
            self._space = self._space or bool(data)
            return
        parted = self._space or self._block_ms or data[0].isspace()
        lead = " " if self._length and parted else ""
        self._space = data[-1].isspace()
        if self._block_ms and self._length and not self._paused():
            self._pieces.append(Pause(self._block_ms))
        self._block_ms = 0
        self._write(lead + " ".join(words))

    def block(self, ms: int) -> None:
        self._block_ms = max(self._block_ms, ms)

    def pause(self, ms: int) -> None:
        self._pieces.append(Pause(ms))

    def mark(self, name: str) -> None:
        self._pieces.append(Mark(name))

    def warn(self, message: str) -> None:
        if len(self._warnings) < _MOST_WARNINGS:
            self._warnings.append(message)

    def finish(self) -> Script:
        return Script("".join(self._text), tuple(self._pieces), tuple(self._warnings))

    def _paused(self) -> bool:
        """Whether the author set a pause since the last words: it stands instead of the block's."""
        for piece in reversed(self._pieces):
            if not isinstance(piece, Mark):
                return isinstance(piece, Pause)
        return False

    def _write(self, text: str) -> None:
        start = self._length
        self._text.append(text)
        self._length += len(text)
        last = self._pieces[-1] if self._pieces else None
        if isinstance(last, Say):
            self._pieces[-1] = Say(last.start, self._length)
        else:
            self._pieces.append(Say(start, self._length))


def _spell(text: str) -> str:
    """ "A1b" to "A, 1, b": each character by its name, a comma between so that none is a word."""
    return ", ".join("".join(text.split()))


def _read_digits(text: str) -> str:
    """ "555-1234" to "5 5 5, 1 2 3 4": digit by digit, a short pause where they were grouped."""
    groups = re.findall(r"\d+|[^\W\d_]+|\+", text)
    return ", ".join(" ".join(group) if group.isdecimal() else group for group in groups)
