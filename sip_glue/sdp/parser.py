"""Session descriptions from text (RFC 8866), as real peers send them.

Strict about what decides *where* audio goes: c=, m= and a=rtcp are right or the body is an SdpError, and a
second one that says something else is one too. Lenient about the rest: line ends of any kind, blank lines,
unknown lines and attributes, lines out of order, no s= or t=. An attribute that cannot be read and only says
*how* audio goes (rtpmap, fmtp, ptime) counts as absent; of two that differ the first counts.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, cast

from sip_glue.sdp.errors import SdpError
from sip_glue.sdp.model import (
    AddressType,
    Connection,
    Direction,
    MediaDescription,
    Origin,
    Rtcp,
    RtpMap,
    SessionDescription,
)

MAX_CHARACTERS: Final = 32_768
MAX_LINES: Final = 2_000
MAX_MEDIA: Final = 32
MAX_FORMATS: Final = 128

_TOKEN: Final = r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]"
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_LINE: Final = re.compile(r"([A-Za-z])=[ \t]*(.*)", re.DOTALL)
_ORIGIN: Final = re.compile(r"(.*\S) +(-?[0-9]{1,40}) +(-?[0-9]{1,40}) +IN +(IP[46]) +(\S+)", re.IGNORECASE)
_CONNECTION: Final = re.compile(r"IN +(IP[46]) +([^\s/]+)(?:/[0-9]{1,5}){0,2}", re.IGNORECASE)
_HOST_NAME: Final = re.compile(r"(?:[A-Za-z0-9_-]{1,63}\.){0,32}(?=[0-9-]*[A-Za-z])[A-Za-z0-9-]{1,63}\.?")
_MEDIA: Final = re.compile(
    rf"({_TOKEN}+) +([0-9]{{1,20}})(?:/([0-9]{{1,20}}))? +({_TOKEN}+(?:/{_TOKEN}+){{0,9}})((?: +{_TOKEN}+)*)"
)
_TIME: Final = re.compile(r"([0-9]{1,20}) +([0-9]{1,20})")
_RTPMAP: Final = re.compile(rf"([0-9]{{1,3}}) +({_TOKEN}+)/([0-9]{{1,9}})(?:/([0-9]{{1,3}}))?")
_FMTP: Final = re.compile(r"([0-9]{1,3}) +(.+)")
_RTCP: Final = re.compile(r"([0-9]{1,20})(?: +(.+))?")
_CRYPTO: Final = re.compile(rf"[0-9]{{1,9}} +({_TOKEN}+) +.+")
_MILLISECONDS: Final = re.compile(r"([0-9]{1,5})(?:\.[0-9]{0,9})?")


class _Line(NamedTuple):
    number: int
    kind: str
    value: str

    def error(self, reason: str) -> SdpError:
        return SdpError(reason, self.number, f"{self.kind}={self.value}")


@dataclass(slots=True)
class _Section:
    """What one section says, the session's or an m= line's; ``header`` is that m= line."""

    header: _Line | None = None
    connection: Connection | None = None
    direction: Direction | None = None
    ptime: int | None = None
    maxptime: int | None = None
    rtcp: Rtcp | None = None
    rtcp_mux: bool = False
    mid: str | None = None
    rtpmaps: dict[int, RtpMap] = field(default_factory=dict)
    fmtps: dict[int, str] = field(default_factory=dict)
    crypto_suites: list[str] = field(default_factory=list)


def parse(text: str) -> SessionDescription:
    """Read one body. Raises SdpError, naming the line, and nothing else."""
    session = _Section()
    sections: list[_Section] = []
    version: _Line | None = None
    origin: Origin | None = None
    times: list[tuple[int, int]] = []
    for line in _lines(text):
        current = sections[-1] if sections else session
        match line.kind:
            case "v":
                if version or line.value != "0":
                    raise line.error("a session description has one v= line, v=0")
                version = line
            case "o":
                if origin:
                    raise line.error("a second o= line")
                origin = _origin(line)
            case "t":
                if bounds := _TIME.fullmatch(line.value):
                    times.append((int(bounds[1]), int(bounds[2])))
            case "c":
                _set_connection(current, line)
            case "a":
                _set_attribute(current, line)
            case "m":
                if len(sections) == MAX_MEDIA:
                    raise line.error(f"more than {MAX_MEDIA} m= lines")
                sections.append(_Section(header=line))
    if version is None or origin is None:
        raise SdpError("not a session description: it has no v= line or no o= line")
    media = tuple(_media(section, session) for section in sections)
    return SessionDescription(origin, session.connection, media, tuple(times) or ((0, 0),))


def _lines(text: str) -> Iterator[_Line]:
    if len(text) > MAX_CHARACTERS:
        raise SdpError(f"longer than {MAX_CHARACTERS} characters")
    lines = _LINE_END.split(text)
    if len(lines) > MAX_LINES:
        raise SdpError(f"more than {MAX_LINES} lines")
    for number, content in enumerate(lines, 1):
        stripped = content.rstrip(" \t")
        if not stripped:
            continue
        found = _LINE.fullmatch(stripped)
        if not found:
            raise SdpError("not <letter>=<value>", number, stripped)
        yield _Line(number, found[1].lower(), found[2])


def _origin(line: _Line) -> Origin:
    """From the right, since some softphones put a display name with spaces where the user name goes."""
    found = _ORIGIN.fullmatch(line.value)
    if not found:
        raise line.error("not o=<user> <session id> <version> IN IP4|IP6 <address>")
    kind = cast(AddressType, found[4].upper())
    return Origin(found[1], int(found[2]), int(found[3]), kind, found[5])


# -- where audio goes ---------------------------------------------------------------------------------------


def _set_connection(section: _Section, line: _Line) -> None:
    connection = _connection(line.value, line)
    if section.connection not in (None, connection):
        raise line.error("a second c= line that names another address")
    section.connection = connection


def _connection(text: str, line: _Line) -> Connection:
    """A multicast TTL or count is dropped: what is multicast is refused by its address."""
    found = _CONNECTION.fullmatch(text)
    if not found:
        raise line.error("the address is to be written IN IP4|IP6 <address>")
    kind = cast(AddressType, found[1].upper())
    return Connection(kind, _address(kind, found[2], line))


def _address(kind: AddressType, text: str, line: _Line) -> str:
    try:
        literal = ipaddress.ip_address(text)
    except ValueError:
        if len(text) <= 253 and _HOST_NAME.fullmatch(text):
            return text
        raise line.error(f"{text[:64]!r} is neither an IP address nor a host name") from None
    if kind != f"IP{literal.version}":
        raise line.error(f"{text} is no {kind} address")
    if "%" in text:
        raise line.error("an address with a zone id means nothing on another machine")
    return str(literal)


def _set_rtcp(section: _Section, value: str, line: _Line) -> None:
    found = _RTCP.fullmatch(value)
    if not found:
        raise line.error("not a=rtcp:<port> [IN IP4|IP6 <address>] (RFC 3605)")
    rtcp = Rtcp(_port(found[1], line), _connection(found[2], line) if found[2] else None)
    if section.rtcp not in (None, rtcp):
        raise line.error("a second a=rtcp that says something else")
    section.rtcp = rtcp


def _port(digits: str, line: _Line) -> int:
    port = int(digits)
    if port > 65535:
        raise line.error(f"a port is 0 to 65535, not {port}")
    return port


def _media(section: _Section, session: _Section) -> MediaDescription:
    line = section.header
    assert line is not None, "only sections of an m= line come here"
    found = _MEDIA.fullmatch(line.value)
    if not found:
        raise line.error("not m=<media> <port>[/<count>] <protocol> <format> ...")
    port, count = _port(found[2], line), int(found[3] or 1)
    if not count or port + 2 * (count - 1) > 65535:
        raise line.error(f"{count} port pairs from {port} on do not fit into 1 to 65535")
    formats = tuple(found[5].split())
    if len(formats) > MAX_FORMATS:
        raise line.error(f"more than {MAX_FORMATS} formats")
    connection = section.connection or session.connection
    if port and connection is None:
        raise line.error("neither it nor the session has a c= line")
    return MediaDescription(
        kind=found[1].lower(),
        port=port,
        port_count=count,
        protocol=found[4],
        formats=formats,
        connection=connection,
        direction=section.direction or session.direction or Direction.SENDRECV,
        rtpmaps=tuple(section.rtpmaps.values()),
        fmtps=tuple(section.fmtps.items()),
        ptime=section.ptime or session.ptime,
        maxptime=section.maxptime or session.maxptime,
        rtcp=section.rtcp,
        rtcp_mux=section.rtcp_mux,
        mid=section.mid,
        crypto_suites=tuple(section.crypto_suites),
        line=line.number,
    )


# -- how it goes --------------------------------------------------------------------------------------------


def _set_attribute(section: _Section, line: _Line) -> None:
    name, _, value = line.value.partition(":")
    read = _ATTRIBUTES.get(name.rstrip().lower())
    if read:
        read(section, value.strip(), line)


def _set_rtpmap(section: _Section, value: str, line: _Line) -> None:
    if found := _RTPMAP.fullmatch(value):
        entry = RtpMap(int(found[1]), found[2], int(found[3]), int(found[4] or 1))
        if entry.payload_type <= 127:
            section.rtpmaps.setdefault(entry.payload_type, entry)


def _set_fmtp(section: _Section, value: str, line: _Line) -> None:
    if found := _FMTP.fullmatch(value):
        section.fmtps.setdefault(int(found[1]), found[2])


def _set_ptime(section: _Section, value: str, line: _Line) -> None:
    section.ptime = section.ptime or _milliseconds(value)


def _set_maxptime(section: _Section, value: str, line: _Line) -> None:
    section.maxptime = section.maxptime or _milliseconds(value)


def _milliseconds(value: str) -> int | None:
    """Whole milliseconds; None for what is no number, and for zero, which some peers send for "any"."""
    found = _MILLISECONDS.fullmatch(value)
    return (int(found[1]) or None) if found else None


def _set_rtcp_mux(section: _Section, value: str, line: _Line) -> None:
    section.rtcp_mux = True


def _set_mid(section: _Section, value: str, line: _Line) -> None:
    if section.mid is None and re.fullmatch(f"{_TOKEN}{{1,64}}", value):
        section.mid = value


def _set_crypto(section: _Section, value: str, line: _Line) -> None:
    if found := _CRYPTO.fullmatch(value):
        section.crypto_suites.append(found[1])


def _direction(direction: Direction) -> Callable[[_Section, str, _Line], None]:
    def read(section: _Section, value: str, line: _Line) -> None:
        section.direction = section.direction or direction

    return read


_ATTRIBUTES: Final[Mapping[str, Callable[[_Section, str, _Line], None]]] = {
    **{direction.value: _direction(direction) for direction in Direction},
    "rtpmap": _set_rtpmap,
    "fmtp": _set_fmtp,
    "ptime": _set_ptime,
    "maxptime": _set_maxptime,
    "rtcp": _set_rtcp,
    "rtcp-mux": _set_rtcp_mux,
    "mid": _set_mid,
    "crypto": _set_crypto,
}
