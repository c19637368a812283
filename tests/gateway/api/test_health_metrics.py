"""Health and metrics: what they say of a gateway in each state."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from gateway.api.metrics import Metrics
from gateway.media.counters import Counter


async def samples(api: Any) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of a scrape by its name and labels."""
    answer = await api.http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return "voxtrunk_" + name, frozenset(labels.items())


async def test_live_is_one_question_and_ready_another(api: Any) -> None:
    for ready, draining, status, word in (
        (True, False, 200, "ok"),
        (False, False, 503, "unavailable"),
        (True, True, 503, "draining"),
        (False, True, 503, "draining"),
    ):
        api.board.ready, api.board.draining = ready, draining
        answer = await api.http.get("/health/ready")
        assert (answer.status_code, answer.json()["status"]) == (status, word)
        assert ("retry-after" in answer.headers) is (status == 503)
        assert (await api.http.get("/health/live")).status_code == 200


async def test_health_names_what_is_wrong(in_process: Callable[..., Any]) -> None:
    async with in_process(max_calls=1) as api:
        media, synthesis = api.board.workers.media[0], api.board.workers.synthesis[0]
        api.board.tick(time.monotonic_ns())

        async def failing() -> set[str]:
            answer = await api.http.get("/health")
            report = answer.json()
            bad = {name for name, check in report["checks"].items() if not check["ok"]}
            assert answer.status_code == (503 if bad else 200)
            assert report["status"] == ("degraded" if bad else "ok")
            return bad

        assert await failing() == set()
        media.alive = False
        assert await failing() == {"media_workers"}
        media.alive, synthesis.alive = True, False
        assert await failing() == {"synthesis_workers"}
        synthesis.alive = True
        await api.open()
        assert await failing() == {"capacity"}
        api.board.draining = True
        assert await failing() == {"capacity", "draining"}
        await api.http.delete("/v1/calls/c_0")
        api.board.draining = False
        api.board.tick(time.monotonic_ns() - 2_000_000_000)
        assert await failing() == {"media_workers"}, "a pacer that hangs is not up"


async def test_a_scrape_reads_every_process(api: Any) -> None:
    counters = api.board.ring.counters
    for index, counter in enumerate(Counter):
        if counter < Counter.LATENESS_FIRST:
            counters[counter] = 1000 + index
    for late_us in (70, 70, 700, 70_000_000):
        api.board.tick(time.monotonic_ns(), late_us)
    await api.open()
    await api.open(codec="PCMA")
    await api.http.delete("/v1/calls/c_1")
    got = await samples(api)
    assert got[key("legs", codec="PCMU", state="open")] == 1
    assert got[key("legs", codec="PCMA", state="closed")] == 1
    assert got[key("legs", codec="PCMA", state="open")] == 0
    for name in (
        "ticks", "missed_ticks", "skipped_ticks", "packets", "octets", "send_errors", "send_blocked",
        "unreachable", "underruns", "dry_ticks", "rtcp_sent", "rtcp_received", "digits_received",
        "inbound_dropped", "inbound_muted",
    ):  # fmt: skip
        assert got[key(f"{name}_total", worker="0")] == counters[Counter[name.upper()]]
    assert got[key("tick_lateness_seconds_bucket", worker="0", le="0.0001")] == 2
    assert got[key("tick_lateness_seconds_bucket", worker="0", le="0.001")] == 3
    assert got[key("tick_lateness_seconds_bucket", worker="0", le="+Inf")] == 4
    assert got[key("tick_lateness_seconds_count", worker="0")] == 4
    assert got[key("tick_lateness_seconds_sum", worker="0")] == counters[Counter.LATENESS_SUM_US] / 1e6
    assert got[key("cache_hits_total", worker="0")] == 4
    assert got[key("cache_misses_total", worker="0")] == 5
    assert got[key("cache_octets", worker="0")] == 1234
    assert got[key("synthesis_utterances_total", worker="0")] == 9
    assert got[key("synthesis_resets_total", worker="0")] == 3
    assert got[key("worker_up", kind="media", worker="0")] == 1
    assert got[key("worker_restarts_total", kind="synthesis", worker="0")] == 3
    assert 0 <= got[key("tick_age_seconds", worker="0")] < 5


async def test_first_audio_and_requests_are_observed(api: Any) -> None:
    api.board.on_first_audio(0.025)
    await api.open()
    for _ in range(3):
        await api.http.get("/v1/calls/c_0")
    await api.http.get("/v1/calls/c_7")
    await api.http.get("/nothing/of/the/kind")
    got = await samples(api)
    assert got[key("first_audio_seconds_bucket", le="0.03")] == 1
    assert got[key("first_audio_seconds_bucket", le="0.02")] == 0
    name = "http_request_seconds_count"
    assert got[key(name, method="POST", route="/v1/calls", status="201")] == 1
    assert got[key(name, method="GET", route="/v1/calls/{call_id}", status="200")] == 3
    assert got[key(name, method="GET", route="/v1/calls/{call_id}", status="404")] == 1
    assert got[key(name, method="GET", route="other", status="404")] == 1


async def test_openmetrics_is_spoken_when_asked_for(api: Any) -> None:
    answer = await api.http.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert "openmetrics" in answer.headers["content-type"]
    assert {family.name for family in openmetrics(answer.text)} >= {"voxtrunk_packets", "voxtrunk_legs"}


async def test_a_gateway_that_has_not_started_can_be_scraped(api: Any) -> None:
    api.board.workers.media = api.board.workers.synthesis = ()
    assert (await api.http.get("/metrics")).status_code == 200
    assert (await api.http.get("/health")).status_code == 503


def test_two_gateways_in_one_process_do_not_collide() -> None:
    from types import SimpleNamespace

    board: Any = SimpleNamespace(calls=list, workers=SimpleNamespace(media=(), synthesis=()))
    webhooks: Any = SimpleNamespace(
        counts=SimpleNamespace(delivered=1, failed=2, given_up=3, dropped=4), waiting=5
    )
    both = [Metrics(board, webhooks), Metrics(board, webhooks)]
    for metrics in both:
        value = metrics.registry.get_sample_value
        assert value("voxtrunk_webhook_events_total", {"outcome": "delivered"}) == 1
        assert value("voxtrunk_webhook_failed_attempts_total") == 2
        assert value("voxtrunk_webhook_events_total", {"outcome": "given_up"}) == 3
        assert value("voxtrunk_webhook_events_total", {"outcome": "dropped"}) == 4
        assert value("voxtrunk_webhook_waiting") == 5
