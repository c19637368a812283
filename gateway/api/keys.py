"""Who may ask, and for what. With API keys configured: whoever sends one, or a token, within its scopes. With
none: this machine, and no web page on it.

Open to all: ``/health…``, ``/openapi.json``, ``/asyncapi.json`` and ``/docs``. ``/metrics`` needs no key from a
loopback client that no proxy speaks for. A browser cannot add headers to a WebSocket: there a token, and no key,
may come as a subprotocol, ``new WebSocket(url, ["voxtrunk", "bearer." + token])``, so that no URL holds a secret.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.hosts import hostname, is_loopback_name
from gateway.api.keyring import Key, Keyring
from gateway.api.limits import header
from gateway.api.problems import HttpRefusal
from gateway.api.scopes import OPEN_PATHS, WEBSOCKET, methods_of
from gateway.api.stay import Stay
from gateway.errors import Refusal

if TYPE_CHECKING:
    from gateway.api.tokens import Tokens

__all__ = ["OPEN_PATHS", "SUBPROTOCOL", "Gate", "Keys"]

SUBPROTOCOL: Final = "voxtrunk"
_BEARER: Final = "bearer."
_EVENTS: Final = "/v1/events"
_CALL: Final = re.compile(r"/v1/calls/([^/]+)")
_SCHEMES: Final = frozenset({b"bearer", b"token"})
"""``Token`` is Deepgram's clients', as ``xi-api-key`` is ElevenLabs'."""
_log = logging.getLogger(__name__)


