"""Two gateways that share a Redis: what one has made the other plays, and either answers for any call."""

from __future__ import annotations

import itertools
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from gateway.listen.receiver import Receiver
from gateway.running import RunningGateway
from tests.gateway.live.test_metrics import DOCUMENTED, WITH_REDIS, scraped
from voxtrunk.client import Client

TEXT = "Parcel number twelve."


class Node:
    """A gateway and an ear."""

    def __init__(self, url, client, ear):
        self.url = url
        self.ask = client.request
        self._ear = ear

    def open(self):
        return self.ask(
            "POST",
            "/v1/calls",
            {"rtp": {"address": "127.0.0.1", "port": self._ear.local_ports[0]}, "silence": "suppress"},
        )

    def hear(self, text, **more):
        """Say it on a call of its own; returns the utterance and the octets that came."""
        call = self.open()
        path = f"/v1/calls/{call['id']}"
        said = self.ask("POST", f"{path}/utterances", {"text": text} | more)
        deadline = time.monotonic() + 20
        while (now := self.ask("GET", f"{path}/utterances/{said['id']}"))["state"] != "finished":
            assert time.monotonic() < deadline, now
            time.sleep(0.02)
        self.ask("DELETE", path)
        self._ear.drain()
        capture = self._ear.capture()
        mine = capture.packets[capture.packets["ssrc"] == call["rtp"]["ssrc"]]
        starts = zip(mine["payload_start"].tolist(), mine["payload_length"].tolist(), strict=True)
        return now, b"".join(capture.payloads[start : start + size].tobytes() for start, size in starts)

    def metric(self, name, **labels):
        """The sum over all workers."""
        text = httpx.get(f"{self.url}/metrics").text
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def until(self, name, value, **labels):
        deadline = time.monotonic() + 30
        while (now := self.metric(name, **labels)) != value:
            lines = httpx.get(f"{self.url}/metrics").text.splitlines()
            found = [line for line in lines if line.startswith(("voxtrunk_redis", "voxtrunk_shared"))]
            assert time.monotonic() < deadline, f"{name} is {now}: {found}"
            time.sleep(0.05)


@pytest.fixture(scope="module")
def pair(redis_server):
    """One that redirects and one that asks for whoever asks it."""
    common = {"redis_url": redis_server.url, "redis_speech_ms": 200, "warm_voices": "", "synthesis_limit": 1}
    with ExitStack() as ends:
        gateways = [
            RunningGateway(rtp_ports=ports, node_forward=how, **common)
            for ports, how in (("24000-24099", "redirect"), ("24100-24199", "proxy"))
        ]
        with ThreadPoolExecutor() as threads:
            running = list(threads.map(ends.enter_context, gateways))
        ears = [ends.enter_context(Receiver("127.0.0.1", [0], record=True)) for _ in running]
        clients = [ends.enter_context(Client(gateway.url)) for gateway in running]
        yield [
            Node(gateway.url, client, ear)
            for gateway, client, ear in zip(running, clients, ears, strict=True)
        ]


def test_what_one_has_made_the_other_plays(pair):
    one, other = pair
    first, octets = one.hear(TEXT)
    one.until("voxtrunk_shared_cache_stores_total", 1, outcome="stored")
    made = other.metric("voxtrunk_speech_seconds_total")
    again, same = other.hear(TEXT)
    assert len(octets) > 4000
    assert same == octets
    other.until("voxtrunk_shared_cache_lookups_total", 1, outcome="hits")
    assert other.metric("voxtrunk_speech_seconds_total") == made, "nothing was made here"
    assert (again["duration_ms"], again["spoken_text"]) == (first["duration_ms"], TEXT)
    assert other.metric("voxtrunk_cache_hits_total", tier="redis") == 1
    other.hear(TEXT)
    _, slower = other.hear(TEXT, rate=0.8)
    assert slower != octets
    other.until("voxtrunk_shared_cache_lookups_total", 1, outcome="misses")
    assert other.metric("voxtrunk_shared_cache_lookups_total", outcome="hits") == 1, "it has it itself now"


