"""OpenTelemetry spans of each utterance, from its request to its first packet on the wire (extra ``otel``).

    utterance                 request to first packet; a child of the caller's span, if it sent traceparent
      admission               the request read, room made, the order given to synthesis
      synthesis               until the first of its audio is made, or found in the cache
      delivery                until that left: what is said before it, the ring, the pacer

They are made when the first packet has left, from times that are noted anyway: tracing costs a request nothing
on its way. Nothing of OpenTelemetry is imported unless VOXTRUNK_TRACES is on. What is said stands in no span.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

    from gateway.calls.actions import Publish
    from gateway.calls.call import Call
    from gateway.calls.utterance import Utterance


class Tracing:
    """Hands spans to ``processor``. Raises ImportError without the extra."""

    def __init__(self, processor: SpanProcessor) -> None:
        from importlib.metadata import version

        from opentelemetry import trace
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        resource = Resource.create({"service.name": "voxtrunk", "service.version": version("voxtrunk")})
        self._trace = trace
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("voxtrunk")
        self._parent = TraceContextTextMapPropagator().extract

    def observe_event(self, call: Call, note: Publish) -> None:
        """An event of a call."""
        if note.utterance_id is None:
            return
        utterance = call.utterance(note.utterance_id)
        if note.type == "utterance.started":
            self._tell(call, utterance, note.at_ns, None)
        elif note.type == "utterance.failed" and utterance.first_audio_ms is None:
            self._tell(call, utterance, note.at_ns, utterance.failure[0] if utterance.failure else "error")

    def _tell(self, call: Call, utterance: Utterance, at_ns: int, error: str | None) -> None:
        wall = _wall_clock()
        say = utterance.say
        parent = self._parent({"traceparent": say.trace}) if say.trace else None
        whole = self._tracer.start_span(
            "utterance",
            parent,
            kind=self._trace.SpanKind.SERVER,
            start_time=wall(utterance.requested_ns),
            attributes={
                "voxtrunk.call.id": call.id,
                "voxtrunk.utterance.id": utterance.id,
                "voxtrunk.voice": utterance.voice,
                "voxtrunk.cached": utterance.cached,
                "voxtrunk.codec": call.codec,
            },
        )
        inside = self._trace.set_span_in_context(whole)
        begin_ns = utterance.requested_ns
        for name, end_ns in (
            ("admission", utterance.queued_ns),
            ("synthesis", utterance.made_ns),
            ("delivery", at_ns),
        ):
            if end_ns:  # what failed has not come to each of them
                # a text that is being written is queued before its first word comes; and control may read that
                # audio was made after the pacer has sent it
                end_ns = min(max(begin_ns, end_ns), at_ns)
                step = self._tracer.start_span(name, inside, start_time=wall(begin_ns))
                step.end(wall(end_ns))
                begin_ns = end_ns
        if error is not None:
            whole.set_status(self._trace.StatusCode.ERROR, error)
        whole.end(wall(at_ns))

    def close(self) -> None:
        """Hand over what is left."""
        self._provider.shutdown()


def to_collector() -> Tracing:
    """Tracing to a collector by OTLP over HTTP, see OTEL_…. Raises ImportError without the extra."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return Tracing(BatchSpanProcessor(OTLPSpanExporter()))


def _wall_clock() -> Callable[[int], int]:
    """Turns a moment on CLOCK_MONOTONIC into nanoseconds since the epoch."""
    ahead_ns = time.time_ns() - time.monotonic_ns()
    return lambda at_ns: at_ns + ahead_ns
