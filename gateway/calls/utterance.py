"""An utterance: what was asked for, what synthesis has said of it, and how much of it the caller has heard.

Its life is the table in ``gateway.calls.life``; nothing else changes ``state``. Audio is counted in units of
10 ms from the utterance's beginning; unit ``u`` lies at the ring position ``at - offset + u`` of its newest
``Laying``.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import msgspec

from gateway.calls.life import TERMINAL, TRANSITIONS, Cause, Happening, State
from gateway.calls.requests import BargeIn, Interruptible, Say
from gateway.calls.spoken import characters, counts
from gateway.messages.synthesis import Described, Laying, MarkAt, Part, Resume, Speak, Word
from gateway.ring import NEVER, UNIT_MS, UNIT_OCTETS
from tts_core import Script

_LONGEST_PACKET: Final = 6
"""In units."""
_MOST_LOSSES: Final = 3


@dataclass(slots=True, eq=False)
class Utterance:
    """One entry of a call's queue. Read it freely; only its ``Playlist`` changes it.

    ``units``: length of its audio as far as it is made; ``heard``: how many of them were sent, the newest at
    ``heard_ns`` on CLOCK_MONOTONIC. ``first_audio_ms``: request to first speech packet on the wire.
    ``position``: 0 for the current or next one, None once it has ended or is being stopped. ``begins_at``:
    where in the whole of what was asked for ``text`` begins.
    """

    id: str
    call_id: str
    key: int
    text: str
    voice: str
    interruptible: Interruptible
    client_state: str | None
    say: Say
    barge_in: BargeIn = field(default_factory=BargeIn)
    state: State = "queued"
    cause: Cause | None = None
    position: int | None = None
    first_audio_ms: float | None = None
    underruns: int = 0
    last_mark: str | None = None
    cached: bool = False
    queued_ns: int = 0
    made_ns: int = 0
    """When it came into the queue, and when the first of its audio was made, on CLOCK_MONOTONIC; 0: not yet."""
    requested_ns: int = 0
    begins_at: int = 0
    # while it is written
    parts: list[Part] = field(default_factory=list)
    awaits: int | None = None
    """So many parts are made; None: that is not known."""
    finish: Cause = "normal"
    """The cause when it is said to its end."""
    # what synthesis has said
    units: int = 0
    complete: bool = False
    words: list[Word] = field(default_factory=list)
    marks: list[MarkAt] = field(default_factory=list)
    laying: Laying | None = None
    failed_at: int | None = None
    failure: tuple[str, str] | None = None
    resume: Resume | None = None
    """Where the next worker is to go on with it; None: at its beginning."""
    losses: int = 0
    """How many workers in a row died over it and had made nothing of it."""
    # what was heard
    heard: int = 0
    heard_ns: int = 0
    passed_marks: int = 0
    passed_words: int = 0
    lag_ms: float | None = None
    """How long audio is on its way to the ear, by the peer's reports."""
    # on its way out
    ending: Cause | None = None
    cut_generation: int | None = None
    _spoken_chars: int | None = None
    _last_word: dict[str, object] | None = None

    @property
    def ended(self) -> bool:
        """Whether it is in a terminal state."""
        return self.state in TERMINAL

    @property
    def survives(self) -> bool:
        """Whether it is to be spoken (on): it has not ended and nothing is ending it."""
        return self.ending is None and self.state not in TERMINAL

    @property
    def tells_words(self) -> bool:
        """Whether somebody is told of each word as it begins."""
        return self.say.listener is not None and self.say.words

    @property
    def yields_to_voice(self) -> bool:
        """Whether the caller's voice may cut it."""
        return self.interruptible == "any" and self.barge_in.voice

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

    @property
    def heard_ms(self) -> int | None:
        """An estimate of how much had reached the ear when its newest packet left; None without reports."""
        return None if self.lag_ms is None else max(0, round(self.spoken_ms - self.lag_ms))

    @property
    def last_word(self) -> dict[str, object] | None:
        """The last word of ``spoken_text`` and its times; None when none was heard."""
        if self.ended:
            return self._last_word
        last = next((word for word in reversed(self.words) if counts(word, self.heard)), None)
        return None if last is None else self.told(last)

    @property
    def buffered_chars(self) -> int:
        """Characters whose audio was not sent yet: those behind the last word that has begun."""
        return len(self.text) - (self.words[self.passed_words - 1].char_end if self.passed_words else 0)

    def told(self, word: Word) -> dict[str, object]:
        """A word as it is told of."""
        return {
            "word": self.text[word.char_start : word.char_end],
            "start_ms": word.start_unit * UNIT_MS,
            "end_ms": word.end_unit * UNIT_MS,
            "char_start": word.char_start,
            "char_end": word.char_end,
        }

    def apply(self, happening: Happening) -> None:
        """Change the state by the table. A happening that the table lacks is our own bug."""
        state = TRANSITIONS.get((self.state, happening))
        assert state is not None, f"{happening} in state {self.state}"
        self.state = state

    def order(self, ring: int, row: int, before: int | None) -> Speak:
        """What to tell the synthesis worker of the leg at ``row`` of ``ring``; ``before``: see Speak."""
        resume = self.resume or self.say.resume
        speak = order(self.say, self.voice, ring, row, self.key, before, resume, self.parts)
        return msgspec.structs.replace(speak, call_id=self.call_id, utterance_id=self.id)

    def rest(self) -> Say:
        """The request that says what was not heard of it, from the word on that was not."""
        say, heard = self.say, len(self.spoken_text)
        if say.draft is not None:
            say = replace(say, draft=None, text=self.text, script=Script.from_text(self.text))
        if say.pieces is not None and say.script is not None:
            say = replace(say, pieces=None, text=say.script.text)
        origin = say.resume or Resume(0, None, 0, 0)
        resume = say.resume
        if say.prompt is not None:
            resume = Resume(0, None, origin.skip + self.heard * UNIT_OCTETS, 0)
        elif self.heard:
            resume = Resume(0, self.begins_at + heard, 0, origin.marks + self.passed_marks)
        return replace(say, id=None, mode="append", listener=None, resume=resume)

    # -- from synthesis -----------------------------------------------------------------------------------

    def describe(self, message: Described) -> None:
        """Take in what the next stretch of its audio holds."""
        self.units = max(self.units, message.units)
        self.complete = message.complete
        self.awaits = message.awaits
        words = message.words
        if self.begins_at:
            words = tuple(_earlier(word, self.begins_at) for word in words)
        self.words += words
        self.marks += message.marks
        self.cached = message.cached

    @property
    def settled(self) -> bool:
        """Whether no more audio will come than is made."""
        return self.complete or self.failed_at is not None

    def go_on_at(self, unit: int) -> None:
        """Another worker will make its audio from ``unit`` on; what is made beyond is forgotten.

        One that has failed has no more than that, and fails there.
        """
        if self.failed_at is not None:
            self.units = self.failed_at = unit
            return
        self.units, self.complete, self.awaits = unit, False, None
        if not unit:
            self.words, self.marks, self.laying, self.resume = [], [], None, None
            return
        origin = self.say.resume or Resume(0, None, 0, 0)
        before = [word for word in self.words if word.start_unit < unit]
        word = before[-1] if before else None
        if word is None or word.end_unit <= unit:  # only a pause lies before the next one
            near = (word for word in self.words if 0 <= word.start_unit - unit < _LONGEST_PACKET)
            word = next(near, word)
        self.words = before
        self.marks = self.marks[: max(self.passed_marks, sum(mark.unit < unit for mark in self.marks))]
        begin = -origin.skip if word is None else word.start_unit * UNIT_OCTETS + word.into
        char = origin.char if word is None else word.char_start + self.begins_at
        self.resume = Resume(unit, char, unit * UNIT_OCTETS - begin, origin.marks + len(self.marks))

    @property
    def begun(self) -> bool:
        """Whether its worker has made some of it."""
        return self.units > (self.resume.unit if self.resume else 0)

    def lose_worker(self) -> None:
        """The worker that was to make more of it died."""
        self.losses = 1 if self.begun else self.losses + 1
        if self.losses == _MOST_LOSSES:
            self.fail_at(self.units, "worker_died", f"{_MOST_LOSSES} synthesis workers died over it")

    def fail_at(self, unit: int, cause: str, detail: str) -> None:
        """No more comes of it than ``unit`` units: it fails when these were heard."""
        self.failed_at, self.failure = unit, (cause, detail)

    def word_from(self, unit: int) -> int | None:
        """Where the first word begins that does not end before ``unit``; None when there is no such word."""
        return next((word.start_unit for word in self.words if word.end_unit > unit), None)

    def word_at(self, unit: int) -> Word | None:
        """The word that sounds at ``unit``."""
        return next((word for word in self.words if word.start_unit <= unit < word.end_unit), None)

    def end(self, happening: Happening, cause: Cause) -> None:
        """Come to a terminal state, and keep only what it takes to answer about it."""
        self._last_word = self.last_word
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
            "heard_ms": self.heard_ms,
            "spoken_text": self.spoken_text,
            "remaining_text": self.remaining_text,
            "last_word": self.last_word,
            "last_mark": self.last_mark,
            "first_audio_ms": self.first_audio_ms,
            "underruns": self.underruns,
        }
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

    def due_words(self) -> Iterator[Word]:
        """Words that have begun since last asked."""
        while self.passed_words < len(self.words):
            word = self.words[self.passed_words]
            if word.start_unit >= self.heard:
                return
            self.passed_words += 1
            yield word

    @property
    def done(self) -> Literal["finish", "fail"] | None:
        """How it has ended by itself: all of it was heard, or all there will ever be of it."""
        if self.failed_at is not None:
            return "fail" if self.heard >= self.failed_at else None
        return "finish" if self.complete and self.heard >= self.units else None

    @property
    def fault(self) -> Cause:
        """Why it fails, when it does."""
        return "worker_died" if self.failure and self.failure[0] == "worker_died" else "error"

    def next_position(self) -> int:
        """The lowest ring position at which something is to be told when ``sent`` reaches it; else NEVER."""
        if self.begin is None:
            return NEVER
        if self.heard == 0:
            return self.begin + 1
        wanted = NEVER
        if self.passed_marks < len(self.marks):
            wanted = self.marks[self.passed_marks].unit + 1
        if self.tells_words and self.passed_words < len(self.words):
            wanted = min(wanted, self.words[self.passed_words].start_unit + 1)
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
        # what was written and not yet given out touches no word that was heard: it may be the rest of one
        known = len(self.text) if self.say.draft is None else sum(len(part.text) for part in self.parts)
        return characters(self.text[:known], self.words, self.heard)


