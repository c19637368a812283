"""What a day's calls need: legs, voices at once, cores, memory, bandwidth, GPUs, and how each sum was made. Pure.

A leg is a call; it is paced all the while. Speech is made only while it is said, so those who speak at once are
counted apart: a leg that plays silence costs a synthesis worker nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from bench.sizing.erlang import blocking, servers

DAY_S: Final = 86_400
G711_OCTETS_A_MS: Final = 8
RTP, UDP, IPV4, IPV6, ETHERNET, FRAME_GAP = 12, 8, 20, 40, 18, 20
"""Octets: RFC 3550 5.1, 768, 791, 8200; IEEE 802.3: addresses, type and check sum; preamble and gap."""
CONTROL_CORES: Final = 1
MOST_ERLANGS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Traffic:
    """What callers do. ``peak``: the busiest hour against the day's mean; ``refused``: the part that may
    meet 503; ``cached``: the part of speech that is in the cache or a prompt and need not be made."""

    calls_a_day: float
    call_s: float
    utterances: float
    utterance_s: float
    peak: float
    refused: float
    cached: float = 0.0
    ptime_ms: int = 20


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured, and where. Cores of processor time, MB, kB; ``rtf``: seconds for a second of
    speech, of one core, or of one GPU with ``gpu``."""

    came_from: str
    media_idle: float
    media_a_leg: float
    memory_mb: float
    memory_kb_a_leg: float
    voice: str
    rtf: float
    media_limit: float
    synthesis_limit: float
    cache_mb: float
    gpu: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The sum. Bandwidth is one direction's; callers send as much back."""

    calls_a_second: float
    leg_erlangs: float
    legs: int
    speech_erlangs: float
    speaking: int
    media_workers: int
    synthesis_workers: int
    cores: int
    gpus: int
    memory_mb: float
    packets_a_second: int
    ip_mbit: float
    wire_mbit: float
    wire_mbit_ipv6: float
    arithmetic: tuple[str, ...]


def check(traffic: Traffic) -> None:
    """Raises ValueError for traffic that cannot be, or is more than is worth a sum."""
    t = traffic
    if not all(map(math.isfinite, (t.calls_a_day, t.call_s, t.utterances, t.utterance_s, t.peak))):
        raise ValueError("calls and their lengths have an end")
    said = t.utterances * t.utterance_s
    if said > t.call_s:
        raise ValueError(
            f"{said:g} s are to be said in calls of {t.call_s:g} s: fewer --utterances or --seconds, "
            "or more --call-minutes"
        )
    erlangs = t.calls_a_day / DAY_S * t.peak * t.call_s
    if erlangs > MOST_ERLANGS:
        raise ValueError(
            f"{erlangs:,.0f} calls at once: reckon with the part of --calls-per-day that one site takes "
            f"({MOST_ERLANGS:,} at once at most)"
        )


def plan(traffic: Traffic, figures: Figures) -> Plan:
    """Raises ValueError as ``check``."""
    check(traffic)
    t, f = traffic, figures
    rate = t.calls_a_day / DAY_S * t.peak
    leg_erlangs = rate * t.call_s
    legs = servers(leg_erlangs, t.refused)
    speech_erlangs = rate * t.utterances * t.utterance_s * (1 - t.cached)
    speaking = servers(speech_erlangs, t.refused)

    media = f.media_idle + f.media_a_leg * legs
    media_workers = max(1, math.ceil(media / f.media_limit))
    busy = speaking * f.rtf
    units = math.ceil(busy / f.synthesis_limit)
    synthesis_workers, gpus = max(1, units), units if f.gpu else 0
    # a worker that drives a GPU keeps a core busy beside it
    cores = media_workers + synthesis_workers + CONTROL_CORES
    memory = f.memory_mb + f.memory_kb_a_leg * legs / 1000 + f.cache_mb * synthesis_workers

    packets = 1000 / t.ptime_ms
    payload = G711_OCTETS_A_MS * t.ptime_ms
    ip = payload + RTP + UDP + IPV4
    wire = ip + ETHERNET + FRAME_GAP
    mbit = 8 * packets * legs / 1e6
    device = "GPU" if f.gpu else "core"
    refused = [100 * blocking(n, a) for n, a in ((legs, leg_erlangs), (speaking, speech_erlangs))]
    arithmetic = (
        f"{t.calls_a_day:,.0f} calls / {DAY_S:,} s x {t.peak:g} at the peak = {rate:.3f} calls a second",
        f"legs: {rate:.3f} x {t.call_s:g} s = {leg_erlangs:.1f} erlangs; by Erlang B {legs} legs refuse "
        f"{refused[0]:.3f} % (at most {100 * t.refused:g} %)",
        f"speech: {rate:.3f} x {t.utterances:g} x {t.utterance_s:g} s x {1 - t.cached:g} to be made = "
        f"{speech_erlangs:.1f} erlangs; {speaking} at once refuse {refused[1]:.3f} %",
        f"pacing: {f.media_idle:.3f} + {legs} x {f.media_a_leg:.6f} = {media:.3f} of a core, "
        f"/ {f.media_limit:g} -> {media_workers} media worker(s)",
        f"synthesis: {speaking} x {f.rtf:g} ({f.voice}) = {busy:.3f} of a {device}, "
        f"/ {f.synthesis_limit:g} -> {units} {device}(s)",
        f"cores: {media_workers} + {synthesis_workers} + {CONTROL_CORES} for control = {cores}",
        f"memory: {f.memory_mb:.0f} MB + {legs} x {f.memory_kb_a_leg:.1f} kB + {synthesis_workers} x "
        f"{f.cache_mb:.0f} MB of cache = {memory:.0f} MB",
        f"packet: {payload} G.711 + {RTP} RTP + {UDP} UDP + {IPV4} IPv4 = {ip} octets, + {ETHERNET} Ethernet "
        f"+ {FRAME_GAP} preamble and gap = {wire} on the wire (IPv6: {wire + IPV6 - IPV4})",
        f"bandwidth: {legs} x {packets:g}/s x {wire} octets = {wire * mbit:.2f} Mbit/s each way "
        f"({ip * mbit:.2f} as IP counts)",
    )
    return Plan(
        calls_a_second=rate,
        leg_erlangs=leg_erlangs,
        legs=legs,
        speech_erlangs=speech_erlangs,
        speaking=speaking,
        media_workers=media_workers,
        synthesis_workers=synthesis_workers,
        cores=cores,
        gpus=gpus,
        memory_mb=memory,
        packets_a_second=round(packets * legs),
        ip_mbit=ip * mbit,
        wire_mbit=wire * mbit,
        wire_mbit_ipv6=(wire + IPV6 - IPV4) * mbit,
        arithmetic=arithmetic,
    )
