"""``/v1/speakers``: reference audio of people to be spoken as. No engine that is part of Voxtrunk does so yet."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, File, Form, Response, UploadFile

from gateway.api import answers
from gateway.api.context import Here
from gateway.api.openapi import problems
from gateway.api.speaker_shelf import Speaker

PATH: Final = "/v1/speakers"
router = APIRouter(prefix=PATH, tags=["synthesis"])


class KeptSpeaker(Speaker, answers.Answer):
    """A speaker; ``speaks``: whether an installed engine speaks in his voice."""

    speaks: bool = False


class KeptSpeakers(answers.Answer):
    """All speakers."""

    speakers: list[KeptSpeaker]


@router.post(
    "",
    status_code=201,
    response_model=KeptSpeaker,
    summary="Keep reference audio",
    responses=problems(400, 408, 413, 422),
)
async def add_speaker(
    here: Here,
    name: Annotated[str, Form(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")],
    audio: Annotated[
        UploadFile, File(description="1 s to VOXTRUNK_SPEAKER_SECONDS of WAV, MP3, Ogg, FLAC, …")
    ],
    language: Annotated[str | None, Form(min_length=2, max_length=35, pattern=r"^[A-Za-z0-9-]+$")] = None,
) -> Response:
    """Check, decode and keep audio of a speaker, below VOXTRUNK_SPEAKERS_FOLDER."""
    speaker = await here.speakers.add(name, language, await audio.read())
    return _kept(speaker).response(201, {"Location": f"{PATH}/{speaker.speaker_id}"})


@router.get("", response_model=KeptSpeakers, summary="List speakers")
async def list_speakers(here: Here) -> Response:
    """In the order of their coming."""
    kept = [_kept(speaker) for speaker in await here.speakers.all()]
    return KeptSpeakers.model_construct(speakers=kept).response()


@router.get("/{speaker_id}", response_model=KeptSpeaker, summary="Get a speaker", responses=problems(404))
async def get_speaker(speaker_id: str, here: Here) -> Response:
    """What is known of him; never his audio."""
    return _kept(await here.speakers.get(speaker_id)).response()


@router.delete(
    "/{speaker_id}", response_model=KeptSpeaker, summary="Forget a speaker", responses=problems(404)
)
async def remove_speaker(speaker_id: str, here: Here) -> Response:
    """Delete his audio."""
    return _kept(await here.speakers.remove(speaker_id)).response()


def _kept(speaker: Speaker) -> KeptSpeaker:
    return KeptSpeaker.model_construct(**speaker.model_dump(), speaks=False)
