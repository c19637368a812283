"""Health: two questions that must not be mixed up, and a report.

``live``: does the process answer; restart it if not. ``ready``: may it be given new calls; route around it if
not, and never restart it for that. ``/health`` says what is wrong: 503 when anything is.
"""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, Literal

from fastapi import APIRouter, Response

from gateway.api import answers
from gateway.api.context import Context, Here
from gateway.media.counters import Counter

if TYPE_CHECKING:
    from gateway.calls.crew import MediaSeat

BEAT_SECONDS: Final = 1.0
"""A pacer ticks every few milliseconds; one that has not for this long hangs."""
_VERSION: Final = version("voxtrunk")
_RETRY: Final = {"Retry-After": "1"}
router = APIRouter(tags=["health"])


class Status(answers.Answer):
    """A plain yes or no."""

    status: Literal["ok", "draining", "unavailable"]


class Check(answers.Answer):
    """One thing that was looked at."""

    ok: bool
    detail: str


class Report(answers.Answer):
    """Everything that was looked at."""

    status: Literal["ok", "degraded"]
    version: str
    checks: dict[str, Check]


@router.get("/health/live", response_model=Status, summary="Does it answer?")
async def live() -> Response:
    """200 as long as the control process turns its loop."""
    return Status(status="ok").response()


@router.get(
    "/health/ready",
    response_model=Status,
    summary="May it be given calls?",
    responses={503: {"model": Status}},
)
async def ready(here: Here) -> Response:
    """200 when new calls are taken; 503 at the start, without workers, and while draining."""
    switchboard = here.switchboard
    if switchboard.draining:
        return Status(status="draining").response(503, _RETRY)
    if not switchboard.ready:
        return Status(status="unavailable").response(503, _RETRY)
    return Status(status="ok").response()


@router.get("/health", response_model=Report, summary="How is it?", responses={503: {"model": Report}})
async def health(here: Here) -> Response:
    """Every check; 503 when one of them fails."""
    checks = _checks(here, time.monotonic_ns())
    good = all(check.ok for check in checks.values())
    report = Report(status="ok" if good else "degraded", version=_VERSION, checks=checks)
    return report.response(200 if good else 503, {} if good else _RETRY)


def _checks(here: Context, now_ns: int) -> dict[str, Check]:
    switchboard, settings = here.switchboard, here.settings
    media, synthesis = switchboard.workers.media, switchboard.workers.synthesis
    pacing = sum(_paces(seat, now_ns) for seat in media)
    speaking = sum(seat.alive for seat in synthesis)
    calls = sum(call.state != "closed" for call in switchboard.calls())
    checks = {
        "media_workers": Check(ok=pacing == len(media) > 0, detail=f"{pacing} of {len(media)} pace"),
        "synthesis_workers": Check(
            ok=speaking == len(synthesis) > 0, detail=f"{speaking} of {len(synthesis)} are up"
        ),
        "capacity": Check(ok=calls < settings.max_calls, detail=f"{calls} of {settings.max_calls} calls"),
        "draining": Check(
            ok=not switchboard.draining, detail="shutting down" if switchboard.draining else "no"
        ),
    }
    if here.endpoint is not None:
        for address, holds in here.endpoint.registrations.items():
            checks[f"registered {address}"] = Check(
                ok=holds, detail="yes" if holds else "see the log for why"
            )
    return checks


def _paces(seat: MediaSeat, now_ns: int) -> bool:
    return seat.alive and now_ns - int(seat.ring.counters[Counter.BEAT_NS]) < BEAT_SECONDS * 1e9
