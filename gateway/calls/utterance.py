"""An utterance: what was asked for, what synthesis has said of it, and how much of it the caller has heard.

Its life is the table ``TRANSITIONS``; nothing else changes ``state``. Audio is counted in units of 10 ms from
the utterance's beginning; unit ``u`` lies at the ring position ``at - offset + u`` of its newest ``Laying``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from gateway.calls.requests import Interruptible, Say
from gateway.messages import Described, Laying, MarkAt, Speak, Word
from gateway.ring import NEVER, UNIT_MS

State = Literal["queued", "speaking", "paused", "finished", "stopped", "failed"]
Happening = Literal["start", "pause", "resume", "finish", "stop", "fail"]
Cause = Literal[
    "normal", "barge_in", "stopped", "replaced", "interrupted", "call_closed", "worker_died", "error"
]
"""Why an utterance ended; the words are those of MRCPv2's Completion-Cause (RFC 6787 8.4), adapted."""

TRANSITIONS: Final = MappingProxyType[tuple[State, Happening], State](
    {
        ("queued", "start"): "speaking",
        ("queued", "finish"): "finished",  # there was nothing to say
        ("queued", "stop"): "stopped",
        ("queued", "fail"): "failed",
        ("speaking", "pause"): "paused",
        ("speaking", "finish"): "finished",
        ("speaking", "stop"): "stopped",
        ("speaking", "fail"): "failed",
        ("paused", "resume"): "speaking",
        ("paused", "finish"): "finished",  # its last packet was leaving when the pause came
        ("paused", "stop"): "stopped",
        ("paused", "fail"): "failed",
    }
)
TERMINAL: Final = frozenset[State]({"finished", "stopped", "failed"})


