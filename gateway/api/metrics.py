"""``/metrics`` for Prometheus: every process of the gateway in one scrape.

The media workers' figures are read from their rings' shared memory as the scrape comes, so nothing is sent
for them; the synthesis workers tell theirs about once a second; control's own are kept here.
"""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from gateway.media.counters import Counter, lateness_histogram

if TYPE_CHECKING:
    from gateway.api.webhooks import Webhooks
    from gateway.calls.crew import MediaSeat, SynthesisSeat
    from gateway.calls.switchboard import Switchboard

_FIRST_AUDIO_BUCKETS: Final = (
    0.01,
    0.02,
    0.03,
    0.04,
    0.05,
    0.06,
    0.08,
    0.1,
    0.15,
    0.2,
    0.3,
    0.5,
    1.0,
    2.0,
    5.0,
)
_REQUEST_BUCKETS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)
_MEDIA_TOTALS: Final = (
    ("ticks", Counter.TICKS, "Ticks of the pacer"),
    ("missed_ticks", Counter.MISSED_TICKS, "Ticks that began a whole frame time late or were skipped"),
    ("skipped_ticks", Counter.SKIPPED_TICKS, "Ticks that were skipped after a stall"),
    ("packets", Counter.PACKETS, "RTP packets sent"),
    ("octets", Counter.OCTETS, "RTP payload octets sent"),
    ("send_errors", Counter.SEND_ERRORS, "Packets that the kernel did not take"),
    ("send_blocked", Counter.SEND_BLOCKED, "Those of them that met a full send buffer"),
    ("unreachable", Counter.UNREACHABLE, "Times that ICMP said nobody listens"),
    ("underruns", Counter.UNDERRUNS, "Times that a leg ran dry in mid-utterance"),
    ("dry_ticks", Counter.DRY_TICKS, "Frames of silence sent because of that"),
    ("rtcp_sent", Counter.RTCP_SENT, "RTCP packets sent"),
    ("rtcp_received", Counter.RTCP_RECEIVED, "RTCP packets received"),
    ("digits_received", Counter.DIGITS_RECEIVED, "DTMF digits received (RFC 4733)"),
    ("inbound_dropped", Counter.INBOUND_DROPPED, "Datagrams received and thrown away"),
    ("inbound_muted", Counter.INBOUND_MUTED, "Times that a flooding socket was left unread"),
)
_SYNTHESIS_TOTALS: Final = (
    ("synthesis_utterances", "utterances", "Utterances that synthesis has taken up"),
    ("cache_hits", "cache_hits", "Utterances found encoded in the cache"),
    ("cache_misses", "cache_misses", "Utterances not found there"),
    ("synthesis_seconds", "synthesis_seconds", "Time spent making speech"),
    ("speech_seconds", "audio_seconds", "Speech made"),
    ("synthesis_resets", "resets", "Chunks of speech lost because a voice's state was no longer finite"),
)
_SYNTHESIS_GAUGES: Final = (
    ("cache_octets", "cache_octets", "Encoded speech in the cache"),
    ("cache_entries", "cache_entries", "Utterances in the cache"),
    ("synthesis_streams", "streams", "Utterances in the making"),
)
router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    summary="Metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def scrape(request: Request) -> Response:
    """In Prometheus' text format, or OpenMetrics if that is asked for. Loopback needs no key."""
    metrics: Metrics = request.app.state.metrics
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(metrics.registry), media_type=content_type)


class Metrics:
    """The registry and what is observed as it happens."""

    def __init__(self, switchboard: Switchboard, webhooks: Webhooks | None) -> None:
        self.registry = CollectorRegistry()
        self.first_audio = Histogram(
            "voxtrunk_first_audio_seconds",
            "Request to first speech packet on the wire",
            buckets=_FIRST_AUDIO_BUCKETS,
            registry=self.registry,
        )
        self._requests = Histogram(
            "voxtrunk_http_request_seconds",
            "Arrival of a request to the start of its answer",
            ("method", "route", "status"),
            buckets=_REQUEST_BUCKETS,
            registry=self.registry,
        )
        self.registry.register(_Gateway(switchboard, webhooks))
        ProcessCollector(registry=self.registry)

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request that is being answered."""
        self._requests.labels(method, route, status).observe(seconds)


class _Gateway(Collector):
    """What is read only when it is asked for."""

    def __init__(self, switchboard: Switchboard, webhooks: Webhooks | None) -> None:
        self._switchboard = switchboard
        self._webhooks = webhooks

    def collect(self) -> Iterator[Metric]:
        """All families, at this moment."""
        workers = self._switchboard.workers
        yield from self._legs()
        yield from _workers(workers.media, workers.synthesis)
        yield from _media(workers.media)
        yield from _synthesis(workers.synthesis)
        if self._webhooks is not None:
            yield from _hooks(self._webhooks)

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance: registering must not read a gateway that has not started."""
        return ()

    def _legs(self) -> Iterator[Metric]:
        legs = Tally((call.codec, call.state) for call in self._switchboard.calls())
        family = GaugeMetricFamily(
            "voxtrunk_legs", "Legs, the lately closed among them", labels=("codec", "state")
        )
        for codec in ("PCMU", "PCMA"):
            for state in ("ringing", "open", "closed"):
                family.add_metric((codec, state), legs[codec, state])
        yield family


