"""``/metrics`` for Prometheus: every process of the gateway in one scrape. ``docs/metrics.md`` lists it all.

What happens in control is observed here as it happens; the rest is read as the scrape comes, see
``gateway.api.families``.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Request, Response
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder

from gateway.api.families import Families
from gateway.calls.life import ENDS, TERMINAL
from gateway.nodes.metrics import NodeMetrics

if TYPE_CHECKING:
    from gateway.api.webhooks import Webhooks
    from gateway.calls.actions import Publish
    from gateway.calls.call import Call
    from gateway.calls.switchboard import Switchboard
    from gateway.nodes.node import Node

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
_LOST_BUCKETS: Final = (0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5)
_JITTER_BUCKETS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
_ROUND_TRIP_BUCKETS: Final = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody asks for
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

    def __init__(
        self,
        switchboard: Switchboard,
        webhooks: Webhooks | None,
        asked: Mapping[str, int],
        node: Node | None = None,
    ) -> None:
        self.registry = registry = CollectorRegistry()
        self._first_audio = Histogram(
            "voxtrunk_first_audio_seconds",
            "Request to first speech packet on the wire",
            ("voice",),
            buckets=_FIRST_AUDIO_BUCKETS,
            registry=registry,
        )
        self._ended = Counter(
            "voxtrunk_utterances",
            "Utterances that have ended, by how",
            ("voice", "outcome"),
            registry=registry,
        )
        self._calls = Counter(
            "voxtrunk_calls", "Calls that were closed, by why", ("origin", "cause"), registry=registry
        )
        self._lost = Histogram(
            "voxtrunk_rtcp_lost_ratio",
            "Part of our packets that a peer lost between two of its RTCP reports",
            buckets=_LOST_BUCKETS,
            registry=registry,
        )
        self._jitter = Histogram(
            "voxtrunk_rtcp_jitter_seconds",
            "Interarrival jitter at the peer, a report each",
            buckets=_JITTER_BUCKETS,
            registry=registry,
        )
        self._round_trip = Histogram(
            "voxtrunk_rtcp_round_trip_seconds",
            "Round trip by RTCP, a report each",
            buckets=_ROUND_TRIP_BUCKETS,
            registry=registry,
        )
        self._requests = Histogram(
            "voxtrunk_http_request_seconds",
            "Arrival of a request to the start of its answer",
            ("method", "route", "status"),
            buckets=_REQUEST_BUCKETS,
            registry=registry,
        )
        self.in_progress = Gauge(
            "voxtrunk_http_requests_in_progress",
            "Requests under way, event streams among them",
            registry=registry,
        )
        self._refusals = Counter(
            "voxtrunk_http_refusals", "Error answers, by their problem's code", ("code",), registry=registry
        )
        self._expect(switchboard.settings.default_voice)
        self._refusals.labels("internal")
        Info("voxtrunk_build", "Which Voxtrunk this is", registry=registry).info(
            {"version": version("voxtrunk")}
        )
        registry.register(Families(switchboard, webhooks, asked))
        if node is not None:
            registry.register(NodeMetrics(node, switchboard.workers))
        ProcessCollector(registry=registry)

    def observe_request(
        self, method: str, route: str, status: int, seconds: float, refusal: str | None = None
    ) -> None:
        """A request that is being answered; ``refusal``: the code of the problem that the answer is."""
        self._requests.labels(method, route, status).observe(seconds)
        if refusal is not None:
            self._refusals.labels(refusal).inc()

    def observe_event(self, call: Call, note: Publish) -> None:
        """An event of a call."""
        data = note.data
        if note.type == "utterance.started":
            assert note.utterance_id is not None
            utterance = call.utterance(note.utterance_id)
            assert utterance.first_audio_ms is not None
            self._expect(utterance.voice)
            self._first_audio.labels(utterance.voice).observe(utterance.first_audio_ms / 1000)
        elif note.type in ENDS:
            assert note.utterance_id is not None
            utterance = call.utterance(note.utterance_id)
            self._ended.labels(utterance.voice, utterance.state).inc()
        elif note.type == "call.closed":
            self._calls.labels(call.request.origin, str(data["cause"])).inc()
        elif note.type == "call.quality" and "fraction_lost" in data:
            self._observe_report(data["fraction_lost"], data["jitter_ms"], data["round_trip_ms"])

    def _expect(self, voice: str) -> None:
        """Count a voice's utterances from 0: an increase to a first 1 would not be seen as one."""
        for outcome in TERMINAL:
            self._ended.labels(voice, outcome)

    def _observe_report(self, lost: object, jitter_ms: object, round_trip_ms: object) -> None:
        assert isinstance(lost, float)
        assert isinstance(jitter_ms, float)
        self._lost.observe(lost)
        self._jitter.observe(jitter_ms / 1000)
        if isinstance(round_trip_ms, float):
            self._round_trip.observe(round_trip_ms / 1000)
