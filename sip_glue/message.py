"""The first reading of a datagram: is it SIP, and what does it say about itself? Pure.

Strict where RFC 3261 is (25.1, 18.3, 8.1.1), so that what comes after may rely on it: a message read here has
its mandatory headers, once each, and a body as long as it says. ``text`` is the message for the SIP stack,
which counts characters where SIP counts octets: so the head in it is UTF-8, and the body Latin-1, one character
an octet.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from sip_glue.events import Headers
from sip_glue.uri import Address, BadUri, parse_address, parse_uri

LONGEST: Final = 16_384  # octets
MOST_HEADERS: Final = 256

_TOKEN: Final = r"[A-Za-z0-9\-.!%*_+`'~]+"
_REQUEST_LINE: Final = re.compile(rf"({_TOKEN}) (\S+) (SIP/\d+\.\d+)", re.IGNORECASE)
_ODD_REQUEST_LINE: Final = re.compile(rf"{_TOKEN}\s.*\sSIP/2\.0\s*", re.IGNORECASE)
_STATUS_LINE: Final = re.compile(r"SIP/2\.0 ([1-6]\d\d)(?: .*)?", re.IGNORECASE)
_HEADER: Final = re.compile(rf"({_TOKEN})[ \t]*:[ \t]*(.*)", re.DOTALL)
_CSEQ: Final = re.compile(rf"(\d{{1,10}})\s+({_TOKEN})")
_VIA_PARAMETER: Final = rf"\s*;\s*{_TOKEN}\s*(?:=\s*[^\s;,]*)?"
_VIA: Final = re.compile(
    rf"SIP\s*/\s*\d\.\d\s*/\s*{_TOKEN}\s+(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)\s*(?::\s*(\d{{1,5}}))?"
    rf"((?:{_VIA_PARAMETER})*)(.*)",
    re.IGNORECASE | re.DOTALL,
)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
# control characters may stand in quoted pairs (25.1), and nowhere else
_NOT_TEXT: Final = re.compile(r"(?<!\\)[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# allowed by the grammar, and beyond the stack
_VIA_BLANKS: Final = re.compile(r" ?([/;=,]) ?")
# the stack takes these for ends of lines; SIP does not
_LINE_SEPARATORS: Final = dict.fromkeys((0x0B, 0x0C, 0x1C, 0x1D, 0x1E, 0x85, 0x2028, 0x2029), " ")
_FOLD: Final = re.compile(r"\r\n[ \t]+")

COMPACT: Final = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
}
_ONCE: Final = ("from", "to", "call-id", "cseq", "max-forwards", "content-length", "content-type")
_MANDATORY: Final = ("from", "to", "call-id", "cseq")


RequestKey: TypeAlias = tuple[str, str | None, int]  # Call-ID, From tag, CSeq


@dataclass(frozen=True, slots=True)
class Via:
    """The topmost Via: where its writer says it is, and whether it asks for ``rport`` (RFC 3581)."""

    host: str
    port: int | None
    rport: bool
    branch: str | None


@dataclass(frozen=True, slots=True)
class Request:
    """A request that can be read. ``headers`` have their full names in lower case, values unfolded."""

    text: str
    method: str
    uri: str
    headers: Headers
    via: Via
    from_: Address
    to: Address
    call_id: str
    cseq: int
    body: bytes

    @property
    def key(self) -> RequestKey:
        """What tells INVITEs apart: two with one key are one that a proxy forked, or sent twice."""
        return self.call_id, self.from_.tag, self.cseq

    def values(self, name: str) -> list[str]:
        """All values of a header by its full name in lower case."""
        return [value for given, value in self.headers if given == name]


@dataclass(frozen=True, slots=True)
class Response:
    """A response that can be read. ``from_tag`` tells whose request it answers."""

    text: str
    code: int
    from_tag: str | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A request that deserves a refusal: ``code`` and ``why``; ``headers`` are what the answer can repeat."""

    method: str
    headers: Headers
    via: Via
    code: int
    why: str


class _Wrong(Exception):
    """Something in a message is against the grammar."""

    def __init__(self, why: str, code: int = 400) -> None:
        super().__init__(why)
        self.code = code


def read(datagram: bytes) -> Request | Response | Unreadable | None:
    """What a datagram is. None: nothing that may be answered (no SIP, no Via, a response that is broken)."""
    head, blank, body = datagram.lstrip(b"\r\n").partition(b"\r\n\r\n")
    try:
        text = head.decode()
    except UnicodeDecodeError:
        return None
    if _NOT_TEXT.search(text):
        return None
    if "\\" in text or not text.isascii():
        text = text.translate(_LINE_SEPARATORS)
    if "\r\n " in text or "\r\n\t" in text:
        text = _FOLD.sub(" ", text)
    first, *rest = text.split("\r\n")
    status = _STATUS_LINE.fullmatch(first)
    if status is None and not _ODD_REQUEST_LINE.fullmatch(first) and not _REQUEST_LINE.fullmatch(first):
        return None
    headers, stray = _headers(rest)
    via = _top_via(headers)
    if via is None:
        return None
    try:
        if stray is not None:
            raise _Wrong(f"not a header: {stray[:40]!r}")
        if len(datagram) > LONGEST or len(headers) > MOST_HEADERS:
            raise _Wrong("Message Too Large", 513)
        if not blank:
            raise _Wrong("no empty line after the headers")
        return _message(first, status, headers, via, body)
    except _Wrong as error:
        if status is not None:
            return None
        return Unreadable(first.split()[0], headers, via, error.code, str(error))