def shareable(say: Say) -> Hashable:
    """By what others say the same, beside voice and coding; None when it is nobody else's.

    That is plain text alone; of the rest it is not said here whether their recipes are the same
    (``gateway.speech.recipe``).
    """
    plain = say.text is not None and not (say.ssml or say.pieces or say.draft or say.resume or say.audio)
    return (say.text, say.rate, say.volume_db, say.lexicons) if plain else None


def order(
    say: Say,
    voice: str,
    ring: int,
    row: int,
    key: int,
    before: int | None = None,
    resume: Resume | None = None,
    parts: Sequence[Part] = (),
) -> Speak:
    """A request as the synthesis worker is told of it."""
    return Speak(
        ring=ring,
        row=row,
        key=key,
        voice=voice,
        rate=say.rate,
        gain_db=say.volume_db,
        text=say.text,
        ssml=say.ssml,
        prompt=say.prompt,
        pieces=say.pieces,
        before=before,
        resume=resume,
        parts=None if say.draft is None else tuple(parts),
        open=say.draft is not None and not say.draft.ended,
        lexicons=say.lexicons,
        audio=say.audio,
    )


def _earlier(word: Word, chars: int) -> Word:
    return msgspec.structs.replace(word, char_start=word.char_start - chars, char_end=word.char_end - chars)
