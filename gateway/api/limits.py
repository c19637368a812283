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
from collections.abc import Callable
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api import problems
from gateway.api.problems import HttpRefusal
from gateway.errors import Refusal

BODY_SECONDS: Final = 30.0
_REQUEST_ID: Final = re.compile(rb"[!-~]{1,128}")
_log = logging.getLogger(__name__)

Observe = Callable[[str, str, int, float], None]
"""Takes (method, route, status, seconds from arrival to the start of the answer)."""


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of that (lower-case) name."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


class Edge:
    """Sets ``state["request_id"]`` and ``state["requested_ns"]`` (CLOCK_MONOTONIC), answers all errors."""

    def __init__(self, app: ASGIApp, observe: Observe) -> None:
        self._app = app
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        requested_ns = time.monotonic_ns()
        given = header(scope, b"x-request-id")
        if given is not None and _REQUEST_ID.fullmatch(given):
            request_id = given.decode("ascii")
        else:
            request_id = "req_" + secrets.token_hex(12)
        scope.setdefault("state", {}).update(request_id=request_id, requested_ns=requested_ns)
        started = False

        async def stamped(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode("ascii"))]
                route = getattr(scope.get("route"), "path", "other")
                seconds = (time.monotonic_ns() - requested_ns) / 1e9
                self._observe(scope["method"], route, message["status"], seconds)
            await send(message)

        try:
            await self._app(scope, receive, stamped)
        except ClientDisconnect:
            _log.info("client left before its request was read", extra={"request_id": request_id})
        except Exception as error:
            if problems.problem_of(error) is None:
                _log.exception(
                    "%s %s failed", scope["method"], scope["path"], extra={"request_id": request_id}
                )
            if not started:
                await problems.answer(error, scope)(scope, receive, stamped)


class BodyLimit:
    """Reads the body whole, at most ``octets`` of it and within ``seconds``; what follows gets it in one."""

    def __init__(self, app: ASGIApp, octets: int, seconds: float = BODY_SECONDS) -> None:
        self._app = app
        self._octets = octets
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in {"POST", "PUT", "PATCH"}:
            await self._app(scope, receive, send)
            return
        length = header(scope, b"content-length")
        if length is not None and length.isdigit() and int(length) > self._octets:
            raise self._too_large()
        try:
            async with asyncio.timeout(self._seconds):
                body = await self._read(receive)
        except TimeoutError:
            raise HttpRefusal(
                "request_timeout", f"The body should arrive within {self._seconds:g} s"
            ) from None
        pending: Message | None = {"type": "http.request", "body": body, "more_body": False}

        async def whole() -> Message:
            nonlocal pending
            message, pending = pending, None
            return await receive() if message is None else message

        await self._app(scope, whole, send)

    async def _read(self, receive: Receive) -> bytes:
        chunks: list[bytes] = []
        left = self._octets
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk = message.get("body", b"")
            left -= len(chunk)
            if left < 0:
                raise self._too_large()
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)

    def _too_large(self) -> Refusal:
        return Refusal("body_too_large", f"A body may have {self._octets} octets (VOXTRUNK_MAX_BODY_OCTETS)")
