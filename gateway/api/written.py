"""What is said over a socket by whoever writes a text while it is being spoken."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gateway.api.fields import Request, UtteranceId
from gateway.api.requests import Manner


class OpenText(Manner):
    """Begin to write an utterance."""

    type: Literal["open"]
    id: UtteranceId


class MoreText(Request):
    """More text of it, and a mark behind this text."""

    type: Literal["text"]
    id: str
    text: str = ""
    mark: Annotated[str, Field(min_length=1, max_length=128)] | None = None


class FlushText(Request):
    """Speak what there is, as if a clause ended here."""

    type: Literal["flush"]
    id: str


class EndText(Request):
    """Nothing follows."""

    type: Literal["end"]
    id: str


class ClearText(Request):
    """Take back what was not heard of it, or of all that this socket has opened."""

    type: Literal["clear"]
    id: str | None = None


SpeechMessage = Annotated[OpenText | MoreText | FlushText | EndText | ClearText, Field(discriminator="type")]
