"""What is to be seen in ``/metrics`` of the providers whose voices are used, and of routes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from tts_core.remote.asking import KINDS
from tts_core.remote.desk import FIRST_BUCKETS_S

if TYPE_CHECKING:
    from gateway.calls.crew import SynthesisSeat


def families(seats: Iterable[SynthesisSeat]) -> Iterator[Metric]:
    """All families, without a sample where no provider is configured."""
    labels = ("worker", "provider")
    requests = CounterMetricFamily(
        "voxtrunk_provider_requests",
        "Requests to a provider that have ended, by how",
        labels=(*labels, "outcome"),
    )
    characters = CounterMetricFamily(
        "voxtrunk_provider_characters", "Characters that a provider was asked to say", labels=labels
    )
    spent = CounterMetricFamily(
        "voxtrunk_provider_spent", "What they cost, by the price that is configured", labels=labels
    )
    first = HistogramMetricFamily(
        "voxtrunk_provider_first_audio_seconds", "Request to the first audio of its answer", labels=labels
    )
    active = GaugeMetricFamily("voxtrunk_provider_requests_active", "Requests under way", labels=labels)
    alone = GaugeMetricFamily(
        "voxtrunk_provider_left_alone", "1 while a provider is not asked, because it fails", labels=labels
    )
    fail_overs = CounterMetricFamily(
        "voxtrunk_route_fail_overs",
        "Times that a route went on without a voice: before or after its first sound, or as it was late",
        labels=("worker", "route", "voice", "when"),
    )
    for seat in seats:
        if seat.statistics is None:
            continue
        worker = str(seat.index)
        for work in seat.statistics.providers:
            key = (worker, work.name)
            for kind, count in zip(KINDS, work.requests, strict=True):
                requests.add_metric((*key, kind), count)
            characters.add_metric(key, work.characters)
            spent.add_metric(key, work.spent)
            bounds = (*(f"{bound:g}" for bound in FIRST_BUCKETS_S), "+Inf")
            counts = itertools.accumulate(work.first)
            first.add_metric(key, list(zip(bounds, counts, strict=True)), sum_value=work.first_s)
            active.add_metric(key, work.under_way)
            alone.add_metric(key, work.left_alone)
        for each in seat.statistics.fail_overs:
            fail_overs.add_metric((worker, each.route, each.voice, each.when), each.count)
    yield from (requests, characters, spent, first, active, alone, fail_overs)
