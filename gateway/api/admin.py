"""``/v1/admin``: what is changed while the gateway runs. Only keys that may administrate are let in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from gateway.api import answers
from gateway.api.body import JsonRoute
from gateway.api.context import Here
from gateway.api.openapi import problems

if TYPE_CHECKING:
    from gateway.api.reload import Reload

router = APIRouter(prefix="/v1/admin", tags=["admin"], route_class=JsonRoute)


class LogLevel(BaseModel):
    """The least severe line that is logged, by every process."""

    model_config = ConfigDict(extra="forbid")

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class LogLevelIs(answers.Answer):
    """The level in force."""

    level: str


class Reloaded(answers.Answer):
    """What was looked at again. ``errors``: why something stays as it was, by its name."""

    changed: dict[str, list[str]]
    errors: dict[str, list[str]]


@router.get("/log-level", response_model=LogLevelIs, summary="Get the log level", responses=problems(403))
async def get_log_level(here: Here) -> Response:
    """The level in force."""
    return LogLevelIs(level=here.switchboard.workers.log_level).response()


@router.put(
    "/log-level",
    response_model=LogLevelIs,
    summary="Change the log level",
    responses=problems(400, 403, 413, 422),
)
async def set_log_level(body: LogLevel, here: Here) -> Response:
    """From now on, in every process and those that replace them, until the gateway ends."""
    here.switchboard.workers.set_log_level(body.level)
    return LogLevelIs(level=body.level).response()


@router.post("/reload", response_model=Reloaded, summary="Reload files", responses=problems(403, 413))
async def reload(request: Request) -> Response:
    """Read keys, voices and lexicons again, and look for prompts that have changed, as SIGHUP does. What cannot
    be read is told with the reason."""
    again: Reload = request.app.state.reload
    done = await again()
    return Reloaded(changed=done.changed, errors=done.errors).response()
