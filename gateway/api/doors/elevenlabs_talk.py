"""ElevenLabs' text-to-speech WebSockets as a pure core: a client's messages in, what to do out.

Each context is a speech of its own. ``stream-input`` has one, which an empty text ends, and the socket with it;
``multi-stream-input`` has up to five at a time, which ``close_context`` ends: what was flushed is said to its
end, of the rest no more is said. ``CONTEXT`` says what a message does to a context in each state.

    open      text may follow; some that came was not flushed
    flushed   text may follow; all that came is to be said
    closing   nothing follows; a text with its name begins another context
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

MOST_CONTEXTS: Final = 5
"""Of one socket at a time, as ElevenLabs has it."""
SLOWEST, FASTEST = 0.5, 2.0
"""What ``voice_settings.speed`` may be: ElevenLabs' own 0.7 to 1.2 and beyond."""
State = Literal["open", "flushed", "closing"]
Verb = Literal["text", "flush", "end", "close"]
Deed = Literal["write", "flush", "end", "drop"]


class BadMessage(ValueError):
    """A message that is none of the protocol's, or comes at the wrong time. The text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Open:
    """Begin a context, which its client calls ``name``, at ``speed`` times the voice's own pace."""

    context: int
    name: str
    speed: float


@dataclass(frozen=True, slots=True)
class Do:
    """Write ``text``, say all there is (``flush``), say the rest (``end``), or say no more (``drop``)."""

    deed: Deed
    context: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Leave:
    """All is said: close the socket."""


Effect = Open | Do | Leave
CONTEXT: Final[Mapping[tuple[State, Verb], tuple[State, Deed | None]]] = MappingProxyType(
    {
        ("open", "text"): ("open", "write"),
        ("open", "flush"): ("flushed", "flush"),
        ("open", "end"): ("closing", "end"),
        ("open", "close"): ("closing", "drop"),
        ("flushed", "text"): ("open", "write"),
        ("flushed", "flush"): ("flushed", None),
        ("flushed", "end"): ("closing", "end"),
        ("flushed", "close"): ("closing", "end"),
        ("closing", "flush"): ("closing", None),
        ("closing", "end"): ("closing", None),
        ("closing", "close"): ("closing", None),
    }
)
"""What a message does to a context in each state, and the state after it."""


class Talk:
    """One socket's. ``many``: its contexts have names (``multi-stream-input``).

    ``eager``: each text is a whole phrase, to be said when it comes (``auto_mode``).
    """

    def __init__(self, *, many: bool, eager: bool = False) -> None:
        self._many = many
        self._eager = eager
        self._newest = 0
        self._names: dict[str, int] = {}  # the newest context of each name
        self._states: dict[int, State] = {}  # of those that have not ended
        self._leaving = False

    def say(self, message: object) -> list[Effect]:
        """What a message, read as JSON, leads to. Raises BadMessage."""
        if not isinstance(message, dict):
            raise BadMessage("a message is a JSON object")
        text, speed, flush = _text(message, "text"), _speed(message), _flag(message, "flush")
        name = ""
        if self._many:
            name = _text(message, "context_id") or _text(message, "contextId") or ""
            if _flag(message, "close_socket"):
                return self._close_all()
            if _flag(message, "close_context"):
                return self._do(name, "close")
        if text is None and not flush:
            raise BadMessage("a message has a text, or flush, close_context or close_socket")
        if self._leaving:
            return []
        if not self._many and text == "":
            self._leaving = True
            return self._do(name, "end") or self._leave()
        effects: list[Effect] = []
        if text:
            effects += self._begin(name, speed)
            if not text.isspace() or not effects:  # the blank that begins a context is none of its text
                effects += self._do(name, "text", text)
                if self._eager and not flush:
                    effects.append(Do("flush", self._names[name]))
        return effects + (self._do(name, "flush") if flush else [])

    def forsaken(self, context: int) -> list[Effect]:
        """What follows when nothing was heard of a context for too long: what came is said to its end."""
        self._leaving = self._leaving or not self._many
        return self._do_to(context, "end")

    def named(self, message: object) -> int | None:
        """The context that a message is about; None when there is none (any more)."""
        name = (
            message.get("context_id") or message.get("contextId") or "" if isinstance(message, dict) else ""
        )
        context = self._names.get(name if self._many and isinstance(name, str) else "")
        return context if context in self._states else None

    def ended(self, context: int) -> list[Effect]:
        """What follows when a context has been said, was dropped or has failed."""
        self._states.pop(context, None)
        return self._leave()

    def _begin(self, name: str, speed: float) -> list[Effect]:
        known = self._names.get(name)
        if known is not None and self._states.get(known, "closing") != "closing":
            return []
        if len(self._states) >= MOST_CONTEXTS:
            raise BadMessage(f"{MOST_CONTEXTS} contexts are open: close one before another is begun")
        self._newest += 1
        self._names[name] = self._newest
        self._states[self._newest] = "open"
        return [Open(self._newest, name, speed)]

    def _do(self, name: str, verb: Verb, text: str = "") -> list[Effect]:
        context = self._names.get(name)
        return [] if context is None else self._do_to(context, verb, text)

    def _do_to(self, context: int, verb: Verb, text: str = "") -> list[Effect]:
        if context not in self._states:
            return []
        self._states[context], deed = CONTEXT[self._states[context], verb]
        return [] if deed is None else [Do(deed, context, text)]

    def _close_all(self) -> list[Effect]:
        self._leaving = True
        closed = [effect for context in tuple(self._states) for effect in self._do_to(context, "close")]
        return closed or self._leave()

    def _leave(self) -> list[Effect]:
        return [Leave()] if self._leaving and not self._states else []


def _text(message: Mapping[str, Any], name: str) -> str | None:
    found = message.get(name)
    if found is None or isinstance(found, str):
        return found
    raise BadMessage(f"{name} should be a string")


def _flag(message: Mapping[str, Any], name: str) -> bool:
    found = message.get(name)
    if found is None or isinstance(found, bool):
        return bool(found)
    raise BadMessage(f"{name} should be true or false")


def _speed(message: Mapping[str, Any]) -> float:
    """``voice_settings.speed``; its other settings have no meaning here."""
    settings = message.get("voice_settings") or {}
    if not isinstance(settings, dict):
        raise BadMessage("voice_settings should be an object")
    speed = settings.get("speed")
    if speed is None:
        return 1.0
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not math.isfinite(speed):
        raise BadMessage("voice_settings.speed should be a number")
    if not SLOWEST <= speed <= FASTEST:
        raise BadMessage(f"voice_settings.speed should be {SLOWEST:g} to {FASTEST:g}")
    return float(speed)
