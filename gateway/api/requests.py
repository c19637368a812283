"""What may be asked, field by field."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from gateway.api.fields import (
    ClientState,
    LexiconNames,
    PromptName,
    Request,
    SlotName,
    Speech,
    UtteranceId,
    VoiceName,
    WebhookUrl,
)
from gateway.calls import requests as calls

SLOT: Final = re.compile(r"\{(\w{1,64})\}")


def _named(spec: str) -> str:
    _digits(spec)
    return spec


def _digits(spec: str) -> frozenset[str]:
    """``"0-9*#"`` to the keys that it names."""
    order = "0123456789ABCD"
    keys: set[str] = set()
    parts = re.findall("([0-9A-D])-([0-9A-D])|([0-9A-D*#])", spec)
    for first, last, single in parts:
        span = order[order.index(first) : order.index(last) + 1] if first else single
        if not span:
            raise ValueError(f"{first}-{last} should begin with the lower key")
        keys.update(span)
    if "".join(f"{first}-{last}" if first else single for first, last, single in parts) != spec:
        raise ValueError(f"{spec!r}: name keys 0-9, A-D, * and #, or ranges like 0-9")
    return frozenset(keys)


class BargeIn(Request):
    """What of the caller's cuts speech, as far as its `interruptible` lets it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"digits": "0-9#", "voice": True, "confirm_ms": 300}]}
    )

    digits: Annotated[str, Field(max_length=64), AfterValidator(_named)] = Field(
        "0-9*#A-D", description="Keys that cut, e.g. `0-9#`; others are only told; empty: none"
    )
    voice: bool = Field(False, description="Whether the caller's voice cuts (`interruptible: any`)")
    confirm_ms: int = Field(
        0,
        ge=0,
        le=5000,
        description="Speech pauses when the caller begins to speak, is cut once he has spoken for so long, and "
        "goes on from the same sample if he has not; 0: cut at once",
    )

    meanwhile: Literal["pause", "duck"] = Field(
        "pause", description="Until it is confirmed: pause, or go on 18 dB below"
    )

    def meant(self) -> calls.BargeIn:
        """The same for a call's core."""
        return calls.BargeIn(_digits(self.digits), self.voice, self.confirm_ms, self.meanwhile)


class RtpTarget(Request):
    """Where RTP is sent to: a literal IP address inside VOXTRUNK_RTP_ALLOW."""

    address: str = Field(min_length=1, max_length=64, description="IPv4 or IPv6 address, never a name")
    port: int = Field(ge=1, le=65535)
    rtcp_port: int | None = Field(None, ge=1, le=65535, description="Omitted: port + 1")
    rtcp_mux: bool = Field(False, description="RTCP goes to and comes from the RTP port (RFC 5761)")

    @model_validator(mode="after")
    def _one_rtcp_port(self) -> Self:
        if self.rtcp_mux and self.rtcp_port not in (None, self.port):
            raise ValueError("rtcp_port is the RTP port when rtcp_mux is true; omit it")
        return self


class SipAuth(Request):
    """Digest credentials, for a peer or proxy that asks for them."""

    user: str = Field(min_length=1, max_length=256)
    password: SecretStr = Field(max_length=256)


class SipTarget(Request):
    """Whom to call by SIP: a URI whose host is inside VOXTRUNK_SIP_ALLOW, or any through VOXTRUNK_SIP_PROXY."""

    to: str = Field(min_length=5, max_length=1024, examples=["sip:100@10.0.0.5"])
    from_: str | None = Field(None, alias="from", max_length=1024, description="Omitted: VOXTRUNK_SIP_FROM")
    headers: dict[str, str] = Field({}, max_length=64, description="Further headers of the INVITE")
    auth: SipAuth | None = None
    ring_timeout: float | None = Field(
        None, gt=0, le=300, description="Seconds; omitted: VOXTRUNK_SIP_RING_SECONDS"
    )


