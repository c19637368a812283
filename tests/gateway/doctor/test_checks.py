"""A machine that is fit, and each thing that may be wrong with it: found, called by its name, and what to do."""

from dataclasses import replace

import pytest

from gateway.doctor.checks import judge
from gateway.doctor.facts import Clock, Cores, Facts, Gpu, Kernel, KeysRead, Libraries, Ports, Redis
from gateway.settings import Settings

FIT = Facts(
    Kernel(65536, 8 << 20, None, None, 950_000, False, 212_992, 212_992, 16 << 30, 0),
    Cores(frozenset(range(4)), None, frozenset({"performance"}), 0.0),
    Clock("tsc", True, 2000),
    Ports(None, False, {}, {}, (32768, 60999), (), ()),
    Libraries(dict.fromkeys(("espeakng-loader", "onnxruntime", "sippy", "redis"), "1.0"), None),
    None,
    None,
    KeysRead(None, 1, 64, False),
    None,
)


def found(facts, **settings):
    """What is not ok, by name: (verdict, detail and change)."""
    judged = judge(Settings(**settings), facts)
    return {f.name: (f.verdict, f"{f.detail} | {f.change}") for f in judged if f.verdict != "ok"}


def test_nothing_is_said_of_a_machine_that_is_fit():
    assert found(FIT) == {}


def of(part, **values):
    return replace(FIT, **{part: replace(getattr(FIT, part), **values)})


