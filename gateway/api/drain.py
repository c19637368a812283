"""``/v1/drain``: have the gateway run empty before it is upgraded, and take that back."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Response
from pydantic import Field

from gateway.api import answers
from gateway.api.body import JsonRoute
from gateway.api.context import Context, Here
from gateway.api.fields import Request
from gateway.api.openapi import problems

router = APIRouter(prefix="/v1/drain", tags=["health"], route_class=JsonRoute)


class StartDrain(Request):
    """How long calls may last."""

    seconds: Annotated[float, Field(ge=0, le=86_400)] | None = Field(
        None, description="After which the calls that are left are ended; omitted: never"
    )


class Drain(answers.Answer):
    """Whether new calls are refused, and what is left to wait for."""

    draining: bool
    calls: int = Field(description="Open or ringing")
    seconds: float | None = Field(description="Until those calls are ended; null: they are not")


_UNLIMITED: Final = StartDrain(seconds=None)


@router.get("", response_model=Drain, summary="Is it draining?")
async def get_drain(here: Here) -> Response:
    """`calls` 0 while draining: the gateway is empty and may be ended."""
    return _now(here).response()


@router.post(
    "", status_code=202, response_model=Drain, summary="Drain", responses=problems(400, 409, 413, 422)
)
async def start_drain(here: Here, body: StartDrain = _UNLIMITED) -> Response:
    """Take no new calls: `/health/ready`, SIP OPTIONS and new INVITEs are answered with 503. Open calls go on and
    may speak. Sent again, the new limit holds."""
    here.switchboard.draining.start(body.seconds)
    return _now(here).response(202)


@router.delete("", response_model=Drain, summary="Stop draining", responses=problems(409))
async def stop_drain(here: Here) -> Response:
    """Take calls again. 409 after SIGTERM."""
    here.switchboard.draining.stop()
    return _now(here).response()


def _now(here: Context) -> Drain:
    board = here.switchboard
    calls = sum(call.state != "closed" for call in board.registry.calls())
    left = board.draining.left
    return Drain(draining=board.draining.on, calls=calls, seconds=None if left is None else round(left, 1))
