"""What was read from a machine, before anybody judges it. Plain values: a check needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

UNLIMITED = 2**63 - 1
"""What a limit is read as where there is none."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """Limits of this process and of the kernel. Octets, but ``rt_runtime_us`` (-1: no throttling)."""

    descriptors: int
    """The hard limit: control and media workers take all of it."""
    memlock: int
    realtime_refused: str | None
    """Why a process of ours may not be SCHED_FIFO at ``media_realtime``; None: it may."""
    nice_refused: str | None
    """The same of ``media_nice``."""
    rt_runtime_us: int
    autogroup: bool
    rmem_default: int
    wmem_default: int
    memory_available: int
    swap: int


@dataclass(frozen=True, slots=True)
class Cores:
    """``quota``: cores' worth of time that the control group may use, None without a limit; ``steal``: the part
    of the time just sampled that the hypervisor gave to others, 0 to 1."""

    usable: frozenset[int]
    quota: float | None
    governors: frozenset[str]
    steal: float


@dataclass(frozen=True, slots=True)
class Clock:
    """``synchronised`` by adjtimex(2)."""

    source: str
    synchronised: bool
    error_us: int


@dataclass(frozen=True, slots=True)
class Ports:
    """``http``, ``sip`` and ``addresses``: what could not be bound, and why (errno's words); empty: all could.

    ``http_is_ours``: a Voxtrunk answers there already. ``reserved``: ranges that the kernel gives to nobody.
    """

    http: str | None
    http_is_ours: bool
    sip: Mapping[str, str]
    addresses: Mapping[str, str]
    ephemeral: tuple[int, int]
    reserved: tuple[tuple[int, int], ...]
    rtp_busy: tuple[int, ...]
    """Even ports of the range's sample that somebody else has."""
    grpc: str | None = None
    """As ``http``."""


@dataclass(frozen=True, slots=True)
class Libraries:
    """Version of each library that is there, by pip's name for it; ``espeak``: why it does not read."""

    versions: Mapping[str, str]
    espeak: str | None


@dataclass(frozen=True, slots=True)
class Gpu:
    """``devices``: names, as CUDA or the driver tells them; ``problem``: why none can be used."""

    devices: tuple[str, ...]
    problem: str | None


@dataclass(frozen=True, slots=True)
class Redis:
    """``problem``: why it did not answer; ``policy``: maxmemory-policy, None where it may not be asked."""

    problem: str | None
    answer_ms: float
    policy: str | None


@dataclass(frozen=True, slots=True)
class KeysRead:
    """``shortest``: characters, of those that the settings hold; ``readable_by_all``: the file."""

    problem: str | None
    count: int
    shortest: int | None
    readable_by_all: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it. ``gpu``, ``redis``: None where the settings ask for none; ``tls``: why the certificate that they
    name cannot be served, None when it can."""

    kernel: Kernel
    cores: Cores
    clock: Clock
    ports: Ports
    libraries: Libraries
    gpu: Gpu | None
    redis: Redis | None
    keys: KeysRead
    tls: str | None
    files: Mapping[str, str] = field(default_factory=dict)
    """Why what a setting names cannot be used, by the setting."""
    misspelt: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that are no settings, and the setting that each is like."""
    voice: str | None = None
    """Why the default voice does not speak; None: it is there."""
