"""``/v1/synthesize/jobs``: speech that is made while nobody waits, and fetched later."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from gateway.api import answers
from gateway.api import problems as api_problems
from gateway.api.body import JsonRoute
from gateway.api.context import Here
from gateway.api.job_book import Job, JobBook
from gateway.api.openapi import problems
from gateway.api.requests import Synthesize
from gateway.api.spoken import order_of
from gateway.api.synthesize import AUDIO, audio_of
from gateway.errors import Refusal

router = APIRouter(prefix="/v1/synthesize/jobs", tags=["synthesis"], route_class=JsonRoute)


async def _book(request: Request) -> JobBook:
    book: JobBook = request.app.state.jobs
    return book


Book = Annotated[JobBook, Depends(_book)]


class SpeechJob(answers.Answer):
    """A job."""

    id: str
    state: Literal["queued", "running", "done", "failed"]
    created_at: datetime
    ended_at: datetime | None
    expires_at: datetime | None = Field(description="When it is forgotten; null while it is being made")
    format: str
    sample_rate: int
    figures: dict[str, Any] | None = Field(description="What the audio's headers say; null until it is done")
    problem: dict[str, Any] | None = Field(description="Why it failed (RFC 9457)")

    @classmethod
    def told(cls, job: Job, kept_seconds: float) -> SpeechJob:
        """The job as it is now."""
        refusal = job.refusal
        return cls.model_construct(
            id=job.id,
            state=job.state,
            created_at=job.created_at,
            ended_at=job.ended_at,
            expires_at=job.ended_at and job.ended_at + timedelta(seconds=kept_seconds),
            format=job.order.sound.name,
            sample_rate=job.order.sound.rate,
            figures=job.recording.figures if job.recording else None,
            problem=api_problems.of_refusal(refusal).members() if refusal else None,
        )


class SpeechJobs(answers.Answer):
    """The key's jobs."""

    jobs: list[SpeechJob]


@router.post(
    "",
    status_code=202,
    response_model=SpeechJob,
    summary="Begin a job",
    responses=problems(400, 404, 408, 413, 422, 429),
)
async def begin_job(body: Synthesize, request: Request, here: Here, book: Book) -> Response:
    """Have a text said. 202 at once; a full gateway makes a job wait."""
    order = await order_of(
        here, request.state.key, body, request.state.requested_ns, request.headers.get("traceparent")
    )
    job = book.add(request.state.key, order)
    return _told(job, here, 202, {"Location": f"/v1/synthesize/jobs/{job.id}"})


@router.get("", response_model=SpeechJobs, summary="List jobs")
async def list_jobs(request: Request, here: Here, book: Book) -> Response:
    """The key's own, the oldest first."""
    kept = here.settings.synthesize_job_seconds
    jobs = [SpeechJob.told(job, kept) for job in book.all(request.state.key.name)]
    return SpeechJobs.model_construct(jobs=jobs).response()


@router.get("/{job_id}", response_model=SpeechJob, summary="Get a job", responses=problems(404))
async def get_job(job_id: str, request: Request, here: Here, book: Book) -> Response:
    """How it stands."""
    return _told(book.get(request.state.key.name, job_id), here)


@router.get(
    "/{job_id}/audio",
    summary="Fetch a job's audio",
    response_class=Response,
    responses={**AUDIO, **problems(404, 409, 413, 502)},
)
async def get_audio(job_id: str, request: Request, book: Book) -> Response:
    """As `POST /v1/synthesize` answers. 409 until it is done; why it failed, when it has."""
    job = book.get(request.state.key.name, job_id)
    if job.refusal is not None:
        raise job.refusal
    if job.recording is None:
        raise Refusal("wrong_state", f"Job {job.id} is {job.state}; ask again")
    return audio_of(job.recording)


@router.delete("/{job_id}", response_model=SpeechJob, summary="Delete a job", responses=problems(404))
async def delete_job(job_id: str, request: Request, here: Here, book: Book) -> Response:
    """Stop it, and forget its audio."""
    return _told(book.remove(request.state.key.name, job_id), here)


def _told(job: Job, here: Here, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return SpeechJob.told(job, here.settings.synthesize_job_seconds).response(status, headers)
