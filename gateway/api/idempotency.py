"""``Idempotency-Key`` on POST: a request that is sent again is answered again, not carried out again.

``Answers`` remembers (pure, ``now`` is passed in); ``Idempotency`` is the ASGI layer around it. A key counts
within its path and API key. Answers that say "try again" (429 and 5xx) are not remembered, and a request
whose handling ends in any way, its client gone included, is no longer in flight.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.limits import header
from gateway.errors import Refusal

OCTETS: Final = 64 * 1024 * 1024
_KEY: Final = re.compile(rb"[ -~]{1,255}")
_REPLAYED_HEADERS: Final = frozenset({b"content-type", b"content-length", b"location"})

Name = tuple[bytes, str, bytes]
"""API key digest, path with query, Idempotency-Key."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it went out."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Remembered:
    fingerprint: bytes
    expires: float
    answer: Answer


class Answers:
    """First answers by name, oldest forgotten first: by age, by number, by octets of their bodies."""

    def __init__(self, entries: int, seconds: float, octets: int = OCTETS) -> None:
        self._entries = entries
        self._seconds = seconds
        self._octets_left = octets
        self._in_flight: dict[Name, bytes] = {}
        self._done: OrderedDict[Name, _Remembered] = OrderedDict()

    def __len__(self) -> int:
        return len(self._done) + len(self._in_flight)

    def begin(self, name: Name, fingerprint: bytes, now: float) -> Answer | None:
        """The answer to replay, or None: then carry the request out and call ``finish`` or ``release``.

        Raises Refusal ``idempotency_mismatch`` when the name was used with another body,
        ``idempotency_in_flight`` while the first is being answered.
        """
        while self._done and next(iter(self._done.values())).expires <= now:
            self._forget_oldest()
        remembered = self._done.get(name)
        first = self._in_flight.get(name) if remembered is None else remembered.fingerprint
        if first is None:
            self._in_flight[name] = fingerprint
            return None
        if first != fingerprint:
            raise Refusal(
                "idempotency_mismatch", "This Idempotency-Key came with another body; take a new key for it"
            )
        if remembered is None:
            raise Refusal("idempotency_in_flight", "Wait for the first request with this Idempotency-Key")
        return remembered.answer

    def finish(self, name: Name, answer: Answer, now: float) -> None:
        """Remember the answer to a request that ``begin`` let through."""
        fingerprint = self._in_flight.pop(name)
        self._done[name] = _Remembered(fingerprint, now + self._seconds, answer)
        self._octets_left -= len(answer.body)
        while len(self._done) > self._entries or self._octets_left < 0:
            self._forget_oldest()

    def release(self, name: Name) -> None:
        """Forget a request that ``begin`` let through and that has no answer to keep."""
        del self._in_flight[name]

    def _forget_oldest(self) -> None:
        _, oldest = self._done.popitem(last=False)
        self._octets_left += len(oldest.answer.body)


class Idempotency:
    """The layer that reads ``Idempotency-Key``. The body comes to it in one message (``BodyLimit``)."""

    def __init__(self, app: ASGIApp, answers: Answers) -> None:
        self._app = app
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = header(scope, b"idempotency-key") if scope["type"] == "http" else None
        if key is None or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        if not _KEY.fullmatch(key):
            raise Refusal("bad_request", "An Idempotency-Key is 1 to 255 printable ASCII characters")
        first = await receive()
        path = f"{scope['path']}?{scope['query_string'].decode('latin-1')}"
        name = (scope["state"]["key"].digest, path, key)
        fingerprint = hashlib.sha256(first["body"]).digest()
        answer = self._answers.begin(name, fingerprint, time.monotonic())
        if answer is None:
            await self._carry_out(name, first, scope, receive, send)
        else:
            await _replay(answer, send)

    async def _carry_out(
        self, name: Name, first: Message, scope: Scope, receive: Receive, send: Send
    ) -> None:
        status = 0
        headers: list[tuple[bytes, bytes]] = []
        body = bytearray()
        in_flight = True
        pending: Message | None = first

        async def again() -> Message:
            nonlocal pending
            message, pending = pending, None
            return await receive() if message is None else message

        async def kept(message: Message) -> None:
            nonlocal status, in_flight
            if message["type"] == "http.response.start":
                status = message["status"]
                headers.extend(pair for pair in message["headers"] if pair[0] in _REPLAYED_HEADERS)
            else:
                body.extend(message.get("body", b""))
                if not message.get("more_body", False) and _is_kept(status):
                    # before it is sent: the client may come again as soon as it has the answer
                    answer = Answer(status, tuple(headers), bytes(body))
                    self._answers.finish(name, answer, time.monotonic())
                    in_flight = False
            await send(message)

        try:
            await self._app(scope, again, kept)
        finally:
            if in_flight:
                self._answers.release(name)


def _is_kept(status: int) -> bool:
    return status < 500 and status != 429


async def _replay(answer: Answer, send: Send) -> None:
    headers = [*answer.headers, (b"idempotent-replayed", b"true")]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
