"""One leg's queue of utterances, and how it is laid into the leg's ring.

No clock, no socket: the ring is memory, messages go to ``tell`` at once. What a message describes is laid
after ``tell`` has returned, never before.

A cut takes the steps of ``gateway.ring``. From the moment control cuts until the pacer lets go, nothing is
laid. Then ``sent`` says what was heard: each utterance that is left is laid again from its first unit that was
not, which is known from where it was laid (``at``, ``offset``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from gateway.messages.base import Law
from gateway.messages.synthesis import Described, FromSynthesis, Laying, MarkAt, SpeechFailed, Word
from gateway.ring import CAPACITY, NEVER, UNIT_OCTETS, RingBlock
from gateway.speech.schedule import LOOKAHEAD
from gateway.speech.track import Stretch, Track
from telephony_codecs import transcode

Tell = Callable[[FromSynthesis], None]

_HORIZON: Final = LOOKAHEAD + CAPACITY
_RING_OCTETS: Final = CAPACITY * UNIT_OCTETS
_NOTHING: Final = memoryview(b"")
_IN_TIME: Final = 100
"""Units: what is written in the last second before silence may begin late."""


@dataclass(slots=True, eq=False)
class Utterance:
    """A track in a leg's queue. Its unit ``offset`` lies at ring position ``at``, units up to ``laid`` follow.

    ``at`` None: nothing of it lies in the ring, and ``offset`` is the first unit that the caller has not heard.
    ``base``: the unit of the whole utterance at which the track begins; control is told units of the whole.
    """

    key: int
    track: Track
    base: int = 0
    at: int | None = None
    offset: int = 0
    laid: int = 0

    def unheard(self, sent: int) -> int:
        """Its first unit that was not sent, when the leg is at ring position ``sent``."""
        if self.at is None:
            return self.laid
        return min(self.laid, self.offset + max(0, sent - self.at))

    def is_heard(self, sent: int) -> bool:
        """Whether all of it was sent and no more will come."""
        if self.at is None or not self.track.complete:
            return False
        return sent >= self.at + self.track.units - self.offset


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a stream will need. ``made``: units that are made and not sent, as far as anyone needs to know.

    ``lay``: some of them can be laid when the ring has room. ``grow``: the track to make more of, if any.
    ``ends``: the ring position at which all of the queue is heard; NEVER while that is not known.
    """

    made: int
    lay: bool
    grow: Track | None
    ends: int


