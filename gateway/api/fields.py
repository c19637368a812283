"""What the fields of requests have in common. Strict: an unknown field, a wrong type or a value out of range is
refused by its name."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway.api.webhooks import check_receiver

CLIENT_STATE_OCTETS: Final = 4096


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
PromptName = Annotated[str, Field(min_length=1, max_length=512)]
SlotName = Annotated[str, Field(pattern=r"^\w+$", max_length=64)]
UtteranceId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._~:@+=-]{0,127}$")]
LexiconNames = Annotated[list[Annotated[str, Field(min_length=1, max_length=128)]], Field(max_length=8)]


class Request(BaseModel):
    """Base: strict types, no other fields."""

    model_config = ConfigDict(strict=True, extra="forbid")
