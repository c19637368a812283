"""``/v1/voices``: what can be spoken with."""

from __future__ import annotations

from fastapi import APIRouter, Response

from gateway.api import answers
from gateway.api.context import Here

router = APIRouter(tags=["voices"])


@router.get("/v1/voices", response_model=answers.Voices, summary="List voices")
async def list_voices(here: Here) -> Response:
    """All voices, and the one of calls that name none."""
    voices = [answers.Voice.of(voice) for voice in here.switchboard.workers.voices()]
    return answers.Voices.model_construct(voices=voices, default=here.settings.default_voice).response()
