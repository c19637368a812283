"""Webhooks against real receivers: signed, in order, retried, and never in each other's way."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from gateway.api import webhooks as api_webhooks
from gateway.api.server import serving
from gateway.api.webhooks import Verdict, Webhooks, back_off, check_receiver, judge

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
Delivery = tuple[dict[str, str], bytes]


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that nobody signals."""
    async with asyncio.timeout(20):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)


class Receiver:
    """An HTTP server that answers each path with the statuses given for it, the last one for ever."""

    def __init__(self) -> None:
        self.got: defaultdict[str, list[Delivery]] = defaultdict(list)
        self.answers: dict[str, list[Any]] = {}
        self.release = asyncio.Event()
        self.url = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        path = scope["path"]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.got[path].append((headers, body))
        statuses = self.answers.get(path, [204])
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        if status == "hang":
            await self.release.wait()
            status = 204
        location = [(b"location", b"/elsewhere")] if status in {301, 307} else []
        await send({"type": "http.response.start", "status": status, "headers": location})
        await send({"type": "http.response.body", "body": b""})

    async def count(self, path: str, number: int) -> list[Delivery]:
        """Wait until so many deliveries came to the path."""
        await until(lambda: len(self.got[path]) >= number)
        return self.got[path]

    def events(self, path: str) -> list[Any]:
        return [json.loads(body) for _, body in self.got[path]]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    app = Receiver()
    async with serving(app, "127.0.0.1", 0) as (host, port):
        app.url = f"http://{host}:{port}"
        yield app
        app.release.set()


