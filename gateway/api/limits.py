"""The outermost layers: a request gets its id and its time of arrival, its body has a limit in size and time.

Plain ASGI, for a request on its way to speech has no milliseconds to give away. What a layer further in
refuses or breaks on is answered by ``Edge``, so every answer carries ``X-Request-Id``.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from prometheus_client import Gauge
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import logs
from gateway.api import problems
from gateway.api.connection import BREAK_OFF
from gateway.api.problems import HttpRefusal
from gateway.errors import Refusal

BODY_SECONDS: Final = 30.0
_SETTING: Final = "VOXTRUNK_MAX_BODY_OCTETS"
_REQUEST_ID: Final = re.compile(rb"[!-~]{1,128}")
_ABOUT: Final = re.compile(r"/v1/calls/(?P<call_id>[^/]{1,64})(?:/utterances/(?P<utterance_id>[^/]{1,128}))?")
_STARTS: Final = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})
_GUARDS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
_ONLY_TLS: Final = (b"strict-transport-security", b"max-age=31536000")
_log = logging.getLogger(__name__)

Observe = Callable[[str, str, int, float, str | None], None]
"""Takes (method, route, status, seconds from arrival to the start of the answer, the problem's code if any)."""


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of that (lower-case) name."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


def _named(path: str) -> dict[str, str]:
    """The call and utterance that a path is about."""
    found = _ABOUT.match(path)
    return {} if found is None else {name: value for name, value in found.groupdict().items() if value}


class Edge:
    """Sets ``state["request_id"]`` and ``state["requested_ns"]`` (CLOCK_MONOTONIC), answers all errors.

    What layers further in put into ``state["headers"]`` goes out with every answer, refusals too.
    """

    def __init__(self, app: ASGIApp, observe: Observe, in_progress: Gauge) -> None:
        self._app = app
        self._observe = observe
        self._in_progress = in_progress

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        requested_ns = time.monotonic_ns()
        given = header(scope, b"x-request-id")
        if given is not None and _REQUEST_ID.fullmatch(given):
            request_id = given.decode("ascii")
        else:
            request_id = "req_" + secrets.token_hex(12)
        state = scope.setdefault("state", {})
        state.update(request_id=request_id, requested_ns=requested_ns, headers=[])
        started = False

        async def stamped(message: Message) -> None:
            nonlocal started
            if message["type"] in _STARTS:
                started = True
                own = (*state["headers"], (b"x-request-id", request_id.encode("ascii")))
                message["headers"] = [*message.get("headers", ()), *own]
                if message["type"] == "http.response.start":
                    _guard(message["headers"], secure=scope.get("scheme") == "https")
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "other")
                seconds = (time.monotonic_ns() - requested_ns) / 1e9
                self._observe(scope["method"], route, message["status"], seconds, state.get("problem"))
            await send(message)

        with self._in_progress.track_inprogress(), logs.about(request_id=request_id, **_named(scope["path"])):
            try:
                await self._app(scope, receive, stamped)
            except ClientDisconnect:
                _log.info("client left before its request was read")
            except Exception as error:
                problem = problems.problem_of(error)
                if problem is None:
                    _log.error(
                        "%s failed",
                        scope.get("method", "WebSocket"),
                        extra={"request_id": request_id} | logs.innards(error),
                    )
                if not started:
                    await problems.answer(error, scope)(scope, receive, stamped)
                    return
                if problem is not None:
                    _log.info("an answer breaks off: %s", problem.code)
                if break_off := scope.get("extensions", {}).get(BREAK_OFF):
                    break_off["now"]()


def _guard(headers: list[tuple[bytes, bytes]], *, secure: bool) -> None:
    """Add what keeps a browser from making more of an answer than it is (OWASP REST security cheat sheet)."""
    given = {name for name, _ in headers}
    headers += (pair for pair in _GUARDS if pair[0] not in given)
    if secure:
        headers.append(_ONLY_TLS)


class BodyLimit:
    """Reads the body whole, at most ``octets`` of it and within ``seconds``; what follows gets it in one.

    A chunked body of plain text is being written, and is handed on as it comes; with an Idempotency-Key, which is
    about a whole body, it is read whole, too. ``larger``: the octets of some
    paths' bodies, and their setting.
    """

    def __init__(
        self,
        app: ASGIApp,
        octets: int,
        seconds: float = BODY_SECONDS,
        larger: Mapping[str, tuple[int, str]] = MappingProxyType({}),
    ) -> None:
        self._app = app
        self._octets = octets
        self._larger = larger
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in {"POST", "PUT", "PATCH"}:
            await self._app(scope, receive, send)
            return
        if _is_written(scope):
            await self._app(scope, self._piece_by_piece(receive), send)
            return
        bound = self._larger.get(scope.get("path", ""), (self._octets, _SETTING))
        length = header(scope, b"content-length")
        if length is not None and length.isdigit() and int(length) > bound[0]:
            raise _too_large(*bound)
        try:
            async with asyncio.timeout(self._seconds):
                body = await self._read(receive, bound)
        except TimeoutError:
            raise self._too_late("The body") from None
        pending: Message | None = {"type": "http.request", "body": body, "more_body": False}

        async def whole() -> Message:
            nonlocal pending
            message, pending = pending, None
            return await receive() if message is None else message

        await self._app(scope, whole, send)

    def _piece_by_piece(self, receive: Receive) -> Receive:
        """The body as it comes, within the same bounds; the time is each piece's."""
        left = self._octets

        async def piece() -> Message:
            nonlocal left
            try:
                async with asyncio.timeout(self._seconds):
                    message = await receive()
            except TimeoutError:
                raise self._too_late("The next piece of the body") from None
            left -= len(message.get("body", b""))
            if left < 0:
                raise _too_large(self._octets, _SETTING)
            return message

        return piece

    async def _read(self, receive: Receive, bound: tuple[int, str]) -> bytes:
        chunks: list[bytes] = []
        left = bound[0]
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk = message.get("body", b"")
            left -= len(chunk)
            if left < 0:
                raise _too_large(*bound)
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)

    def _too_late(self, what: str) -> HttpRefusal:
        return HttpRefusal("request_timeout", f"{what} should arrive within {self._seconds:g} s")


def _too_large(octets: int, setting: str) -> Refusal:
    return Refusal("body_too_large", f"A body may have {octets} octets ({setting})")


def _is_written(scope: Scope) -> bool:
    """Whether the body is text that is being written, to be spoken as it comes."""
    return (
        is_plain_text(scope)
        and (header(scope, b"transfer-encoding") or b"").lower() == b"chunked"
        and header(scope, b"idempotency-key") is None
    )


def is_plain_text(scope: Scope) -> bool:
    """Whether the body is declared as text/plain."""
    return (header(scope, b"content-type") or b"").partition(b";")[0].strip().lower() == b"text/plain"