def test_what_is_seen_of_it_is_what_the_docs_say(pair):
    got = scraped(pair[0].url)
    assert set(got) == set(DOCUMENTED)
    assert {name: got[name] for name in WITH_REDIS} == {name: DOCUMENTED[name] for name in WITH_REDIS}


def test_either_answers_for_any_call(pair):
    redirecting, asking = pair
    here, there = redirecting.open(), asking.open()
    answer = httpx.post(f"{redirecting.url}/v1/calls/{there['id']}/stop?a=b", json={"scope": "all"})
    assert answer.status_code == 307
    assert answer.headers["location"] == f"{asking.url}/v1/calls/{there['id']}/stop?a=b"
    followed = httpx.get(f"{redirecting.url}/v1/calls/{there['id']}", follow_redirects=True)
    assert followed.json()["id"] == there["id"]

    path = f"{asking.url}/v1/calls/{here['id']}"
    assert httpx.get(path).json()["rtp"] == here["rtp"]
    key = {"Idempotency-Key": "once", "X-Request-Id": "mine"}
    said = [httpx.post(f"{path}/utterances", json={"text": "Hello."}, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in said] == [202, 202]
    assert said[0].json() == said[1].json()
    assert said[0].headers.get_list("x-request-id") == ["mine"]
    assert len(httpx.get(f"{path}/utterances").json()["utterances"]) == 1
    refused = httpx.post(f"{path}/utterances", json={"words": "Hello."})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
    written = httpx.post(
        f"{path}/utterances", content=iter([b"Hello ", b"again."]), headers={"content-type": "text/plain"}
    )
    assert (written.status_code, written.json()["call_id"]) == (202, here["id"])
    assert httpx.delete(path).json()["state"] == "closed"
    asking.ask("DELETE", f"/v1/calls/{there['id']}")

    for url in (redirecting.url, asking.url):
        gone = httpx.get(f"{url}/v1/calls/c_{'0' * 24}")
        assert (gone.status_code, gone.json()["code"]) == (404, "unknown_call")


def test_events_lie_there_for_who_was_away_and_redis_may_hang_and_go(pair, redis_server):
    one, other = pair
    call = one.open()
    assert httpx.get(f"{other.url}/v1/calls/{call['id']}").status_code == 200
    redis_server.hang()
    try:
        for number in range(4):
            said, octets = one.hear(f"Number {number}.")
            assert len(octets) > 2000
            assert said["first_audio_ms"] < 1000
        one.until("voxtrunk_redis_up", 0)
        assert one.metric("voxtrunk_shared_cache_lookups_total", outcome="unanswered") >= 3

        assert httpx.get(f"{other.url}/v1/calls/{call['id']}").json()["id"] == call["id"], (
            "it knows where that is"
        )
    finally:
        redis_server.go_on()
    one.until("voxtrunk_redis_up", 1, process="control")
    redis_server.kill()
    assert one.hear("Nobody.")[0]["state"] == "finished"
    redis_server.start()
    one.until("voxtrunk_redis_up", 1, process="control")
    one.ask("DELETE", f"/v1/calls/{call['id']}")
    last, _ = one.hear("Somebody.")
    with Redis(port=redis_server.port) as redis:
        deadline = time.monotonic() + 10
        while True:
            told = [json.loads(entry[b"event"]) for _, entry in redis.xrange("voxtrunk:events")]
            if (
                any(event["utterance_id"] == last["id"] for event in told)
                and told[-1]["type"] == "call.closed"
            ):
                break
            assert time.monotonic() < deadline, told[-3:]
            time.sleep(0.05)
    # the one that was killed kept nothing; all that happened since it came lies there in order
    calls = {event["call_id"] for event in told}
    for call_id in calls:
        numbers = [event["seq"] for event in told if event["call_id"] == call_id]
        assert all(b == a + 1 for a, b in itertools.pairwise(numbers))
    one.hear("Later.")
    one.until("voxtrunk_redis_up", 2)
