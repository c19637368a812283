"""Health: two questions that must not be mixed up, and a report.

``live``: do the loops turn; restart the gateway if not. ``ready``: may it be given new calls; route around it if
not, and never restart it for that. ``/health`` says what is wrong: 503 when anything is.
"""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, Literal

from fastapi import APIRouter, Response
from pydantic import Field

from gateway.api import answers
from gateway.api.context import Context, Here
from gateway.media.counters import Counter

if TYPE_CHECKING:
    from gateway.calls.crew import MediaSeat, SynthesisSeat

BEAT_SECONDS: Final = 1.0
"""A pacer ticks every few milliseconds; one that has not for this long is not well."""
STILL_MEDIA_SECONDS: Final = 10.0
STILL_SYNTHESIS_SECONDS: Final = 60.0
"""What has stood still for so long has not come back by itself. A synthesis worker that is replaced loads its
voices first."""
_VERSION: Final = version("voxtrunk")
_RETRY: Final = {"Retry-After": "1"}
router = APIRouter(tags=["health"])


class Live(answers.Answer):
    """Whether the loops turn; ``still``: those that do not."""

    status: Literal["ok", "stuck"]
    still: list[str] = Field(default_factory=list)


class Ready(answers.Answer):
    """Whether new calls are taken, or why not."""

    status: Literal["ok", "draining", "unavailable", "voiceless", "full"]


class Check(answers.Answer):
    """One thing that was looked at."""

    ok: bool
    detail: str
    value: float | None = Field(default=None, description="The number that was looked at")


class Report(answers.Answer):
    """Everything that was looked at."""

    status: Literal["ok", "degraded"]
    version: str
    model_loaded: bool = Field(description="Whether the voice of calls that name none is loaded or loadable")
    gpu_available: bool = Field(description="Whether a voice runs on a GPU")
    checks: dict[str, Check]


@router.get(
    "/health/live", response_model=Live, summary="Do its loops turn?", responses={503: {"model": Live}}
)
async def live(here: Here) -> Response:
    """200 while the loops of control and of the workers turn; 503 for what only a restart of the gateway cures.

    A worker that dies or hangs is replaced, and is given its time for that.
    """
    now_ns, workers = time.monotonic_ns(), here.switchboard.workers
    still = [] if here.switchboard.healthy else ["control"]
    still += [
        f"media-{seat.index}" for seat in workers.media if _since_tick(seat, now_ns) > STILL_MEDIA_SECONDS
    ]
    still += [
        f"synthesis-{seat.index}"
        for seat in workers.synthesis
        if _since_word(seat, now_ns) > STILL_SYNTHESIS_SECONDS
    ]
    if still:
        return Live(status="stuck", still=still).response(503)
    return Live(status="ok").response()


@router.get(
    "/health/ready",
    response_model=Ready,
    summary="May it be given calls?",
    responses={503: {"model": Ready}},
)
async def ready(here: Here) -> Response:
    """200 when new calls are taken; 503 at the start, without workers or voice, when full, and while draining."""
    obstacle = here.switchboard.obstacle
    if obstacle is None:
        return Ready(status="ok").response()
    return Ready(status=obstacle).response(503, _RETRY)


@router.get("/health", response_model=Report, summary="How is it?", responses={503: {"model": Report}})
async def health(here: Here) -> Response:
    """Every check; 503 when one of them fails."""
    checks = _checks(here, time.monotonic_ns())
    good = all(check.ok for check in checks.values())
    told = [seat.statistics for seat in here.switchboard.workers.synthesis if seat.statistics is not None]
    report = Report(
        status="ok" if good else "degraded",
        version=_VERSION,
        model_loaded=checks["voice"].ok,
        gpu_available=any(statistics.gpu is not None for statistics in told),
        checks=checks,
    )
    return report.response(200 if good else 503, {} if good else _RETRY)


def _checks(here: Context, now_ns: int) -> dict[str, Check]:
    switchboard, settings = here.switchboard, here.settings
    media, synthesis = switchboard.workers.media, switchboard.workers.synthesis
    pacing = sum(seat.alive and _since_tick(seat, now_ns) < BEAT_SECONDS for seat in media)
    speaking = sum(seat.alive for seat in synthesis)
    headroom = round(switchboard.workers.headroom, 4)
    calls = sum(call.state != "closed" for call in switchboard.registry.calls())
    voices = {voice.name for voice in switchboard.workers.voices()}
    room = min(settings.max_calls, sum(seat.ring.legs for seat in media))
    checks = {
        "control": Check(
            ok=switchboard.healthy,
            detail="its loops turn" if switchboard.healthy else "a loop of its own has ended",
        ),
        "media_workers": Check(ok=pacing == len(media) > 0, detail=f"{pacing} of {len(media)} pace"),
        "synthesis_workers": Check(
            ok=speaking == len(synthesis) > 0, detail=f"{speaking} of {len(synthesis)} are up"
        ),
        "voice": Check(
            ok=settings.default_voice in voices, detail=f"{settings.default_voice}, one of {len(voices)}"
        ),
        "capacity": Check(ok=calls < room, detail=f"{calls} of {room} calls", value=calls),
        "synthesis": Check(
            ok=headroom > 0, detail=f"headroom {headroom:.2f}: 1 is idle, 0 is full", value=headroom
        ),
        "draining": Check(
            ok=not switchboard.draining.on, detail="no new calls" if switchboard.draining.on else "no"
        ),
    }
    if here.endpoint is not None:
        for address, holds in here.endpoint.registrations.items():
            checks[f"registered {address}"] = Check(
                ok=holds, detail="yes" if holds else "see the log for why"
            )
    return checks


def _since_tick(seat: MediaSeat, now_ns: int) -> float:
    """Seconds since the worker there paced last."""
    return (now_ns - int(seat.ring.counters[Counter.BEAT_NS])) / 1e9


def _since_word(seat: SynthesisSeat, now_ns: int) -> float:
    """Seconds since the worker there was heard of last."""
    return (now_ns - seat.heard_ns) / 1e9
