"""The control API put together: routes inside, layers around them, each request going in from the top.

Edge            request id, time of arrival, every error's answer
Keys            who may ask
BodyLimit       the body, whole and bounded
Idempotency     a request sent again is answered again
routes          calls, utterances, events, voices, health, metrics
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import FastAPI

from gateway.api import calls, docs, events, health, metrics, openapi, problems, utterances, voices
from gateway.api.context import Context
from gateway.api.idempotency import Answers, Idempotency
from gateway.api.keys import Keys
from gateway.api.limits import BodyLimit, Edge
from gateway.api.metrics import Metrics
from gateway.api.prompts import Prompts
from gateway.settings import Settings

if TYPE_CHECKING:
    from gateway.api.webhooks import Webhooks
    from gateway.calls.switchboard import Switchboard
    from gateway.sip.endpoint import Endpoint


def create_app(
    switchboard: Switchboard,
    settings: Settings,
    webhooks: Webhooks | None = None,
    endpoint: Endpoint | None = None,
) -> FastAPI:
    """The API over ``switchboard`` and ``endpoint``, which the caller starts and closes.

    ``webhooks`` are shown in metrics.
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
    app.state.context = Context(switchboard, settings, Prompts(settings.prompts_folder), endpoint)
    app.state.metrics = Metrics(switchboard, webhooks)
    switchboard.on_first_audio = app.state.metrics.first_audio.observe
    modules = (calls, utterances, events, voices, health, metrics, docs)
    for module in modules:
        app.include_router(module.router)
    problems.install(app, [*app.routes, *(route for module in modules for route in module.router.routes)])
    openapi.install(app)
    # the last one added is the outermost
    app.add_middleware(
        Idempotency, answers=Answers(settings.idempotency_entries, settings.idempotency_seconds)
    )
    app.add_middleware(BodyLimit, octets=settings.max_body_octets)
    app.add_middleware(Keys, keys=settings.api_keys)
    app.add_middleware(Edge, observe=app.state.metrics.observe_request)
    return app
