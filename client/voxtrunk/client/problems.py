"""What can go wrong: the gateway says no (``Problem``, RFC 9457), or cannot be asked (``Unreachable``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class ClientError(Exception):
    """Base of all that this client raises of its own."""


class Unreachable(ClientError):
    """No answer: not connected, or the connection broke. What was asked may or may not have been carried out,
    unless it was repeated with its Idempotency-Key."""


class FieldError(msgspec.Struct, frozen=True, kw_only=True):
    """One field that is at fault, and what would be right."""

    location: str = msgspec.field(name="in")
    field: str
    detail: str
    pointer: str | None = None


class Problem(ClientError):
    """The gateway's answer is a problem. ``code`` says which; the class says what kind of thing is to be done.

    ``retry_after``: seconds, on what may be asked again; ``utterance_id``: whose, on a speech socket.
    """

    def __init__(self, told: ProblemTold, retry_after: float | None) -> None:
        super().__init__(f"{told.title}: {told.detail}" if told.detail else told.title)
        self.code = told.code
        self.status = told.status
        self.title = told.title
        self.detail = told.detail
        self.request_id = told.request_id
        self.retryable = told.retryable
        self.errors = told.errors
        self.retry_after = retry_after
        self.utterance_id = told.id


class Wrong(Problem):
    """400, 405, 413, 415, 422: the request has to be another."""


class NotPermitted(Problem):
    """401, 403: another key, or a setting of the gateway's."""


class NotFound(Problem):
    """404: no such call, utterance or path."""


class Conflict(Problem):
    """409: not in this state."""


class Gone(Problem):
    """410: what is asked for was there once."""


class Busy(Problem):
    """429, 503: not now; ``retry_after`` says when."""


class ServerError(Problem):
    """Another 5xx: the gateway's own fault, or of a proxy before it."""


class ProblemTold(msgspec.Struct, frozen=True, kw_only=True):
    """A problem's members."""

    code: str = "http_error"
    status: int
    title: str = ""
    detail: str = ""
    request_id: str | None = None
    retryable: bool = False
    errors: tuple[FieldError, ...] = ()
    id: str | None = None
    retry_after: float | None = None


_NOBODY_THERE = (502, 503, 504)
"""What a proxy says while the gateway behind it does not answer."""

_KINDS: Mapping[int, type[Problem]] = {
    401: NotPermitted,
    403: NotPermitted,
    404: NotFound,
    409: Conflict,
    410: Gone,
    429: Busy,
    503: Busy,
}


def problem(told: ProblemTold, retry_after: float | None = None) -> Problem:
    """The exception for a problem."""
    kind = _KINDS.get(told.status) or (ServerError if told.status >= 500 else Wrong)
    return kind(told, told.retry_after if retry_after is None else retry_after)


def of_answer(status: int, headers: Mapping[str, str], body: bytes) -> Problem:
    """The exception for an HTTP answer that is an error; whatever a proxy in between has made of it."""
    try:
        told = msgspec.json.decode(body, type=ProblemTold)
    except msgspec.DecodeError:
        told = ProblemTold(
            status=status, title=f"HTTP {status}", detail=body[:200].decode("utf-8", "replace"),
            retryable=status in _NOBODY_THERE,
        )  # fmt: skip
    after = headers.get("retry-after", "")
    return problem(told, float(after) if after.isascii() and after.isdigit() else None)


def of_message(message: Mapping[str, Any]) -> Problem:
    """The exception for an ``error`` of the speech socket."""
    return problem(msgspec.convert(message, ProblemTold))