class CreateCall(Request):
    """Open a leg: to an RTP target, or by SIP."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "rtp": {"address": "127.0.0.1", "port": 40000},
                    "codec": "PCMU",
                    "ptime": 20,
                    "dtmf_payload_type": 101,
                    "silence": "send",
                    "voice": "neural:en-us-slt",
                    "client_state": "ticket 4711",
                    "max_seconds": 7200,
                }
            ]
        }
    )

    sip: SipTarget | None = None
    rtp: RtpTarget | None = Field(None, validate_default=True)
    codec: Literal["PCMU", "PCMA"] = Field("PCMU", description="By SIP: the one that we would rather speak")
    ptime: Literal[10, 20, 30, 40, 60] = Field(20, description="Milliseconds of audio in a packet")
    dtmf_payload_type: int | None = Field(
        101, ge=96, le=127, description="Payload type of telephone-event (RFC 4733); null: none"
    )
    silence: Literal["send", "suppress"] = Field(
        "send", description="While idle: send silence frames, or stop sending and resume with the marker bit"
    )
    voice: VoiceName | None = Field(None, description="One of GET /v1/voices; omitted: the default voice")
    client_state: ClientState | None = Field(None, description="Echoed on every event of the call")
    webhook_url: WebhookUrl | None = Field(
        None, description="Where this call's events go; omitted: VOXTRUNK_WEBHOOK_URL"
    )
    volume_db: float = Field(0.0, ge=-40.0, le=10.0, description="Added to each utterance's own")
    barge_in: BargeIn | None = Field(
        None, description="For utterances that say nothing of it; omitted: any key cuts, his voice does not"
    )
    max_seconds: int | None = Field(
        None, ge=1, description="The call is closed after this; omitted: VOXTRUNK_MAX_CALL_SECONDS"
    )

    @field_validator("rtp")
    @classmethod
    def _one_way(cls, rtp: RtpTarget | None, info: ValidationInfo) -> RtpTarget | None:
        if (rtp is None) == (info.data.get("sip") is None) and "sip" in info.data:
            raise ValueError("give exactly one of rtp and sip")
        return rtp


class RejectCall(Request):
    """Refuse an incoming call."""

    code: Literal[480, 486, 603] | None = Field(
        None, description="The SIP status; omitted: VOXTRUNK_SIP_REJECT_CODE"
    )


class PromptSlot(Request):
    """A recording that fills a slot."""

    prompt: PromptName


class Manner(Request):
    """How something is said."""

    id: UtteranceId | None = Field(
        None, description="The client's own, unique within the call; omitted: one is made"
    )
    voice: VoiceName | None = Field(None, description="One of GET /v1/voices; omitted: the call's")
    rate: float = Field(1.0, ge=0.5, le=2.0, description="Speaking rate, 1.0 is the voice's own")
    volume_db: float = Field(0.0, ge=-40.0, le=10.0, description="Relative to VOXTRUNK_LEVEL_DBM0")
    mode: Literal["append", "interrupt", "replace"] = Field(
        "append",
        description="append to the queue | interrupt: cut the current one, keep the queue | replace: drop all",
    )
    interruptible: Literal["none", "dtmf", "any"] = Field(
        "any",
        description="What of the caller's, and which `mode`, may cut it: none: neither | dtmf: his keys | any: "
        "his keys, his voice, interrupt and replace. A stop by this API always does",
    )
    barge_in: BargeIn | None = Field(None, description="Omitted: the call's")
    client_state: ClientState | None = Field(None, description="Echoed on every event of the utterance")
    lexicons: LexiconNames = Field(
        [],
        description="PLS documents in VOXTRUNK_LEXICONS_FOLDER, by name; the first that has a word says it",
    )


class CreateUtterance(Manner):
    """Say something: exactly one of text, ssml, prompt and template."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"text": "Your order has left the house.", "id": "u-42"},
                {"ssml": '<speak>Press <mark name="one"/>one.</speak>', "mode": "interrupt"},
                {"prompt": "greetings/hello", "interruptible": "none"},
                {"template": "Your balance is {amount}.", "slots": {"amount": "42 dollars"}},
            ]
        }
    )

    text: Speech | None = Field(None, description="Plain text, VOXTRUNK_TEXT_LIMIT characters at most")
    ssml: Speech | None = Field(None, description="An SSML 1.1 document, likewise limited")
    prompt: PromptName | None = Field(
        None, description="An audio file below VOXTRUNK_PROMPTS_FOLDER, with or without its extension"
    )
    template: Speech | None = Field(
        None, description="Text with slots, `{name}`; what lies between them is made once and kept"
    )
    slots: dict[SlotName, Speech | PromptSlot] = Field(
        {},
        max_length=32,
        description="What fills each: text, or a prompt, which fades into what surrounds it",
    )

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        ways = ("text", "ssml", "prompt", "template")
        given = [name for name in ways if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"give exactly one of text, ssml, prompt and template ({found} given)")
        if self.template is not None:
            named, filled = set(SLOT.findall(self.template)), set(self.slots)
            if named != filled:
                raise ValueError(f"template has the slots {sorted(named)}, slots fills {sorted(filled)}")
        elif self.slots:
            raise ValueError("slots needs a template")
        return self