def _workers(media: Iterable[MediaSeat], synthesis: Iterable[SynthesisSeat]) -> Iterator[Metric]:
    up = GaugeMetricFamily("voxtrunk_worker_up", "1 while the worker works", labels=("kind", "worker"))
    restarts = CounterMetricFamily(
        "voxtrunk_worker_restarts", "Times that it was replaced", labels=("kind", "worker")
    )
    for kind, seats in (("media", media), ("synthesis", synthesis)):
        for seat in seats:
            labels = (kind, str(seat.index))
            up.add_metric(labels, seat.alive)
            restarts.add_metric(labels, seat.restarts)
    yield up
    yield restarts


def _media(seats: Iterable[MediaSeat]) -> Iterator[Metric]:
    totals = [
        CounterMetricFamily(f"voxtrunk_{name}", text, labels=("worker",)) for name, _, text in _MEDIA_TOTALS
    ]
    legs = GaugeMetricFamily("voxtrunk_worker_legs", "Legs that the worker paces", labels=("worker",))
    age = GaugeMetricFamily("voxtrunk_tick_age_seconds", "Since the worker's newest tick", labels=("worker",))
    lateness = HistogramMetricFamily(
        "voxtrunk_tick_lateness_seconds", "How late ticks began", labels=("worker",)
    )
    for seat in seats:
        labels = (str(seat.index),)
        counters = seat.ring.counters
        for family, (_, index, _) in zip(totals, _MEDIA_TOTALS, strict=True):
            family.add_metric(labels, int(counters[index]))
        legs.add_metric(labels, int(counters[Counter.LEGS]))
        age.add_metric(labels, (time.monotonic_ns() - int(counters[Counter.BEAT_NS])) / 1e9)
        buckets = [
            (f"{bound:g}".replace("inf", "+Inf"), count) for bound, count in lateness_histogram(counters)
        ]
        lateness.add_metric(labels, buckets, sum_value=int(counters[Counter.LATENESS_SUM_US]) / 1e6)
    yield from (*totals, legs, age, lateness)


def _synthesis(seats: Iterable[SynthesisSeat]) -> Iterator[Metric]:
    told = [(seat.index, seat.statistics) for seat in seats if seat.statistics is not None]
    for name, member, text in _SYNTHESIS_TOTALS:
        total = CounterMetricFamily(f"voxtrunk_{name}", text, labels=("worker",))
        for index, statistics in told:
            total.add_metric((str(index),), getattr(statistics, member))
        yield total
    for name, member, text in _SYNTHESIS_GAUGES:
        gauge = GaugeMetricFamily(f"voxtrunk_{name}", text, labels=("worker",))
        for index, statistics in told:
            gauge.add_metric((str(index),), getattr(statistics, member))
        yield gauge


def _hooks(webhooks: Webhooks) -> Iterator[Metric]:
    counts = webhooks.counts
    events = CounterMetricFamily(
        "voxtrunk_webhook_events", "Events by what became of them", labels=("outcome",)
    )
    events.add_metric(("delivered",), counts.delivered)
    events.add_metric(("given_up",), counts.given_up)
    events.add_metric(("dropped",), counts.dropped)
    yield events
    failures = CounterMetricFamily(
        "voxtrunk_webhook_failed_attempts", "Deliveries that failed and were retried"
    )
    failures.add_metric((), counts.failed)
    yield failures
    waiting = GaugeMetricFamily("voxtrunk_webhook_waiting", "Events that wait for their receivers")
    waiting.add_metric((), webhooks.waiting)
    yield waiting
