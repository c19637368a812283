"""``/v1/events`` and ``/v1/calls/{id}/events``: what happened, by poll, as server-sent events, by WebSocket."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Response, WebSocket
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from gateway.api import answers
from gateway.api.context import Context, Here
from gateway.api.openapi import problems
from gateway.api.sockets import until_one_ends
from gateway.calls.events import Event

if TYPE_CHECKING:
    from gateway.calls.events import Subscription

KEEP_ALIVE_SECONDS: Final = 15.0
router = APIRouter(tags=["events"])
_STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "`id`, `event` and `data` (an event as JSON) for each; comments keep it alive",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@router.get(
    "/v1/calls/{call_id}/events",
    response_model=answers.Events,
    summary="Poll a call's events",
    responses=problems(404, 422),
)
async def poll_events(
    call_id: str, here: Here, after: Annotated[int, Query(ge=0, description="`seq` of the last one seen")] = 0
) -> Response:
    """The call's events beyond `after`, oldest first. VOXTRUNK_EVENTS_PER_CALL are kept; `seq` shows a gap."""
    here.switchboard.registry.call(call_id)
    events = [answers.Event.of(event) for event in here.switchboard.events.after(call_id, after)]
    latest = events[-1].seq if events else after
    return answers.Events.model_construct(events=events, next=latest).response()


@router.get(
    "/v1/events",
    response_class=StreamingResponse,
    summary="Follow all events",
    responses={**_STREAM, **problems(410)},
)
async def follow_events(
    here: Here,
    last_event_id: Annotated[str | None, Header(description="`id` of the last one seen")] = None,
) -> StreamingResponse:
    """Server-sent events of all calls, from now on or from after `Last-Event-ID` on; 410 when that is too old.

    A reader that is too slow is cut off, and may resume where it was.
    """
    subscription = here.switchboard.events.subscribe(after_id=last_event_id or None)
    return _EventStream(here, subscription)


class _EventStream(StreamingResponse):
    """The stream until the reader leaves, is too slow, or the server stops; then its subscription is closed."""

    def __init__(self, here: Context, subscription: Subscription) -> None:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(_frames(subscription), media_type="text/event-stream", headers=headers)
        self._here = here
        self._subscription = subscription

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._here.streaming(self._subscription):
            await super().__call__(scope, receive, send)


async def _frames(subscription: Subscription) -> AsyncIterator[bytes]:
    yield b": connected\n\n"
    while True:
        try:
            async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                event = await anext(subscription)
        except TimeoutError:
            yield b": alive\n\n"
        except StopAsyncIteration:
            return
        else:
            yield _frame(event)


def _frame(event: Event) -> bytes:
    """An event as the HTML standard's event stream has it (9.2.5).

    The JSON is ASCII: many clients split lines at U+2028 and the like, which the standard does not.
    """
    return f"id: {event.id}\nevent: {event.type}\ndata: {_json(event)}\n\n".encode("ascii")


def _json(event: Event) -> str:
    return json.dumps(answers.Event.of(event).model_dump(mode="json"))


# -- by WebSocket -------------------------------------------------------------------------------------------


@router.websocket("/v1/events")
async def follow_by_socket(websocket: WebSocket) -> None:
    """Events of all calls, or of one (`call_id`) until it is closed; from after the event `after` on, else from
    now on, and of one call from its first that is kept.

    The first message says after which event it begins. It closes with 1008 when the reader is too slow, 1012 when
    the server ends, 1000 when the call has ended.
    """
    here: Context = websocket.app.state.context
    call_id, after = websocket.query_params.get("call_id"), websocket.query_params.get("after") or None
    log, told = here.switchboard.events, list[Event]()
    closed, begins_after = False, after
    if call_id is not None:
        closed = here.switchboard.registry.call(call_id).state == "closed"
        told = [] if after else log.after(call_id)
    elif after is None:
        begins_after = log.latest_id
    subscription = log.subscribe(call_id=call_id, after_id=after)
    with here.streaming(subscription):
        await websocket.accept()
        await websocket.send_text(json.dumps({"type": "following", "after": begins_after}))
        await until_one_ends(_tell(websocket, told, subscription, closed), _leave(websocket))


async def _tell(websocket: WebSocket, told: list[Event], subscription: Subscription, closed: bool) -> None:
    """What has happened, then what happens; ``closed``: nothing will."""
    for event in [*told, *subscription.waiting(sys.maxsize)]:
        await websocket.send_text(_json(event))
    over = closed
    while not over:
        try:
            event = await anext(subscription)
        except StopAsyncIteration:
            await websocket.close(1008 if subscription.lagged else 1012)
            return
        await websocket.send_text(_json(event))
        over = subscription.call_id is not None and event.type == "call.closed"
    await websocket.close(1000)


async def _leave(websocket: WebSocket) -> None:
    """Nothing is asked of a follower; returns when it is gone."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass
