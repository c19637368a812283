"""Reads a machine: thin, nothing is judged here. What a kernel does not have reads as what is harmless."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import socket
import ssl
import time
import urllib.request
from collections.abc import Mapping
from contextlib import closing, suppress
from difflib import get_close_matches
from http.client import HTTPException
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from gateway.doctor.facts import (
    UNLIMITED,
    Clock,
    Cores,
    Facts,
    Gpu,
    Kernel,
    KeysRead,
    Libraries,
    Ports,
    Redis,
)
from gateway.settings import Settings

_STEAL_SAMPLE_S: Final = 0.5
_PORTS_TRIED: Final = 100
_LIBRARIES: Final = (
    "espeakng-loader",
    "grpcio",
    "onnxruntime",
    "opentelemetry-sdk",
    "redis",
    "sippy",
    "tensorrt",
    "torch",
)
_TIME_ERROR: Final = 5
_ANYBODY: Final = ssl._create_unverified_context()


def read(settings: Settings) -> Facts:
    """The machine as it is now. Takes half a second, most of it to see how much time is stolen."""
    wants_gpu = settings.neural_runtime in {"torch-cudagraph", "tensorrt"}
    return Facts(
        kernel=_kernel(settings),
        cores=_cores(),
        clock=_clock(),
        ports=_ports(settings),
        libraries=_libraries(),
        gpu=_gpu() if wants_gpu else None,
        redis=_redis(settings.redis_url) if settings.redis_url else None,
        keys=_keys(settings),
        tls=_tls(settings),
        files=_files(settings),
        misspelt=_misspelt(os.environ),
        voice=_voice(settings),
    )


def _text(path: str, missing: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return missing


def _limit(value: int) -> int:
    return UNLIMITED if value == resource.RLIM_INFINITY else value


def _kernel(s: Settings) -> Kernel:
    memory = dict(line.split(":", 1) for line in _text("/proc/meminfo", "").splitlines() if ":" in line)
    kilobytes = {name: int(value.split()[0]) for name, value in memory.items()}
    fifo = os.sched_param(max(1, s.media_realtime))
    return Kernel(
        descriptors=_limit(resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
        memlock=_limit(resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]),
        realtime_refused=_refused(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, fifo)),
        nice_refused=_refused(lambda: os.setpriority(os.PRIO_PROCESS, 0, s.media_nice)),
        rt_runtime_us=int(_text("/proc/sys/kernel/sched_rt_runtime_us", "950000")),
        autogroup=_text("/proc/sys/kernel/sched_autogroup_enabled", "0") == "1",
        rmem_default=int(_text("/proc/sys/net/core/rmem_default", "212992")),
        wmem_default=int(_text("/proc/sys/net/core/wmem_default", "212992")),
        memory_available=1024 * kilobytes.get("MemAvailable", 0),
        swap=1024 * kilobytes.get("SwapTotal", 0),
    )


def _refused(attempt: object) -> str | None:
    """What a child of ours is told when it tries; None when it may. This process stays as it is."""
    assert callable(attempt)
    child = os.fork()
    if child == 0:
        code = 0
        try:
            attempt()
        except OSError as error:
            code = error.errno or errno.EPERM
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return os.strerror(code) if code else None


def _times() -> tuple[int, int]:
    """(stolen, all) jiffies of all cores since boot, proc(5)."""
    parts = [int(part) for part in _text("/proc/stat", "cpu 0 0 0 0 0 0 0 0").split("\n", 1)[0].split()[1:9]]
    return parts[7] if len(parts) > 7 else 0, sum(parts)


def _cores() -> Cores:
    stolen, total = _times()
    time.sleep(_STEAL_SAMPLE_S)
    stolen_now, total_now = _times()
    governors = {
        _text(str(path), "") for path in Path("/sys/devices/system/cpu").glob("cpu*/cpufreq/scaling_governor")
    }
    return Cores(
        usable=frozenset(os.sched_getaffinity(0)),
        quota=_quota(),
        governors=frozenset(governors - {""}),
        steal=(stolen_now - stolen) / max(1, total_now - total),
    )


def _quota() -> float | None:
    """Of this process's control group, version 2 or 1, or the container's, which sees its own as the root."""
    groups = _text("/proc/self/cgroup", "").splitlines()
    own = next((each[3:] for each in groups if each.startswith("0::")), "")
    line = _text("/sys/fs/cgroup/cpu.max", "") or _text(f"/sys/fs/cgroup{own}/cpu.max", "")
    if not line:
        one = "/sys/fs/cgroup/cpu/cpu.cfs"
        line = f"{_text(f'{one}_quota_us', '-1')} {_text(f'{one}_period_us', '100000')}"
    most, period = line.split()
    return None if most in {"max", "-1"} else int(most) / int(period)


class _Timex(ctypes.Structure):
    """struct timex of adjtimex(2), as far as it is read; the rest is room."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("room", ctypes.c_byte * 256),
    )


def _clock() -> Clock:
    timex = _Timex()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))  # modes 0: only read
    source = _text("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc")
    return Clock(source, 0 <= state < _TIME_ERROR, int(timex.maxerror))


