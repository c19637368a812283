"""SSML 1.1 to a Script: the elements that a telephone prompt needs, anything else as plain text.

Parsed by expat as it streams. A DOCTYPE is refused, so no entity is ever declared or expanded; size and
depth are bounded. What is not known, or makes no sense where nothing depends on it, is told as a warning.
https://www.w3.org/TR/speech-synthesis11/
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from tts_core.document import Document
from tts_core.errors import ScriptError
from tts_core.prosody import Unusable, pitch, rate, volume_db
from tts_core.reading.sayas import KINDS
from tts_core.reading.xsampa import ipa
from tts_core.script import (
    LONGEST_PAUSE_MS,
    PLAIN,
    Alias,
    How,
    Manner,
    Mark,
    Pause,
    Phonemes,
    Piece,
    Recording,
    Say,
    SayAs,
    Script,
)

LARGEST = 262_144  # characters of a document
DEEPEST = 32  # elements within each other
_MOST_WARNINGS = 20

_STRENGTHS = {"none": 0, "x-weak": 75, "weak": 150, "medium": 225, "strong": 300, "x-strong": 500}
_BLOCKS = {"p": 500, "s": 300}  # the pause between two of them, ms
_TIME = re.compile(r"\+?(\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})(ms|s)")
_TAG = re.compile(r"[A-Za-z]{1,8}(?:[-_][A-Za-z0-9]{1,8}){0,4}")
_LANG = "xml:lang"
_KNOWN = {
    "speak": frozenset(("version", _LANG, "xmlns")),
    "p": frozenset((_LANG,)),
    "s": frozenset((_LANG,)),
    "break": frozenset(("time", "strength")),
    "mark": frozenset(("name",)),
    "sub": frozenset(("alias",)),
    "say-as": frozenset(("interpret-as", "format", "detail")),
    "phoneme": frozenset(("alphabet", "ph")),
    "prosody": frozenset(("rate", "volume", "pitch")),
    "voice": frozenset(("name", _LANG, "languages")),
    "lang": frozenset((_LANG, "onlangfailure")),
    "audio": frozenset(("src", "soundLevel", "fetchtimeout", "fetchhint", "maxage", "maxstale")),
    "desc": frozenset((_LANG,)),
}
_WORDLESS = "\ufffc"
"""OBJECT REPLACEMENT CHARACTER: what stands in the text for a recording that has no words."""
_ALPHABETS = ("ipa", "x-sampa", "xsampa", "x-SAMPA")

Attributes = dict[str, str]


def no_recordings(_: str) -> str:
    """What `parse` is told where there are none."""
    return "no recordings are played here"


def recordings(ssml: str) -> tuple[str, ...]:
    """What the <audio> elements of a document ask for, each once, the alternatives of one among them too.

    Raises ScriptError as `parse` does.
    """
    asked: dict[str, None] = {}

    def note(src: str) -> str:
        asked[src] = None
        return "not known yet"

    parse(ssml, note)
    return tuple(asked)


def parse(ssml: str, missing: Callable[[str], str] = no_recordings) -> Script:
    """The script that `ssml`, a whole <speak> document, asks for.

    `missing` says of an <audio> element's src why it cannot be had, "" when it can. Then a Recording stands for
    what the element holds, else that is read, with a warning.
    Raises ScriptError with line and column: not well-formed, a DOCTYPE, no <speak> at the root, over
    262,144 characters or 32 levels, or an attribute that makes no sense.
    """
    if len(ssml) > LARGEST:
        raise ScriptError(f"the document has {len(ssml)} characters, {LARGEST} are allowed")
    return _Reader(missing).read(ssml)


class _Reader(Document):
    error = ScriptError

    def __init__(self, missing: Callable[[str], str]) -> None:
        super().__init__()
        self._missing = missing
        self._manners: list[Manner] = []  # of the open elements
        self._how: How | Recording | None = None  # how what is within is said, by the outermost that says so
        self._how_depth = 0
        self._desc_depth = 0  # of a <desc>, which is for eyes
        self._held: list[str] = []
        self._script = _Builder()

    def read(self, ssml: str) -> Script:
        try:
            self._parse(ssml)
        except UnicodeEncodeError as error:
            line = ssml.count("\n", 0, error.start) + 1
            column = error.start - ssml.rfind("\n", 0, error.start)
            raise ScriptError("a lone surrogate is not a character", line, column) from error
        return self._script.finish()

    def _start(self, tag: str, attributes: Attributes) -> None:
        if not self._manners and tag != "speak":
            raise self._wrong(f"the root element is <{tag[:64]}>; it must be <speak>")
        if len(self._manners) >= DEEPEST:
            raise self._wrong(f"elements are nested deeper than {DEEPEST}")
        self._manners.append(self._manner(tag, attributes))
        self._warn_unknown(tag, attributes)
        if tag == "desc" and not self._desc_depth:
            self._desc_depth = len(self._manners)
        if self._desc_depth or isinstance(self._how, Recording):
            return
        if tag in _BLOCKS:
            self._script.block(_BLOCKS[tag])
        elif tag == "break":
            self._script.pause(self._break_ms(attributes))
        elif tag == "mark":
            self._script.mark(self._required(tag, "name", attributes))
        elif tag in ("sub", "say-as", "phoneme", "audio"):
            how = self._played(attributes) if tag == "audio" else self._said(tag, attributes)
            if how is not None and self._how is None:
                self._how, self._how_depth = how, len(self._manners)

    def _end(self, tag: str) -> None:
        if self._how is not None and len(self._manners) == self._how_depth:
            held = "".join(self._held)
            if isinstance(self._how, Recording):
                self._script.play(held, self._manners[-1], self._how)
            else:
                self._script.say(held, self._manners[-1], self._how)
            self._how = None
            self._held.clear()
        if len(self._manners) == self._desc_depth:
            self._desc_depth = 0
        elif tag in _BLOCKS and not (self._desc_depth or isinstance(self._how, Recording)):
            self._script.block(_BLOCKS[tag])
        self._manners.pop()

    def _characters(self, data: str) -> None:
        if self._desc_depth:
            return
        if self._how is not None:
            self._held.append(data)
        else:
            self._script.say(data, self._manners[-1])

    def _manner(self, tag: str, attributes: Attributes) -> Manner:
        """How what the element holds is said."""
        manner = self._manners[-1] if self._manners else PLAIN
        language = attributes.get(_LANG, attributes.get("languages", "").partition(" ")[0])
        if language and tag in _KNOWN:
            if _TAG.fullmatch(language) is None:
                self._warn(f"{_LANG}={language[:64]!r} is no language's tag and has no effect")
            else:
                manner = replace(manner, language=language, voice="")
        if tag == "lang" and not language:
            self._warn(f"<lang> without {_LANG} has no effect")
        if tag == "voice" and attributes.get("name", "").strip():
            manner = replace(manner, voice=attributes["name"].split()[0], language=language)
        return self._prosody(manner, attributes) if tag == "prosody" else manner

    def _prosody(self, manner: Manner, attributes: Attributes) -> Manner:
        for name, written in attributes.items():
            try:
                if name == "rate":
                    manner = replace(manner, rate=rate(written.strip(), manner.rate))
                elif name == "pitch":
                    manner = replace(manner, pitch=pitch(written.strip(), manner.pitch))
                elif name == "volume":
                    manner = replace(manner, volume_db=volume_db(written.strip(), manner.volume_db))
            except Unusable as error:
                self._warn(f"prosody {name}={written[:64]!r} has no effect: {error}")
        return manner

    def _said(self, tag: str, attributes: Attributes) -> How | None:
        if tag == "sub":
            return Alias(self._required(tag, "alias", attributes))
        if tag == "phoneme":
            alphabet, symbols = attributes.get("alphabet", "ipa"), self._required(tag, "ph", attributes)
            if alphabet not in _ALPHABETS:
                self._warn(
                    f"phoneme alphabet={alphabet[:64]!r} is not known (ipa, x-sampa): read as plain text"
                )
                return None
            return Phonemes(symbols if alphabet == "ipa" else ipa(symbols))
        kind = self._required(tag, "interpret-as", attributes)
        if kind not in KINDS:
            self._warn(f"say-as interpret-as={kind[:64]!r} is read as plain text")
            return None
        return SayAs(kind, attributes.get("format", ""))

    def _played(self, attributes: Attributes) -> Recording | None:
        src = self._required("audio", "src", attributes)
        if why := self._missing(src):
            self._warn(f"audio src={src[:200]!r} cannot be played, what it holds is read: {why}")
            return None
        level, written = 0.0, attributes.get("soundLevel")
        try:
            level = volume_db(written.strip(), 0.0) if written else 0.0
        except Unusable as error:
            self._warn(f"soundLevel={(written or '')[:64]!r} of <audio> has no effect: {error}")
        return Recording(src, 0, 0, level)

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


class _Builder:
    """Text and pieces as they come; white space collapses to one space, as in any XML prose."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._length = 0
        self._pieces: list[Piece] = []
        self._warnings: list[str] = []
        self._block_ms = 0  # the pause of a block boundary, due if speech follows
        self._space = False  # white space seen and not yet written

    def say(self, data: str, manner: Manner, how: How | None = None) -> None:
        words = data.split()
        if not words and isinstance(how, Alias | Phonemes):  # nothing of it can be shown but what is said
            words, how = (how.text.split(), None) if isinstance(how, Alias) else ([how.ipa], how)
        if not words:
            self._space = self._space or bool(data)
            return
        if self._part(data):
            self._write(" ", manner)
        self._write(" ".join(words), manner, how)
        self._space = data[-1:].isspace()

    def play(self, data: str, manner: Manner, recording: Recording) -> None:
        """The recording; `data` is what it stands in for."""
        if self._part(data):
            self._append(" ")
        start = self._length
        self._append(" ".join(data.split()) or _WORDLESS)
        louder = recording.volume_db + manner.volume_db
        self._pieces.append(replace(recording, start=start, end=self._length, volume_db=louder))
        self._space = data[-1:].isspace()

    def _part(self, data: str) -> bool:
        """Keep the pause that is due before `data`; whether white space is."""
        parted = bool(self._space or self._block_ms or data[:1].isspace())
        if self._block_ms and self._length and not self._paused():
            self._pieces.append(Pause(self._block_ms))
        self._block_ms = 0
        return parted and self._length > 0

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

    def _write(self, text: str, manner: Manner, how: How | None = None) -> None:
        start = self._length
        self._append(text)
        last = self._pieces[-1] if self._pieces else None
        if isinstance(last, Recording) and text == " ":
            return  # nothing of it sounds
        if isinstance(last, Say) and last.manner == manner and last.how is None and how is None:
            self._pieces[-1] = replace(last, end=self._length)
        else:
            self._pieces.append(Say(start, self._length, manner, how))

    def _append(self, text: str) -> None:
        self._text.append(text)
        self._length += len(text)
