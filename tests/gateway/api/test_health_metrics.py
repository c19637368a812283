"""Health and metrics: what they say of a gateway in each state."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from gateway.api.metrics import Metrics
from gateway.calls.demand import Burden
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
    api.board.tick(time.monotonic_ns())
    for obstacle, status, word in (
        (None, 200, "ok"),
        ("unavailable", 503, "unavailable"),
        ("draining", 503, "draining"),
        ("full", 503, "full"),
        ("voiceless", 503, "voiceless"),
    ):
        api.board.hindered = obstacle
        answer = await api.http.get("/health/ready")
        assert (answer.status_code, answer.json()["status"]) == (status, word)
        assert ("retry-after" in answer.headers) is (status == 503)
        assert (await api.http.get("/health/live")).status_code == 200


async def test_live_says_which_loop_stands_still(api: Any) -> None:
    now_ns = time.monotonic_ns()
    (synthesis,) = api.board.workers.synthesis
    for sound, media_age, synthesis_age, still in (
        (True, 0, 0, []),
        (True, 8, 50, []),
        (False, 0, 0, ["control"]),
        (True, 11, 0, ["media-0"]),
        (True, 0, 61, ["synthesis-0"]),
    ):
        api.board.healthy = sound
        api.board.tick(now_ns - media_age * 1_000_000_000)
        synthesis.heard_ns = now_ns - synthesis_age * 1_000_000_000
        answer = await api.http.get("/health/live")
        assert answer.status_code == (503 if still else 200)
        assert answer.json() == {"status": "stuck" if still else "ok", "still": still}


async def test_health_names_what_is_wrong(in_process: Callable[..., Any]) -> None:
    async with in_process(max_calls=1, default_voice="espeak:en-us") as api:
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
        report = (await api.http.get("/health")).json()
        assert (report["model_loaded"], report["gpu_available"]) == (True, False)
        api.board.healthy = False
        assert await failing() == {"control"}
        api.board.healthy = True
        media.alive = False
        assert await failing() == {"media_workers"}
        media.alive, synthesis.alive = True, False
        assert await failing() == {"synthesis_workers"}
        synthesis.alive = True
        burden = Burden("espeak:en-us", True)
        for _ in range(106):
            synthesis.demand.change(None, burden)
        check = (await api.http.get("/health")).json()["checks"]["synthesis"]
        assert check == {
            "ok": True,
            "detail": "headroom 0.50: 1 is idle, 0 is full",
            "value": round(1 - 106 * 0.004 / 0.85, 4),
        }
        for _ in range(107):
            synthesis.demand.change(None, burden)
        assert await failing() == {"synthesis"}
        for _ in range(213):
            synthesis.demand.change(burden, None)
        await api.open()
        assert await failing() == {"capacity"}
        api.board.draining.on = True
        assert await failing() == {"capacity", "draining"}
        await api.http.delete("/v1/calls/c_0")
        api.board.draining.on = False
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
    assert got[key("legs", codec="PCMU", state="open", origin="rtp")] == 1
    assert got[key("legs", codec="PCMA", state="closed", origin="rtp")] == 1
    assert got[key("legs", codec="PCMA", state="open", origin="rtp")] == 0
    for name in (
        "ticks", "missed_ticks", "skipped_ticks", "packets", "send_errors", "send_blocked",
        "unreachable", "dry_ticks", "rtcp_sent", "rtcp_received", "digits_received",
        "inbound_dropped", "inbound_muted",
    ):  # fmt: skip
        assert got[key(f"{name}_total", worker="0")] == counters[Counter[name.upper()]]
    assert got[key("payload_bytes_total", worker="0")] == counters[Counter.OCTETS]
    for cause, counter in (
        ("synthesis", Counter.UNDERRUNS),
        ("pacer", Counter.STALLS),
        ("socket", Counter.BLOCKED),
    ):
        assert got[key("underruns_total", worker="0", cause=cause)] == counters[counter]
    assert got[key("tick_lateness_seconds_bucket", worker="0", le="0.0001")] == 2
    assert got[key("tick_lateness_seconds_bucket", worker="0", le="0.001")] == 3
    assert got[key("tick_lateness_seconds_bucket", worker="0", le="+Inf")] == 4
    assert got[key("tick_lateness_seconds_count", worker="0")] == 4
    assert got[key("tick_lateness_seconds_sum", worker="0")] == counters[Counter.LATENESS_SUM_US] / 1e6
    assert got[key("cache_hits_total", worker="0", tier="memory")] == 4
    assert got[key("cache_misses_total", worker="0", tier="memory")] == 5
    assert got[key("cache_bytes", worker="0", tier="memory")] == 1234
    assert got[key("synthesis_utterances_total", worker="0")] == 9
    assert got[key("synthesis_resets_total", worker="0")] == 3
    assert got[key("synthesis_headroom_ratio", worker="0")] == 1
    assert got[key("synthesis_utilisation_ratio", worker="0")] == 0.25
    assert got[key("voice_cost_ratio", worker="0", voice="espeak:en-us")] == 0.004
    assert got[key("synthesis_refused_total", worker="0", voice="espeak:de")] == 2
    assert got[key("worker_up", kind="media", worker="0")] == 1
    assert got[key("worker_restarts_total", kind="synthesis", worker="0")] == 3
    of = {"worker": "0", "voice": "espeak:en-us"}
    assert got[key("synthesis_seconds_total", **of)] == 1.5
    assert got[key("speech_seconds_total", **of)] == 60
    assert got[key("synthesis_step_streams_total", **of)] == 12
    assert got[key("synthesis_step_room_total", **of)] == 24
    assert got[key("synthesis_step_seconds_bucket", **of, le="0.001")] == 0
    assert got[key("synthesis_step_seconds_bucket", **of, le="0.002")] == 1
    assert got[key("synthesis_step_seconds_bucket", **of, le="+Inf")] == 3
    assert got[key("synthesis_step_seconds_sum", **of)] == 0.5
    assert got[key("synthesis_queue", **of, waits="first")] == 1
    assert got[key("synthesis_queue", **of, waits="next")] == 2
    assert got[key("legs_limit")] == 2
    assert got[key("ready")] == 1
    assert got[key("key_calls", key="anonymous")] == 1
    assert got[key("worker_resident_memory_bytes", kind="media", worker="0")] > 1e6
    assert got[key("worker_open_fds", kind="control", worker="0")] > 2
    assert 0 <= got[key("tick_age_seconds", worker="0")] < 5


async def test_first_audio_and_requests_are_observed(api: Any) -> None:
    call_id = await api.open()
    call = api.board.registry.call(call_id)
    for uid, seconds in (("a", 0.025), ("b", 0.25)):
        await api.http.post(f"/v1/calls/{call_id}/utterances", json={"text": "Hello.", "id": uid})
        api.board.speech.utterance(call_id, uid).first_audio_ms = seconds * 1000
        api.board.publish(call, "utterance.started", uid)
    api.board.speech.utterance(call_id, "a").apply("start")
    api.board.speech.utterance(call_id, "a").apply("finish")
    api.board.publish(call, "utterance.finished", "a")
    report = {"fraction_lost": 0.02, "jitter_ms": 4.0, "round_trip_ms": None}
    api.board.publish(call, "call.quality", **report)
    api.board.publish(call, "call.quality", **report | {"round_trip_ms": 30.0})
    api.board.publish(call, "call.quality", latched=True)
    api.board.publish(call, "call.closed", cause="hung_up")
    for _ in range(3):
        await api.http.get("/v1/calls/c_0")
    await api.http.get("/v1/calls/c_7")
    await api.http.get("/nothing/of/the/kind")
    got = await samples(api)
    voice = {"voice": call.voice}
    assert got[key("first_audio_seconds_bucket", le="0.03", **voice)] == 1
    assert got[key("first_audio_seconds_bucket", le="0.02", **voice)] == 0
    assert got[key("first_audio_seconds_count", **voice)] == 2
    assert got[key("utterances_total", outcome="finished", **voice)] == 1
    assert got[key("utterances_active", state="queued")] == 1
    assert got[key("rtcp_lost_ratio_count")] == got[key("rtcp_jitter_seconds_count")] == 2
    assert got[key("rtcp_lost_ratio_bucket", le="0.01")] == 0
    assert got[key("rtcp_lost_ratio_bucket", le="0.02")] == 2
    assert got[key("rtcp_round_trip_seconds_sum")] == 0.03
    assert got[key("calls_total", origin="rtp", cause="hung_up")] == 1
    assert got[key("http_refusals_total", code="unknown_call")] == 1
    assert got[key("http_refusals_total", code="not_found")] == 1
    assert got[key("http_requests_in_progress")] == 1
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


async def test_two_gateways_in_one_process_do_not_collide() -> None:
    from types import SimpleNamespace

    board: Any = SimpleNamespace(
        registry=SimpleNamespace(calls=list, doors=list, owned={}),
        workers=SimpleNamespace(media=(), synthesis=()),
        settings=SimpleNamespace(max_calls=1, default_voice="espeak:de"),
        obstacle="unavailable",
    )
    webhooks: Any = SimpleNamespace(
        counts=SimpleNamespace(delivered=1, failed=2, given_up=3, dropped=4), waiting=5
    )
    both = [Metrics(board, webhooks, {}), Metrics(board, webhooks, {})]
    for metrics in both:
        value = metrics.registry.get_sample_value
        assert value("voxtrunk_webhook_events_total", {"outcome": "delivered"}) == 1
        assert value("voxtrunk_webhook_failed_attempts_total") == 2
        assert value("voxtrunk_webhook_events_total", {"outcome": "given_up"}) == 3
        assert value("voxtrunk_webhook_events_total", {"outcome": "dropped"}) == 4
        assert value("voxtrunk_webhook_waiting") == 5
