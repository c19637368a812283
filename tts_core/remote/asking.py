"""What a provider is to this package: how a clause is asked for, how the answer is read, and the way to both."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from tts_core.engine import Pcm
from tts_core.errors import EngineError

LINE_RATE = 8000
"""Hz of G.711."""

Expand = Callable[[str, bytes], Pcm]
"""G.711 octets to int16[n]; the first argument is "mulaw" or "alaw"."""


class Unanswered(EngineError):
    """A provider did not say what it was asked to.

    `kind`: one of a few words for programs (see `KINDS`); `wait_s`: for how long it asked to be left alone.
    """

    def __init__(self, kind: str, message: str, wait_s: float = 0.0) -> None:
        self.kind = kind
        self.wait_s = wait_s
        super().__init__(message)


KINDS = (
    "answered",
    "busy",
    "refused",
    "failed",
    "unreachable",
    "late",
    "broken",
    "garbage",
    "dropped",
    "held",
)
"""What becomes of a request. busy: 429 or 503, come again later; refused: any other 4xx; failed: 5xx; late: no
first octet, or too few to be heard in time; broken: it ended before its end; garbage: not the audio asked for;
dropped: nobody wanted it any more; held: it was not asked, as it is left alone or a cap is reached."""


@dataclass(frozen=True, slots=True)
class Timbre:
    """One voice of a provider, as configured. `own`: what the provider calls it; `model`: what says it.

    `level_dbov`: its active speech level where that is known, None to measure it; `more`: what else the provider
    is to be told with each request.
    """

    name: str
    own: str
    language: str
    model: str = ""
    description: str = ""
    gender: str = ""
    level_dbov: float | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Line:
    """What is to be said: a clause, what is said before and after it, how fast (1.0 its own pace) and high."""

    text: str
    before: str = ""
    after: str = ""
    rate: float = 1.0
    pitch: float = 1.0


@dataclass(frozen=True, slots=True)
class Asking:
    """One POST. `path` follows the provider's base URL. It holds no key."""

    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    json: Mapping[str, Any] | None = None
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What some octets were: int16[n]; (character, sample) where it is known that one begins."""

    pcm: Pcm
    onsets: tuple[tuple[int, int], ...] = ()


class Answering(Protocol):
    """Reads one answer as it comes. Raises Unanswered for what is not the audio that was asked for."""

    @property
    def rate(self) -> int:
        """Hz; known once something was heard."""
        ...

    def read(self, octets: bytes) -> Heard:
        """What these octets, of any number, are."""
        ...

    def end(self) -> Heard:
        """The answer is over: the last of it. Raises Unanswered if it is only part of one."""
        ...


class Provider(Protocol):
    """A kind of provider, with what is configured of it."""

    @property
    def rate(self) -> int:
        """Hz of the audio that is asked for."""
        ...

    @property
    def times_words(self) -> bool:
        """Whether its answers tell where characters sound."""
        ...

    def headers(self, key: str) -> dict[str, str]:
        """What goes with each request, the key in it."""
        ...

    def asking(self, line: Line, timbre: Timbre) -> Asking:
        """The request for a clause."""
        ...

    def answering(self, headers: Mapping[str, str]) -> Answering:
        """A reader for an answer with these headers (names in lower case)."""
        ...


class Way(Protocol):
    """How a provider is reached: see `posts` and `sockets`."""

    def hear(self, line: Line, timbre: Timbre) -> AsyncGenerator[tuple[Heard, int], None]:
        """Ask for a clause: what is heard of it as it comes, and its rate in Hz, up to its end.

        Raises Unanswered. To close it is to want no more: what comes afterwards is nobody's.
        """
        ...

    async def close(self) -> None:
        """End all connections."""
        ...


@dataclass(frozen=True, slots=True)
class Told:
    """What a message of a WebSocket tells. `clause`: the id of the one that it is about, "" where it says none.

    `octets`: of its G.711; `chars` begin at `starts` seconds; `over`: no more of it comes; `cut`: what was to
    be cut is; `trouble`: the kind of Unanswered, and what was `said` of it.
    """

    clause: str = ""
    octets: bytes = b""
    chars: str = ""
    starts: tuple[float, ...] = ()
    over: bool = False
    cut: bool = False
    trouble: str = ""
    said: str = ""


class Talking(Protocol):
    """What is said to a kind of provider over its WebSockets. It knows no socket."""

    law: str
    """Of the audio that is asked for."""
    most: int
    """Clauses that one socket carries at a time."""
    a_minute: int
    """Clauses that one socket carries in 60 s, 0 for any number."""
    cut_by: str
    """What says that a clause is cut: "over", "cut", or "" when nothing has to."""

    def headers(self, key: str) -> dict[str, str]:
        """What goes with the request for a socket, the key in it."""
        ...

    def address(self, line: Line, timbre: Timbre) -> str:
        """Path and query of the sockets that can say this. It holds no key."""
        ...

    def say(self, clause: str, line: Line, timbre: Timbre) -> tuple[str, ...]:
        """The messages that ask for a clause."""
        ...

    def cut(self, clause: str) -> str:
        """The message that cuts it; "" when there is none. What still comes of it is nobody's."""
        ...

    def stay(self) -> str:
        """The message by which an idle socket is kept; "" when pings do."""
        ...

    def told(self, message: str | bytes) -> Told:
        """What a message tells. Raises Unanswered for what is none."""
        ...


UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""What is raised by reading JSON that is none, or has not what it should have."""
NOTHING: Pcm = np.zeros(0, np.int16)
NOTHING.flags.writeable = False
