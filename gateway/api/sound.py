"""``/v1/calls/{id}/volume`` and ``background``: how a call sounds."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response

from gateway.api import answers
from gateway.api.body import JsonRoute
from gateway.api.context import Here
from gateway.api.openapi import problems
from gateway.api.requests import PlayBackground, SetVolume

router = APIRouter(prefix="/v1/calls/{call_id}", tags=["calls"], route_class=JsonRoute)


@router.post(
    "/volume",
    response_model=answers.Call,
    summary="Set a call's volume",
    responses=problems(400, 404, 409, 413, 422),
)
async def set_volume(call_id: str, body: SetVolume, here: Here) -> Response:
    """From the next packet on, for all that is said; the change is a ramp over one packet."""
    return answers.Call.of(await here.switchboard.sound.set_volume(call_id, body.volume_db)).response()


@router.post(
    "/background",
    response_model=answers.Call,
    summary="Play a background",
    responses=problems(400, 404, 409, 413, 422),
)
async def play_background(call_id: str, body: PlayBackground, here: Here) -> Response:
    """Repeat a prompt behind speech and silence alike, in place of another. It gives way to speech."""
    here.switchboard.registry.call(call_id)
    path = await asyncio.to_thread(here.prompts.find, body.prompt)
    call = await here.switchboard.sound.set_background(
        call_id, body.prompt, path, body.volume_db, body.duck_db
    )
    return answers.Call.of(call).response()


@router.delete(
    "/background", response_model=answers.Call, summary="End the background", responses=problems(404, 409)
)
async def end_background(call_id: str, here: Here) -> Response:
    """It fades out."""
    return answers.Call.of(await here.switchboard.sound.clear_background(call_id)).response()