@pytest.fixture
def hooked(in_process: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """An API and its webhooks, with waits of milliseconds between attempts."""
    monkeypatch.setattr(api_webhooks, "FIRST_WAIT_SECONDS", 0.002)

    @asynccontextmanager
    async def start(grace: float = 5.0, **given: Any) -> AsyncIterator[Any]:
        async with (
            in_process(**({"webhook_secret": SECRET} | given)) as api,
            Webhooks(api.board.settings, api.board, grace) as api.webhooks,
        ):
            yield api

    return start


async def test_a_delivery_is_signed_and_is_the_event(hooked: Callable[..., Any], receiver: Receiver) -> None:
    async with hooked() as api:
        call_id = await api.open(webhook_url=receiver.url + "/hook", client_state="Grüße")
        ((headers, body),) = await receiver.count("/hook", 1)
        polled = (await api.http.get(f"/v1/calls/{call_id}/events")).json()["events"][0]
    assert Webhook(SECRET).verify(body, headers) == polled
    assert headers["webhook-id"] == polled["id"]
    assert headers["webhook-signature"].startswith("v1,")
    assert headers["content-type"] == "application/json"
    with pytest.raises(Exception, match="signature"):
        Webhook("whsec_" + "A" * 32).verify(body, headers)


async def test_order_is_kept_over_failures(hooked: Callable[..., Any], receiver: Receiver) -> None:
    receiver.answers["/hook"] = [500, 200, 503, 500, 404, 204]
    async with hooked() as api:
        await api.open(webhook_url=receiver.url + "/hook")
        for n in range(5):
            api.board.publish(api.board.opened[0], "utterance.mark", n=n)
        await receiver.count("/hook", 10)
    seqs = [event["seq"] for event in receiver.events("/hook")]
    assert seqs == [1, 1, 2, 2, 2, 2, 3, 4, 5, 6]
    for headers, body in receiver.got["/hook"]:
        assert Webhook(SECRET).verify(body, headers)
    assert (api.webhooks.counts.delivered, api.webhooks.counts.failed) == (6, 4)


async def test_a_receiver_that_hangs_holds_up_its_own_call_only(
    hooked: Callable[..., Any], receiver: Receiver
) -> None:
    receiver.answers["/hangs"] = ["hang"]
    async with hooked(grace=0.05) as api:
        await api.open(webhook_url=receiver.url + "/hangs")
        await receiver.count("/hangs", 1)
        await api.open(webhook_url=receiver.url + "/well")
        for n in range(50):
            for call in api.board.opened:
                api.board.publish(call, "utterance.mark", n=n)
        await receiver.count("/well", 51)
        await until(lambda: api.webhooks.waiting == 51)
        assert len(receiver.got["/hangs"]) == 1
        assert (await api.http.get("/v1/calls")).status_code == 200
    receiver.release.set()


async def test_a_receiver_that_is_slow_is_given_up_after_its_attempts(
    hooked: Callable[..., Any], receiver: Receiver
) -> None:
    receiver.answers["/hook"] = ["hang"]
    async with hooked(webhook_attempts=3, webhook_timeout_seconds=0.5) as api:
        await api.open(webhook_url=receiver.url + "/hook")
        api.board.publish(api.board.opened[0], "utterance.mark")
        await until(lambda: api.webhooks.counts.given_up == 1)
        assert api.webhooks.counts.failed == 3
        receiver.answers["/hook"] = [204]  # the next event may have been asked for once before this
        await until(lambda: api.webhooks.counts.delivered == 1)
    seqs = [event["seq"] for event in receiver.events("/hook")]
    assert (seqs, set(seqs)) == (sorted(seqs), {1, 2})
    assert seqs.count(1) <= 3  # an attempt that was late before it had arrived is one, too


async def test_what_does_not_fit_is_dropped_and_counted(
    hooked: Callable[..., Any], receiver: Receiver
) -> None:
    receiver.answers["/hook"] = ["hang", 204]
    async with hooked(webhook_queue=10) as api:
        await api.open(webhook_url=receiver.url + "/hook")
        await receiver.count("/hook", 1)
        for n in range(30):
            api.board.publish(api.board.opened[0], "utterance.mark", n=n)
        await until(lambda: api.webhooks.counts.dropped == 21)
        receiver.release.set()
        await receiver.count("/hook", 10)
    assert [event["seq"] for event in receiver.events("/hook")] == list(range(1, 11))
    assert api.webhooks.counts.dropped == 21


async def test_redirects_are_not_followed(hooked: Callable[..., Any], receiver: Receiver) -> None:
    receiver.answers["/hook"] = [307, 301, 200]
    async with hooked() as api:
        await api.open(webhook_url=receiver.url + "/hook")
        await receiver.count("/hook", 3)
    assert receiver.got["/elsewhere"] == []


async def test_410_ends_a_calls_webhooks(hooked: Callable[..., Any], receiver: Receiver) -> None:
    receiver.answers["/hook"] = [204, 410]
    async with hooked() as api:
        call_id = await api.open(webhook_url=receiver.url + "/hook")
        await receiver.count("/hook", 1)
        for n in range(5):
            api.board.publish(api.board.opened[0], "utterance.mark", n=n)
        await receiver.count("/hook", 2)
        await asyncio.sleep(0.02)
        api.board.publish(api.board.opened[0], "utterance.mark")
        await api.http.delete(f"/v1/calls/{call_id}")
        await asyncio.sleep(0.02)
        assert len(receiver.got["/hook"]) == 2
        assert api.webhooks._lines == {}


async def test_calls_without_a_url_use_the_settings(hooked: Callable[..., Any], receiver: Receiver) -> None:
    async with hooked(webhook_url=receiver.url + "/all") as api:
        await api.open()
        await api.open(webhook_url=receiver.url + "/own")
        await receiver.count("/all", 1)
        await receiver.count("/own", 1)
    assert receiver.events("/all")[0]["call_id"] == "c_0"
    assert receiver.events("/own")[0]["call_id"] == "c_1"


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/hook", f"http://{'a' * 64}.localhost/", "https://127.0.0.1:1/", "http://[::1]:1/"],
)
async def test_nobody_there_is_retried_and_given_up(hooked: Callable[..., Any], url: str) -> None:
    async with hooked(webhook_attempts=3) as api:
        await api.open(webhook_url=url)
        await until(lambda: api.webhooks.counts.given_up == 1)
    assert api.webhooks.counts.failed == 3


async def test_what_is_waiting_is_delivered_at_the_end(
    hooked: Callable[..., Any], receiver: Receiver
) -> None:
    async with hooked() as api:
        call_id = await api.open(webhook_url=receiver.url + "/hook")
        for n in range(40):
            api.board.publish(api.board.opened[0], "utterance.mark", n=n)
        await api.http.delete(f"/v1/calls/{call_id}")
    assert [event["seq"] for event in receiver.events("/hook")] == list(range(1, 43))
    assert receiver.events("/hook")[-1]["type"] == "call.closed"


async def test_the_end_does_not_wait_for_ever(hooked: Callable[..., Any], receiver: Receiver) -> None:
    receiver.answers["/hook"] = ["hang"]
    async with asyncio.timeout(10):
        async with hooked(grace=0.1) as api:
            await api.open(webhook_url=receiver.url + "/hook")
            await receiver.count("/hook", 1)
    assert api.webhooks.counts.delivered == 0


