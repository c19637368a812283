"""``/v1/calls/{id}/utterances`` and ``stop``: a call's queue of speech."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import APIRouter, Request, Response

from gateway.api import answers
from gateway.api.body import JsonRoute
from gateway.api.context import Here
from gateway.api.openapi import problems
from gateway.api.requests import CreateUtterance, StopSpeech
from gateway.calls.requests import Say
from gateway.errors import Refusal
from tts_core import Script, ScriptError

router = APIRouter(prefix="/v1/calls/{call_id}", tags=["utterances"], route_class=JsonRoute)
_CURRENT: Final = StopSpeech()


@router.post(
    "/utterances",
    status_code=202,
    response_model=answers.Queued,
    summary="Say something",
    responses=problems(400, 404, 409, 413, 422, 429, 503),
)
async def say(call_id: str, body: CreateUtterance, request: Request, here: Here) -> Response:
    """Queue an utterance by its mode. What was being said and is cut counts as heard to the frame."""
    here.switchboard.call(call_id)  # an unknown call is told before anything is read for it
    script = _script(body, here.settings.text_limit)
    prompt = None
    if body.prompt is not None:
        prompt = str(await asyncio.to_thread(here.prompts.find, body.prompt))
    utterance = await here.switchboard.say(
        call_id,
        Say(
            requested_ns=request.state.requested_ns,
            script=script,
            text=body.text,
            ssml=body.ssml,
            prompt=prompt,
            id=body.id,
            voice=body.voice,
            rate=body.rate,
            volume_db=body.volume_db,
            mode=body.mode,
            interruptible=body.interruptible,
            client_state=body.client_state,
        ),
    )
    answer = answers.Queued.model_construct(
        id=utterance.id,
        call_id=utterance.call_id,
        state=utterance.state,
        position=utterance.position,
        warnings=[] if script is None else list(script.warnings),
    )
    return answer.response(202)


@router.get(
    "/utterances", response_model=answers.Utterances, summary="List utterances", responses=problems(404)
)
async def list_utterances(call_id: str, here: Here) -> Response:
    """The ended ones in the order of their ends, then the queue."""
    return answers.Utterances.of(here.switchboard.call(call_id).utterances).response()


@router.get(
    "/utterances/{uid}", response_model=answers.Utterance, summary="Get an utterance", responses=problems(404)
)
async def get_utterance(call_id: str, uid: str, here: Here) -> Response:
    """The utterance and how much of it was heard so far."""
    return answers.Utterance.of(here.switchboard.utterance(call_id, uid)).response()


@router.delete(
    "/utterances/{uid}", response_model=answers.Stopped, summary="Stop an utterance", responses=problems(404)
)
async def stop_utterance(call_id: str, uid: str, here: Here) -> Response:
    """Stop or unqueue this one, and never another. Nothing is stopped when it has ended already."""
    return answers.Stopped.of(await here.switchboard.stop_utterance(call_id, uid)).response()


@router.post(
    "/stop",
    response_model=answers.Stopped,
    summary="Stop speech",
    responses=problems(400, 404, 409, 413, 422),
)
async def stop(call_id: str, here: Here, body: StopSpeech = _CURRENT) -> Response:
    """Stop the current utterance, or it and the queue. Answers with what was heard, to the word."""
    return answers.Stopped.of(await here.switchboard.stop(call_id, body.scope)).response()


def _script(body: CreateUtterance, text_limit: int) -> Script | None:
    """What text or SSML says; None for a prompt. Refusals ``text_too_long``, ``bad_ssml``."""
    field, source = ("text", body.text) if body.ssml is None else ("ssml", body.ssml)
    if source is None:
        return None
    if len(source) > text_limit:
        raise Refusal(
            "text_too_long",
            f"{field} may have {text_limit} characters (VOXTRUNK_TEXT_LIMIT), has {len(source)}",
            field=field,
        )
    if field == "text":
        return Script.from_text(source)
    try:
        return Script.from_ssml(source)
    except ScriptError as error:
        raise Refusal("bad_ssml", f"ssml: {error}", field="ssml") from None
