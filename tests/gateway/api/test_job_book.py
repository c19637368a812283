"""Jobs: bounded, each key's own, patient with a full gateway, forgotten in time."""

import asyncio

import pytest

from gateway.api import job_book
from gateway.api.job_book import JobBook
from gateway.api.keyring import Key
from gateway.errors import Refusal

ANN, BEN = (Key(name, b"", False, 0, 0, 1) for name in ("ann", "ben"))


@pytest.fixture
def new_book(settings):
    def make(carry_out, **given):
        return JobBook(settings(**given), carry_out)

    return make


async def ended(job):
    if job.task is not None:
        await asyncio.wait({job.task}, timeout=5)
    assert job.task is None


async def test_it_keeps_so_many_each_for_its_key(new_book):
    async def never(job):
        await asyncio.Event().wait()

    book = new_book(never, synthesize_jobs=2)
    first, second = book.add(ANN, "order"), book.add(BEN, "order")
    with pytest.raises(Refusal, match="VOXTRUNK_SYNTHESIZE_JOBS"):
        book.add(ANN, "order")
    assert book.all("ann") == [first]
    assert book.get("ben", second.id) is second
    with pytest.raises(Refusal, match="no job"):
        book.get("ann", second.id)
    await asyncio.sleep(0)
    task = first.task
    book.remove("ann", first.id)
    await asyncio.wait({task}, timeout=1)
    assert task.cancelled()
    book.add(ANN, "order")
    book.close()


async def test_two_are_made_at_a_time_in_order(new_book):
    running, order, gate = 0, [], asyncio.Event()

    async def make(job):
        nonlocal running
        order.append(job.id)
        running += 1
        assert running <= 2
        await gate.wait()
        running -= 1
        return job.id

    book = new_book(make)
    jobs = [book.add(ANN, "order") for _ in range(5)]
    await asyncio.sleep(0.01)
    assert [job.state for job in jobs] == ["running"] * 2 + ["queued"] * 3
    gate.set()
    for job in jobs:
        await ended(job)
    assert [job.recording for job in jobs] == order == [job.id for job in jobs]


async def test_it_waits_where_a_caller_would_be_refused(new_book, monkeypatch):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    tried = 0

    async def make(job):
        nonlocal tried
        tried += 1
        if tried < 3:
            raise Refusal("at_capacity", "full", retry_after=2)
        return "made"

    monkeypatch.setattr(job_book.asyncio, "sleep", sleep)
    book = new_book(make)
    job = book.add(ANN, "order")
    await asyncio.wait({job.task}, timeout=1)
    assert (job.state, job.recording, slept) == ("done", "made", [2, 2])


@pytest.mark.parametrize(
    "error", [Refusal("speech_failed", "no breath"), Refusal("draining", "ends"), OSError()]
)
async def test_why_it_failed_is_kept_and_all_is_forgotten_in_time(new_book, error):
    async def make(job):
        raise error

    book = new_book(make, synthesize_job_seconds=0.05)
    job = book.add(ANN, "order")
    await ended(job)
    assert job.state == "failed"
    assert job.refusal is error or job.refusal.code == "speech_failed"
    assert book.all("ann") == [job]
    await asyncio.sleep(0.06)
    assert book.all("ann") == []
