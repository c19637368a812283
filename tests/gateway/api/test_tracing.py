"""Spans from request to first packet; and nothing of OpenTelemetry is there when it is off."""

from __future__ import annotations

import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from gateway.api.tracing import Tracing
from gateway.calls.actions import Publish

_TRACE = "0af7651916cd43dd8448eb211c80319c"
_PARENT = f"00-{_TRACE}-b7ad6b7169203331-01"
_MS = 1_000_000


def spans_of(**of_utterance: Any) -> tuple[dict[str, Any], int]:
    """The spans that one utterance makes, by name, and when it was asked for, since the epoch."""
    now_ns = time.monotonic_ns()
    facts = {
        "id": "u_1", "voice": "espeak:de", "cached": False, "queued_ns": now_ns - 48 * _MS,
        "made_ns": now_ns - 30 * _MS, "first_audio_ms": 50.0, "failure": None,
        "requested_ns": now_ns - 50 * _MS, "say": SimpleNamespace(trace=_PARENT),
    }  # fmt: skip
    utterance = SimpleNamespace(**facts | of_utterance)
    call: Any = SimpleNamespace(id="c_1", codec="PCMU", utterance=lambda uid: utterance)
    exporter = InMemorySpanExporter()
    tracing = Tracing(SimpleSpanProcessor(exporter))
    failed = utterance.first_audio_ms is None
    for kind in ("call.opened", "utterance.failed" if failed else "utterance.started", "utterance.mark"):
        uid = None if kind.startswith("call") else "u_1"
        tracing.observe_event(call, Publish(1, kind, now_ns, uid, None, {}))
    tracing.close()
    asked_ns = time.time_ns() - (time.monotonic_ns() - utterance.requested_ns)
    return {span.name: span for span in exporter.get_finished_spans()}, asked_ns


def test_an_utterance_is_traced_from_its_request_to_its_first_packet() -> None:
    spans, asked_ns = spans_of()
    whole = spans.pop("utterance")
    assert whole.kind is SpanKind.SERVER
    assert f"{whole.context.trace_id:032x}" == _TRACE
    assert f"{whole.parent.span_id:016x}" == "b7ad6b7169203331"
    assert abs(whole.start_time - asked_ns) < 5 * _MS
    assert whole.end_time - whole.start_time == 50 * _MS
    assert whole.attributes["voxtrunk.call.id"] == "c_1"
    assert whole.attributes["voxtrunk.utterance.id"] == "u_1"
    assert whole.attributes["voxtrunk.voice"] == "espeak:de"
    assert whole.resource.attributes["service.name"] == "voxtrunk"
    assert list(spans) == ["admission", "synthesis", "delivery"]
    at = whole.start_time
    for span, took_ms in zip(spans.values(), (2, 18, 30), strict=True):
        assert span.parent.span_id == whole.context.span_id
        assert (span.start_time, span.end_time) == (at, at + took_ms * _MS)
        at = span.end_time
    assert at == whole.end_time


def test_one_that_fails_before_it_is_heard_ends_in_error() -> None:
    spans, _ = spans_of(first_audio_ms=None, made_ns=0, failure=("engine_error", "its text"))
    assert list(spans) == ["admission", "delivery", "utterance"]
    assert spans["utterance"].status.status_code is StatusCode.ERROR
    assert spans["utterance"].status.description == "engine_error"


def test_without_or_with_a_broken_parent_it_is_a_trace_of_its_own() -> None:
    for trace in (None, "", "nonsense", "00-" + "0" * 32 + "-b7ad6b7169203331-01"):
        spans, _ = spans_of(say=SimpleNamespace(trace=trace), queued_ns=0, made_ns=0)
        assert spans["utterance"].parent is None


def test_nothing_is_imported_when_traces_are_off() -> None:
    """FastAPI itself imports OpenTelemetry's API where it is installed; that does nothing without the SDK."""
    code = """
import sys
import gateway.cli, gateway.api.server, gateway.media.worker, gateway.speech.worker
from gateway.api.app import create_app
from gateway.calls.switchboard import Switchboard
from gateway.settings import Settings
create_app(Switchboard(Settings()), Settings())
assert gateway.api.server._tracing(Settings()) is None
print(sorted(name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True
    )
    assert done.stdout == "[]\n"