def _bind(host: str, port: int, kind: socket.SocketKind) -> str | None:
    """What the kernel says against it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with closing(socket.socket(family, kind)) as sock:
            if kind == socket.SOCK_STREAM:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
    except OSError as error:
        return error.strerror or str(error)
    return None


def _answers(scheme: str, host: str, port: int) -> bool:
    """Whether what listens there is a gateway, whatever its certificate says it is called."""
    shown = "[::1]" if host == "::" else f"[{host}]" if ":" in host else host
    url = f"{scheme}://{shown}:{port}/health/live"
    with suppress(OSError, ValueError, HTTPException):  # the last: what answers speaks no HTTP
        with urllib.request.urlopen(url, timeout=2, context=_ANYBODY) as answer:
            told = json.load(answer)
        return isinstance(told, dict) and "still" in told
    return False


def _ports(s: Settings) -> Ports:
    udp, tcp = socket.SOCK_DGRAM, socket.SOCK_STREAM
    host = "127.0.0.1" if s.http_host == "localhost" else s.http_host
    http = _bind(host, s.http_port, tcp)
    sip = {f"{host} port {port}": _bind(str(host), port, udp) for host, port in s.sip_listen}
    addresses = {str(address): _bind(str(address), 0, udp) for address in s.rtp_addresses}
    first, last = s.rtp_ports
    sample = range(first + first % 2, last, max(2, (last - first) // _PORTS_TRIED // 2 * 2))
    home = next((name for name, why in addresses.items() if why is None), "127.0.0.1")
    low, high = _text("/proc/sys/net/ipv4/ip_local_port_range", "32768 60999").split()
    reserved = [
        part.split("-") for part in _text("/proc/sys/net/ipv4/ip_local_reserved_ports", "").split(",") if part
    ]
    return Ports(
        http=http,
        http_is_ours=http is not None
        and _answers("https" if s.tls_certificate else "http", s.http_host, s.http_port),
        sip={place: why for place, why in sip.items() if why is not None},
        addresses={name: why for name, why in addresses.items() if why is not None},
        ephemeral=(int(low), int(high)),
        reserved=tuple((int(part[0]), int(part[-1])) for part in reserved),
        rtp_busy=tuple(port for port in sample if _bind(home, port, udp) is not None),
        grpc=None if s.grpc_port is None else _bind(host, s.grpc_port, tcp),
    )


def _libraries() -> Libraries:
    found = {}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return Libraries(found, _espeak())


def _espeak() -> str | None:
    """Lets espeak-ng read a word; what went wrong."""
    from tts_core import open_default

    try:
        voices = open_default(Settings.model_fields["voices_folder"].default).voices()
    except Exception as error:  # whatever a broken library makes of it is what is to be told
        return " ".join(str(error).split()) or type(error).__name__
    return None if any(voice.name.startswith("espeak:") for voice in voices) else "it lists no voice"


def _voice(s: Settings) -> str | None:
    """Why the default voice is not there, as far as it can be known before it is loaded."""
    from gateway.speech.abroad import open_door
    from tts_core import TtsError

    try:
        door, abroad = open_door(s)
        if abroad is not None:
            abroad.close()
        door.voice(s.default_voice)
    except (TtsError, OSError) as error:
        return " ".join(str(error).split())
    return None


def _files(s: Settings) -> dict[str, str]:
    """What the settings name and cannot be used, and why."""
    from tts_core.remote.config import BadProviders, read_plan

    wrong = {}
    for name in ("prompts_folder", "lexicons_folder", "speakers_folder"):
        folder: Path | None = getattr(s, name)
        if folder is not None and not folder.is_dir():
            wrong[name] = f"{folder} is no folder" if folder.exists() else f"{folder} is not there"
        elif folder is not None and not os.access(folder, os.R_OK | os.X_OK):
            wrong[name] = f"{folder} may not be read"
    if s.providers_file is not None:
        try:
            read_plan(s.providers_file)
        except BadProviders as error:
            wrong["providers_file"] = " ".join(str(error).split())
    return wrong


def _misspelt(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that look like settings of ours, and what may be meant: nothing else would tell of them."""
    known = [name.upper() for name in Settings.model_fields]
    found: dict[str, str] = {}
    for name in environment:
        prefix, _, rest = name.partition("_")
        if prefix == "VOXTRUNK" and rest not in known:
            for near in get_close_matches(rest, known, n=1, cutoff=0.8):
                found[name] = f"VOXTRUNK_{near}"
    return found


def _gpu() -> Gpu:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Gpu((), f"torch cannot be loaded ({error})")
    if not torch.cuda.is_available():
        return Gpu((), "torch sees no CUDA device")
    return Gpu(tuple(torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())), None)


def _redis(url: str) -> Redis:
    try:
        import redis
    except ImportError:
        return Redis("the extra redis is not installed", 0.0, None)
    try:
        with redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2) as client:
            client.ping()
            began = time.perf_counter()
            client.ping()
            took = 1000 * (time.perf_counter() - began)
            policy = None
            with suppress(redis.RedisError):
                told = client.config_get("maxmemory-policy")
                policy = str(told.get("maxmemory-policy") or "") or None if isinstance(told, dict) else None
    except (redis.RedisError, ValueError, OSError) as error:
        return Redis(" ".join(str(error).split()), 0.0, None)
    return Redis(None, took, policy)


def _keys(s: Settings) -> KeysRead:
    from gateway.api.keyring import BadKeys, Keyring

    try:
        count = len(Keyring(s).keys)
        mode = s.api_keys_file.stat().st_mode if s.api_keys_file else 0
    except (BadKeys, OSError) as error:
        return KeysRead(str(error), 0, None, False)
    lengths = [len(key.get_secret_value()) for key in s.api_keys]
    return KeysRead(None, count, min(lengths, default=None), bool(mode & 0o004))


def _tls(s: Settings) -> str | None:
    from gateway.api.tls import BadCertificate, Certificate

    if s.tls_certificate is None or s.tls_key is None:
        return None
    try:
        Certificate(s.tls_certificate, s.tls_key)
    except BadCertificate as error:
        return str(error)
    return None
