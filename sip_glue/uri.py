"""SIP URIs and addresses (RFC 3261 19.1, 25.1), as much of them as routing and announcements need. Pure."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 8192

_HOST_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
_USER: Final = re.compile(r"[^\s<>\"@\x00-\x1f\x7f]+")
_PARAMETER: Final = re.compile(r"[^\s<>\"=;?@,\x00-\x1f\x7f]+(?:=[^\s<>\";?\x00-\x1f\x7f]*)?")
_LINE_END: Final = re.compile(r"[\r\n]")


class BadUri(ValueError):
    """Text that is not a SIP URI, or not one that can be used."""


@dataclass(frozen=True, slots=True)
class SipUri:
    """A read sip or sips URI. ``user`` and parameter values are as written, escapes and all; an IPv6 ``host``
    is in brackets."""

    text: str
    scheme: str
    user: str | None
    host: str
    port: int | None
    parameters: tuple[tuple[str, str | None], ...]

    def parameter(self, name: str) -> str | None:
        """A parameter's value; the empty string for one without; None where there is none."""
        for given, value in self.parameters:
            if given.lower() == name:
                return value or ""
        return None

    @property
    def address(self) -> tuple[str, int]:
        """Where it points: host, port (RFC 3263 without its look-ups of services)."""
        return self.host, self.port or 5060


def parse_uri(text: str) -> SipUri:
    """Reads ``sip:user@host:port;parameters``. Raises ``BadUri``."""
    if len(text) > LONGEST:
        raise BadUri(f"a URI of {len(text)} characters")
    scheme, colon, rest = text.partition(":")
    if not colon or scheme.lower() not in ("sip", "sips"):
        raise BadUri(f"{text[:80]!r}: not a sip URI")
    user, at, after = rest.rpartition("@")
    if at and not _USER.fullmatch(user):
        raise BadUri(f"{text[:80]!r}: its user part cannot be read")
    place, *parameters = after.split(";")
    if not all(_PARAMETER.fullmatch(one) for one in parameters):
        raise BadUri(f"{text[:80]!r}: its parameters cannot be read")
    host, port = _host_and_port(place)
    pairs = (one.partition("=") for one in parameters)
    return SipUri(
        text,
        scheme.lower(),
        user if at else None,
        host,
        port,
        tuple((name, value if equals else None) for name, equals, value in pairs),
    )


def check_udp(uri: SipUri) -> None:
    """Raises ``BadUri`` for what may not be asked over UDP, which is all that is spoken."""
    if uri.scheme == "sips":
        raise BadUri(f"{uri.text[:80]!r} asks for TLS all the way (RFC 3261 26.2.2); only UDP is spoken")


def _host_and_port(place: str) -> tuple[str, int | None]:
    if place.startswith("["):
        host, bracket, rest = place.partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise BadUri(f"{place[:80]!r}: not a host")
        try:
            ipaddress.IPv6Address(host[1:])
        except ValueError as error:
            raise BadUri(f"{place[:80]!r}: not an IPv6 address") from error
        host += "]"
        port = rest[1:] if rest else None
    else:
        host, colon, digits = place.partition(":")
        if len(host) > 253 or not _HOST_NAME.fullmatch(host):
            raise BadUri(f"{place[:80]!r}: not a host")
        port = digits if colon else None
    if port is None:
        return host, None
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise BadUri(f"{place[:80]!r}: not a port")
    return host, int(port)


@dataclass(frozen=True, slots=True)
class Address:
    """The value of From, To or Contact: ``"Display" <uri>;parameters``. ``uri`` is as written."""

    display: str
    uri: str
    parameters: tuple[tuple[str, str | None], ...]

    @property
    def tag(self) -> str | None:
        """The dialog's half that its owner chose."""
        return next((value for name, value in self.parameters if name.lower() == "tag"), None)


def parse_address(text: str) -> Address:
    """Reads a name-addr or addr-spec with its parameters (RFC 3261 20.10). Raises ``BadUri``.

    >>> parse_address('"Bell, A." <sip:a@b>;tag=1').tag
    '1'
    """
    if len(text) > LONGEST or _LINE_END.search(text):
        raise BadUri("an address that is too long or broken")
    display, rest = _display(text.strip())
    if rest.startswith("<"):
        uri, bracket, tail = rest[1:].partition(">")
        if not bracket:
            raise BadUri(f"{text[:80]!r}: '<' without '>'")
    else:
        uri, semicolon, tail = rest.partition(";")
        tail = semicolon + tail
    uri = uri.strip()
    if ":" not in uri or re.search(r"\s", uri):
        raise BadUri(f"{text[:80]!r}: no URI in it")
    return Address(display, uri, _parameters(tail))


def _display(text: str) -> tuple[str, str]:
    """Display name, and what follows it."""
    if text.startswith('"'):
        quoted = re.match(r'"((?:[^"\\]|\\.)*)"\s*', text)
        if quoted is None or not text[quoted.end() :].startswith("<"):
            raise BadUri(f"{text[:80]!r}: its quotes do not match")
        return re.sub(r"\\(.)", r"\1", quoted[1]), text[quoted.end() :]
    name, bracket, rest = text.partition("<")
    if not bracket:
        return "", text
    if '"' in name:
        raise BadUri(f"{text[:80]!r}: its quotes do not match")
    return name.strip(), "<" + rest


def _parameters(tail: str) -> tuple[tuple[str, str | None], ...]:
    found: list[tuple[str, str | None]] = []
    for one in re.findall(r';((?:[^;"]|"(?:[^"\\]|\\.)*")*)', tail):
        name, equals, value = one.partition("=")
        if name.strip():
            found.append((name.strip(), value.strip() if equals else None))
    return tuple(found)
