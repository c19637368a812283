"""Errors in the shape that a surface's own clients read: the same refusal, said in another house's words.

``_SURFACES`` says whose a path is; all else about an error (its code, status, advice) is decided in
``gateway.api.problems`` before it comes here. Statuses are those that the clients act on: OpenAI's tell a wrong
request by 400 alone, ElevenLabs' back off at 429.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from gateway.api.problems import Problem

Shaped = tuple[int, Mapping[str, Any]]
"""A status and a JSON object."""
_OPENAI_STATUS: Final = MappingProxyType({408: 400, 413: 400, 422: 400})
_OPENAI_TYPE: Final = MappingProxyType(
    {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
)
_OPENAI_CODE: Final = MappingProxyType(
    {
        "unauthorized": "invalid_api_key",
        "text_too_long": "string_above_max_length",
        "too_many_requests": "rate_limit_exceeded",
        "too_many_calls": "rate_limit_exceeded",
    }
)
_ELEVENLABS: Final = MappingProxyType(
    {
        "unauthorized": (401, "invalid_api_key"),
        "unknown_voice": (404, "voice_not_found"),
        "text_too_long": (400, "max_character_limit_exceeded"),
        "too_many_requests": (429, "too_many_concurrent_requests"),
        "too_many_calls": (429, "too_many_concurrent_requests"),
        "at_capacity": (429, "system_busy"),
        "draining": (429, "system_busy"),
        "unavailable": (429, "system_busy"),
    }
)
_DEEPGRAM_STATUS: Final = MappingProxyType({422: 400})
_DEEPGRAM_CODE: Final = MappingProxyType(
    {
        "unauthorized": "INVALID_AUTH",
        "not_permitted": "INSUFFICIENT_PERMISSIONS",
        "bad_request": "Bad Request",
        "invalid": "INVALID_QUERY_PARAMETER",
        "text_too_long": "PAYLOAD_TOO_LARGE",
        "body_too_large": "PAYLOAD_TOO_LARGE",
        "too_many_requests": "TOO_MANY_REQUESTS",
        "too_many_calls": "TOO_MANY_REQUESTS",
    }
)


def _openai(problem: Problem, request_id: str) -> Shaped:
    """``{"error": {"message", "type", "param", "code"}}``."""
    status = _OPENAI_STATUS.get(problem.kind.status, problem.kind.status)
    kind = _OPENAI_TYPE.get(status) or ("server_error" if status >= 500 else "invalid_request_error")
    param = problem.errors[0].field if problem.errors else None
    code = _OPENAI_CODE.get(problem.code, problem.code)
    return status, {"error": {"message": problem.detail, "type": kind, "param": param, "code": code}}


def _elevenlabs(problem: Problem, request_id: str) -> Shaped:
    """``{"detail": {"status", "message"}}``, and a list of fields where some are at fault."""
    if problem.code == "invalid" and problem.errors:
        fields = [
            {"loc": [wrong.location, *wrong.field.split(".")], "msg": wrong.detail, "type": "value_error"}
            for wrong in problem.errors
        ]
        return 422, {"detail": fields}
    status, word = _ELEVENLABS.get(problem.code, (problem.kind.status, problem.code))
    return status, {"detail": {"status": word, "message": problem.detail}}


def _deepgram(problem: Problem, request_id: str) -> Shaped:
    """``{"err_code", "err_msg", "request_id"}``."""
    status = _DEEPGRAM_STATUS.get(problem.kind.status, problem.kind.status)
    code = _DEEPGRAM_CODE.get(problem.code, problem.code.upper())
    return status, {"err_code": code, "err_msg": problem.detail, "request_id": request_id}


@dataclass(frozen=True, slots=True)
class Surface:
    """How one API tells an error: what makes it, and what its members are (JSON Schema)."""

    shape: Callable[[Problem, str], Shaped]
    members: Mapping[str, Any]


_TEXT: Final = {"type": "string"}
_SURFACES: Final[Mapping[str, Surface]] = MappingProxyType(
    {
        "/v1/audio/": Surface(
            _openai, {"error": {"type": "object", "required": ["message", "type", "param", "code"]}}
        ),
        "/v1/text-to-speech/": Surface(
            _elevenlabs,
            {"detail": {"anyOf": [{"type": "object", "required": ["status", "message"]}, {"type": "array"}]}},
        ),
        "/v1/speak": Surface(_deepgram, dict.fromkeys(("err_code", "err_msg", "request_id"), _TEXT)),
    }
)
"""Whose clients ask at a path, or below one that ends with a slash."""


def shaped(path: str, problem: Problem, request_id: str) -> Shaped | None:
    """The status and body with which ``problem`` is told to who asked at ``path``; None: as our own are."""
    surface = _surface(path)
    return None if surface is None else surface.shape(problem, request_id)


def is_shaped(path: str) -> bool:
    """Whether errors at ``path`` are told in another house's words."""
    return _surface(path) is not None


def responses(path: str, *statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route at ``path`` that may answer with errors of these statuses, for OpenAPI."""
    surface = _surface(path)
    assert surface is not None
    schema = {"type": "object", "required": [*surface.members], "properties": surface.members}
    content = {"application/json": {"schema": schema}}
    return {
        status: {"description": "As this API's own clients read it", "content": content}
        for status in statuses
    }


def _surface(path: str) -> Surface | None:
    for at, surface in _SURFACES.items():
        if path == at or (at.endswith("/") and path.startswith(at)):
            return surface
    return None