async def test_deliveries_under_way_are_bounded(
    hooked: Callable[..., Any], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_webhooks, "CONCURRENT_PER_RECEIVER", 4)
    receiver.answers["/hook"] = ["hang"]
    async with hooked() as api:
        for _ in range(12):
            await api.open(webhook_url=receiver.url + "/hook")
        await receiver.count("/hook", 4)
        await api.open(webhook_url=receiver.url.replace("127.0.0.1", "127.0.0.2") + "/other")
        await until(
            lambda: api.webhooks.counts.failed > 0
        )  # another receiver is not in the queue of this one
        assert len(receiver.got["/hook"]) == 4
        receiver.release.set()
        await receiver.count("/hook", 12)
    assert api.webhooks._slots._of == {}


async def test_more_events_than_a_subscription_holds_are_not_lost(
    hooked: Callable[..., Any], receiver: Receiver
) -> None:
    async with hooked(events_retained=64, webhook_queue=1000) as api:
        await api.open(webhook_url=receiver.url + "/hook")
        await receiver.count("/hook", 1)
        for n in range(65):  # one more than the subscription holds; the log still has the rest
            api.board.publish(api.board.opened[0], "utterance.mark", n=n)
        await receiver.count("/hook", 65)
    assert [event["seq"] for event in receiver.events("/hook")][:65] == list(range(1, 66))


@given(st.text(max_size=40) | st.text(max_size=20).map("http://{}".format))
def test_a_receiver_is_an_http_url_or_a_value_error(url: str) -> None:
    try:
        assert check_receiver(url) == url
    except ValueError:
        return
    assert httpx.URL(url).host


def test_waits_double_with_jitter_and_heed_the_receiver() -> None:
    for failures, most in ((1, 0.5), (2, 1), (3, 2), (7, 32), (8, 60), (1000, 60)):
        assert back_off(failures, 0, 1.0) == most
        assert back_off(failures, 0, 0.0) == most / 2
    assert back_off(1, 20, 0.5) == 20
    assert back_off(1, 86400, 0.5) == 60


def test_every_status_has_a_verdict() -> None:
    for status in range(100, 600):
        expected = Verdict.DELIVERED if status // 100 == 2 else Verdict.FAILED
        assert judge(status) is (Verdict.GONE if status == 410 else expected)


@pytest.mark.parametrize(
    "given",
    [
        {"webhook_secret": "whsec_"},
        {"webhook_secret": "whsec_abcde"},
        {"webhook_url": "http://a/"},
        {"webhook_secret": SECRET, "webhook_url": "a/hook"},
    ],
)
async def test_settings_that_cannot_work_are_refused_at_the_start(
    settings: Callable[..., Any], given: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match=r"VOXTRUNK_WEBHOOK_(SECRET|URL)"):
        Webhooks(settings(**given), None, 1.0)  # type: ignore[arg-type]


PRIVATE = (
    "http://127.0.0.1:1/hook",
    "http://[::1]/hook",
    "http://169.254.169.254/latest",
    "http://10.0.0.1/",
)


async def test_with_keys_no_webhook_goes_to_a_private_address(
    hooked: Callable[..., Any], receiver: Receiver
) -> None:
    headers = {"X-API-Key": "k"}
    async with hooked(api_keys="k", webhook_attempts=1) as api:

        async def answer(url: str) -> httpx.Response:
            body = {"rtp": {"address": "127.0.0.1", "port": 40000}, "webhook_url": url}
            return await api.http.post("/v1/calls", json=body, headers=headers)

        for url in (*PRIVATE, receiver.url):
            refused = await answer(url)
            assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
            assert "VOXTRUNK_WEBHOOK_ALLOW" in refused.json()["detail"]
        # a name is judged when it is resolved
        assert (await answer(receiver.url.replace("127.0.0.1", "localhost"))).status_code == 201
        await until(lambda: bool(api.webhooks.counts.given_up == 1))
    assert not receiver.got
    async with hooked(api_keys="k", webhook_allow="127.0.0.0/8") as api:
        body = {"rtp": {"address": "127.0.0.1", "port": 40000}, "webhook_url": receiver.url + "/hook"}
        assert (await api.http.post("/v1/calls", json=body, headers=headers)).status_code == 201
        await receiver.count("/hook", 1)


async def test_the_operators_own_receiver_may_be_anywhere(
    hooked: Callable[..., Any], receiver: Receiver
) -> None:
    own = receiver.url + "/own"
    async with hooked(api_keys="k", webhook_url=own) as api:
        body = {"rtp": {"address": "127.0.0.1", "port": 40000}}
        assert (await api.http.post("/v1/calls", json=body, headers={"X-API-Key": "k"})).status_code == 201
        await receiver.count("/own", 1)
