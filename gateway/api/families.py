"""The metrics that are read as a scrape comes.

The media workers' figures lie in their rings' shared memory, so nothing is sent for them; the synthesis workers
tell theirs about four times a second; what processes use is the kernel's word.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.api import providers
from gateway.api.processes import usage
from gateway.calls.call import State
from gateway.media.counters import Counter, lateness_histogram
from gateway.messages.work import STEP_BUCKETS_S

if TYPE_CHECKING:
    from gateway.api.webhooks import Webhooks
    from gateway.calls.call import Call
    from gateway.calls.crew import MediaSeat, SynthesisSeat
    from gateway.calls.switchboard import Switchboard

_MEDIA_TOTALS: Final = (
    ("ticks", Counter.TICKS, "Ticks of the pacer"),
    ("missed_ticks", Counter.MISSED_TICKS, "Ticks that began a whole frame time late or were skipped"),
    ("skipped_ticks", Counter.SKIPPED_TICKS, "Ticks that were skipped after a stall"),
    ("packets", Counter.PACKETS, "RTP packets sent"),
    ("payload_bytes", Counter.OCTETS, "RTP payload sent"),
    ("send_errors", Counter.SEND_ERRORS, "Packets that the kernel did not take"),
    ("send_blocked", Counter.SEND_BLOCKED, "Those of them that met a full send buffer"),
    ("unreachable", Counter.UNREACHABLE, "Times that ICMP said nobody listens"),
    ("dry_ticks", Counter.DRY_TICKS, "Frames of silence sent because synthesis was late"),
    ("rtcp_sent", Counter.RTCP_SENT, "RTCP packets sent"),
    ("rtcp_received", Counter.RTCP_RECEIVED, "RTCP packets received"),
    ("digits_received", Counter.DIGITS_RECEIVED, "DTMF digits received (RFC 4733)"),
    ("inbound_dropped", Counter.INBOUND_DROPPED, "Datagrams received and thrown away"),
    ("inbound_muted", Counter.INBOUND_MUTED, "Times that a flooding socket was left unread"),
)
_UNDERRUNS: Final = (
    ("synthesis", Counter.UNDERRUNS),
    ("pacer", Counter.STALLS),
    ("socket", Counter.BLOCKED),
)
_ORIGINS: Final = ("rtp", "sip_in", "sip_out", "door")
_WAITING: Final = ("queued", "speaking", "paused")


class Families(Collector):
    """All families that are read. ``webhooks``: None when there are none; ``asked``: requests by key."""

    def __init__(self, switchboard: Switchboard, webhooks: Webhooks | None, asked: Mapping[str, int]) -> None:
        self._asked = asked
        self._switchboard = switchboard
        self._webhooks = webhooks

    def collect(self) -> Iterator[Metric]:
        """All families, at this moment."""
        workers = self._switchboard.workers
        calls = [*self._switchboard.registry.calls(), *self._switchboard.registry.doors()]
        yield _legs(calls)
        yield _active(calls)
        yield from self._room()
        yield from self._keys()
        yield from _workers(workers.media, workers.synthesis)
        yield GaugeMetricFamily("voxtrunk_tasks", "Tasks of control's event loop", len(asyncio.all_tasks()))
        yield from _media(workers.media)
        yield from _synthesis(workers.synthesis)
        yield from _voices(workers.synthesis)
        yield from _load(workers.synthesis)
        yield _gpu(workers.synthesis)
        yield from providers.families(workers.synthesis)
        if self._webhooks is not None:
            yield from _hooks(self._webhooks)

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance: registering must not read a gateway that has not started."""
        return ()

    def _room(self) -> Iterator[Metric]:
        board = self._switchboard
        rows = sum(seat.ring.legs for seat in board.workers.media if seat.alive)
        limit = min(board.settings.max_calls, rows)
        yield GaugeMetricFamily("voxtrunk_legs_limit", "Legs that may be open at once", limit)
        ready = board.obstacle is None
        yield GaugeMetricFamily("voxtrunk_ready", "1 while new calls are taken", float(ready))

    def _keys(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "voxtrunk_key_requests", "Requests by API key, refused ones among them", labels=("key",)
        )
        calls = GaugeMetricFamily("voxtrunk_key_calls", "Open calls by API key", labels=("key",))
        for key, count in self._asked.items():
            requests.add_metric((key,), count)
        for key, count in self._switchboard.registry.owned.items():
            calls.add_metric((key or "none",), count)
        yield from (requests, calls)


def _legs(calls: Iterable[Call]) -> Metric:
    legs = Tally((call.codec, call.state, call.request.origin) for call in calls)
    labels = ("codec", "state", "origin")
    family = GaugeMetricFamily("voxtrunk_legs", "Legs, the lately closed among them", labels=labels)
    for codec in ("PCMU", "PCMA"):
        for state in get_args(State):
            for each in _ORIGINS:
                family.add_metric((codec, state, each), legs[codec, state, each])
    return family


