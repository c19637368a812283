"""What OpenAPI says beyond what the routes declare: the keys, the problems, the introduction."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gateway.api import answers
from gateway.api.keys import OPEN_PATHS
from gateway.api.problems import MEDIA_TYPE
from gateway.errors import KINDS

DESCRIPTION: Final = """
Speaks text into telephone calls: text in over HTTP, paced G.711 over RTP out.

Open a call towards an RTP target or by SIP, queue utterances on it, stop them at any word, read what was heard.

* **Events** of a call: `call.opened`, or of a SIP call that comes in `call.incoming`; `call.ringing` and
  `call.answered` (SIP); `call.held`, `call.resumed` and `call.changed` (its peer holds, moves or recodes the
  audio); `call.dtmf`, `call.quality`, `call.media_timeout`, `call.closed`; `utterance.started`, `.mark`,
  `.underrun`, `.finished`, `.stopped`, `.failed`.

* **Keys**: `Authorization: Bearer KEY` or `X-API-Key: KEY`. Without configured keys the gateway serves loopback
  only.
* **Idempotency**: `Idempotency-Key` on any POST. The same body replays the first answer
  (`Idempotent-Replayed: true`), another body is 422, one that is still in flight 409. Answers 429 and 5xx are
  not remembered.
* **Errors** are RFC 9457 problems with `code`, `request_id` and `retryable`; what may be retried has
  `Retry-After`. `X-Request-Id` is echoed, or made.
* **Webhooks** follow Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`.
"""
TAGS: Final = [
    {"name": "calls", "description": "One RTP leg each, opened by its target or by SIP."},
    {"name": "utterances", "description": "A call's queue of speech."},
    {"name": "events", "description": "One log, by poll, as server-sent events, and by webhook."},
    {"name": "voices", "description": "What can be spoken with."},
    {"name": "health", "description": "Whether it lives, whether it takes calls, how it is; metrics."},
]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that may answer with these problems."""
    return {status: _declared(status) for status in statuses}


def _declared(status: int) -> dict[str, Any]:
    codes = ", ".join(f"`{code}`" for code, kind in KINDS.items() if kind.status == status)
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": codes, "content": {MEDIA_TYPE: {"schema": schema}}}


def install(app: FastAPI) -> None:
    """Have ``/openapi.json`` tell of keys and problems too."""
    built: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not built:
            built.update(_build(app))
        return built

    app.openapi = openapi  # type: ignore[method-assign]


def _build(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        tags=app.openapi_tags,
        routes=app.routes,
    )
    components = document["components"]
    problem = answers.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components["schemas"] |= problem.pop("$defs")
    components["schemas"]["Problem"] = problem
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path not in OPEN_PATHS:
                operation["security"] = [{"bearer": []}, {"key": []}]
                operation["responses"].setdefault("401", _declared(401))
            if operation["responses"].get("422", {}).get("description") == "Validation Error":
                del operation["responses"]["422"]
            if method == "post":
                operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
    return document


_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "A key of the client's own: the request is carried out once, however often it is sent",
}