class SayRest(Request):
    """How the rest of an utterance is said; all else is as it was."""

    id: UtteranceId | None = Field(None, description="Omitted: one is made")
    mode: Literal["append", "interrupt", "replace"] = "append"
    client_state: ClientState | None = Field(None, description="Omitted: that of what was cut")


class StopSpeech(Request):
    """What to stop."""

    scope: Annotated[
        Literal["current", "all"],
        Field(description="current: go on with the queue | all: drop the queue too"),
    ] = "current"


class PauseSpeech(Request):
    """When to pause."""

    at: Annotated[
        Literal["now", "word"],
        Field(description="now: at once | word: when the word that is being said has been said"),
    ] = "now"


class SetVolume(Request):
    """The level of all that is said on a call."""

    volume_db: float = Field(ge=-40.0, le=10.0, description="Added to each utterance's own")


class PlayBackground(Request):
    """What sounds behind a call's speech."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"prompt": "music/waiting", "volume_db": -15, "duck_db": -10}]}
    )

    prompt: PromptName = Field(
        description="An audio file below VOXTRUNK_PROMPTS_FOLDER, repeated until it is ended"
    )
    volume_db: float = Field(-15.0, ge=-60.0, le=10.0, description="Relative to VOXTRUNK_LEVEL_DBM0")
    duck_db: float = Field(
        -10.0, ge=-60.0, le=0.0, description="By how much it gives way while the call speaks"
    )


class Synthesize(Request):
    """Say something without a call: exactly one of text and ssml."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"text": "Your order has left the house."},
                {"text": "Guten Tag.", "language": "de", "format": "alaw"},
                {"ssml": "<speak>One <break/> two.</speak>", "format": "pcm", "sample_rate": 24000},
            ]
        }
    )

    text: Speech | None = Field(None, description="Plain text, VOXTRUNK_TEXT_LIMIT characters at most")
    ssml: Speech | None = Field(None, description="An SSML 1.1 document, likewise limited")
    speaker_id: VoiceName = Field("default", description="`default`, or one of GET /v1/voices")
    language: Annotated[str, Field(min_length=2, max_length=35)] | None = Field(
        None, description="BCP 47: where the voice does not speak it, another one does"
    )
    format: Literal["wav", "pcm", "mulaw", "alaw"] = Field("wav", description="pcm: s16le; all mono")
    sample_rate: Literal[8000, 16000, 24000] = Field(
        8000, description="Hz; the speech itself is telephone band"
    )
    speed: float = Field(1.0, ge=0.5, le=2.0, description="Speaking rate, 1.0 is the voice's own")
    volume_db: float = Field(0.0, ge=-40.0, le=10.0, description="Relative to VOXTRUNK_LEVEL_DBM0")
    lexicons: LexiconNames = Field([], description="PLS documents in VOXTRUNK_LEXICONS_FOLDER, by name")

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.text is None) == (self.ssml is None):
            raise ValueError("give exactly one of text and ssml")
        return self


class StreamSpeech(Synthesize):
    """Say something and send its audio as it is made."""

    format: Literal["pcm", "mulaw", "alaw"] = Field("pcm", description="pcm: s16le; all mono")
    chunk_size_ms: int = Field(
        100, ge=20, le=500, description="Audio in an event; the last one may have less"
    )


class SendDtmf(Request):
    """Digits to send as RFC 4733 events."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"digits": "12#", "duration_ms": 100}]})

    digits: str = Field(pattern=r"^[0-9*#A-D]{1,32}$", description="0-9 * # A-D, 32 at most")
    duration_ms: int = Field(100, ge=40, le=5000, description="Length of each")
