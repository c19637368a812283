"""The settings as a worker is told them: plain values, for each worker would load 12 MB to read them itself.

Control has checked them all. What is not here (keys, secrets, what only control needs) no worker knows.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from gateway.settings import Settings

EFFECTIVE: Final = "VOXTRUNK_EFFECTIVE"


class Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See ``gateway.settings``, where each member has the same name. Addresses and networks are text here."""

    # every worker
    log_level: str
    log_json: bool
    media_workers: int
    other_cpus: tuple[int, ...]
    # media workers
    dtmf_volume_dbm0: int
    media_cpus: tuple[int, ...]
    media_nice: int
    media_realtime: int
    media_timeout_seconds: float
    port_drain_seconds: float
    rtcp_interval_seconds: float
    rtp_addresses: tuple[str, ...]
    rtp_allow: tuple[str, ...]
    rtp_ports: tuple[int, int]
    symmetric_rtp: bool
    symmetric_rtp_packets: int
    symmetric_rtp_window_seconds: float
    unreachable_seconds: float
    # synthesis workers
    cache_octets: int
    default_voice: str
    level_dbm0: float
    lexicons_folder: Path | None
    neural_runtime: str
    prompt_seconds: float
    prompts_folder: Path | None
    providers_file: Path | None
    redis_prefix: str
    redis_speech_ms: float
    redis_speech_octets: int
    redis_speech_seconds: int
    redis_url: str | None
    synthesis_workers: int
    voices_folder: Path
    warm_in_background: bool
    warm_voices: tuple[str, ...]

    @classmethod
    def of(cls, settings: Settings) -> Told:
        """What of ``settings`` a worker is told."""
        values = {name: getattr(settings, name) for name in cls.__struct_fields__}
        return _decoded(msgspec.json.encode(values, enc_hook=str))


def environment(settings: Settings) -> dict[str, str]:
    """The environment of a worker process: all but our own variables, and in their place what it is told."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VOXTRUNK_")}
    return inherited | {EFFECTIVE: msgspec.json.encode(Told.of(settings), enc_hook=str).decode()}


def told() -> Told:
    """What this process was told, if it is a worker."""
    return _decoded(os.environ[EFFECTIVE])


def _decoded(text: bytes | str) -> Told:
    return msgspec.json.decode(text, type=Told, dec_hook=lambda kind, value: kind(value))
