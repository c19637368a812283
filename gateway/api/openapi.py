"""What OpenAPI says beyond what the routes declare: keys, headers, webhooks, the introduction.

And the problems that any request may meet on its way to a route."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gateway.api import answers
from gateway.api.doors import shapes
from gateway.api.problems import HTTP_KINDS, MEDIA_TYPE
from gateway.api.scopes import OPEN_PATHS
from gateway.errors import KINDS

DESCRIPTION: Final = """
Speaks text into telephone calls: text in over HTTP, paced G.711 over RTP out.

Open a call towards an RTP target or by SIP, queue utterances on it, stop them at any word, read what was heard.

* **Events** of a call: `call.opened`, or of a SIP call that comes in `call.incoming`; `call.ringing` and
  `call.answered` (SIP); `call.held`, `call.resumed` and `call.changed` (its peer holds, moves or recodes the
  audio); `call.dtmf`, `call.quality`, `call.media_timeout`, `call.closed`; with `barge_in: {"voice": true}` also
  `call.speech_started` and `call.speech_stopped` (`voice_ms`, and `barge_in`: what it did to speech);
  `utterance.started`, `.mark`, `.underrun`, `.finished`, `.stopped`, `.failed`.

* **WebSockets** are in `/asyncapi.json`: `/v1/events`, `/v1/synthesize/ws`, those of other speech APIs, and
  `/v1/calls/{call_id}/speech`, which takes text as it is written and tells of each word (docs/streaming.md). So
  does a chunked `text/plain` body of `POST /v1/calls/{call_id}/utterances`.

* **Keys**: `Authorization: Bearer KEY` or `X-API-Key: KEY`; a token (JWT) as `Bearer`, or for a WebSocket as the
  subprotocols `voxtrunk, bearer.TOKEN`. Each has scopes: `speak`, `read`, `admin`; beyond them the answer is 403
  `not_permitted`. Without configured keys the gateway serves loopback only. A key with limits is told how it
  stands (`RateLimit-Policy`, `RateLimit`), and 429 when it exceeds them.
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
    {"name": "synthesis", "description": "Speech for those who listen themselves (docs/synthesize.md)."},
    {"name": "events", "description": "One log, by poll, as server-sent events, and by webhook."},
    {"name": "voices", "description": "What can be spoken with."},
    {
        "name": "other speech APIs",
        "description": "OpenAI's, ElevenLabs' and Deepgram's: their shapes, their errors.",
    },
    {"name": "lexicons", "description": "How words are said: W3C PLS documents."},
    {"name": "admin", "description": "What is changed while it runs."},
    {"name": "health", "description": "Whether it lives, whether it takes calls, how it is; metrics."},
]


TEXT_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "content": {
            "text/plain": {"schema": {"type": "string", "description": "UTF-8, spoken as it comes"}},
        }
    }
}
"""A body that may be plain text, too."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that may answer with these problems."""
    return {status: _declared(status) for status in statuses}


def _declared(status: int) -> dict[str, Any]:
    kinds = {**KINDS, **HTTP_KINDS}
    codes = ", ".join(f"`{code}`" for code, kind in kinds.items() if kind.status == status)
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
    components["headers"] = HEADERS
    document["webhooks"] = {"event": {"post": _webhook()}}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation)
    return document


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Declare what the layers around a route answer, and the headers of all answers."""
    answered = operation["responses"]
    if answered.get("422", {}).get("description") == "Validation Error":
        del answered["422"]
    met = {403, 421, 500}  # a web page's, a name that is not ours, a bug of ours
    if path not in OPEN_PATHS:
        operation["security"] = [{"bearer": []}, {"key": []}]
        if path == "/metrics":
            operation["security"].append({})  # from loopback
        met |= {401, 429}
    if method in ("post", "put"):
        met |= {408, 413}
    if method == "post":
        operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
        met |= {400, 409, 422}
    if path.startswith("/v1/calls/"):
        met.add(503)  # the node whose call it is does not answer
    others = shapes.responses(path, *met) if shapes.is_shaped(path) else {}
    for status in sorted(met):
        answered.setdefault(str(status), others.get(status) or _declared(status))
    for status, answer in answered.items():
        names = ["X-Request-Id"]
        if path.startswith("/v1/"):
            names += ["RateLimit", "RateLimit-Policy"]
        if status in ("409", "408", "429", "503"):
            names.append("Retry-After")
        if status == "401":
            names.append("WWW-Authenticate")
        if method == "post" and status < "429":
            names.append("Idempotent-Replayed")
        headers = answer.setdefault("headers", {})
        headers |= {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    if (method, path) == ("post", "/v1/calls"):
        answered["201"]["headers"]["Location"] = {"$ref": "#/components/headers/Location"}


def _webhook() -> dict[str, Any]:
    headers = {
        "webhook-id": "The event's id: the same when it is sent again",
        "webhook-timestamp": "Seconds since 1970",
        "webhook-signature": "`v1,` and the base64 HMAC-SHA256 of id.timestamp.body; or several of them",
    }
    return {
        "summary": "An event",
        "description": "Sent to `webhook_url` or VOXTRUNK_WEBHOOK_URL until it is answered with 2xx.",
        "tags": ["events"],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "schema": {"type": "string"},
                "description": text,
            }
            for name, text in headers.items()
        ],
        "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Event"}}}},
        "responses": {"2XX": {"description": "It was taken"}},
    }


HEADERS: Final[dict[str, Any]] = {
    "X-Request-Id": {"description": "The request's own, or made", "schema": {"type": "string"}},
    "Retry-After": {
        "description": "Seconds, on what may be asked again",
        "schema": {"type": "integer", "minimum": 0},
    },
    "RateLimit": {"description": "How a key with limits stands", "schema": {"type": "string"}},
    "RateLimit-Policy": {"description": "The limits of a key that has some", "schema": {"type": "string"}},
    "Idempotent-Replayed": {
        "description": "The first answer to this Idempotency-Key, again",
        "schema": {"const": "true"},
    },
    "WWW-Authenticate": {"description": "Send a key", "schema": {"type": "string"}},
    "Location": {"description": "Where it is", "schema": {"type": "string", "format": "uri-reference"}},
}
_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "A key of the client's own: the request is carried out once, however often it is sent",
}
