"""A request about another node's call is sent there, or answered with that node's answer.

It stands inside ``Keys``: whoever may not ask here is not told where to ask.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final, Literal

import httpx
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.limits import header
from gateway.errors import Refusal

if TYPE_CHECKING:
    from gateway.nodes.node import Node

_CALL: Final = re.compile(r"/v1/calls/(c_[0-9a-f]{24})(?:/.*)?")
_FORWARDED: Final = b"x-voxtrunk-forwarded"
_SECONDS: Final = 10.0
# a message's own, not the request's (RFC 9110 7.6.1), and what is made anew
_NOT_PASSED_ON: Final = frozenset(
    {
        "connection", "content-length", "date", "host", "keep-alive", "te", "trailer", "transfer-encoding",
        "upgrade", "x-request-id",
    }
)  # fmt: skip


class Forward:
    """``how``: by redirection (307), or as a proxy."""

    def __init__(self, app: ASGIApp, node: Node, how: Literal["redirect", "proxy"]) -> None:
        self._app = app
        self._node = node
        self._how = how
        # other nodes' own certificates and proxies of the environment are not our business: they are named by URL
        self._http = httpx.AsyncClient(timeout=_SECONDS, trust_env=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        named = _CALL.fullmatch(scope["path"]) if scope["type"] == "http" else None
        owner = await self._node.owner_of(named[1]) if named else None
        if named is None or owner is None:
            await self._app(scope, receive, send)
            return
        if header(scope, _FORWARDED) is not None:
            raise Refusal("unknown_call", f"There is no call {named[1]!r} (any more)")
        query = scope["query_string"].decode("latin-1")
        url = owner.rstrip("/") + scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
        if self._how == "redirect":
            response = Response(status_code=307, headers={"Location": url, "Cache-Control": "no-store"})
        else:
            response = await self._ask(url, scope, receive)
        await response(scope, receive, send)

    async def _ask(self, url: str, scope: Scope, receive: Receive) -> Response:
        """The other node's answer. Refusal ``unavailable``."""
        body: bytes | AsyncIterator[bytes] = b""
        if scope["method"] in {"POST", "PUT", "PATCH"}:
            first = await receive()
            body = first["body"] if not first.get("more_body") else _pieces(first, receive)
        headers = _passed_on(
            [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        )
        headers += [(_FORWARDED.decode(), "1"), ("x-request-id", scope["state"]["request_id"])]
        try:
            answer = await self._http.request(scope["method"], url, content=body, headers=headers)
        except httpx.HTTPError as error:
            raise Refusal(
                "unavailable", f"The node of this call does not answer: {error or type(error).__name__}"
            ) from None
        response = Response(answer.content, answer.status_code)
        response.raw_headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in _passed_on(answer.headers.multi_items())
            if name.lower() != "content-encoding"
        ] + [(b"content-length", str(len(answer.content)).encode())]
        return response


async def _pieces(message: Message, receive: Receive) -> AsyncIterator[bytes]:
    """A body that is being written, as it comes. Raises ClientDisconnect."""
    while True:
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        yield message.get("body", b"")
        if not message.get("more_body"):
            return
        message = await receive()


def _passed_on(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in _NOT_PASSED_ON]
