"""What is to be seen of Redis in ``/metrics``: only where nodes share one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from gateway.calls.crew import Crew
    from gateway.nodes.node import Node

_ASKED: Final = ("hits", "misses", "unanswered")
_STORED: Final = ("stored", "dropped")


class NodeMetrics(Collector):
    """Control's own, and what the synthesis workers tell."""

    def __init__(self, node: Node, crew: Crew) -> None:
        self._node = node
        self._crew = crew

    def collect(self) -> Iterator[Metric]:
        """All families, at this moment."""
        up = GaugeMetricFamily(
            "voxtrunk_redis_up", "1 while Redis answers in time; 0: nothing waits for it", labels=("process",)
        )
        asked = CounterMetricFamily(
            "voxtrunk_shared_cache_lookups",
            "Utterances that were not in the worker's own cache, by what Redis said",
            labels=("worker", "outcome"),
        )
        stores = CounterMetricFamily(
            "voxtrunk_shared_cache_stores",
            "Utterances that were made here, by whether they lie in Redis now",
            labels=("worker", "outcome"),
        )
        up.add_metric(("control",), self._node.up)
        for seat in self._crew.synthesis:
            shared = seat.statistics.shared if seat.statistics is not None else None
            if shared is None:
                continue
            worker = str(seat.index)
            up.add_metric((seat.name,), shared.up)
            for outcome in _ASKED:
                asked.add_metric((worker, outcome), getattr(shared, outcome))
            for outcome in _STORED:
                stores.add_metric((worker, outcome), getattr(shared, outcome))
        events = CounterMetricFamily("voxtrunk_redis_events", "Events that were stored in Redis")
        events.add_metric((), self._node.stored)
        gaps = CounterMetricFamily(
            "voxtrunk_redis_event_gaps", "Times that events were too old to be stored when Redis was back"
        )
        gaps.add_metric((), self._node.gaps)
        yield from (up, asked, stores, events, gaps)

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance."""
        return ()
