"""What is asked again, what is not, and what is raised; both clients against a server that follows a script."""

import asyncio
import contextlib
import json

import pytest

from voxtrunk.client import (
    AsyncClient,
    Busy,
    Client,
    Conflict,
    Gone,
    NotFound,
    NotPermitted,
    Retry,
    ServerError,
    Unreachable,
    Wrong,
)
from voxtrunk.client.problems import of_answer

from .conftest import BREAK, refusal

QUICK = Retry(attempts=3, first_seconds=0.001, most_seconds=2)
STATE = {"codec": "PCMU", "ptime": 20, "voice": "v", "opened_at": "2026-01-02T03:04:05Z"}
NOTHING = (
    "answered_at",
    "sip",
    "background",
    "closed_at",
    "cause",
    "client_state",
    "webhook_url",
    "statistics",
)
LEG = {"local": {"address": "a", "port": 2, "rtcp_port": 3}, "remote": None, "ssrc": 1, "payload_type": 0}
CALL = {"id": "c_1", "state": "open", "paused": False, "volume_db": 0.0, "rtp": LEG} | STATE
CALL |= dict.fromkeys(NOTHING)
GOOD = (200, {"Content-Type": "application/json"}, json.dumps(CALL | {"of_a_later_version": 1}))


class InTurn:
    """The asynchronous client, used as the other is."""

    def __init__(self, *arguments, **more):
        self.arguments = arguments, more

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def line(self, call_id):
        async def run():
            arguments, more = self.arguments
            async with AsyncClient(*arguments, **more) as client:
                return await client.line(call_id)

        return asyncio.run(run())

    def open(self, **order):
        async def run():
            arguments, more = self.arguments
            async with AsyncClient(*arguments, **more) as client:
                return await client.open(**order)

        return asyncio.run(run())


@pytest.mark.parametrize("kind", [Client, InTurn])
@pytest.mark.parametrize(
    "first",
    [
        BREAK,
        refusal(503, "unavailable", retryable=True, retry_after=0),
        refusal(409, "idempotency_in_flight", retryable=True),
    ],
)
def test_a_post_is_sent_again_with_the_same_key(kind, scripted, first):
    server = scripted(first, first, GOOD)
    with kind(server.url, "secret", retry=QUICK) as client:
        line = client.open(rtp={"address": "127.0.0.1", "port": 4000}, dtmf_payload_type=None)
    assert line.opened.id == "c_1"
    assert line.opened.opened_at.year == 2026
    assert len(server.asked) == 3
    assert len({headers["idempotency-key"] for _, _, headers, _ in server.asked}) == 1
    for method, path, headers, body in server.asked:
        assert (method, path, headers["x-api-key"]) == ("POST", "/v1/calls", "secret")
        assert json.loads(body) == {"rtp": {"address": "127.0.0.1", "port": 4000}, "dtmf_payload_type": None}


REFUSALS = (
    (refusal(400, "bad_request"), Wrong),
    (refusal(422, "invalid", errors=[{"in": "body", "field": "port", "detail": "a number"}]), Wrong),
    (refusal(401, "unauthorized"), NotPermitted),
    (refusal(404, "unknown_call"), NotFound),
    (refusal(409, "wrong_state"), Conflict),
    (refusal(410, "events_gone"), Gone),
    (refusal(429, "too_many_calls", retryable=True, retry_after=5), Busy),
    (refusal(503, "draining", retryable=True, retry_after=30), Busy),
    (refusal(500, "internal"), ServerError),
    ((501, {}, "<html>a proxy's</html>"), ServerError),
)


def test_what_another_try_would_not_mend_is_raised_at_once(scripted):
    server = scripted(*(answer for answer, _ in REFUSALS))
    with Client(server.url, retry=QUICK) as client:
        for index, (answer, raised) in enumerate(REFUSALS):
            with pytest.raises(raised) as caught:
                client.line("c_1")
            problem = caught.value
            assert type(problem) is raised
            assert problem.status == answer[0]
            assert len(server.asked) == index + 1
            if not answer[1]:
                continue
            told = json.loads(answer[2])
            assert (problem.code, problem.retryable, str(problem)) == (
                told["code"],
                told["retryable"],
                "No: because",
            )
            assert [each.field for each in problem.errors] == [e["field"] for e in told.get("errors", [])]
            assert problem.retry_after == (float(answer[1]["Retry-After"]) if told["retryable"] else None)


