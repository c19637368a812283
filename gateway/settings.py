"""Every setting, in one place: what it is called, what it means, what it is when nobody says otherwise.

Each is read, strongest first, from the command line (where it has a switch), the environment
(``VOXTRUNK_RTP_ALLOW=127.0.0.0/8,10.1.0.0/16``), and a TOML file (``VOXTRUNK_CONFIG``, ``voxtrunk.toml``).
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import ipaddress
import json
import os
import re
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyAddress,
    IPvAnyNetwork,
    SecretStr,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)


def _port_range(value: object) -> object:
    """``"20000-29999"`` to ``(20000, 29999)``."""
    if isinstance(value, str):
        first, dash, last = value.partition("-")
        if not dash or not first.strip().isdigit() or not last.strip().isdigit():
            raise ValueError("write a port range as FIRST-LAST, for example 20000-29999")
        return int(first), int(last)
    return value


def _listed(value: object) -> object:
    """``"a,b"`` (as in an environment variable) to ``("a", "b")``; a JSON list is taken too."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):  # "[::1]:5060" begins like a list, too
            if isinstance(found := json.loads(value), list):
                return found
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return (value,) if isinstance(value, int) else value


def _paired(value: object) -> object:
    """``"alloy=espeak:en-us,aura-*=default"`` to a mapping; a JSON object is taken too."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("{"):
        return json.loads(value)
    pairs = [part.partition("=") for part in value.split(",") if part.strip()]
    if not all(name.strip() and voice.strip() for name, _, voice in pairs):
        raise ValueError("write NAME=VOICE,NAME=VOICE, for example alloy=espeak:en-us,aura-*=default")
    return {name.strip(): voice.strip() for name, _, voice in pairs}


def _at_home(path: Path) -> Path:
    """``~`` as the home directory; a user without one keeps the name, and nothing is found there."""
    with contextlib.suppress(RuntimeError):
        return path.expanduser()
    return path


Item = TypeVar("Item")
Folder = Annotated[Path, AfterValidator(_at_home)]
PortRange = Annotated[tuple[int, int], NoDecode, BeforeValidator(_port_range)]
Listed = Annotated[tuple[Item, ...], NoDecode, BeforeValidator(_listed)]


def _prefix(url: str) -> str:
    """A URL of a folder."""
    parts = urlsplit(url)
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or not plain
        or not parts.path.endswith("/")
    ):
        raise ValueError(f"{url!r}: write http(s)://HOST/FOLDER/, with a slash at its end")
    return url


def _number(value: object) -> object:
    """A number as an environment variable has it."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _host_and_port(value: object) -> object:
    """``"127.0.0.1:5060"`` or ``"[::1]:5060"`` to a host and a port; 5060 where none is given."""
    if not isinstance(value, str):
        return value
    host, colon, port = value.strip().rpartition(":")
    if not colon or value.rstrip().endswith("]"):
        host, port = value.strip(), "5060"
    if not port.isdigit():
        raise ValueError(f"{value!r}: write ADDRESS:PORT, for example 127.0.0.1:5060 or [::1]:5060")
    return ipaddress.ip_address(host.strip("[]")), int(port)


_NEURAL: Final = "neural:en-us-slt"
_PLAIN: Final = "espeak:en-us"


def _spoken_here() -> str:
    """The voice that is understood best, of those that this installation can speak with."""
    return _NEURAL if importlib.util.find_spec("onnxruntime") is not None else _PLAIN


SipAddress = Annotated[
    tuple[IPvAnyAddress, Annotated[int, Field(ge=0, le=65535)]], BeforeValidator(_host_and_port)
]


