"""All legs of this worker: what control asks, what is made, and what is laid where, at which moment.

The core of the synthesis worker, without clock, socket or thread. One loop drives it:

    take(message, now)      when control says something
    made(track, stretch)    when a track has grown, failed(track, failure) when it cannot
    service(now)            every few milliseconds, each millisecond while ``is_cutting``
    next_track(origin, now) when a maker is free: the track that is to grow next, or None

Messages for control go to ``tell``, always before what they describe is laid. ``drop`` is told each unfinished
track that nobody listens to any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np

from gateway.messages import (
    AttachLeg,
    Cut,
    DetachLeg,
    LegDetached,
    Remove,
    Removed,
    RingReset,
    Speak,
    ToSynthesis,
)
from gateway.ring import CAPACITY, NEVER, RingBlock
from gateway.speech.library import Library
from gateway.speech.recipe import Origin, recipe_of
from gateway.speech.schedule import deadlines, most_urgent
from gateway.speech.stream import Stream, Tell, Utterance
from gateway.speech.track import Failure, Stretch, Track

_LOW: Final = CAPACITY // 2
"""A leg is fed again when less than this lies ahead of it: rarely enough to be cheap, early enough to be safe."""

_NOT_CUT: Final = -1
_NOTHING: Final = 0


class _Rows:
    """What ``service`` must know of each leg of one ring, as arrays [legs], so that it need not ask each leg.

    ``lay``: something waits for room in the ring; ``awaited``: the generation of a cut under way; ``ends``: the
    position at which the queue is heard; ``grows``: the origin of the audio that it wants more of, or 0;
    ``made_to``: the position to which audio is made; ``dry_ns``: when it ran out or runs out.
    """

    def __init__(self, block: RingBlock) -> None:
        self.block = block
        self.streams: dict[int, Stream] = {}
        self.lay = np.zeros(block.legs, np.bool_)
        self.awaited = np.full(block.legs, _NOT_CUT, np.int64)
        self.ends = np.full(block.legs, NEVER, np.int64)
        self.grows = np.zeros(block.legs, np.uint8)
        self.made_to = np.zeros(block.legs, np.int64)
        self.dry_ns = np.zeros(block.legs, np.int64)

    def forget(self, row: int) -> None:
        self.lay[row] = False
        self.awaited[row] = _NOT_CUT
        self.ends[row] = NEVER
        self.grows[row] = _NOTHING


class Feeder:
    """See above. ``blocks``: the rings by number; ``library``: where tracks come from."""

    def __init__(
        self, blocks: Iterable[RingBlock], library: Library, tell: Tell, drop: Callable[[Track], None]
    ) -> None:
        self._rings = [_Rows(block) for block in blocks]
        self._library = library
        self._tell = tell
        self._drop = drop
        self._readers: dict[Track, dict[Utterance, Stream]] = {}
        self.utterances = 0
        """Utterances that were asked for."""

    @property
    def streams(self) -> int:
        """Legs attached."""
        return sum(len(rows.streams) for rows in self._rings)

    @property
    def is_cutting(self) -> bool:
        """Whether a leg waits for its pacer to acknowledge a cut."""
        return any(bool((rows.awaited != _NOT_CUT).any()) for rows in self._rings)

    # -- what control says --------------------------------------------------------------------------------

    def take(self, message: ToSynthesis, now_ns: int) -> None:
        """Do what control asks. What concerns a leg that is not attached (any more) is void."""
        match message:
            case AttachLeg():
                self._attach(message, now_ns)
            case RingReset(ring=ring):
                for row in tuple(self._rings[ring].streams):
                    self._detach(ring, row)
            case DetachLeg(ring=ring, row=row):
                self._detach(ring, row)
                self._tell(LegDetached(row=row, ring=ring))
            case Speak():
                self._speak(message, now_ns)
            case Remove():
                self._remove(message, now_ns)
            case Cut():
                self._cut(message, now_ns)

    def _attach(self, message: AttachLeg, now_ns: int) -> None:
        rows = self._rings[message.ring]
        self._detach(message.ring, message.row)
        stream = Stream(rows.block, message.ring, message.row, message.law, message.ptime_ms, self._tell)
        stream.cut(message.generation, (), message.law)
        rows.streams[message.row] = stream
        self._touch(stream, now_ns)

    def _detach(self, ring: int, row: int) -> None:
        rows = self._rings[ring]
        stream = rows.streams.pop(row, None)
        if stream is not None:
            rows.forget(row)
            self._leave(stream.queue)

    def _speak(self, message: Speak, now_ns: int) -> None:
        rows = self._rings[message.ring]
        stream = rows.streams.get(message.row)
        if stream is None:
            return
        self.utterances += 1
        track = self._library.find(recipe_of(message, stream.law, stream.ptime_ms))
        utterance = Utterance(message.key, track)
        self._readers.setdefault(track, {})[utterance] = stream
        stream.enqueue(utterance, message.before, cached=track.complete)
        self._touch(stream, now_ns)

    def _remove(self, message: Remove, now_ns: int) -> None:
        stream = self._rings[message.ring].streams.get(message.row)
        utterance, laid_at = (None, None) if stream is None else stream.remove(message.key)
        self._tell(Removed(row=message.row, ring=message.ring, key=message.key, laid_at=laid_at))
        if stream is not None and utterance is not None:
            self._leave([utterance])
            self._touch(stream, now_ns)

    def _cut(self, message: Cut, now_ns: int) -> None:
        stream = self._rings[message.ring].streams.get(message.row)
        if stream is not None:
            self._leave(stream.cut(message.generation, message.drop, message.law))
            self._touch(stream, now_ns)

    # -- what is made -------------------------------------------------------------------------------------

    def made(self, track: Track, stretch: Stretch, now_ns: int) -> None:
        """``track`` has grown. Void when nobody listens to it any more."""
        readers = self._readers.get(track)
        if readers is None:
            return
        self._library.grow(track, stretch)
        for utterance, stream in tuple(readers.items()):
            stream.describe(utterance, stretch)
            self._touch(stream, now_ns)

    def failed(self, track: Track, failure: Failure, now_ns: int) -> None:
        """``track`` can grow no more. Void when nobody listens to it any more."""
        readers = self._readers.get(track)
        if readers is None:
            return
        self._library.fail(track, failure)
        for utterance, stream in tuple(readers.items()):
            stream.lament(utterance)
            self._touch(stream, now_ns)

    def next_track(self, origin: Origin, now_ns: int) -> Track | None:
        """The track of this origin whose next stretch is due first; None when every leg has enough."""
        best: tuple[int, Stream] | None = None
        for rows in self._rings:
            urgent = most_urgent(now_ns, rows.grows == origin, rows.made_to - rows.block.sent, rows.dry_ns)
            if urgent is not None and (best is None or urgent[1] < best[0]):
                best = urgent[1], rows.streams[urgent[0]]
        return best[1].outlook().grow if best else None

    # -- the rings ----------------------------------------------------------------------------------------

    def service(self, now_ns: int) -> None:
        """Feed every leg that runs low, take back rings after cuts, forget what was heard."""
        for rows in self._rings:
            if not rows.streams:
                continue
            block = rows.block
            due = rows.lay & (block.written - block.sent <= _LOW)
            due &= block.generation == block.written_generation
            due |= (rows.awaited == block.acked) & (rows.awaited == block.generation)
            due |= rows.ends <= block.sent
            for row in np.flatnonzero(due).tolist():
                self._touch(rows.streams[row], now_ns)
            slack = rows.made_to - block.sent
            rows.dry_ns = deadlines(now_ns, slack, rows.dry_ns)

    def _touch(self, stream: Stream, now_ns: int) -> None:
        """Lay what can be laid, release what was heard, and note what the leg will need next."""
        rows, row = self._rings[stream.ring], stream.row
        waited_dry = rows.grows[row] != _NOTHING and rows.made_to[row] <= stream.sent
        self._leave(stream.feed())
        outlook = stream.outlook()
        rows.lay[row] = outlook.lay
        rows.awaited[row] = _NOT_CUT if stream.awaited is None else stream.awaited
        rows.ends[row] = outlook.ends
        rows.grows[row] = _NOTHING if outlook.grow is None else outlook.grow.recipe.origin
        rows.made_to[row] = stream.sent + outlook.made
        if not (outlook.made or waited_dry):
            rows.dry_ns[row] = now_ns
        for utterance in stream.queue:
            track = utterance.track
            if not track.kept:
                readers = self._readers[track]
                track.release(min(reader.unheard(other.sent) for reader, other in readers.items()))
            if not track.complete:
                break

    def _leave(self, utterances: Iterable[Utterance]) -> None:
        """These utterances are over; a track that nobody else listens to need not be made."""
        for utterance in utterances:
            track = utterance.track
            readers = self._readers[track]
            del readers[utterance]
            if not readers:
                del self._readers[track]
                if not track.complete:
                    self._library.abandon(track)
                    self._drop(track)
