"""Every error answer is made here: RFC 9457 ``application/problem+json``.

A ``Refusal`` (ours), a validation error (FastAPI's) and an HTTP error (Starlette's: no route, wrong method)
each become a ``Problem``; anything else that is raised is our own bug and becomes a 500 without its innards.
Beside RFC 9457's members a problem has ``code``, ``request_id``, ``retryable`` and, when fields are at
fault, ``errors`` with one entry for each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

from gateway.api.doors import shapes
from gateway.api.scopes import WEBSOCKET, methods_of
from gateway.errors import KINDS, Kind, Refusal

MEDIA_TYPE: Final = "application/problem+json"
_TYPE_PREFIX: Final = "urn:voxtrunk:problem:"
_SHOWN: Final = 100  # characters of a caller's own field name that are repeated to him

# what only the HTTP layer can refuse
HTTP_KINDS: Final = MappingProxyType(
    {
        "request_timeout": Kind(408, "The body did not arrive in time", True),
        "misdirected": Kind(421, "Not a name of this server"),
        "cross_origin": Kind(403, "Not for a web page of another origin"),
        "http_error": Kind(400, "The request is refused"),
        "internal": Kind(500, "An error of the gateway's own"),
    }
)
_OF_A_UNION: Final = re.compile(
    r"(?:function-(?:after|before|wrap|plain)\[|constrained-str$|PromptSlot$|VoiceId$)"
)
"""What Pydantic puts into the way to a field that may be of several types: none of it is in the request."""
_CODE_OF_STATUS: Final = MappingProxyType({404: "not_found", 405: "method_not_allowed"})


class HttpRefusal(Exception):
    """A refusal for a reason that exists in HTTP alone. ``code`` is one of ``HTTP_KINDS``."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that is wrong: where (dotted, and as a JSON pointer for the body) and what would be right."""

    location: str
    field: str
    pointer: str | None
    detail: str

    def members(self) -> dict[str, str]:
        """As it stands in ``errors``."""
        named = {"in": self.location, "field": self.field, "detail": self.detail}
        return named if self.pointer is None else named | {"pointer": self.pointer}