def _active(calls: Iterable[Call]) -> Metric:
    states = Tally(
        utterance.state for call in calls if call.state != "closed" for utterance in call.playlist.queue
    )
    family = GaugeMetricFamily("voxtrunk_utterances_active", "Utterances not ended yet", labels=("state",))
    for state in _WAITING:
        family.add_metric((state,), states[state])
    return family


def _workers(media: Iterable[MediaSeat], synthesis: Iterable[SynthesisSeat]) -> Iterator[Metric]:
    labels = ("kind", "worker")
    up = GaugeMetricFamily("voxtrunk_worker_up", "1 while the worker works", labels=labels)
    restarts = CounterMetricFamily("voxtrunk_worker_restarts", "Times that it was replaced", labels=labels)
    cpu = CounterMetricFamily("voxtrunk_worker_cpu_seconds", "Processor time of the process", labels=labels)
    memory = GaugeMetricFamily(
        "voxtrunk_worker_resident_memory_bytes",
        "Memory of the process, what it shares included",
        labels=labels,
    )
    descriptors = GaugeMetricFamily("voxtrunk_worker_open_fds", "Its open file descriptors", labels=labels)
    pids = [("control", "0", os.getpid())]
    for kind, seats in (("media", media), ("synthesis", synthesis)):
        for seat in seats:
            up.add_metric((kind, str(seat.index)), seat.alive)
            restarts.add_metric((kind, str(seat.index)), seat.restarts)
            if seat.alive and seat.worker.pid is not None:
                pids.append((kind, str(seat.index), seat.worker.pid))
    for kind, index, pid in pids:
        used = usage(pid)
        if used is not None:
            cpu.add_metric((kind, index), used.cpu_seconds)
            memory.add_metric((kind, index), used.memory)
            descriptors.add_metric((kind, index), used.descriptors)
    yield from (up, restarts, cpu, memory, descriptors)


def _media(seats: Iterable[MediaSeat]) -> Iterator[Metric]:
    totals = [
        CounterMetricFamily(f"voxtrunk_{name}", text, labels=("worker",)) for name, _, text in _MEDIA_TOTALS
    ]
    underruns = CounterMetricFamily(
        "voxtrunk_underruns",
        "Times that speech broke off: synthesis had not made it, the pacer was late, the socket was full",
        labels=("worker", "cause"),
    )
    legs = GaugeMetricFamily("voxtrunk_worker_legs", "Legs that the worker paces", labels=("worker",))
    busy = CounterMetricFamily("voxtrunk_tick_busy_seconds", "Time that ticks took", labels=("worker",))
    headroom = GaugeMetricFamily(
        "voxtrunk_media_headroom_ratio",
        "Room for more legs by what ticks take: 1 idle, 0 full",
        labels=("worker",),
    )
    age = GaugeMetricFamily("voxtrunk_tick_age_seconds", "Since the worker's newest tick", labels=("worker",))
    lateness = HistogramMetricFamily(
        "voxtrunk_tick_lateness_seconds", "How late ticks began", labels=("worker",)
    )
    for seat in seats:
        labels = (str(seat.index),)
        counters = seat.ring.counters
        for family, (_, index, _) in zip(totals, _MEDIA_TOTALS, strict=True):
            family.add_metric(labels, int(counters[index]))
        for cause, index in _UNDERRUNS:
            underruns.add_metric((*labels, cause), int(counters[index]))
        legs.add_metric(labels, int(counters[Counter.LEGS]))
        age.add_metric(labels, (time.monotonic_ns() - int(counters[Counter.BEAT_NS])) / 1e9)
        busy.add_metric(labels, int(counters[Counter.BUSY_US]) / 1e6)
        headroom.add_metric(labels, seat.headroom if seat.alive else 0.0)
        late = lateness_histogram(counters)
        lateness.add_metric(labels, _buckets(late), sum_value=int(counters[Counter.LATENESS_SUM_US]) / 1e6)
    yield from (*totals, underruns, legs, busy, headroom, age, lateness)


def _buckets(cumulative: Iterable[tuple[float, int]]) -> list[tuple[str, float]]:
    return [(f"{bound:g}".replace("inf", "+Inf"), count) for bound, count in cumulative]