class SipAccount(BaseModel):
    """A registration with a registrar, as a trunk or an extension."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str = Field(description="Address of record, sip:100@pbx.example")
    user: str | None = None
    password: SecretStr | None = None
    proxy: str | None = Field(None, description="Where REGISTER goes, if not to the address's host")
    expires: int = Field(300, ge=30, le=86400)


class Settings(BaseSettings):
    """The gateway's settings. A wrong value is refused at start, naming the setting."""

    model_config = SettingsConfigDict(
        env_prefix="VOXTRUNK_", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    # -- control API
    http_host: str = Field("127.0.0.1", description="Address the control API listens on")
    http_port: int = Field(8080, ge=0, le=65535, description="Its port; 0 takes a free one")
    grpc_port: int | None = Field(
        None, ge=0, le=65535, description="Port of the gRPC door on http_host (extra grpc); none: no gRPC"
    )
    api_keys: Listed[SecretStr] = Field(
        (), description="Keys that may use the API. None: the API serves loopback only"
    )
    api_keys_file: Folder | None = Field(
        None, description="TOML file of more keys, with names and limits of their own; read again by reload"
    )
    key_max_calls: int = Field(
        0, ge=0, description="Calls that one key may have open; 0: no limit of its own"
    )
    key_requests: int = Field(0, ge=0, description="Requests of one key in key_seconds; 0: no limit")
    key_seconds: int = Field(1, ge=1, le=86400, description="In so many seconds")
    tls_certificate: Folder | None = Field(
        None, description="PEM file of the API's certificate and those above it: https; read again by reload"
    )
    tls_key: Folder | None = Field(None, description="PEM file of its private key")
    proxy_headers: Listed[IPvAnyNetwork] = Field(
        (), description="Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed; none: nobody's"
    )
    allowed_hosts: Listed[str] = Field(
        (),
        description="Names that the API answers to (Host), patterns like *.example.org; none: any, with keys",
    )
    cors_origins: Listed[str] = Field(
        (), description="Origins whose pages may call the API, e.g. https://app.example.org; none: none"
    )
    http_connections: int = Field(
        16_384, ge=1, description="Open connections to the API, WebSockets included"
    )
    http_connections_per_client: int = Field(
        4096, ge=1, description="Of one address; a proxy is one, unless it is all that connects"
    )
    max_body_octets: int = Field(1_048_576, ge=1024, description="Largest request body")
    text_limit: int = Field(20_000, ge=1, description="Characters of text or SSML in one utterance")
    stream_wait_ms: int = Field(
        500, ge=0, description="Silence, ms, after which an unfinished clause of streamed text is begun"
    )
    stream_high_water: int = Field(
        4000, ge=100, description="Unheard characters at which a writer of streamed text is asked to pause"
    )
    synthesize_seconds: float = Field(
        600,
        gt=0,
        le=7200,
        description="Longest speech of a /v1/synthesize answer or job; a stream has no end",
    )
    synthesize_jobs: int = Field(64, ge=0, description="Jobs of /v1/synthesize that are kept, done ones too")
    synthesize_job_seconds: float = Field(3600, gt=0, description="How long a job's audio can be fetched")
    speakers_folder: Folder | None = Field(
        None, description="Folder that /v1/speakers keeps reference audio in; none: it takes none"
    )
    speakers_max: int = Field(100, ge=1, description="Speakers kept there")
    speaker_octets: int = Field(10_485_760, ge=1024, description="Largest body of /v1/speakers")
    speaker_seconds: float = Field(60, gt=0, description="Longest reference audio")
    queue_limit: int = Field(256, ge=1, description="Utterances waiting on one call")
    idempotency_seconds: int = Field(3600, ge=1, description="How long an Idempotency-Key is remembered")
    idempotency_entries: int = Field(100_000, ge=1, description="How many of them are, at most")

    # -- legs
    rtp_ports: PortRange = Field((20000, 29999), description="RTP ports, even ones; RTCP takes the next")
    rtp_addresses: Listed[IPvAnyAddress] = Field(
        (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")),
        description="Local addresses that legs send from, the first of the target's family",
    )
    rtp_allow: Listed[IPvAnyNetwork] = Field(
        (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")),
        description="Networks that RTP may be sent to",
    )
    max_calls: int = Field(8000, ge=1, description="Open calls; beyond that 503 at_capacity")
    doors_max: int = Field(
        512, ge=1, le=65536, description="Streams of speech APIs, heard by no leg, that may be open; then 503"
    )
    max_call_seconds: int = Field(7200, ge=1, description="Default and upper limit of a call's max_seconds")
    media_timeout_seconds: float = Field(
        0,
        ge=0,
        description="A peer that neither rings nor holds is silent for so long: media timeout; 0: never",
    )
    media_timeout_action: Literal["report", "close"] = Field(
        "report", description="What a media timeout does"
    )
    unreachable_action: Literal["report", "close"] = Field(
        "close", description="What a target that refuses (ICMP) for unreachable_seconds does to its call"
    )
    unreachable_seconds: float = Field(5, ge=0, description="How long it may refuse")
    rtcp_interval_seconds: float = Field(5, gt=0, description="Mean time between RTCP reports of a leg")
    symmetric_rtp: bool = Field(
        False, description="Send to where the peer's packets come from (latching), once, inside rtp_allow"
    )
    symmetric_rtp_window_seconds: float = Field(5, gt=0, description="How long after opening a leg may latch")
    symmetric_rtp_packets: int = Field(4, ge=2, description="Consecutive packets from one source to latch on")
    port_drain_seconds: float = Field(1, ge=0, description="A closed leg's port rests this long")
    dtmf_volume_dbm0: int = Field(-10, ge=-63, le=0, description="Volume in the RFC 4733 events that we send")

    # -- SIP
    sip_listen: Listed[SipAddress] = Field(
        (), description="Addresses that SIP is spoken on, e.g. 127.0.0.1:5060,[::1]:5060; none: no SIP"
    )
    sip_advertise: str | None = Field(
        None, description="Host that Via and Contact name instead, for a gateway behind 1:1 NAT"
    )
    sip_media_address: IPvAnyAddress | None = Field(
        None, description="Address that SDP names instead of the leg's own, likewise"
    )
    sip_allow: Listed[IPvAnyNetwork] = Field(
        (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")),
        description="Networks that calls are taken from and placed to",
    )
    sip_incoming: Literal["answer", "ring", "reject"] = Field(
        "answer", description="What an INVITE meets: answered, left ringing for the controller, or rejected"
    )
    sip_greeting: str | None = Field(None, description="Text that calls answered by themselves hear first")
    sip_hang_up: bool = Field(False, description="Hang up when the greeting was heard")
    sip_say: bool = Field(
        True, description="Speak what an INVITE itself asks for (X-Voxtrunk-Say, ;say=), then hang up"
    )
    sip_early_media: bool = Field(
        False, description="Speak before the answer (183) while the controller decides"
    )
    sip_reject_code: Annotated[Literal[480, 486, 603], BeforeValidator(_number)] = Field(
        603,
        description="The status of a rejection",
    )
    sip_ring_seconds: float = Field(60, gt=0, le=300, description="How long a call may ring, in or out")
    sip_from: str | None = Field(
        None, description="Who calls, e.g. sip:bot@example.com; none: sip:voxtrunk@ the first address"
    )
    sip_proxy: str | None = Field(None, description="Outbound proxy of calls, e.g. sip:10.0.0.1:5060")
    sip_accounts: tuple[SipAccount, ...] = Field(
        (), description="Registrations to keep: [{address, user, password, proxy, expires}]"
    )
    sip_max_pending: int = Field(512, ge=1, description="INVITEs not yet answered; beyond that 503")

    # -- processes
    media_workers: int = Field(1, ge=1, le=64, description="Processes that pace RTP")
    synthesis_workers: int = Field(1, ge=1, le=64, description="Processes that make speech")
    legs_per_worker: int = Field(4096, ge=1, le=65536, description="Legs of one media worker")
    media_cpus: Listed[int] = Field((), description="Cores for the media workers, e.g. 1 or 2,3; empty: any")
    other_cpus: Listed[int] = Field((), description="Cores for all other processes; empty: any")
    media_realtime: int = Field(
        10, ge=0, le=99, description="SCHED_FIFO priority of media workers, where permitted; 0: none"
    )
    media_nice: int = Field(
        -10, ge=-20, le=19, description="Their niceness, where that is permitted and real time is not"
    )
    drain_seconds: float = Field(30, ge=0, description="How long SIGTERM lets calls finish")

    # -- speech
    default_voice: str = Field(
        default_factory=_spoken_here,
        description=f"The voice of calls that name none ({_NEURAL}; {_PLAIN} without ONNX Runtime)",
    )
    voice_aliases: Annotated[dict[str, str], NoDecode, BeforeValidator(_paired)] = Field(
        {},
        description="Other speech APIs' voices, names or patterns, and who speaks for them: "
        "alloy=espeak:en-us,aura-*=default; before those of gateway/api/doors/names.py",
    )
    voices_folder: Folder = Field(
        Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share") / "voxtrunk" / "voices",
        description="Folder of added voices, see `voxtrunk voices add`",
        validate_default=True,
    )
    neural_runtime: Literal["ort-cpu", "torch-cpu", "torch-cudagraph", "tensorrt"] = Field(
        "ort-cpu", description="What neural voices run in; where it cannot, the next that can, with a warning"
    )
    warm_voices: Listed[str] = Field(
        ("neural:*",),
        description="Voices loaded and tried before calls are taken, names or patterns; others when first used",
    )
    warm_in_background: bool = Field(
        False, description="Load them while calls are taken: a call with one of them may wait for it"
    )
    level_dbm0: float = Field(
        -20, ge=-40, le=-9, description="Active speech level (ITU-T P.56) of all voices"
    )
    media_limit: float = Field(
        0.85, gt=0, le=1, description="Part of a media worker's core that pacing may take before 503"
    )
    synthesis_limit: float = Field(
        0.85,
        gt=0,
        le=1,
        description="Part of a synthesis worker's core that speech may be promised from, less what control takes "
        "of cores that they share",
    )
    cache_octets: int = Field(256 * 1024 * 1024, ge=0, description="Memory for encoded speech, per worker")
    providers_file: Folder | None = Field(
        None,
        description="TOML file of providers whose voices are offered, and of routes, see docs/providers.md",
    )
    prompts_folder: Path | None = Field(None, description="Folder of audio files that `prompt` may name")
    audio_urls: Listed[Annotated[str, AfterValidator(_prefix)]] = Field(
        (),
        description="URLs below which SSML's <audio> may name files, e.g. https://cdn.example.com/prompts/",
    )
    audio_fetch_seconds: float = Field(
        3, gt=0, le=30, description="How long such a file may take to come before its alternative is said"
    )
    lexicons_folder: Path | None = Field(
        None, description="Folder of PLS lexicons: global.pls for all speech, others that `lexicons` names"
    )
    prompt_seconds: float = Field(600, gt=0, description="Longest prompt")

    # -- events
    events_per_call: int = Field(4096, ge=16, description="Events kept of one call")
    events_retained: int = Field(65_536, ge=16, description="Events kept for Last-Event-ID on /v1/events")
    closed_call_seconds: float = Field(300, ge=0, description="How long a closed call can still be read")
    webhook_url: str | None = Field(None, description="Where events of calls without a webhook_url go")
    webhook_secret: SecretStr | None = Field(
        None, description="Signs webhooks (Standard Webhooks, whsec_…); needed for any webhook"
    )
    webhook_allow: Listed[IPvAnyNetwork] = Field(
        (),
        description="Networks that webhooks may go to besides public addresses; loopback, too, without api_keys",
    )
    webhook_attempts: int = Field(8, ge=1, description="Deliveries tried before a webhook is given up")
    webhook_timeout_seconds: float = Field(10, gt=0, description="How long a receiver may take to answer")
    webhook_queue: int = Field(1000, ge=1, description="Events waiting for one call's receiver")

    # -- several nodes
    redis_url: str | None = Field(
        None,
        repr=False,
        description="Redis that nodes share, e.g. redis://10.0.0.5:6379/0; none: each for itself",
    )
    redis_prefix: str = Field("voxtrunk", min_length=1, description="What all keys there begin with")
    redis_speech_ms: float = Field(
        20, gt=0, le=1000, description="How long an utterance waits for speech that another node has made"
    )
    redis_speech_seconds: int = Field(86_400, ge=1, description="How long encoded speech is kept there")
    redis_speech_octets: int = Field(1_048_576, ge=0, description="Longest utterance that is; 0: no speech")
    redis_events: int = Field(
        100_000, ge=0, description="Events kept there for consumers that were away; 0: none"
    )
    node_url: str | None = Field(
        None,
        description="Where other nodes and their clients reach this API; none: http:// and what it listens on",
    )
    node_forward: Literal["redirect", "proxy"] = Field(
        "redirect", description="What a request about another node's call meets: 307 to it, or its answer"
    )

    # -- logs
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severe log line"
    )
    log_json: bool = Field(True, description="Log lines as JSON")
    log_texts: bool = Field(
        False, description="Log what is said, too: personal data, which is in no log line otherwise"
    )
    traces: bool = Field(
        False,
        description="Trace requests by OpenTelemetry to OTEL_EXPORTER_OTLP_ENDPOINT (extra otel)",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line, environment, then the TOML file.

        Raises OSError when the file that VOXTRUNK_CONFIG names is not there.
        """
        named = os.environ.get("VOXTRUNK_CONFIG")
        file = Path(named or "voxtrunk.toml")
        if named and (not file.exists() or file.is_dir()):
            raise FileNotFoundError(errno.ENOENT, "there is no such file", named)
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file)

    @property
    def speaks_plainly(self) -> bool:
        """Whether nobody chose a voice, and neural ones cannot speak here."""
        return "default_voice" not in self.model_fields_set and self.default_voice == _PLAIN

    @property
    def keyed(self) -> bool:
        """Whether who asks must show a key."""
        return bool(self.api_keys or self.api_keys_file)

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        first, last = self.rtp_ports
        if not 1024 <= first < last <= 65535:
            raise ValueError(f"rtp_ports {first}-{last}: take a range inside 1024-65535 of two ports or more")
        if not self.rtp_addresses:
            raise ValueError("rtp_addresses: name at least one local address")
        if self.http_port and first <= self.http_port <= last:
            raise ValueError(f"rtp_ports {first}-{last} contains http_port {self.http_port}: move one")
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key: set both, or neither")
        for origin in self.cors_origins:
            if origin != "*" and not re.fullmatch(r"https?://[^/?#@\s]+", origin):
                raise ValueError(
                    f"cors_origins {origin}: write scheme://host[:port], for example https://app.example.org"
                )
        if "*" in self.cors_origins and not self.keyed:
            raise ValueError("cors_origins *: without api_keys any web page could place calls; set api_keys")
        if not self.keyed and not is_loopback(self.http_host):
            raise ValueError(
                f"http_host {self.http_host}: without api_keys the API serves loopback only; "
                "set VOXTRUNK_API_KEYS (or _FILE) or listen on 127.0.0.1"
            )
        if self.sip_listen and self.sip_media_address is None:
            for address in self.rtp_addresses:
                if address.is_unspecified:
                    raise ValueError(
                        f"rtp_addresses {address}: a SIP peer cannot send there; set sip_media_address, or name "
                        "the interface's own address"
                    )
        return self


def is_loopback(host: str) -> bool:
    """Whether a host is this machine alone, by name or literal address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