@dataclass(slots=True, eq=False)
class Utterance:
    """One entry of a call's queue. Read it freely; only its ``Playlist`` changes it.

    ``units``: length of its audio as far as it is made; ``heard``: how many of them were sent, the newest at
    ``heard_ns`` on CLOCK_MONOTONIC. ``first_audio_ms``: request to first speech packet on the wire.
    ``position``: 0 for the current or next one, None once it has ended or is being stopped.
    """

    id: str
    call_id: str
    key: int
    text: str
    voice: str
    interruptible: Interruptible
    client_state: str | None
    say: Say
    state: State = "queued"
    cause: Cause | None = None
    position: int | None = None
    first_audio_ms: float | None = None
    underruns: int = 0
    last_mark: str | None = None
    cached: bool = False
    # what synthesis has said
    units: int = 0
    complete: bool = False
    words: list[Word] = field(default_factory=list)
    marks: list[MarkAt] = field(default_factory=list)
    laying: Laying | None = None
    failed_at: int | None = None
    failure: tuple[str, str] | None = None
    # what was heard
    heard: int = 0
    heard_ns: int = 0
    passed_marks: int = 0
    # on its way out
    ending: Cause | None = None
    cut_generation: int | None = None
    _spoken_chars: int | None = None

    @property
    def ended(self) -> bool:
        """Whether it is in a terminal state."""
        return self.state in TERMINAL

    @property
    def survives(self) -> bool:
        """Whether it is to be spoken (on): it has not ended and nothing is ending it."""
        return self.ending is None and self.state not in TERMINAL

    @property
    def duration_ms(self) -> int | None:
        """Length of its audio, once all of it is made."""
        return self.units * UNIT_MS if self.complete else None

    @property
    def spoken_ms(self) -> int:
        """How much of it was really sent."""
        return self.heard * UNIT_MS

    @property
    def spoken_text(self) -> str:
        """The text that was heard, to the word: a word counts when at least half of its audio was sent.

        Punctuation that touches a counted word belongs to it. ``spoken_text + remaining_text == text``.
        """
        return self.text[: self._cut_in_text()]

    @property
    def remaining_text(self) -> str:
        """The text that was not heard."""
        return self.text[self._cut_in_text() :]

    def apply(self, happening: Happening) -> None:
        """Change the state by the table. A happening that the table lacks is our own bug."""
        state = TRANSITIONS.get((self.state, happening))
        assert state is not None, f"{happening} in state {self.state}"
        self.state = state

    def order(self, ring: int, row: int, before: int | None) -> Speak:
        """What to tell the synthesis worker of the leg at ``row`` of ``ring``; ``before``: see Speak."""
        say = self.say
        return Speak(
            ring=ring,
            row=row,
            key=self.key,
            voice=self.voice,
            rate=say.rate,
            gain_db=say.volume_db,
            text=say.text,
            ssml=say.ssml,
            prompt=say.prompt,
            before=before,
        )

    # -- from synthesis -----------------------------------------------------------------------------------

    def describe(self, message: Described) -> None:
        """Take in what the next stretch of its audio holds."""
        self.units = max(self.units, message.units)
        self.complete = message.complete
        self.words += message.words
        self.marks += message.marks
        self.cached = message.cached

    def forget_audio(self) -> None:
        """Another worker will make its audio anew; nothing of it was heard."""
        assert self.heard == 0
        self.units, self.complete, self.laying = 0, False, None
        self.words, self.marks, self.failed_at, self.failure = [], [], None, None

    def end(self, happening: Happening, cause: Cause) -> None:
        """Come to a terminal state, and keep only what it takes to answer about it."""
        self.apply(happening)
        self.cause, self.ending, self.cut_generation = cause, None, None
        self._spoken_chars = self._cut_in_text()
        self.words, self.marks, self.laying, self.position = [], [], None, None

    def account(self) -> dict[str, object]:
        """What the event of its end says."""
        data: dict[str, object] = {
            "cause": self.cause,
            "duration_ms": self.duration_ms,
            "spoken_ms": self.spoken_ms,
            "last_mark": self.last_mark,
            "first_audio_ms": self.first_audio_ms,
            "underruns": self.underruns,
        }
        if self.state != "finished":
            data |= {"spoken_text": self.spoken_text, "remaining_text": self.remaining_text}
        if self.failure is not None:
            data |= {"error": self.failure[0], "detail": self.failure[1]}
        return data

    # -- in the ring --------------------------------------------------------------------------------------

    @property
    def begin(self) -> int | None:
        """Ring position of its unit 0, by its newest Laying."""
        return None if self.laying is None else self.laying.at - self.laying.offset

    @property
    def known_to(self) -> int:
        """Ring position up to which we know that the audio is its own; 0 when none is laid."""
        return 0 if self.begin is None else self.begin + self.units

    def hear(self, laying: Laying, upto: int) -> None:
        """Positions below ``upto`` were sent. What was heard never becomes less."""
        units = laying.offset + max(0, upto - laying.at)
        self.heard = max(self.heard, min(self.units, units))

    def due_marks(self) -> Iterator[MarkAt]:
        """Marks that were passed since last asked: the unit at which a mark stands was sent."""
        everything = self.complete and self.heard == self.units
        while self.passed_marks < len(self.marks):
            mark = self.marks[self.passed_marks]
            if mark.unit >= self.heard and not everything:
                return
            self.passed_marks += 1
            self.last_mark = mark.name
            yield mark

    @property
    def done(self) -> Literal["finish", "fail"] | None:
        """How it has ended by itself: all of it was heard, or all there will ever be of it."""
        if self.failed_at is not None:
            return "fail" if self.heard >= self.failed_at else None
        return "finish" if self.complete and self.heard >= self.units else None

    def next_position(self) -> int:
        """The lowest ring position at which something is to be told when ``sent`` reaches it; else NEVER."""
        if self.begin is None:
            return NEVER
        if self.heard == 0:
            return self.begin + 1
        wanted = NEVER
        if self.passed_marks < len(self.marks):
            wanted = self.marks[self.passed_marks].unit + 1
        if self.failed_at is not None:
            wanted = min(wanted, self.failed_at)
        elif self.complete:
            wanted = min(wanted, self.units)
        return wanted if wanted == NEVER else self.begin + wanted

    # -- to the word --------------------------------------------------------------------------------------

    def _cut_in_text(self) -> int:
        """How many characters of the text were heard."""
        if self._spoken_chars is not None:
            return self._spoken_chars
        if self.state == "finished" or (self.complete and self.units and self.heard >= self.units):
            return len(self.text)
        return _spoken_characters(self.text, self.words, self.heard)


def _spoken_characters(text: str, words: Iterable[Word], heard: int) -> int:
    """Where in ``text`` the last word ends of which at least half was heard, with what touches it."""
    cut, limit = 0, len(text)
    behind = []
    for word in words:
        if heard > word.start_unit and 2 * heard >= word.start_unit + word.end_unit:
            cut = max(cut, word.char_end)
        else:
            behind.append(word.char_start)
    if cut == 0:
        return 0
    limit = min((start for start in behind if start >= cut), default=limit)
    while cut < limit and not text[cut].isspace():
        cut += 1
    return cut