def _message(
    first: str, status: re.Match[str] | None, headers: Headers, via: Via, body: bytes
) -> Request | Response:
    """The message, or ``_Wrong``."""
    found = _singles(headers)
    _check_vias(headers)
    cseq = _CSEQ.fullmatch(found["cseq"])
    if cseq is None or int(cseq[1]) >= 2**31:
        raise _Wrong("CSeq")
    from_, to = _address(found, "from"), _address(found, "to")
    body = _measured(found.get("content-length"), body)
    if status is not None:
        return Response(_stack_text(first, headers, body), int(status[1]), from_.tag)
    method, uri = _request_line(first)
    if cseq[2] != method:
        raise _Wrong("CSeq names another method")
    return Request(
        _stack_text(first, headers, body),
        method,
        uri,
        headers,
        via,
        from_,
        to,
        found["call-id"],
        int(cseq[1]),
        body,
    )


def _headers(lines: list[str]) -> tuple[Headers, str | None]:
    """Names in lower case and full, and values; then the first line that is no header."""
    found: list[tuple[str, str]] = []
    stray = None
    for line in lines:
        match = _HEADER.fullmatch(line)
        if match is None:
            stray = stray if stray is not None else line
            continue
        name = match[1].lower()
        found.append((COMPACT.get(name, name), match[2].strip()))
    return tuple(found), stray


def _top_via(headers: Headers) -> Via | None:
    value = next((value for name, value in headers if name == "via"), None)
    match = _VIA.fullmatch(value.split(",")[0].strip()) if value is not None else None
    if match is None or int(match[2] or 5060) not in range(1, 65536):
        return None
    parameters = (one.partition("=") for one in match[3].split(";"))
    names = {name.strip().lower(): value.strip() for name, _, value in parameters}
    return Via(match[1], int(match[2]) if match[2] else None, "rport" in names, names.get("branch"))


def _check_vias(headers: Headers) -> None:
    for name, values in headers:
        if name == "via":
            for value in values.split(","):
                match = _VIA.fullmatch(value.strip())
                if match is None or match[4].strip():
                    raise _Wrong("via")


def _singles(headers: Headers) -> dict[str, str]:
    """The headers that may be there once, by name."""
    found: dict[str, str] = {}
    for name, value in headers:
        if name in _ONCE:
            if name in found:
                raise _Wrong(f"{name} twice")
            found[name] = value
    for name in _MANDATORY:
        if not found.get(name):
            raise _Wrong(f"no {name}")
    if not found.get("max-forwards", "0").isascii() or not found.get("max-forwards", "0").isdigit():
        raise _Wrong("max-forwards")
    return found


def _address(found: dict[str, str], name: str) -> Address:
    try:
        return parse_address(found[name])
    except BadUri as error:
        raise _Wrong(name) from error


def _measured(length: str | None, body: bytes) -> bytes:
    """The body as long as Content-Length says (RFC 3261 18.3)."""
    if length is None:
        return body
    if not re.fullmatch(r"[0-9]{1,9}", length):
        raise _Wrong("content-length")
    if int(length) > len(body):
        raise _Wrong(f"a body of {len(body)} octets, {length} announced")
    return body[: int(length)]


def _request_line(first: str) -> tuple[str, str]:
    match = _REQUEST_LINE.fullmatch(first)
    if match is None:
        raise _Wrong("request line")
    method, uri, version = match.groups()
    if version.upper() != "SIP/2.0":
        raise _Wrong("Version Not Supported", 505)
    scheme = _SCHEME.match(uri)
    if scheme is None:
        raise _Wrong("request URI")
    if scheme[0].lower() not in ("sip:", "sips:", "tel:"):
        raise _Wrong("Unsupported URI Scheme", 416)
    if scheme[0].lower() != "tel:":
        try:
            parse_uri(uri)
        except BadUri as error:
            raise _Wrong("request URI") from error
    return method, uri


def _stack_text(first: str, headers: Headers, body: bytes) -> str:
    lines = [first]
    for name, value in headers:
        if name == "via":
            lines.append("via: " + _VIA_BLANKS.sub(r"\1", " ".join(value.split())))
        elif name != "content-length":
            lines.append(f"{name}: {value}")
    return "\r\n".join((*lines, f"content-length: {len(body)}", "", "")) + body.decode("latin-1")
