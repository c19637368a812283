"""Who may ask. With API keys configured: whoever sends one. With none: this machine, and no web page on it.

Open to all: ``/health…``, ``/openapi.json`` and ``/docs``. ``/metrics`` needs no key from a loopback client
that no proxy speaks for.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api import docs
from gateway.api.limits import header
from gateway.api.problems import HttpRefusal
from gateway.errors import Refusal

OPEN_PATHS: Final = docs.PATHS | {"/health", "/health/live", "/health/ready", "/openapi.json"}
_log = logging.getLogger(__name__)


class Keys:
    """Lets a request through or raises; sets ``state["api_key"]``, which key it was (its digest)."""

    def __init__(self, app: ASGIApp, keys: Sequence[SecretStr]) -> None:
        self._app = app
        self._digests = [_digest(key.get_secret_value().encode()) for key in keys]
        if not keys:
            _log.warning("no API keys (VOXTRUNK_API_KEYS): the API serves this machine's loopback only")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["state"]["api_key"] = self._admit(scope)
        await self._app(scope, receive, send)

    def _admit(self, scope: Scope) -> bytes:
        if not self._digests:
            _refuse_strangers(scope)
            return b""
        if scope["path"] in OPEN_PATHS or (scope["path"] == "/metrics" and _is_local(scope)):
            return b""
        offered = _offered(scope)
        if offered is None:
            raise Refusal("unauthorized", "Send an API key: Authorization: Bearer KEY, or X-API-Key: KEY")
        digest = _digest(offered)
        # every key is compared, digests are of one length: the time taken tells nothing
        if not sum(hmac.compare_digest(digest, known) for known in self._digests):
            raise Refusal("unauthorized", "This API key is not one of VOXTRUNK_API_KEYS")
        return digest


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _offered(scope: Scope) -> bytes | None:
    authorization = header(scope, b"authorization")
    if authorization is not None:
        scheme, _, key = authorization.partition(b" ")
        if scheme.lower() == b"bearer":
            return key.strip()
    return header(scope, b"x-api-key")


def _refuse_strangers(scope: Scope) -> None:
    """No key guards the loopback API, so a browser must not be the way in to it.

    A name of the attacker's that resolves to 127.0.0.1 (DNS rebinding) shows in Host; a form or script of a
    foreign page shows in Origin.
    """
    host = header(scope, b"host")
    if host is not None and not _is_loopback_name(_hostname(b"//" + host)):
        raise HttpRefusal(
            "misdirected",
            "Without VOXTRUNK_API_KEYS the API answers to localhost, 127.0.0.1 and [::1] only",
        )
    origin = header(scope, b"origin")
    if origin is not None and not _is_loopback_name(_hostname(origin)):
        raise HttpRefusal("cross_origin", "Without VOXTRUNK_API_KEYS no web page elsewhere may call this API")


def _hostname(url: bytes) -> str | None:
    try:
        return urlsplit(url.decode("latin-1")).hostname
    except ValueError:
        return None


def _is_loopback_name(name: str | None) -> bool:
    if name is None:
        return False
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761 6.3: always loopback
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_local(scope: Scope) -> bool:
    client = scope.get("client")
    forwarded = header(scope, b"forwarded") or header(scope, b"x-forwarded-for")
    return client is not None and forwarded is None and _is_loopback_name(client[0])
