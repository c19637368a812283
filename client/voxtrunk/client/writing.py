"""The speech socket's messages, and what they say of whether to write on, without a socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, Unpack

import msgspec

from voxtrunk.client import problems
from voxtrunk.client.orders import Manner
from voxtrunk.client.results import Word

CALL_CLOSED: Final = 1000
"""The close code of a socket whose call has ended."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all that a writer is told; ``id``: the utterance."""

    id: str


class Accepted(Told, frozen=True):
    """To each ``open`` and ``write``: characters that the caller has not heard."""

    buffered_chars: int


class Paused(Told, frozen=True):
    """Too much is unheard: writing waits."""

    buffered_chars: int


class Resumed(Told, frozen=True):
    """Writing goes on."""

    buffered_chars: int


class Started(Told, frozen=True):
    """The first packet left; ``cached``: nothing was made for it."""

    first_audio_ms: float
    cached: bool


class WordSaid(Told, frozen=True):
    """A word begins; characters count over all text of the utterance."""

    word: str
    start_ms: int
    end_ms: int
    char_start: int
    char_end: int


class Mark(Told, frozen=True):
    """All before this mark was sent."""

    name: str
    at_ms: int


class Heard(Told, frozen=True):
    """It was cut: what the caller got of it."""

    spoken_text: str
    remaining_text: str
    spoken_ms: int
    heard_ms: int | None
    last_word: Word | None
    last_mark: str | None


class Finished(Told, frozen=True):
    """An utterance's last message. ``error`` and ``detail``: why it failed."""

    state: Literal["finished", "stopped", "failed"]
    cause: str | None
    spoken_text: str
    remaining_text: str
    spoken_ms: int
    heard_ms: int | None
    duration_ms: int | None
    first_audio_ms: float | None
    underruns: int
    last_word: Word | None
    last_mark: str | None
    error: str | None = None
    detail: str | None = None


KINDS: Mapping[str, type[Told]] = {
    "accepted": Accepted,
    "paused": Paused,
    "resumed": Resumed,
    "started": Started,
    "word": WordSaid,
    "mark": Mark,
    "heard": Heard,
    "finished": Finished,
}
"""By the message's ``type``."""


class Writing:
    """What one socket was told. ``paused``: utterances that should not be written on for now."""

    def __init__(self) -> None:
        self.paused: set[str] = set()

    def take(self, message: str | bytes) -> Told | problems.Problem | None:
        """What a message says: a Problem when something was not carried out, None when we do not know it."""
        read: dict[str, Any] = msgspec.json.decode(message)
        if read.get("type") == "error":
            return problems.of_message(read)
        kind = KINDS.get(read.get("type", ""))
        if kind is None:
            return None
        told = msgspec.convert(read, kind)
        if isinstance(told, Paused):
            self.paused.add(told.id)
        elif isinstance(told, Resumed | Heard | Finished):
            self.paused.discard(told.id)
        return told


def opened(uid: str, **manner: Unpack[Manner]) -> str:
    """Begin an utterance."""
    return _message({"type": "open", **manner, "id": uid})


def more(uid: str, text: str, mark: str | None = None) -> str:
    """More text of it, and a mark behind this text."""
    return _message({"type": "text", "id": uid, "text": text} | ({} if mark is None else {"mark": mark}))


def flush(uid: str) -> str:
    """Speak what there is."""
    return _message({"type": "flush", "id": uid})


def end(uid: str) -> str:
    """Nothing follows."""
    return _message({"type": "end", "id": uid})


def clear(uid: str | None = None) -> str:
    """Take back what was not heard."""
    return _message({"type": "clear"} | ({} if uid is None else {"id": uid}))


def _message(fields: Mapping[str, Any]) -> str:
    return msgspec.json.encode(fields).decode()
