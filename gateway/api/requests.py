"""What may be asked, field by field. Strict: an unknown field, a wrong type or a value out of range is refused
by its name."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from gateway.api.webhooks import check_receiver

CLIENT_STATE_OCTETS: Final = 4096
_CLIENTS_ID: Final = r"^[A-Za-z0-9][A-Za-z0-9._~:@+=-]{0,127}$"


def _short_enough(state: str) -> str:
    octets = len(state.encode())
    if octets > CLIENT_STATE_OCTETS:
        raise ValueError(f"may have {CLIENT_STATE_OCTETS} octets of UTF-8, has {octets}")
    return state


def _not_blank(text: str) -> str:
    if not text or text.isspace():
        raise ValueError("should hold something to say")
    return text


Speech = Annotated[str, AfterValidator(_not_blank)]
ClientState = Annotated[str, AfterValidator(_short_enough)]
WebhookUrl = Annotated[str, Field(max_length=2048), AfterValidator(check_receiver)]
VoiceName = Annotated[str, Field(min_length=1, max_length=128)]


class Request(BaseModel):
    """Base: strict types, no other fields."""

    model_config = ConfigDict(strict=True, extra="forbid")


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
                    "voice": "espeak:en-us",
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


class CreateUtterance(Request):
    """Say something: exactly one of text, ssml and prompt."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"text": "Your order has left the house.", "id": "u-42"},
                {"ssml": '<speak>Press <mark name="one"/>one.</speak>', "mode": "interrupt"},
                {"prompt": "greetings/hello", "interruptible": "none"},
            ]
        }
    )

    text: Speech | None = Field(None, description="Plain text, VOXTRUNK_TEXT_LIMIT characters at most")
    ssml: Speech | None = Field(None, description="An SSML 1.1 document, likewise limited")
    prompt: Annotated[str, Field(min_length=1, max_length=512)] | None = Field(
        None, description="An audio file below VOXTRUNK_PROMPTS_FOLDER, with or without its extension"
    )
    id: Annotated[str, Field(pattern=_CLIENTS_ID)] | None = Field(
        None, description="The client's own, unique within the call; omitted: one is made"
    )
    voice: VoiceName | None = Field(None, description="One of GET /v1/voices; omitted: the call's")
    rate: float = Field(1.0, ge=0.5, le=2.0, description="Speaking rate, 1.0 is the voice's own")
    volume_db: float = Field(0.0, ge=-40.0, le=10.0, description="Relative to VOXTRUNK_LEVEL_DBM0")
    mode: Literal["append", "interrupt", "replace"] = Field(
        "append",
        description="append to the queue | interrupt: cut the current one, keep the queue | replace: drop all",
    )
    interruptible: Literal["none", "dtmf", "any"] = Field("any", description="What may cut it")
    client_state: ClientState | None = Field(None, description="Echoed on every event of the utterance")

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        given = [name for name in ("text", "ssml", "prompt") if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"give exactly one of text, ssml and prompt ({found} given)")
        return self


class StopSpeech(Request):
    """What to stop."""

    scope: Annotated[
        Literal["current", "all"],
        Field(description="current: go on with the queue | all: drop the queue too"),
    ] = "current"


class SendDtmf(Request):
    """Digits to send as RFC 4733 events."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"digits": "12#", "duration_ms": 100}]})

    digits: str = Field(pattern=r"^[0-9*#A-D]{1,32}$", description="0-9 * # A-D, 32 at most")
    duration_ms: int = Field(100, ge=40, le=5000, description="Length of each")