TAKEN = "Address already in use"
NO = "Operation not permitted"
FEW = {"rtp_ports": "20000-20031"}
PLAIN = {"media_realtime": 0}
SIP = "127.0.0.1 port 5060"
FAULTS = [
    ("descriptors", "change", "LimitNOFILE=8320", of("kernel", descriptors=4096), {}),
    ("descriptors", "advice", "VOXTRUNK_HTTP_CONNECTIONS", of("kernel", descriptors=10_000), {}),
    ("send buffer", "change", "net.core.wmem_default", of("kernel", wmem_default=16_384), FEW),
    ("receive buffer", "change", "net.core.rmem_default", FIT, FEW),
    ("memory", "change", "VOXTRUNK_CACHE_OCTETS", of("kernel", memory_available=500_000_000), {}),
    ("swap", "advice", "MemorySwapMax=0", of("kernel", swap=1 << 30), {}),
    ("real time", "change", "LimitRTPRIO=10", of("kernel", realtime_refused=NO), {}),
    ("real time", "advice", "sched_rt_runtime_us", of("kernel", rt_runtime_us=-1), {}),
    ("real time", "advice", "VOXTRUNK_MEDIA_REALTIME=10", FIT, PLAIN),
    ("autogroup", "change", "sched_autogroup_enabled=0", of("kernel", autogroup=True), PLAIN),
    ("niceness", "advice", "LimitNICE=-10", of("kernel", nice_refused=NO), PLAIN),
    ("cores", "change", "VOXTRUNK_MEDIA_CPUS=0,1,2,3", FIT, {"media_cpus": (7,)}),
    ("cores", "advice", "VOXTRUNK_OTHER_CPUS", FIT, {"media_cpus": (1,), "other_cpus": (0, 1)}),
    ("cores", "advice", "more cores", FIT, {"synthesis_workers": 4}),
    ("CPU quota", "change", "limits.cpu", of("cores", quota=1.5), {}),
    ("CPU governor", "advice", "cpupower", of("cores", governors=frozenset({"powersave"})), {}),
    ("steal", "advice", "1.5 %", of("cores", steal=0.015), {}),
    ("steal", "change", "dedicated cores", of("cores", steal=0.2), {}),
    ("clock source", "change", "clocksource=tsc", of("clock", source="hpet"), {}),
    ("wall clock", "advice", "chrony", of("clock", synchronised=False), {}),
    ("HTTP", "change", "VOXTRUNK_HTTP_PORT", of("ports", http=TAKEN), {}),
    ("SIP", "change", SIP, of("ports", sip={SIP: TAKEN}), {}),
    ("RTP address", "change", "10.9.9.9", of("ports", addresses={"10.9.9.9": "Cannot assign"}), {}),
    ("RTP ports", "change", "ip_local_reserved_ports=30000-39999", FIT, {"rtp_ports": "30000-39999"}),
    ("RTP ports", "advice", "20400", of("ports", rtp_busy=(20400,)), {}),
    ("espeak-ng", "change", "libespeak", of("libraries", espeak="libespeak-ng.so: cannot open"), {}),
    ("onnxruntime", "change", "voxtrunk[neural]", of("libraries", versions={}), {"default_voice": "neural:x"}),
    ("sippy", "change", "voxtrunk[sip]", of("libraries", versions={}), {"sip_listen": "127.0.0.1:5060"}),
    ("redis", "change", "voxtrunk[redis]", of("libraries", versions={}), {"redis_url": "redis://127.0.0.1"}),
    ("opentelemetry-sdk", "change", "voxtrunk[otel]", FIT, {"traces": True}),
    ("torch", "change", "voxtrunk[gpu]", FIT, {"neural_runtime": "tensorrt"}),
    ("tensorrt", "change", "voxtrunk[gpu]", FIT, {"neural_runtime": "tensorrt"}),
    ("GPU", "change", "torch sees no CUDA", replace(FIT, gpu=Gpu((), "torch sees no CUDA device")), {}),
    ("Redis", "change", "refused", replace(FIT, redis=Redis("Connection refused", 0, None)), {}),
    ("Redis", "advice", "VOXTRUNK_REDIS_SPEECH_MS", replace(FIT, redis=Redis(None, 50.0, "noeviction")), {}),
    ("Redis", "change", "volatile-lru", replace(FIT, redis=Redis(None, 0.2, "allkeys-lru")), {}),
    ("keys", "change", "is not TOML", of("keys", problem="keys.toml is not TOML"), {}),
    ("keys", "change", "chmod 600", of("keys", readable_by_all=True), {}),
    ("certificate", "change", "VOXTRUNK_TLS_KEY", replace(FIT, tls="key values mismatch"), {}),
    ("certificate", "advice", "in the clear", FIT, {"http_host": "0.0.0.0", "api_keys": ("k",)}),
    ("keys", "advice", "openssl rand", of("keys", shortest=8), {}),
    ("gRPC", "change", "VOXTRUNK_GRPC_PORT", of("ports", grpc=TAKEN), {}),
    ("grpcio", "change", "voxtrunk[grpc]", FIT, {"grpc_port": 9090}),
    ("files", "change", "VOXTRUNK_PROMPTS_FOLDER", replace(FIT, files={"prompts_folder": "gone"}), {}),
    ("settings", "advice", "VOXTRUNK_X?", replace(FIT, misspelt={"VOXTRUNK_XX": "VOXTRUNK_X"}), {}),
    ("default voice", "change", "VOXTRUNK_DEFAULT_VOICE", replace(FIT, voice="no voice is named 'x'"), {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "verdict", "says", "facts", "settings"), FAULTS)
def test_each_fault_is_found_and_told(name, verdict, says, facts, settings):
    told = found(facts, **settings)
    assert told[name][0] == verdict
    assert says in told[name][1]


@pytest.mark.parametrize(
    ("facts", "settings"),
    [
        (of("ports", http=TAKEN, http_is_ours=True, rtp_busy=(20000,)), {}),
        (of("ports", reserved=((30000, 39999),)), {"rtp_ports": "30000-39999"}),
        (of("kernel", autogroup=True, nice_refused=NO), {}),  # real time is permitted
        (of("cores", quota=4.0), {}),
        (replace(FIT, gpu=Gpu(("H200",), None)), {}),
        (replace(FIT, redis=Redis(None, 0.2, None)), {}),
    ],
)
def test_what_is_no_fault_is_not_told_as_one(facts, settings):
    assert found(facts, **settings) == {}
