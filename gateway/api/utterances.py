"""``/v1/calls/{id}/utterances`` and ``stop``: a call's queue of speech."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from gateway.api import answers
from gateway.api.audio import NOTHING
from gateway.api.body import JsonRoute
from gateway.api.context import Context, Here
from gateway.api.limits import is_plain_text
from gateway.api.openapi import TEXT_BODY, problems
from gateway.api.permits import check_script, check_voice
from gateway.api.requests import CreateUtterance, Manner, SayRest, StopSpeech
from gateway.api.saying import fill, say_of, script_of, unspoken
from gateway.calls.utterance import Utterance
from gateway.errors import Refusal

router = APIRouter(prefix="/v1/calls/{call_id}", tags=["utterances"], route_class=JsonRoute)
_CURRENT: Final = StopSpeech()
_AS_IT_WAS: Final = SayRest(id=None, client_state=None)


class _SayRoute(JsonRoute):
    """A body of plain text is spoken as it comes; any other is JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            return await (_say_text(request) if is_plain_text(request.scope) else handle(request))

        return handler


_saying = APIRouter(route_class=_SayRoute)


@_saying.post(
    "/utterances",
    status_code=202,
    response_model=answers.Queued,
    summary="Say something",
    responses=problems(400, 403, 404, 408, 409, 413, 422, 429, 503),
    openapi_extra=TEXT_BODY,
)
async def say(call_id: str, body: CreateUtterance, request: Request, here: Here) -> Response:
    """Queue an utterance by its mode. What was being said and is cut counts as heard to the frame.

    A `text/plain` body is spoken while it comes (`Transfer-Encoding: chunked`), and answered when it has ended;
    the other fields are then query parameters.
    """
    call = here.switchboard.registry.call(call_id)  # an unknown call is told before anything is read for it
    pieces, recordings = None, NOTHING
    if body.template is not None:
        paths = {
            name: str(await asyncio.to_thread(here.prompts.find, slot.prompt))
            for name, slot in body.slots.items()
            if not isinstance(slot, str)
        }
        filled, pieces = fill(body.template, body.slots, paths)
        script = script_of(filled, "template", here.settings.text_limit)
    else:
        field, source = ("text", body.text) if body.ssml is None else ("ssml", body.ssml)
        if body.ssml is not None:
            recordings = await here.audio.find(body.ssml)
        script = script_of(source, field, here.settings.text_limit, recordings.missing)
    check_script(request.state.key, here.switchboard, body.voice or call.voice, script)
    prompt = None
    if body.prompt is not None:
        prompt = str(await asyncio.to_thread(here.prompts.find, body.prompt))
    utterance = await here.switchboard.speech.say(
        call_id,
        await say_of(
            here,
            body,
            request.state.requested_ns,
            script=script,
            text=body.text,
            ssml=body.ssml,
            prompt=prompt,
            pieces=pieces,
            trace=request.headers.get("traceparent"),
            audio=recordings.files,
        ),
    )
    warned = [] if script is None else [*script.warnings, *unspoken(script, here, utterance.voice)]
    return _queued(utterance, warned)


router.include_router(_saying)


async def _say_text(request: Request) -> Response:
    """Speak a body of text as it comes."""
    here: Context = request.app.state.context
    switchboard, call_id = here.switchboard, request.path_params["call_id"]
    try:
        asked: dict[str, Any] = dict(request.query_params)
        if "lexicons" in asked:
            asked["lexicons"] = asked["lexicons"].split(",")
        manner = Manner.model_validate(asked, strict=False)
    except ValidationError as error:
        found = [{**item, "loc": ("query", *item["loc"])} for item in error.errors()]
        raise RequestValidationError(found) from None
    check_voice(request.state.key, manner.voice or switchboard.registry.call(call_id).voice)
    draft = switchboard.speech.draft(call_id, manner.voice)
    trace = request.headers.get("traceparent")
    say = await say_of(here, manner, request.state.requested_ns, draft=draft, trace=trace)
    utterance = await switchboard.speech.say(call_id, say)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        async for octets in request.stream():
            switchboard.speech.write(call_id, utterance.id, decoder.decode(octets, final=False))
        switchboard.speech.write(call_id, utterance.id, decoder.decode(b"", final=True))
    except BaseException as error:
        with contextlib.suppress(Refusal):  # it has ended
            switchboard.speech.end_text(call_id, utterance.id, "writer_gone")
        if isinstance(error, UnicodeDecodeError):
            raise Refusal("bad_request", "The body is not UTF-8; what came before was taken") from None
        raise
    switchboard.speech.end_text(call_id, utterance.id)
    return _queued(utterance, [])


def _queued(utterance: Utterance, warnings: list[str]) -> Response:
    answer = answers.Queued.model_construct(
        id=utterance.id,
        call_id=utterance.call_id,
        state=utterance.state,
        position=utterance.position,
        warnings=warnings,
    )
    return answer.response(202)


@router.get(
    "/utterances", response_model=answers.Utterances, summary="List utterances", responses=problems(404)
)
async def list_utterances(call_id: str, here: Here) -> Response:
    """The ended ones in the order of their ends, then the queue."""
    return answers.Utterances.of(here.switchboard.registry.call(call_id).utterances).response()


@router.get(
    "/utterances/{uid}", response_model=answers.Utterance, summary="Get an utterance", responses=problems(404)
)
async def get_utterance(call_id: str, uid: str, here: Here) -> Response:
    """The utterance and how much of it was heard so far."""
    return answers.Utterance.of(here.switchboard.speech.utterance(call_id, uid)).response()


@router.delete(
    "/utterances/{uid}", response_model=answers.Stopped, summary="Stop an utterance", responses=problems(404)
)
async def stop_utterance(call_id: str, uid: str, here: Here) -> Response:
    """Stop or unqueue this one, and never another. Nothing is stopped when it has ended already."""
    return answers.Stopped.of(await here.switchboard.speech.stop_utterance(call_id, uid)).response()


@router.post(
    "/utterances/{uid}/resume_from",
    status_code=202,
    response_model=answers.Queued,
    summary="Say the rest of an utterance",
    responses=problems(400, 404, 409, 413, 422, 429, 503),
)
async def say_rest(
    call_id: str, uid: str, request: Request, here: Here, body: SayRest = _AS_IT_WAS
) -> Response:
    """Queue what was not heard of an utterance that was cut, as a new one: from the first word on that was not.

    Marks that were passed are not told again. 409 when it was heard to its end, or has not ended yet.
    """
    check_voice(request.state.key, here.switchboard.speech.utterance(call_id, uid).voice)
    changed: dict[str, Any] = {"id": body.id, "mode": body.mode, "requested_ns": request.state.requested_ns}
    if body.client_state is not None:
        changed["client_state"] = body.client_state
    return _queued(await here.switchboard.speech.say_rest(call_id, uid, **changed), [])


@router.post(
    "/stop",
    response_model=answers.Stopped,
    summary="Stop speech",
    responses=problems(400, 404, 409, 413, 422),
)
async def stop(call_id: str, here: Here, body: StopSpeech = _CURRENT) -> Response:
    """Stop the current utterance, or it and the queue. Answers with what was heard, to the word."""
    return answers.Stopped.of(await here.switchboard.speech.stop(call_id, body.scope)).response()