class Stream:
    """The queue of the leg on ``row`` of the ring numbered ``ring``, whose memory is ``block``."""

    def __init__(self, block: RingBlock, ring: int, row: int, law: Law, ptime_ms: int, tell: Tell) -> None:
        self.block = block
        self.ring = ring
        self.row = row
        self.law: Law = law
        self.ptime_ms = ptime_ms
        self.queue: list[Utterance] = []
        self.generation = -1
        self.awaited: int | None = None
        """The generation that the pacer has yet to acknowledge; nothing is laid until then."""
        self.held = False
        """An utterance was removed that lies in the ring; nothing is laid until control has cut it."""
        self._tell = tell

    @property
    def sent(self) -> int:
        """The leg's position: units sent since it was opened."""
        return int(self.block.sent[self.row])

    # -- the queue ----------------------------------------------------------------------------------------

    def enqueue(self, utterance: Utterance, before: int | None, *, cached: bool) -> None:
        """Put the utterance before the entry whose key is ``before``, or at the end.

        An entry that is no longer there was heard, and so was all that stood before it: then, the front.
        What is laid already is not overtaken, unless control has cut it.
        """
        index = len(self.queue)
        if before is not None:
            index = next((i for i, other in enumerate(self.queue) if other.key == before), 0)
            if not self._is_cut():
                laid = sum(1 for other in self.queue if other.at is not None)
                index = max(index, laid)
        self.queue.insert(index, utterance)
        track = utterance.track
        if track.units or track.complete:
            described = Stretch(b"", tuple(track.words), tuple(track.marks), track.complete)
            self.describe(utterance, described, cached=cached)

    def describe(self, utterance: Utterance, stretch: Stretch, *, cached: bool = False) -> None:
        """Tell control what the newest stretch of an utterance holds."""
        track = utterance.track
        self._tell(
            Described(
                row=self.row,
                ring=self.ring,
                key=utterance.key,
                units=utterance.base + track.units,
                complete=stretch.last,
                words=_moved_words(stretch.words, utterance.base),
                marks=tuple(MarkAt(mark.name, mark.unit + utterance.base) for mark in stretch.marks),
                cached=cached,
                awaits=stretch.awaits,
            )
        )

    def lament(self, utterance: Utterance) -> None:
        """Tell control that the utterance ends before its end."""
        track = utterance.track
        assert track.failure is not None
        self._tell(
            SpeechFailed(
                row=self.row,
                ring=self.ring,
                key=utterance.key,
                cause=track.failure.cause,
                detail=track.failure.detail,
                end_unit=utterance.base + track.units,
            )
        )

    def remove(self, key: int) -> tuple[Utterance | None, int | None]:
        """Take an utterance out. Returns it and the ring position of its first laid unit.

        The position is None when none of it lies in the ring where it could still be heard; else nothing more
        is laid until control has cut. None, None: it is not in the queue, it was heard or never there.
        """
        index = next((i for i, utterance in enumerate(self.queue) if utterance.key == key), None)
        if index is None:
            return None, None
        utterance = self.queue.pop(index)
        at = utterance.at if utterance.laid > utterance.offset else None
        if at is not None and self._is_cut() and at >= int(self.block.cut_at[self.row]):
            at = None  # the cut that is under way takes it along
        self.held = self.held or at is not None
        return utterance, at

    def cut(self, generation: int, drop: Iterable[int], law: Law) -> list[Utterance]:
        """Control has cut the ring: await the pacer, and drop these utterances. Returns those dropped.

        What is laid from then on is in ``law``, whatever its track was made in.
        """
        self.awaited = generation
        self.law = law
        self.held = False
        keys = frozenset(drop)
        dropped = [utterance for utterance in self.queue if utterance.key in keys]
        self.queue = [utterance for utterance in self.queue if utterance.key not in keys]
        return dropped

    # -- the ring -----------------------------------------------------------------------------------------

    def feed(self) -> list[Utterance]:
        """Lay what is made and fits. Returns the utterances that were heard to the end, now forgotten."""
        heard = self._adopt() if self.awaited is not None else self._forget_heard()
        if not self._is_cut() and not self.held:
            for utterance in self.queue:
                if not self._lay(utterance):
                    break
            self._mark()
        return heard

    def outlook(self) -> Outlook:
        """What the stream will need next; a pass over the queue as far as a ring and the lookahead reach."""
        sent = self.sent
        ahead = int(self.block.written[self.row]) - sent
        free = self.awaited is None and not self.held
        made = 0
        for utterance in self.queue:
            track = utterance.track
            made += track.units - utterance.unheard(sent)
            if not track.complete:
                grow = None if track.starved else track
                return Outlook(made, free and made > ahead, grow, NEVER)
            if made >= _HORIZON:
                return Outlook(made, free, None, NEVER)
        all_laid = not self.queue or (self.queue[-1].at is not None and made <= ahead)
        ends = sent + made if free and self.queue and all_laid else NEVER
        return Outlook(made, free and not all_laid, None, ends)

    def _is_cut(self) -> bool:
        """Whether what lies in the ring is void, or will be once the pacer has let go."""
        return self.awaited is not None or int(self.block.generation[self.row]) != self.generation

    def _adopt(self) -> list[Utterance]:
        """Take the ring back if the pacer has let go. Returns the utterances that were heard to the end."""
        assert self.awaited is not None
        if not self.block.adopt(self.row, self.awaited):
            return []
        self.generation = self.awaited
        self.awaited = None
        heard = self._forget_heard()
        sent = self.sent
        for utterance in self.queue:
            utterance.offset = utterance.laid = utterance.unheard(sent)
            utterance.at = None
        return heard

    def _forget_heard(self) -> list[Utterance]:
        sent = self.sent
        heard: list[Utterance] = []
        for utterance in self.queue:
            if not utterance.is_heard(sent):
                break
            heard.append(utterance)
        del self.queue[: len(heard)]
        return heard

    def _lay(self, utterance: Utterance) -> bool:
        """Lay what is made of one utterance. True when the next one may follow on it."""
        track, block, row = utterance.track, self.block, self.row
        if utterance.at is None:
            if utterance.laid == track.units:
                if not track.complete:
                    return False
            elif block.ahead(row) == CAPACITY:
                return False
            self._begin(utterance)
        while utterance.laid < track.units:
            payload = self._in_law(track.recipe.law, track.payload(utterance.laid))
            end = utterance.laid + len(payload) // UNIT_OCTETS
            last = track.settled and end == track.units
            utterance.laid += block.lay(row, payload, unfinished=not last) // UNIT_OCTETS
            if utterance.laid < end:
                return False
        return track.complete

    def _in_law(self, law: Law, payload: memoryview) -> memoryview:
        """The payload in the leg's law. A track keeps the law it was begun in when the leg's codec changes."""
        if law == self.law:
            return payload
        return memoryview(transcode(bytes(payload[:_RING_OCTETS]), law, self.law))

    def _mark(self) -> None:
        """See to it that a dry ring is an underrun only where speech was to follow.

        Not behind an utterance whose end was not known when its last block was laid; nor where its writer is
        late: what is written when less than ``_IN_TIME`` lies ahead may begin late.
        """
        newest = next((utterance for utterance in reversed(self.queue) if utterance.at is not None), None)
        unfinished = bool(self.block.unfinished[self.row])
        if newest is None or (newest.track.settled and newest.laid == newest.track.units):
            follows = False
        else:
            follows = unfinished or self.block.ahead(self.row) >= _IN_TIME
        if follows != unfinished:
            self.block.lay(self.row, _NOTHING, unfinished=follows)

    def _begin(self, utterance: Utterance) -> None:
        at = int(self.block.written[self.row])
        utterance.at = at
        offset = utterance.base + utterance.offset
        self._tell(Laying(self.row, self.ring, utterance.key, self.generation, at, offset))


def _moved_words(words: tuple[Word, ...], units: int) -> tuple[Word, ...]:
    if not units:
        return words
    return tuple(
        Word(word.char_start, word.char_end, word.start_unit + units, word.end_unit + units, word.into)
        for word in words
    )
