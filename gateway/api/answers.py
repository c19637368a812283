"""What is answered: calls, utterances and events as they are on the wire, each built from the live thing.

They are built by ``model_construct``: the values are our own, nothing is validated a second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Self

import msgspec
from pydantic import BaseModel, Field
from starlette.responses import Response

from gateway.messages.media import LegStatistics
from gateway.messages.synthesis import VoiceInfo

if TYPE_CHECKING:
    from gateway.calls import call as live_call
    from gateway.calls import events as live_events
    from gateway.calls import requests as live_requests
    from gateway.calls import utterance as live_utterance


class Answer(BaseModel):
    """Base of all."""

    def response(self, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """The answer as JSON."""
        return Response(self.model_dump_json(by_alias=True), status, headers, media_type="application/json")


# -- calls --------------------------------------------------------------------------------------------------


class Local(Answer):
    """Where the leg sends from and receives."""

    address: str
    port: int
    rtcp_port: int


class Remote(Answer):
    """Where the leg sends to."""

    address: str
    port: int


class Rtp(Answer):
    """The leg's RTP."""

    local: Local
    remote: Remote | None = Field(description="null: a SIP peer has yet to name it")
    ssrc: int
    payload_type: int


class Sip(Answer):
    """What the call is to SIP. ``headers``: the INVITE's, in their order."""

    direction: Literal["in", "out"]
    call_id: str
    from_: str = Field(serialization_alias="from")
    to: str
    request_uri: str
    headers: list[tuple[str, str]]
    held: bool = Field(description="Whether the peer has put us on hold")
    code: int | None = Field(description="The SIP status it ended with, if it was never answered")
    reason: str | None

    @classmethod
    def of(cls, call: live_call.Call) -> Self | None:
        """None for a call that is none of SIP's."""
        if call.sip is None:
            return None
        code, reason = call.sip_end or (None, None)
        told = call.sip.told()
        return cls.model_construct(from_=told.pop("from"), held=call.held, code=code, reason=reason, **told)


class Statistics(Answer):
    """A leg's final account. Loss, jitter and round trip are from the peer's newest RTCP report; null: none."""

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
    underrun_causes: dict[str, int] = Field(
        description="Underruns by cause: synthesis (not made in time), pacer (not sent in time), socket (full)"
    )

    @classmethod
    def of(cls, statistics: LegStatistics) -> Self:
        """What the media worker counted."""
        return cls.model_construct(**msgspec.structs.asdict(statistics))


class Background(Answer):
    """What sounds behind a call's speech."""

    prompt: str
    volume_db: float
    duck_db: float

    @classmethod
    def of(cls, background: live_requests.Background | None) -> Self | None:
        """None for nothing."""
        if background is None:
            return None
        return cls.model_construct(**{name: getattr(background, name) for name in cls.model_fields})


class Call(Answer):
    """A call: one leg."""

    id: str
    state: Literal["ringing", "open", "closed"]
    codec: Literal["PCMU", "PCMA"]
    ptime: int
    voice: str
    opened_at: datetime
    answered_at: datetime | None = Field(description="When a SIP call was answered")
    rtp: Rtp
    sip: Sip | None = Field(description="null: opened by an RTP target")
    paused: bool
    volume_db: float
    background: Background | None
    closed_at: datetime | None
    cause: str | None = Field(description="Why it was closed")
    client_state: str | None
    webhook_url: str | None
    statistics: Statistics | None = Field(description="Once it is closed")

    @classmethod
    def of(cls, call: live_call.Call) -> Self:
        """The call as it is now."""
        local, remote = call.local, call.remote
        rtp = Rtp.model_construct(
            local=Local.model_construct(address=local.address, port=local.port, rtcp_port=local.rtcp_port),
            remote=remote and Remote.model_construct(address=remote.address, port=remote.port),
            ssrc=call.ssrc,
            payload_type=call.payload_type,
        )
        return cls.model_construct(
            id=call.id,
            state=call.state,
            codec=call.codec,
            ptime=call.ptime,
            voice=call.voice,
            opened_at=call.opened_at,
            answered_at=call.answered_at,
            rtp=rtp,
            sip=Sip.of(call),
            paused=call.paused,
            volume_db=call.mix.volume_db,
            background=Background.of(call.mix.background),
            closed_at=call.closed_at,
            cause=call.cause,
            client_state=call.client_state,
            webhook_url=call.webhook_url,
            statistics=None if call.statistics is None else Statistics.of(call.statistics),
        )


