"""Deepgram's speak WebSocket as a pure core: a client's messages and what happens to its speech in, effects out.

Text is written into a passage until a Flush ends it; passages are said in order. ``TALK`` says what a message
does in each state; nothing else changes ``state``.

    quiet     nothing is being written
    writing   a passage is open
    leaving   Close was said: what is written is said, then the socket ends
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

State = Literal["quiet", "writing", "leaving"]
Verb = Literal["Speak", "Flush", "Clear", "Close"]


@dataclass(frozen=True, slots=True)
class Open:
    """Begin a passage."""

    passage: int


@dataclass(frozen=True, slots=True)
class Write:
    """More text for a passage."""

    passage: int
    text: str


@dataclass(frozen=True, slots=True)
class End:
    """Nothing follows in a passage."""

    passage: int


@dataclass(frozen=True, slots=True)
class Drop:
    """Take back what was not heard of these, the last one first."""

    passages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tell:
    """A message for the client."""

    message: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Leave:
    """All is said: close the socket."""


Effect = Open | Write | End | Drop | Tell | Leave


class Talk:
    """One socket's. ``say`` takes a client's message, ``ended`` that a passage has come to its end."""

    def __init__(self) -> None:
        self.state: State = "quiet"
        self._newest = 0
        self._unsaid: list[int] = []  # opened and not ended yet, in order
        self._awaited: deque[int] = deque()  # passages at whose end a Flushed is due
        self._sequence = -1

    def say(self, verb: Verb, text: str = "") -> list[Effect]:
        """What a message of the client's leads to."""
        after, effects = TALK[self.state, verb]
        self.state = after
        return [made for effect in effects for made in effect(self, text)]

    def ended(self, passage: int) -> list[Effect]:
        """What follows when a passage has been said, was dropped or has failed."""
        if passage not in self._unsaid:
            return []
        self._unsaid.remove(passage)
        effects: list[Effect] = []
        if self.state == "writing" and passage == self._newest:
            self.state = "quiet"  # it ended by itself: it was too long, or failed
        while self._awaited and self._awaited[0] not in self._unsaid:
            self._awaited.popleft()
            effects.append(self._numbered("Flushed"))
        return effects + self._leave("")

    def is_wanted(self, passage: int) -> bool:
        """Whether a passage's audio is still to be sent."""
        return passage in self._unsaid

    # -- what messages do ---------------------------------------------------------------------------------

    def _open(self, _: str) -> list[Effect]:
        self._newest += 1
        self._unsaid.append(self._newest)
        return [Open(self._newest)]

    def _write(self, text: str) -> list[Effect]:
        return [Write(self._newest, text)]

    def _end(self, _: str) -> list[Effect]:
        return [End(self._newest)]

    def _flush(self, _: str) -> list[Effect]:
        if not self._unsaid:
            return [self._numbered("Flushed")]
        self._awaited.append(self._unsaid[-1])
        return []

    def _clear(self, _: str) -> list[Effect]:
        dropped, self._unsaid = tuple(reversed(self._unsaid)), []
        self._awaited.clear()
        return [*([Drop(dropped)] if dropped else []), self._numbered("Cleared")]

    def _leave(self, _: str) -> list[Effect]:
        return [Leave()] if self.state == "leaving" and not self._unsaid else []

    def _numbered(self, kind: str) -> Tell:
        self._sequence += 1
        return Tell({"type": kind, "sequence_id": self._sequence})


_Does = Callable[[Talk, str], list[Effect]]
TALK: Final[Mapping[tuple[State, Verb], tuple[State, tuple[_Does, ...]]]] = MappingProxyType(
    {
        ("quiet", "Speak"): ("writing", (Talk._open, Talk._write)),
        ("quiet", "Flush"): ("quiet", (Talk._flush,)),
        ("quiet", "Clear"): ("quiet", (Talk._clear,)),
        ("quiet", "Close"): ("leaving", (Talk._leave,)),
        ("writing", "Speak"): ("writing", (Talk._write,)),
        ("writing", "Flush"): ("quiet", (Talk._end, Talk._flush)),
        ("writing", "Clear"): ("quiet", (Talk._clear,)),
        ("writing", "Close"): ("leaving", (Talk._end, Talk._leave)),
        ("leaving", "Speak"): ("leaving", ()),
        ("leaving", "Flush"): ("leaving", ()),
        ("leaving", "Clear"): ("leaving", (Talk._clear, Talk._leave)),
        ("leaving", "Close"): ("leaving", ()),
    }
)
"""What each message does in each state, and the state after it."""