@pytest.mark.parametrize("kind", [Client, InTurn])
def test_it_gives_up(kind, scripted):
    server = scripted(*[BREAK] * 3)
    with kind(server.url, retry=QUICK) as client, pytest.raises(Unreachable):
        client.line("c_1")
    assert len(server.asked) == 3
    server = scripted(*[refusal(503, "unavailable", retryable=True)] * 3)
    with kind(server.url, retry=QUICK) as client, pytest.raises(Busy):
        client.line("c_1")
    assert len(server.asked) == 3
    server = scripted(*[(502, {}, "<html>a proxy's</html>")] * 3)
    with kind(server.url, retry=QUICK) as client, pytest.raises(ServerError, match="HTTP 502"):
        client.line("c_1")
    assert len(server.asked) == 3
    with kind("http://127.0.0.1:9", retry=QUICK) as client, pytest.raises(Unreachable):
        client.line("c_1")


@pytest.mark.parametrize("kind", [Client, InTurn])
@pytest.mark.parametrize(
    "answer",
    [(307, {"Location": "/v1/calls/c_1"}, ""), (200, {"Content-Encoding": "gzip"}, "no gzip")],
    ids=["in-a-circle", "garbled"],
)
def test_an_answer_that_is_none_is_told_as_no_answer(kind, scripted, answer):
    server = scripted(*[answer] * 100)
    with kind(server.url, retry=QUICK) as client, pytest.raises(Unreachable):
        client.line("c_1")


def test_what_would_be_answered_otherwise_is_not_sent_again(scripted):
    server = scripted(GOOD, BREAK)
    with Client(server.url, retry=QUICK) as client:
        line = client.line("c_1")
        with pytest.raises(Unreachable):
            line.stop_utterance("u/1")
    assert server.asked[1][:2] == ("DELETE", "/v1/calls/c_1/utterances/u%2F1")
    assert len(server.asked) == 2


def test_an_answer_without_a_body_is_none(scripted):
    server = scripted((204, {}, ""), GOOD)
    with Client(server.url, retry=QUICK) as client:
        assert client.request("DELETE", "/v1/lexicons/names") is None
        assert client.request("GET", "/v1/calls/c_1")["id"] == "c_1"


def test_the_key_goes_along_to_another_node(scripted):
    there = scripted(GOOD)
    here = scripted((307, {"Location": f"{there.url}/v1/calls"}, ""))
    with Client(here.url, "secret", retry=QUICK) as client:
        client.open(rtp={"address": "127.0.0.1", "port": 4000})
    (_, _, first, body), (_, _, second, again) = here.asked + there.asked
    assert (first["x-api-key"], first["idempotency-key"]) == ("secret", second["idempotency-key"])
    assert second["x-api-key"] == "secret"
    assert body == again


def test_a_context_hangs_up_however_it_ends(scripted):
    server = scripted(*[GOOD] * 6)
    with Client(server.url, retry=QUICK) as client:
        for ends in (ValueError, KeyboardInterrupt, None):
            with (
                contextlib.nullcontext() if ends is None else pytest.raises(ends),
                client.call(rtp={"address": "127.0.0.1", "port": 4000}) as line,
            ):
                assert line.closed is None
                if ends is not None:
                    raise ends
            assert line.closed == line.opened
    assert [method for method, *_ in server.asked] == ["POST", "DELETE"] * 3


async def test_an_async_context_hangs_up_when_its_task_is_cancelled(scripted):
    server = scripted(GOOD, GOOD)

    async def speak():
        target = {"address": "127.0.0.1", "port": 4000}
        async with AsyncClient(server.url, retry=QUICK) as client, client.call(rtp=target):
            inside.set()
            await asyncio.Event().wait()

    inside = asyncio.Event()
    task = asyncio.create_task(speak())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [method for method, *_ in server.asked] == ["POST", "DELETE"]


def test_a_refused_hang_up_does_not_hide_what_went_wrong(scripted):
    server = scripted(GOOD, refusal(404, "unknown_call"))
    target = {"address": "127.0.0.1", "port": 4000}
    with (
        Client(server.url, retry=QUICK) as client,
        pytest.raises(ZeroDivisionError),
        client.call(rtp=target),
    ):
        raise ZeroDivisionError


def test_pauses_grow_to_a_limit():
    retry = Retry(first_seconds=0.1, most_seconds=1)
    for failures, longest in ((1, 0.1), (2, 0.2), (4, 0.8), (5, 1.0), (5000, 1.0)):
        assert all(longest / 2 <= retry.pause(failures) <= longest for _ in range(20))


def test_an_error_that_is_no_problem_is_made_one():
    assert of_answer(503, {"retry-after": "\u00b2"}, b"").retry_after is None, "no number, if a digit"
    made = of_answer(418, {}, b"[]")
    assert (type(made), made.status, made.code) == (Wrong, 418, "http_error")