class Calls(Answer):
    """A page of calls in the order of their opening; ``next`` is the next page's ``after``."""

    calls: list[Call]
    next: str | None


# -- utterances ---------------------------------------------------------------------------------------------


class Queued(Answer):
    """An utterance that was accepted. ``warnings``: what SSML asked for that is not done."""

    id: str
    call_id: str
    state: str
    position: int | None = Field(description="0: the current or next one")
    warnings: list[str]


class Utterance(Answer):
    """An utterance and how much of it was heard: ``spoken_ms`` counts frames really sent."""

    id: str
    call_id: str
    state: Literal["queued", "speaking", "paused", "finished", "stopped", "failed"]
    cause: str | None
    text: str
    position: int | None
    duration_ms: int | None
    spoken_ms: int
    heard_ms: int | None = Field(
        description="An estimate of how much had reached the ear when the newest packet left, by its RTCP: "
        "spoken_ms less half the round trip and the jitter; null: there were no reports"
    )
    spoken_text: str
    remaining_text: str
    last_word: dict[str, Any] | None = Field(
        description="The last word of spoken_text, its times and characters"
    )
    last_mark: str | None
    first_audio_ms: float | None = Field(description="Request to first speech packet on the wire")
    underruns: int
    voice: str
    client_state: str | None

    @classmethod
    def of(cls, utterance: live_utterance.Utterance) -> Self:
        """The utterance as it is now."""
        return cls.model_construct(**{name: getattr(utterance, name) for name in cls.model_fields})


class Utterances(Answer):
    """A call's utterances: the ended ones, then the queue."""

    utterances: list[Utterance]

    @classmethod
    def of(cls, utterances: tuple[live_utterance.Utterance, ...]) -> Self:
        """In the order given."""
        return cls.model_construct(utterances=[Utterance.of(utterance) for utterance in utterances])


class Stopped(Answer):
    """What a stop has stopped, the current utterance first."""

    stopped: list[Utterance]

    @classmethod
    def of(cls, utterances: list[live_utterance.Utterance]) -> Self:
        """In the order given."""
        return cls.model_construct(stopped=[Utterance.of(utterance) for utterance in utterances])


class Digits(Answer):
    """Digits that will be sent."""

    call_id: str
    digits: str
    duration_ms: int


# -- events and the rest ------------------------------------------------------------------------------------


class Event(Answer):
    """What happened on a call. ``seq`` counts up by one within it."""

    id: str
    seq: int
    type: str
    time: datetime
    call_id: str
    utterance_id: str | None
    client_state: str | None
    data: dict[str, Any]

    @classmethod
    def of(cls, event: live_events.Event) -> Self:
        """The event."""
        return cls.model_construct(
            id=event.id,
            seq=event.seq,
            type=event.type,
            time=event.time,
            call_id=event.call_id,
            utterance_id=event.utterance_id,
            client_state=event.client_state,
            data=dict(event.data),
        )


class Events(Answer):
    """A call's events, oldest first; ``next`` is the next poll's ``after``."""

    events: list[Event]
    next: int


class Voice(Answer):
    """A voice to speak with."""

    name: str
    language: str
    engine: str
    description: str
    gender: str | None
    version: str = Field(description="Of the engine, or of what it was taught; empty where it has none")

    @classmethod
    def of(cls, voice: VoiceInfo) -> Self:
        """What the synthesis workers said of it."""
        return cls.model_construct(**msgspec.structs.asdict(voice))


class Voices(Answer):
    """All voices, and the one of calls that name none."""

    voices: list[Voice]
    default: str


class Problem(BaseModel):
    """An error answer (RFC 9457); only here to describe it in OpenAPI."""

    class FieldError(BaseModel):
        """One field that is at fault."""

        location: str = Field(alias="in")
        field: str
        detail: str
        pointer: str | None = None

    type: str = Field(examples=["urn:voxtrunk:problem:unknown_call"])
    title: str
    status: int
    detail: str
    instance: str
    code: str = Field(examples=["unknown_call"])
    request_id: str
    retryable: bool
    errors: list[FieldError] | None = Field(None, description="The fields that are at fault")
