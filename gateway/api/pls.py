"""``/v1/lexicons``: PLS documents put, got and deleted. Only keys that may administrate change any."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from gateway.api import answers
from gateway.api.context import Context, Here
from gateway.api.openapi import problems
from gateway.speech.lexicons import GLOBAL

MEDIA_TYPE: Final = "application/pls+xml"
_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {MEDIA_TYPE: {"schema": {"type": "string", "description": "A W3C PLS 1.0 document"}}},
    }
}
_DOCUMENT: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {MEDIA_TYPE: {}}, "description": "The document, as it was put"}
}

router = APIRouter(prefix="/v1/lexicons", tags=["lexicons"])


class LexiconNames(answers.Answer):
    """Those that an utterance may name; `global` is for all speech."""

    lexicons: list[str]


class LexiconPut(answers.Answer):
    """What is in force now."""

    name: str


@router.get("", response_model=LexiconNames, summary="List lexicons")
async def list_lexicons(here: Here) -> Response:
    """Those in VOXTRUNK_LEXICONS_FOLDER, whether put there by this API or not."""
    return LexiconNames(lexicons=await asyncio.to_thread(here.lexicons.names)).response()


@router.get(
    "/{name}",
    response_class=Response,
    summary="Get a lexicon",
    responses={**_DOCUMENT, **problems(422)},
)
async def get_lexicon(name: str, here: Here) -> Response:
    """The document."""
    return Response(await asyncio.to_thread(here.lexicons.get, name), media_type=MEDIA_TYPE)


@router.put(
    "/{name}",
    response_model=LexiconPut,
    summary="Put a lexicon",
    responses={201: {"model": LexiconPut, "description": "It is new"}, **problems(403, 413, 422)},
    openapi_extra=_BODY,
)
async def put_lexicon(name: str, request: Request, here: Here) -> Response:
    """In force for what is asked for from the answer on; `global` for all speech. A document that cannot be read
    is refused with line and column, and what was there stays."""
    new = await asyncio.to_thread(here.lexicons.put, name, await request.body())
    await _tell(name, here)
    return LexiconPut(name=name).response(201 if new else 200)


@router.delete("/{name}", status_code=204, summary="Delete a lexicon", responses=problems(403, 422))
async def delete_lexicon(name: str, here: Here) -> Response:
    """What is being said by it is said to its end."""
    await asyncio.to_thread(here.lexicons.delete, name)
    await _tell(name, here)
    return Response(status_code=204)


async def _tell(name: str, here: Context) -> None:
    """Have all speech follow the lexicon of all speech, if it is that one."""
    if name.removesuffix(".pls") == GLOBAL.removesuffix(".pls"):
        await here.switchboard.workers.renew_voices()
