"""Names of hosts in requests: which of them are this server's, and which are this machine's alone."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from gateway.api.limits import header
from gateway.api.problems import HttpRefusal

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_PROBES: Final = frozenset({"/health/live", "/health/ready"})
"""Asked by address, of whichever node."""


class Hosts:
    """The layer that lets through what is meant for one of ``names`` (patterns, ``*.example.org``)."""

    def __init__(self, app: ASGIApp, names: Sequence[str]) -> None:
        self._app = app
        self._names = [name.lower() for name in names]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"} and scope["path"] not in _PROBES:
            name = hostname(b"//" + (header(scope, b"host") or b""))
            if name is None or not any(fnmatchcase(name, pattern) for pattern in self._names):
                raise HttpRefusal("misdirected", "No name of this server (VOXTRUNK_ALLOWED_HOSTS)")
        await self._app(scope, receive, send)


def hostname(url: bytes) -> str | None:
    """The host of a URL, in lower case."""
    try:
        return urlsplit(url.decode("latin-1")).hostname
    except ValueError:
        return None


def is_loopback_name(name: str | None) -> bool:
    """Whether a host is this machine alone."""
    if name is None:
        return False
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761 6.3: always loopback
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
