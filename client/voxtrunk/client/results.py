"""What the gateway answers, as frozen structs: read by attribute, equal by value.

Fields that this version does not know are left out."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

UtteranceState = Literal["queued", "speaking", "paused", "finished", "stopped", "failed"]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all."""

    def json(self) -> str:
        """As JSON."""
        return msgspec.json.encode(self).decode()


# -- calls ------------------------------------------------------------------------------------------------


class Local(Result, frozen=True):
    """Where a leg sends from and receives."""

    address: str
    port: int
    rtcp_port: int


class Remote(Result, frozen=True):
    """Where a leg sends to."""

    address: str
    port: int


class Rtp(Result, frozen=True):
    """A leg's RTP; ``remote`` is None until a SIP peer has named it."""

    local: Local
    remote: Remote | None
    ssrc: int
    payload_type: int


class Sip(Result, frozen=True):
    """What a call is to SIP. ``code``: the status it ended with, if it was never answered."""

    direction: Literal["in", "out"]
    call_id: str
    from_: str = msgspec.field(name="from")
    to: str
    request_uri: str
    headers: tuple[tuple[str, str], ...]
    held: bool
    code: int | None
    reason: str | None


class Statistics(Result, frozen=True):
    """A closed leg's account. Loss, jitter and round trip are from the peer's newest RTCP report; None: none."""

    packets: int
    octets: int
    send_errors: int
    unreachable: int
    missed_ticks: int
    underruns: int
    dry_ticks: int
    rtcp_received: int
    fraction_lost: float | None
    cumulative_lost: int | None
    jitter_ms: float | None
    round_trip_ms: float | None
    digits_received: int
    inbound_dropped: int
    underrun_causes: dict[str, int]


class Background(Result, frozen=True):
    """What sounds behind a call's speech."""

    prompt: str
    volume_db: float
    duck_db: float


class Call(Result, frozen=True):
    """A call: one leg. ``cause`` and ``statistics`` once it is closed."""

    id: str
    state: Literal["ringing", "open", "closed"]
    codec: Literal["PCMU", "PCMA"]
    ptime: int
    voice: str
    opened_at: datetime
    answered_at: datetime | None
    rtp: Rtp
    sip: Sip | None
    paused: bool
    volume_db: float
    background: Background | None
    closed_at: datetime | None
    cause: str | None
    client_state: str | None
    webhook_url: str | None
    statistics: Statistics | None


class Calls(Result, frozen=True):
    """A page of calls in the order of their opening; ``next`` is the next page's ``after``."""

    calls: tuple[Call, ...]
    next: str | None


class Digits(Result, frozen=True):
    """Digits that will be sent."""

    call_id: str
    digits: str
    duration_ms: int


# -- utterances -------------------------------------------------------------------------------------------


class Word(Result, frozen=True):
    """A word, when it is said, and its characters in the text."""

    word: str
    start_ms: int
    end_ms: int
    char_start: int
    char_end: int


class Queued(Result, frozen=True):
    """An utterance that was accepted. ``warnings``: what SSML asked for that is not done."""

    id: str
    call_id: str
    state: UtteranceState
    position: int | None
    warnings: tuple[str, ...]


class Utterance(Result, frozen=True):
    """An utterance and how much of it was heard: ``spoken_ms`` counts frames really sent."""

    id: str
    call_id: str
    state: UtteranceState
    cause: str | None
    text: str
    position: int | None
    duration_ms: int | None
    spoken_ms: int
    heard_ms: int | None
    spoken_text: str
    remaining_text: str
    last_word: Word | None
    last_mark: str | None
    first_audio_ms: float | None
    underruns: int
    voice: str
    client_state: str | None

    @property
    def ended(self) -> bool:
        """Whether no more of it will be heard."""
        return self.state in ("finished", "stopped", "failed")


class Utterances(Result, frozen=True):
    """A call's utterances: the ended ones, then the queue."""

    utterances: tuple[Utterance, ...]


class Stopped(Result, frozen=True):
    """What a stop has stopped, the current utterance first."""

    stopped: tuple[Utterance, ...]


# -- the rest ---------------------------------------------------------------------------------------------


class Event(Result, frozen=True):
    """What happened on a call. ``seq`` counts up by one within it."""

    id: str
    seq: int
    type: str
    time: datetime
    call_id: str
    utterance_id: str | None
    client_state: str | None
    data: dict[str, Any]


class Events(Result, frozen=True):
    """A call's events, oldest first; ``next`` is the next poll's ``after``."""

    events: tuple[Event, ...]
    next: int


class Voice(Result, frozen=True):
    """A voice to speak with; ``version``: of the engine, or of what it was taught."""

    name: str
    language: str
    engine: str
    description: str
    gender: str | None
    version: str


class Voices(Result, frozen=True):
    """All voices, and the one of calls that name none."""

    voices: tuple[Voice, ...]
    default: str


class Drain(Result, frozen=True):
    """Whether new calls are refused, and what is left to wait for."""

    draining: bool
    calls: int
    seconds: float | None


class LogLevel(Result, frozen=True):
    """The level in force."""

    level: str


class Reloaded(Result, frozen=True):
    """What was looked at again. ``errors``: why something stays as it was, by its name."""

    changed: dict[str, tuple[str, ...]]
    errors: dict[str, tuple[str, ...]]


class Check(Result, frozen=True):
    """One thing that was looked at."""

    ok: bool
    detail: str
    value: float | None = None


class Health(Result, frozen=True):
    """Everything that was looked at."""

    status: Literal["ok", "degraded"]
    version: str
    model_loaded: bool
    gpu_available: bool
    checks: dict[str, Check]
