"""An XML document from outside, read by expat: no DOCTYPE, hence no entities, and errors that say where."""

from __future__ import annotations

from typing import ClassVar
from xml.parsers import expat

from tts_core.errors import LexiconError, ScriptError

_NATIVE = ("utf-8", "utf-16", "utf-16be", "utf-16le", "us-ascii", "iso-8859-1")


class Document:
    """One document's way through expat. A kind of document overrides what it wants to be told of."""

    error: ClassVar[type[ScriptError | LexiconError]]
    """What is raised, with a line and a column, for a document that is not right."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._doctype

    def _parse(self, document: str | bytes) -> None:
        if isinstance(document, bytes):  # text is what it is, whatever it says of its encoding
            self._parser.XmlDeclHandler = self._declared
        try:
            self._parser.Parse(document, True)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            raise self.error(f"not well-formed XML: {reason}", error.lineno, error.offset + 1) from error

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        raise NotImplementedError

    def _end(self, tag: str) -> None:
        raise NotImplementedError

    def _characters(self, data: str) -> None:
        raise NotImplementedError

    def _declared(self, _: str, encoding: str | None, __: int) -> None:
        """Refuse what expat would meet with another kind of error: it reads its own, and one byte a character."""
        if encoding is None or encoding.lower() in _NATIVE:
            return
        try:
            single = len(bytes(range(256)).decode(encoding, "replace")) == 256
        except (LookupError, ValueError):
            single = False
        if not single:
            raise self._wrong(f"the encoding {encoding[:64]!r} is not read; write UTF-8")

    def _doctype(self, *_: object) -> None:
        raise self._wrong("a DOCTYPE is not allowed; leave it and its entities out")

    def _wrong(self, message: str) -> ScriptError | LexiconError:
        return self.error(message, self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber + 1)
