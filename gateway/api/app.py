"""The control API put together: routes inside, layers around them, each request going in from the top.

ProxyHeaders    whom a named proxy speaks for
CORS            which pages may ask, if any
Edge            request id, time of arrival, every error's answer
Hosts           whether it is meant for this server
Keys            who may ask
Rates           how often
BodyLimit       the body, whole and bounded
Forward         another node's call
Idempotency     a request sent again is answered again
routes          calls, utterances, events, voices, lexicons, drain, health, metrics, administration
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from gateway.api import (
    admin,
    asyncapi,
    calls,
    docs,
    drain,
    events,
    health,
    jobs,
    metrics,
    openapi,
    pls,
    problems,
    sound,
    speakers,
    speech,
    synthesize,
    synthesize_socket,
    utterances,
    voices,
)
from gateway.api.audio import Audio
from gateway.api.context import Context
from gateway.api.doors import deepgram, elevenlabs, elevenlabs_socket, openai
from gateway.api.hosts import Hosts
from gateway.api.idempotency import Answers, Idempotency
from gateway.api.job_book import Job, JobBook
from gateway.api.journal import Journal
from gateway.api.keyring import Keyring
from gateway.api.keys import Gate, Keys
from gateway.api.lexicons import Lexicons
from gateway.api.limits import BodyLimit, Edge
from gateway.api.metrics import Metrics
from gateway.api.prompts import Prompts
from gateway.api.rates import Ledger, Rates
from gateway.api.reload import Reload
from gateway.api.speaker_shelf import Speakers
from gateway.api.spoken import Recording, record
from gateway.errors import Refusal
from gateway.settings import Settings

if TYPE_CHECKING:
    from gateway.api.tls import Certificate
    from gateway.api.tracing import Tracing
    from gateway.api.webhooks import Webhooks
    from gateway.calls.actions import Publish
    from gateway.calls.call import Call
    from gateway.calls.switchboard import Switchboard
    from gateway.nodes.node import Node
    from gateway.sip.endpoint import Endpoint

_CORS: Final[dict[str, Any]] = {
    "allow_methods": ["GET", "POST", "PUT", "DELETE"],
    "allow_headers": [
        "authorization", "content-type", "idempotency-key", "last-event-id", "traceparent", "x-api-key",
        "x-request-id",
    ],
    "expose_headers": [
        "idempotent-replayed", "location", "ratelimit", "ratelimit-policy", "retry-after", "x-request-id",
    ],
    "allow_credentials": False,  # who asks is in the headers, never in a cookie
}  # fmt: skip


def create_app(
    switchboard: Switchboard,
    settings: Settings,
    webhooks: Webhooks | None = None,
    endpoint: Endpoint | None = None,
    tracing: Tracing | None = None,
    node: Node | None = None,
    certificate: Certificate | None = None,
) -> FastAPI:
    """The API over ``switchboard`` and ``endpoint``, which the caller starts and closes.

    ``webhooks`` and ``node`` are shown in metrics; requests about other nodes' calls are forwarded by ``node``.
    ``certificate`` is read again by reload.
    Raises BadKeys when the keys' file cannot be used.
    """
    app = FastAPI(
        title="Voxtrunk",
        version=version("voxtrunk"),
        description=openapi.DESCRIPTION,
        openapi_tags=openapi.TAGS,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        strict_content_type=False,  # ``body`` reads JSON that nobody declared as such
        redirect_slashes=False,
    )
    keyring, asked = Keyring(settings), Counter[str]()
    app.state.ledger = Ledger(asked)
    app.state.gate = Gate(keyring, _owner_of(switchboard))
    prompts = Prompts(settings.prompts_folder)
    app.state.context = Context(
        switchboard,
        settings,
        prompts,
        Lexicons(settings.lexicons_folder),
        Audio(prompts, settings),
        Speakers(settings),
        endpoint,
    )
    app.state.metrics = Metrics(switchboard, webhooks, asked, node)
    app.state.reload = Reload(app.state.gate, switchboard, settings, certificate)
    _observe(switchboard, app.state.metrics, Journal(texts=settings.log_texts), tracing)
    app.state.jobs = JobBook(settings, partial(_carry_out, app.state.context))
    doors = (openai, elevenlabs, elevenlabs_socket, deepgram, synthesize, jobs, synthesize_socket, speakers)
    modules = (
        calls,
        sound,
        utterances,
        speech,
        events,
        voices,
        pls,
        drain,
        health,
        metrics,
        admin,
        docs,
        asyncapi,
        *doors,
    )
    for module in modules:
        app.include_router(module.router)
    app.router.default = _nothing_here
    problems.install(app, [*app.routes, *(route for module in modules for route in module.router.routes)])
    openapi.install(app)
    # the last one added is the outermost
    app.add_middleware(
        Idempotency, answers=Answers(settings.idempotency_entries, settings.idempotency_seconds)
    )
    if node is not None:
        from gateway.api.forward import Forward  # asks by httpx, which a node alone need not load

        app.add_middleware(Forward, node=node, how=settings.node_forward)
    app.add_middleware(
        BodyLimit,
        octets=settings.max_body_octets,
        larger={speakers.PATH: (settings.speaker_octets, "VOXTRUNK_SPEAKER_OCTETS")},
    )
    app.add_middleware(Rates, ledger=app.state.ledger)
    app.add_middleware(Keys, gate=app.state.gate)
    if settings.allowed_hosts:
        app.add_middleware(Hosts, names=settings.allowed_hosts)
    app.add_middleware(
        Edge, observe=app.state.metrics.observe_request, in_progress=app.state.metrics.in_progress
    )
    if settings.cors_origins:
        app.add_middleware(CORSMiddleware, allow_origins=settings.cors_origins, **_CORS)
    if settings.proxy_headers:
        app.add_middleware(
            ProxyHeadersMiddleware, trusted_hosts=[str(each) for each in settings.proxy_headers]
        )
    return app


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    """Starlette's own answer to a WebSocket that is nowhere is a 403 without a word."""
    raise HTTPException(404)


async def _carry_out(here: Context, job: Job) -> Recording:
    """Have a job's order said."""
    async with job.order.take(here, "synthesize-job", job.key) as take:
        return await record(take, job.order, here.settings.synthesize_seconds)


def _owner_of(switchboard: Switchboard) -> Callable[[str], str | None]:
    """The name of the key that a call was opened with."""

    def owner_of(call_id: str) -> str | None:
        try:
            return switchboard.registry.call(call_id).request.owner
        except Refusal:
            return None

    return owner_of


def _observe(switchboard: Switchboard, metrics: Metrics, journal: Journal, tracing: Tracing | None) -> None:
    """Have every event of every call seen by each of these."""

    def on_event(call: Call, note: Publish) -> None:
        metrics.observe_event(call, note)
        journal.observe_event(call, note)
        if tracing is not None:
            tracing.observe_event(call, note)

    switchboard.on_event = on_event