class Keys:
    """The layer: lets a request through or raises; sets ``state["key"]``, whose it is."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        async with self._gate.admitted(scope) as stay:
            if scope["type"] == "websocket":
                if SUBPROTOCOL in scope["subprotocols"]:
                    send = _accepting(send)
                await self._app(scope, *stay.socket(receive, send))
            else:
                async with stay.lasting():
                    await self._app(scope, receive, send)


class Gate:
    """Who is let in, whichever door he comes by.

    ``owner_of``: the name of the key that a call was opened with; None when there is no such call here.
    """

    def __init__(self, keyring: Keyring, owner_of: Callable[[str], str | None]) -> None:
        self._owner_of = owner_of
        self._keyring = keyring
        self._tokens = _tokens(keyring) if keyring.issuers else None
        self._stays: set[Stay] = set()
        if not keyring.guards:
            _log.warning("no API keys (VOXTRUNK_API_KEYS): the API serves this machine's loopback only")

    @contextlib.asynccontextmanager
    async def admitted(self, scope: Scope) -> AsyncIterator[Stay]:
        """Somebody who is let in, until he leaves; his key is ``scope["state"]["key"]``. Raises as ``admit``."""
        asked = {**scope}  # a token among the subprotocols is taken out of ``scope``
        stay = Stay(asked, await self.admit(scope))
        self._stays.add(stay)
        try:
            yield stay
        finally:
            self._stays.discard(stay)

    async def renew(self) -> list[str]:
        """Read the keys again; names of those that came, went or are another. Raises BadKeys, and all stays.

        Who is here by one of them is asked again, and what would be refused by now ends; but not what is
        answered by the task that calls this.
        """
        changed = await asyncio.to_thread(self._keyring.renew)
        for stay in tuple(self._stays):
            if stay.key.name in changed and stay.task is not asyncio.current_task():
                try:
                    stay.go_on(await self.admit({**stay.asked}))
                except (Refusal, HTTPException):
                    stay.end()
        return changed

    async def admit(self, scope: Scope) -> Key:
        """Whose request it is. Refusals ``unauthorized``, ``not_permitted``, ``unknown_call``; HTTPException."""
        if not self._keyring.guards:
            _refuse_strangers(scope)
            return self._keyring.nobody
        path = scope["path"]
        if path in OPEN_PATHS or (path == "/metrics" and _is_local(scope)):
            return self._keyring.nobody
        key = await self._whose(scope)
        about = _call_of(scope)
        if key.call is not None and about != key.call:
            bound = f"This token is for the call {key.call[:64]!r} alone (its claim `call`)"
            raise Refusal("not_permitted", bound)
        if key.own_calls:
            self._must_be_own(key, about, path)
        _permit(key, scope.get("method", WEBSOCKET), path)
        return key

    def _must_be_own(self, key: Key, about: str | None, path: str) -> None:
        if about is None and path == _EVENTS:
            raise Refusal("not_permitted", f"{key.name} may follow its own calls, one by one (`own_calls`)")
        owner = None if about is None else self._owner_of(about)
        if owner is not None and owner != key.name:  # whose it is, is not told
            raise Refusal("unknown_call", f"There is no call {about!r} (any more)")

    async def _whose(self, scope: Scope) -> Key:
        offered, token = _offered(scope), _token_of_socket(scope)
        if offered is None and token is None:
            raise Refusal("unauthorized", "Send an API key: Authorization: Bearer KEY, or X-API-Key: KEY")
        key = self._keyring.find(offered) if offered is not None else None
        if key is not None:
            return key
        if offered is not None and offered.isascii() and offered.count(b".") == 2:
            token = offered.decode("ascii")
        if token is None or not self._keyring.issuers:
            raise Refusal(
                "unauthorized",
                "This API key is not known, or has expired (VOXTRUNK_API_KEYS, VOXTRUNK_API_KEYS_FILE)",
            )
        if self._tokens is None:  # the first issuer came by a reload
            self._tokens = await asyncio.to_thread(_tokens, self._keyring)
        return await self._tokens.admit(token)


def _tokens(keyring: Keyring) -> Tokens:
    from gateway.api.tokens import Tokens  # brings all of cryptography, 9 MB

    return Tokens(keyring)


def _call_of(scope: Scope) -> str | None:
    """The call that a request is about: by its path, or as the socket of its events."""
    found = _CALL.match(scope["path"])
    if found is not None:
        return found[1]
    if scope["type"] == "websocket" and scope["path"] == _EVENTS:
        asked = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        named = asked.get("call_id", [])
        return named[0] if len(named) == 1 else None
    return None


def _permit(key: Key, method: str, path: str) -> None:
    """Refusal ``not_permitted``; 404 and 405 for what the table does not list, unless to administrators."""
    methods = methods_of(path)
    needed = methods.get(method)
    if needed is None:
        if key.admin:
            return
        if not methods or method == WEBSOCKET:
            raise HTTPException(404)
        raise HTTPException(405, headers={"Allow": ", ".join(sorted(methods))})
    if needed not in key.scopes:
        raise Refusal(
            "not_permitted",
            f"This needs the scope {needed}; {key.name} has {' '.join(sorted(key.scopes)) or 'none'} "
            "(`scopes` in VOXTRUNK_API_KEYS_FILE, `scope` of a token)",
        )


def _accepting(send: Send) -> Send:
    """A browser closes a WebSocket that accepts none of the subprotocols that it offered."""

    async def sending(message: Message) -> None:
        if message["type"] == "websocket.accept" and not message.get("subprotocol"):
            message = {**message, "subprotocol": SUBPROTOCOL}
        await send(message)

    return sending


def _token_of_socket(scope: Scope) -> str | None:
    """The token among the subprotocols, which is then none of them any more."""
    if scope["type"] != "websocket":
        return None
    offered: list[str] = scope["subprotocols"]
    tokens = [each for each in offered if each.startswith(_BEARER)]
    if not tokens:
        return None
    scope["subprotocols"] = [each for each in offered if each not in tokens]
    return tokens[0].removeprefix(_BEARER)


def _offered(scope: Scope) -> bytes | None:
    authorization = header(scope, b"authorization")
    if authorization is not None:
        scheme, _, key = authorization.partition(b" ")
        if scheme.lower() in _SCHEMES:
            return key.strip()
    return header(scope, b"x-api-key") or header(scope, b"xi-api-key")


def _refuse_strangers(scope: Scope) -> None:
    """No key guards the loopback API, so a browser must not be the way in to it.

    A name of the attacker's that resolves to 127.0.0.1 (DNS rebinding) shows in Host; a form or script of a
    foreign page shows in Origin.
    """
    host = header(scope, b"host")
    if host is not None and not is_loopback_name(hostname(b"//" + host)):
        raise HttpRefusal(
            "misdirected",
            "Without VOXTRUNK_API_KEYS the API answers to localhost, 127.0.0.1 and [::1] only",
        )
    origin = header(scope, b"origin")
    if origin is not None and not is_loopback_name(hostname(origin)):
        raise HttpRefusal("cross_origin", "Without VOXTRUNK_API_KEYS no web page elsewhere may call this API")


def _is_local(scope: Scope) -> bool:
    client = scope.get("client")
    forwarded = header(scope, b"forwarded") or header(scope, b"x-forwarded-for")
    return client is not None and forwarded is None and is_loopback_name(client[0])