@dataclass(frozen=True, slots=True)
class Problem:
    """An error answer before it knows which request it answers."""

    code: str
    kind: Kind
    detail: str
    errors: tuple[FieldError, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def members(self, path: str | None = None, request_id: str | None = None) -> dict[str, Any]:
        """Its members, about the request ``request_id`` for ``path`` where there is one that can be named."""
        members: dict[str, Any] = {
            "type": _TYPE_PREFIX + self.code,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "instance": path,
            "code": self.code,
            "request_id": request_id,
            "retryable": self.kind.retryable,
        }
        if self.errors:
            members["errors"] = [error.members() for error in self.errors]
        return {key: value for key, value in members.items() if value is not None}

    def body(self, path: str | None, request_id: str | None) -> bytes:
        """As JSON; see ``members``."""
        # ASCII escapes: whatever a caller got into the text, the answer can be encoded
        return json.dumps(self.members(path, request_id)).encode("ascii")


def of_refusal(refusal: Refusal) -> Problem:
    """A refusal by the gateway."""
    headers = {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    if refusal.kind.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="voxtrunk"'
    errors: tuple[FieldError, ...] = ()
    if refusal.field is not None:
        pointer = "#/" + refusal.field.replace(".", "/")
        errors = (FieldError("body", refusal.field, pointer, refusal.detail),)
    return Problem(refusal.code, refusal.kind, refusal.detail, errors, headers)


def of_http_refusal(refusal: HttpRefusal) -> Problem:
    """A refusal by the HTTP layer."""
    kind = HTTP_KINDS[refusal.code]
    headers = {"Retry-After": "1"} if kind.retryable else {}
    return Problem(refusal.code, kind, refusal.detail, headers=headers)


def of_http_error(error: HTTPException, allowed: str = "") -> Problem:
    """Starlette's own: an unknown route is 404, a wrong method 405, where ``allowed`` are the right ones."""
    headers = dict(error.headers or {})
    code = _CODE_OF_STATUS.get(error.status_code)
    if code == "not_found":
        return Problem(code, KINDS[code], "No resource has this path; see /openapi.json", headers=headers)
    if code == "method_not_allowed":
        allowed = allowed or headers.get("Allow", "")
        return Problem(code, KINDS[code], f"This path takes {allowed}", headers={"Allow": allowed})
    kind = Kind(error.status_code, HTTP_KINDS["http_error"].title)
    return Problem("http_error", kind, str(error.detail), headers=headers)


def of_validation(error: RequestValidationError) -> Problem:
    """JSON that cannot be read is 400; a field that is missing, unknown, mistyped or out of range is 422."""
    found = error.errors()
    if found[0]["type"] == "json_invalid":
        _, at = found[0]["loc"]
        detail = f"The body is not JSON: {found[0]['ctx']['error']} (character {at})"
        return Problem("bad_request", KINDS["bad_request"], detail)
    errors = tuple(_field_error(item) for item in found)
    detail = "; ".join(f"{item.field}: {item.detail}" for item in errors)
    return Problem("invalid", KINDS["invalid"], detail, errors)


def internal() -> Problem:
    """Our own bug. The log has the rest, under the same request id."""
    detail = "The request was not carried out; the gateway's log has more under this request_id"
    return Problem("internal", HTTP_KINDS["internal"], detail)


def _field_error(item: Mapping[str, Any]) -> FieldError:
    location, *path = item["loc"]
    names = [str(part)[:_SHOWN] for part in path if not _OF_A_UNION.match(str(part))]
    pointer = None
    if location == "body":
        pointer = "#" + "".join(f"/{name.replace('~', '~0').replace('/', '~1')}" for name in names)
    return FieldError(str(location), ".".join(names) or str(location), pointer, _advice(item, names))


def _advice(item: Mapping[str, Any], names: Sequence[str]) -> str:
    """What would be right, in words; Pydantic's own where they say it."""
    kind = item["type"]
    if not names and kind == "missing":
        return "a JSON object is needed"
    if not names and isinstance(item.get("input"), bytes):
        return "send a JSON object with Content-Type: application/json"
    if kind in {"model_attributes_type", "model_type", "dict_type"}:
        return "should be a JSON object"
    if kind == "missing":
        return "this field is needed"
    if kind == "extra_forbidden":
        return "there is no such field"
    return str(item["msg"]).removeprefix("Value error, ")


def problem_of(error: Exception) -> Problem | None:
    """The problem that ``error`` means, or None when it is our own bug."""
    match error:
        case Refusal():
            return of_refusal(error)
        case HttpRefusal():
            return of_http_refusal(error)
        case RequestValidationError():
            return of_validation(error)
        case HTTPException():
            return of_http_error(error)
    return None


def answer(error: Exception, scope: Scope) -> Response:
    """The error answer to the request of ``scope``."""
    return _respond(problem_of(error) or internal(), scope)


def _respond(problem: Problem, scope: Scope) -> Response:
    scope["state"]["problem"] = problem.code
    path, request_id = scope["path"], scope["state"]["request_id"]
    headers = dict(problem.headers)
    shaped = shapes.shaped(path, problem, request_id)
    if shaped is not None:  # other houses' clients read other errors
        status, members = shaped
        return Response(json.dumps(members), status, headers=headers, media_type="application/json")
    return Response(
        problem.body(path, request_id), problem.kind.status, headers=headers, media_type=MEDIA_TYPE
    )


def install(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Have the app's own errors answered here; ``routes`` know which methods a path takes."""

    async def handle(request: Request, error: Exception) -> Response:
        return answer(error, request.scope)

    async def handle_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        methods = {
            method
            for route in routes
            if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
            for method in route.methods or ()
        }
        methods |= methods_of(request.scope["path"]).keys() - {WEBSOCKET}  # of routers inside routers, too
        return _respond(of_http_error(error, ", ".join(sorted(methods))), request.scope)

    for kind in (Refusal, HttpRefusal, RequestValidationError):
        app.add_exception_handler(kind, handle)
    app.add_exception_handler(HTTPException, handle_http)
