"""What is judged of what was read: pure functions of settings and facts, a finding each.

A finding is ``ok``, an ``advice``, or a ``change``: without it the gateway does not start, does not do what its
settings promise, or makes calls choppy. What to change is a command or a setting, as it can be typed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from gateway.doctor.facts import UNLIMITED, Facts
from gateway.settings import Settings, is_loopback

Verdict = Literal["ok", "advice", "change"]

PHASES: Final = 8
PACKET_OCTETS: Final = 1280
"""What a G.711 packet takes of a socket's buffer: the kernel counts its own structures (skb truesize)."""
GATEWAY_OCTETS: Final = 260_000_000
LEG_OCTETS: Final = 45_000
"""No less than `bench run growth` measures: all processes without legs, and a speaking leg."""
_SPARE_DESCRIPTORS: Final = 128
_STEADY_SOURCES: Final = frozenset(
    {"tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "xen", "arch_sys_counter"}
)
_SHORT_KEY: Final = 24
_STEAL_SEEN, _STEAL_HEARD = 0.01, 0.05


@dataclass(frozen=True, slots=True)
class Finding:
    """``change`` says what to do; empty when all is well."""

    name: str
    verdict: Verdict
    detail: str
    change: str = ""


def judge(settings: Settings, facts: Facts) -> list[Finding]:
    """Everything that can be said, in the order of the list below."""
    checks = (_kernel, _priority, _cores, _clock, _ports, _libraries, _gpu, _redis, _keys, _tls, _files)
    return [finding for check in checks for finding in check(settings, facts)]


def _legs_of_a_worker(s: Settings) -> int:
    return min(s.legs_per_worker, -(-s.max_calls // s.media_workers))


def _port_pairs_of_a_worker(s: Settings) -> int:
    first, last = s.rtp_ports
    return (last - first + 1) // 2 // s.media_workers


def _legs_of_a_port(s: Settings) -> int:
    return -(-_legs_of_a_worker(s) // max(1, _port_pairs_of_a_worker(s)))


def _kernel(s: Settings, facts: Facts) -> Iterator[Finding]:
    k = facts.kernel
    sockets = min(_legs_of_a_worker(s), _port_pairs_of_a_worker(s) * len(s.rtp_addresses))
    needed = 2 * sockets + _SPARE_DESCRIPTORS
    limit = "no limit" if k.descriptors >= UNLIMITED else f"{k.descriptors:,}"
    detail = f"hard limit {limit}; a media worker may come to {needed:,}: RTP and RTCP of {sockets:,} ports"
    if k.descriptors < needed:
        yield Finding(
            "descriptors", "change", detail, f"LimitNOFILE={needed} (ulimit -Hn), or fewer VOXTRUNK_RTP_PORTS"
        )
    elif k.descriptors < s.http_connections + _SPARE_DESCRIPTORS:
        yield Finding(
            "descriptors",
            "advice",
            f"hard limit {limit}; control may come to {s.http_connections:,} connections",
            f"LimitNOFILE={s.http_connections + _SPARE_DESCRIPTORS}, or fewer VOXTRUNK_HTTP_CONNECTIONS",
        )
    else:
        yield Finding("descriptors", "ok", detail)

    legs = _legs_of_a_port(s)
    burst = -(-legs // PHASES)
    for name, size, packets, what in (
        ("send buffer", k.wmem_default, burst, "in one tick"),
        ("receive buffer", k.rmem_default, legs, "in 20 ms, if all callers are listened to"),
    ):
        octets = packets * PACKET_OCTETS
        detail = f"{size:,} octets; {legs:,} legs of one port come to {octets:,} {what}"
        key = "net.core.wmem_default" if name == "send buffer" else "net.core.rmem_default"
        if size < octets:
            yield Finding(name, "change", detail, f"sysctl -w {key}={2 * octets}, or more VOXTRUNK_RTP_PORTS")
        else:
            yield Finding(name, "ok", detail)

    needed = GATEWAY_OCTETS + LEG_OCTETS * s.max_calls + s.cache_octets * s.synthesis_workers
    detail = f"{k.memory_available / 1e9:.1f} GB free; the gateway may come to {needed / 1e9:.1f} GB"
    if k.memory_available < needed:
        yield Finding(
            "memory", "change", detail, "more memory, or less VOXTRUNK_CACHE_OCTETS or VOXTRUNK_MAX_CALLS"
        )
    else:
        yield Finding("memory", "ok", detail)
    if k.swap:
        yield Finding(
            "swap",
            "advice",
            f"{k.swap / 1e9:.1f} GB: a ring that was swapped out is late when it is sent",
            "MemorySwapMax=0 in the unit, or swapoff -a",
        )
    else:
        yield Finding("swap", "ok", "none")
    locked = "no limit" if k.memlock >= UNLIMITED else f"{k.memlock:,} octets"
    yield Finding("memlock", "ok", f"{locked}; the gateway locks no memory")


def _priority(s: Settings, facts: Facts) -> Iterator[Finding]:
    k = facts.kernel
    plain = not s.media_realtime or k.realtime_refused is not None
    if not s.media_realtime:
        yield Finding(
            "real time",
            "advice",
            "off: gap error p99 is 2 to 7 ms at 3,000 legs, not 0.4",
            "VOXTRUNK_MEDIA_REALTIME=10",
        )
    elif k.realtime_refused is not None:
        yield Finding(
            "real time",
            "change",
            f"SCHED_FIFO {s.media_realtime} is refused: {k.realtime_refused}",
            f"LimitRTPRIO={s.media_realtime} in the unit (ulimit -r, "
            f"--ulimit rtprio={s.media_realtime}, CAP_SYS_NICE), "
            "or VOXTRUNK_MEDIA_REALTIME=0 to do without",
        )
    elif k.rt_runtime_us < 0:
        yield Finding(
            "real time",
            "advice",
            "permitted, and nothing stops a worker that is never idle",
            "sysctl -w kernel.sched_rt_runtime_us=950000",
        )
    else:
        yield Finding("real time", "ok", f"SCHED_FIFO {s.media_realtime} is permitted")
    if not plain or s.media_nice >= 0:
        return
    if k.nice_refused is not None:
        yield Finding(
            "niceness",
            "advice",
            f"{s.media_nice} is refused: {k.nice_refused}",
            f"LimitNICE={s.media_nice} in the unit, or VOXTRUNK_MEDIA_NICE=0",
        )
    elif k.autogroup:
        yield Finding(
            "autogroup",
            "change",
            "niceness holds only among the processes of one session",
            "sysctl -w kernel.sched_autogroup_enabled=0, or permit real time",
        )
    else:
        yield Finding("niceness", "ok", f"{s.media_nice} is permitted")


def _cores(s: Settings, facts: Facts) -> Iterator[Finding]:
    c = facts.cores
    for name in ("media_cpus", "other_cpus"):
        absent = sorted(set(getattr(s, name)) - c.usable)
        if absent:
            usable = ",".join(map(str, sorted(c.usable)))
            yield Finding(
                "cores",
                "change",
                f"{name} names {absent}, this process may use {usable}",
                f"VOXTRUNK_{name.upper()}={usable}",
            )
    busy = s.media_workers + s.synthesis_workers
    workers = f"{s.media_workers} media and {s.synthesis_workers} synthesis workers, and control"
    detail = f"{len(c.usable)} usable; {workers}"
    if s.media_cpus and set(s.media_cpus) & set(s.other_cpus):
        yield Finding(
            "cores",
            "advice",
            "media workers share cores with the rest",
            "VOXTRUNK_OTHER_CPUS without those of VOXTRUNK_MEDIA_CPUS",
        )
    elif len(c.usable) < busy:
        yield Finding(
            "cores",
            "advice",
            detail,
            "fewer VOXTRUNK_MEDIA_WORKERS or VOXTRUNK_SYNTHESIS_WORKERS, or more cores",
        )
    else:
        yield Finding("cores", "ok", detail)
    if c.quota is not None and c.quota < min(len(c.usable), busy + 1):
        yield Finding(
            "CPU quota",
            "change",
            f"{c.quota:g} cores: when it is used up, all stands still until its period ends",
            "no CPU limit (CPUQuota=, limits.cpu, --cpus), but a request or pinned cores",
        )
    else:
        yield Finding("CPU quota", "ok", "none" if c.quota is None else f"{c.quota:g} cores")
    slow = sorted(c.governors - {"performance"})
    if slow:
        yield Finding("CPU governor", "advice", ", ".join(slow), "cpupower frequency-set -g performance")
    else:
        yield Finding("CPU governor", "ok", "performance" if c.governors else "the host decides")
    detail = f"{100 * c.steal:.1f} % of the time just now went to other machines of the host"
    if c.steal >= _STEAL_HEARD:
        yield Finding("steal", "change", detail, "dedicated cores: no setting of ours makes up for it")
    elif c.steal >= _STEAL_SEEN:
        yield Finding(
            "steal",
            "advice",
            detail,
            "dedicated cores, if gap errors matter (voxtrunk_tick_lateness_seconds)",
        )
    else:
        yield Finding("steal", "ok", detail)


def _clock(_: Settings, facts: Facts) -> Iterator[Finding]:
    clock = facts.clock
    if clock.source in _STEADY_SOURCES:
        yield Finding("clock source", "ok", clock.source)
    else:
        yield Finding(
            "clock source",
            "change",
            f"{clock.source}: each look at the clock is slow, and every tick looks",
            "clocksource=tsc on the kernel's command line, if the machine's is stable",
        )
    if clock.synchronised:
        yield Finding("wall clock", "ok", f"synchronised, within {clock.error_us / 1000:.1f} ms at the worst")
    else:
        yield Finding(
            "wall clock",
            "advice",
            "not synchronised: RTCP's and events' times may be off and step. Pacing does not follow it",
            "chrony, or another NTP daemon that slews; step at boot only (makestep 1 3)",
        )


def _ports(s: Settings, facts: Facts) -> Iterator[Finding]:
    p = facts.ports
    where = f"{s.http_host} port {s.http_port}"
    if p.http_is_ours:
        yield Finding("HTTP", "ok", f"a gateway answers at {where}")
    elif p.http is not None:
        yield Finding("HTTP", "change", f"{where}: {p.http}", "VOXTRUNK_HTTP_HOST, VOXTRUNK_HTTP_PORT")
    else:
        yield Finding("HTTP", "ok", f"{where} is free")
    if p.grpc is not None and not p.http_is_ours:
        yield Finding("gRPC", "change", f"{s.http_host} port {s.grpc_port}: {p.grpc}", "VOXTRUNK_GRPC_PORT")
    for place, why in p.sip.items() if not p.http_is_ours else ():
        yield Finding("SIP", "change", f"{place}: {why}", "VOXTRUNK_SIP_LISTEN")
    for address, why in p.addresses.items():
        yield Finding(
            "RTP address", "change", f"{address}: {why}", "VOXTRUNK_RTP_ADDRESSES: addresses of this machine"
        )
    first, last = s.rtp_ports
    low, high = p.ephemeral
    kept = any(a <= max(first, low) and min(last, high) <= b for a, b in p.reserved)
    if first <= high and low <= last and not kept:
        yield Finding(
            "RTP ports",
            "change",
            f"{first}-{last} are in part what the kernel gives to other programs ({low}-{high})",
            f"sysctl -w net.ipv4.ip_local_reserved_ports={first}-{last}, or VOXTRUNK_RTP_PORTS below {low}",
        )
    elif p.rtp_busy and not p.http_is_ours:
        yield Finding(
            "RTP ports",
            "advice",
            f"other programs have {', '.join(map(str, p.rtp_busy[:5]))}: legs go past them",
            "another VOXTRUNK_RTP_PORTS",
        )
    else:
        yield Finding(
            "RTP ports", "ok", f"{first}-{last}: {(last - first + 1) // 2:,} legs with a port of their own"
        )


def _libraries(s: Settings, facts: Facts) -> Iterator[Finding]:
    found = facts.libraries.versions
    if facts.libraries.espeak is not None:
        yield Finding(
            "espeak-ng",
            "change",
            facts.libraries.espeak,
            "pip install --force-reinstall espeakng-loader: every voice reads with it",
        )
    else:
        yield Finding("espeak-ng", "ok", f"reads; espeakng-loader {found.get('espeakng-loader', '?')}")
    torch = s.neural_runtime.startswith("torch")
    for library, extra, needed, why in (
        (
            "onnxruntime",
            "neural",
            s.default_voice.startswith(("neural:", "piper:")),
            f"voice {s.default_voice}",
        ),
        ("sippy", "sip", bool(s.sip_listen), "VOXTRUNK_SIP_LISTEN"),
        ("grpcio", "grpc", s.grpc_port is not None, "VOXTRUNK_GRPC_PORT"),
        ("redis", "redis", s.redis_url is not None, "VOXTRUNK_REDIS_URL"),
        ("opentelemetry-sdk", "otel", s.traces, "VOXTRUNK_TRACES"),
        (
            "torch",
            "gpu",
            torch or s.neural_runtime == "tensorrt",
            f"VOXTRUNK_NEURAL_RUNTIME={s.neural_runtime}",
        ),
        ("tensorrt", "gpu", s.neural_runtime == "tensorrt", "VOXTRUNK_NEURAL_RUNTIME=tensorrt"),
    ):
        if library in found:
            yield Finding(library, "ok", found[library])
        elif needed:
            yield Finding(
                library,
                "change",
                f"not installed, and {why} needs it",
                f"pip install 'voxtrunk[{extra}]' (scripts/setup {extra})",
            )
        else:
            yield Finding(library, "ok", "not installed, not needed")


def _gpu(s: Settings, facts: Facts) -> Iterator[Finding]:
    if facts.gpu is None:
        yield Finding("GPU", "ok", f"not asked for (VOXTRUNK_NEURAL_RUNTIME={s.neural_runtime})")
    elif facts.gpu.problem is not None:
        yield Finding(
            "GPU",
            "change",
            f"{s.neural_runtime} needs one: {facts.gpu.problem}",
            "the driver, --gpus all, or VOXTRUNK_NEURAL_RUNTIME=ort-cpu",
        )
    else:
        yield Finding("GPU", "ok", ", ".join(facts.gpu.devices))


def _redis(s: Settings, facts: Facts) -> Iterator[Finding]:
    r = facts.redis
    if r is None:
        yield Finding("Redis", "ok", "not asked for (VOXTRUNK_REDIS_URL)")
    elif r.problem is not None:
        yield Finding(
            "Redis",
            "change",
            r.problem,
            "VOXTRUNK_REDIS_URL, or start it; until then each node is for itself",
        )
    elif r.answer_ms > s.redis_speech_ms:
        yield Finding(
            "Redis",
            "advice",
            f"answers in {r.answer_ms:.1f} ms, speech waits {s.redis_speech_ms:g} ms for it",
            "a nearer one, or VOXTRUNK_REDIS_SPEECH_MS",
        )
    elif r.policy in {"allkeys-lru", "allkeys-lfu", "allkeys-random"}:
        yield Finding(
            "Redis",
            "change",
            f"maxmemory-policy {r.policy} may drop events and nodes",
            "CONFIG SET maxmemory-policy volatile-lru",
        )
    else:
        yield Finding(
            "Redis", "ok", f"answers in {r.answer_ms:.1f} ms; {r.policy or 'its policy may not be asked'}"
        )


def _keys(s: Settings, facts: Facts) -> Iterator[Finding]:
    k = facts.keys
    if k.problem is not None:
        yield Finding("keys", "change", k.problem, "VOXTRUNK_API_KEYS_FILE")
    elif k.readable_by_all:
        yield Finding(
            "keys",
            "change",
            f"everybody on this machine may read {s.api_keys_file}",
            f"chmod 600 {s.api_keys_file}",
        )
    elif k.shortest is not None and k.shortest < _SHORT_KEY:
        yield Finding("keys", "advice", f"one has only {k.shortest} characters", "openssl rand -hex 32")
    elif not k.count:
        yield Finding("keys", "ok", "none: the API serves this machine alone")
    else:
        yield Finding("keys", "ok", f"{k.count} configured")


def _tls(s: Settings, facts: Facts) -> Iterator[Finding]:
    if facts.tls is not None:
        yield Finding(
            "certificate",
            "change",
            facts.tls,
            "VOXTRUNK_TLS_CERTIFICATE, VOXTRUNK_TLS_KEY",
        )
    elif s.tls_certificate is not None:
        yield Finding("certificate", "ok", str(s.tls_certificate))
    elif is_loopback(s.http_host):
        yield Finding("certificate", "ok", "none: the API serves this machine alone")
    else:
        yield Finding(
            "certificate",
            "advice",
            f"none, and the API listens on {s.http_host}: keys go in the clear",
            "VOXTRUNK_TLS_CERTIFICATE and VOXTRUNK_TLS_KEY, or a proxy before it",
        )


def _files(s: Settings, facts: Facts) -> Iterator[Finding]:
    for name, near in facts.misspelt.items():
        yield Finding("settings", "advice", f"{name} is in the environment and is no setting", f"{near}?")
    for name, why in facts.files.items():
        yield Finding("files", "change", why, f"VOXTRUNK_{name.upper()}: what is there, or leave it out")
    if facts.voice is not None:
        yield Finding(
            "default voice",
            "change",
            facts.voice,
            "VOXTRUNK_DEFAULT_VOICE: one that `voxtrunk voices` lists",
        )
    else:
        yield Finding("default voice", "ok", s.default_voice)