def _synthesis(seats: Sequence[SynthesisSeat]) -> Iterator[Metric]:
    told = [(str(seat.index), seat.statistics) for seat in seats if seat.statistics is not None]
    tier = ("worker", "tier")
    hits = CounterMetricFamily("voxtrunk_cache_hits", "Utterances found encoded in the cache", labels=tier)
    misses = CounterMetricFamily("voxtrunk_cache_misses", "Utterances not found there", labels=tier)
    octets = GaugeMetricFamily("voxtrunk_cache_bytes", "Encoded speech in the cache", labels=tier)
    entries = GaugeMetricFamily("voxtrunk_cache_entries", "Utterances in the cache", labels=tier)
    taken = CounterMetricFamily(
        "voxtrunk_synthesis_utterances", "Utterances that synthesis has taken up", labels=("worker",)
    )
    resets = CounterMetricFamily(
        "voxtrunk_synthesis_resets",
        "Chunks of speech lost because a voice's state was no longer finite",
        labels=("worker",),
    )
    streams = GaugeMetricFamily(
        "voxtrunk_synthesis_streams", "Legs that the worker writes for", labels=("worker",)
    )
    for index, statistics in told:
        memory = (index, "memory")
        hits.add_metric(memory, statistics.cache_hits)
        misses.add_metric(memory, statistics.cache_misses)
        if (shared := statistics.shared) is not None:
            hits.add_metric((memory[0], "redis"), shared.hits)
            misses.add_metric((memory[0], "redis"), shared.misses + shared.unanswered)
        octets.add_metric(memory, statistics.cache_octets)
        entries.add_metric(memory, statistics.cache_entries)
        taken.add_metric((index,), statistics.utterances)
        resets.add_metric((index,), statistics.resets)
        streams.add_metric((index,), statistics.streams)
    yield from (hits, misses, octets, entries, taken, resets, streams)


def _voices(seats: Iterable[SynthesisSeat]) -> Iterator[Metric]:
    labels = ("worker", "voice")
    busy = CounterMetricFamily("voxtrunk_synthesis_seconds", "Time spent making speech", labels=labels)
    audio = CounterMetricFamily("voxtrunk_speech_seconds", "Speech made", labels=labels)
    shared = CounterMetricFamily(
        "voxtrunk_synthesis_step_streams", "Utterances that steps were taken for", labels=labels
    )
    room = CounterMetricFamily(
        "voxtrunk_synthesis_step_room", "Utterances that those steps had room for", labels=labels
    )
    steps = HistogramMetricFamily(
        "voxtrunk_synthesis_step_seconds",
        "How long a step of a voice took, for all who shared it",
        labels=labels,
    )
    queue = GaugeMetricFamily(
        "voxtrunk_synthesis_queue",
        "Legs that wait for speech: for the first of it, or with less than three seconds ahead",
        labels=(*labels, "waits"),
    )
    for seat in seats:
        for work in () if seat.statistics is None else seat.statistics.work:
            key = (str(seat.index), work.name)
            busy.add_metric(key, work.busy_s)
            audio.add_metric(key, work.audio_s)
            shared.add_metric(key, work.streams)
            room.add_metric(key, work.room)
            bounds = (*STEP_BUCKETS_S, float("inf"))
            counts = [sum(work.buckets[: index + 1]) for index in range(len(bounds))]
            steps.add_metric(key, _buckets(zip(bounds, counts, strict=True)), sum_value=work.steps_s)
            queue.add_metric((*key, "first"), work.first)
            queue.add_metric((*key, "next"), work.next)
    yield from (busy, audio, shared, room, steps, queue)


def _load(seats: Iterable[SynthesisSeat]) -> Iterator[Metric]:
    headroom = GaugeMetricFamily(
        "voxtrunk_synthesis_headroom_ratio",
        "Room for more speech by what is promised: 1 idle, 0 full",
        labels=("worker",),
    )
    utilisation = GaugeMetricFamily(
        "voxtrunk_synthesis_utilisation_ratio",
        "Part of the last second spent making speech",
        labels=("worker",),
    )
    cost = GaugeMetricFamily(
        "voxtrunk_voice_cost_ratio",
        "Real-time factor: seconds of work for a second of speech, of late",
        labels=("worker", "voice"),
    )
    refused = CounterMetricFamily(
        "voxtrunk_synthesis_refused",
        "Utterances refused for want of headroom",
        labels=("worker", "voice"),
    )
    for seat in seats:
        worker = str(seat.index)
        headroom.add_metric((worker,), seat.demand.headroom if seat.alive else 0.0)
        for voice, count in seat.refused.items():
            refused.add_metric((worker, voice), count)
        if seat.statistics is not None:
            utilisation.add_metric((worker,), seat.statistics.utilisation)
            for each in seat.statistics.costs:
                cost.add_metric((worker, each.name), each.ratio)
    yield from (headroom, utilisation, cost, refused)


def _gpu(seats: Iterable[SynthesisSeat]) -> Metric:
    family = GaugeMetricFamily(
        "voxtrunk_gpu_memory_bytes",
        "Memory of the GPU that a worker's voices run on, by all who use it; none without a GPU",
        labels=("worker", "device", "state"),
    )
    for seat in seats:
        gpu = seat.statistics and seat.statistics.gpu
        if gpu:
            family.add_metric((str(seat.index), gpu.device, "used"), gpu.used)
            family.add_metric((str(seat.index), gpu.device, "free"), gpu.total - gpu.used)
    return family


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
