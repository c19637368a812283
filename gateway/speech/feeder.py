"""All legs of this worker: what control asks, what is made, and what is laid where, at which moment.

The core of the synthesis worker, without clock, socket or thread. One loop drives it:

    take(message, now)      when control says something
    made(track, stretch)    when a track has grown, failed(track, failure) when it cannot
    service(now)            every few milliseconds, each millisecond while ``is_cutting``
    next_tracks(origin, now) when a maker is free: the tracks that are to grow next, together

Messages for control go to ``tell``, always before what they describe is laid. ``drop`` is told each unfinished
track that nobody listens to any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np

from gateway.messages.synthesis import (
    Append,
    AskCache,
    AttachLeg,
    CacheKnown,
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
from gateway.speech.schedule import LOOKAHEAD, UNIT_NS, Longs, Scheduler, Waiting, deadlines
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
    ``begun``: some of that is made; ``voice``: the scheduler's number of who makes it; ``track``: its identity;
    ``made_to``: the position to which audio is made; ``dry_ns``: when it ran out or runs out. ``patient``: nobody
    hears a gap (see ``gateway.speech.schedule``), and ``dry_ns`` is when a listener would who hears in time.
    """

    def __init__(self, block: RingBlock) -> None:
        self.block = block
        self.streams: dict[int, Stream] = {}
        self.lay = np.zeros(block.legs, np.bool_)
        self.awaited = np.full(block.legs, _NOT_CUT, np.int64)
        self.ends = np.full(block.legs, NEVER, np.int64)
        self.grows = np.zeros(block.legs, np.uint8)
        self.begun = np.zeros(block.legs, np.bool_)
        self.voice = np.zeros(block.legs, np.int64)
        self.track = np.zeros(block.legs, np.int64)
        self.made_to = np.zeros(block.legs, np.int64)
        self.dry_ns = np.zeros(block.legs, np.int64)
        self.patient = np.zeros(block.legs, np.bool_)

    def forget(self, row: int) -> None:
        self.lay[row] = False
        self.awaited[row] = _NOT_CUT
        self.ends[row] = NEVER
        self.grows[row] = _NOTHING


class Feeder:
    """See above. ``blocks``: the rings by number; ``library``: where tracks come from.

    ``together``: how many utterances of a voice are best made together (see ``tts_core.Engine``). ``seek``: asked
    of each new track whether it is looked for elsewhere; it is not made until ``found`` tells what came of that.
    """

    def __init__(
        self,
        blocks: Iterable[RingBlock],
        library: Library,
        tell: Tell,
        drop: Callable[[Track], None],
        together: Callable[[str], int] = lambda voice: 1,
        seek: Callable[[Track], bool] = lambda track: False,
    ) -> None:
        self._rings = [_Rows(block) for block in blocks]
        self._library = library
        self._tell = tell
        self._drop = drop
        self._together = together
        self._seek = seek
        self._sought: set[Track] = set()
        self._scheduler = Scheduler()
        self._voices: dict[str, int] = {}
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
            case Append():
                self._append(message, now_ns)
            case Remove():
                self._remove(message, now_ns)
            case Cut():
                self._cut(message, now_ns)
            case AskCache(speak=speak):
                self._tell(CacheKnown(speak.key, self._holds(speak)))

    def _holds(self, speak: Speak) -> bool:
        stream = self._rings[speak.ring].streams.get(speak.row)
        return stream is not None and self._library.holds(recipe_of(speak, stream.law, stream.ptime_ms))

    def _attach(self, message: AttachLeg, now_ns: int) -> None:
        rows = self._rings[message.ring]
        self._detach(message.ring, message.row)
        stream = Stream(rows.block, message.ring, message.row, message.law, message.ptime_ms, self._tell)
        stream.cut(message.generation, (), message.law)
        rows.streams[message.row] = stream
        rows.patient[message.row] = message.patient
        rows.made_to[message.row], rows.dry_ns[message.row] = stream.sent, now_ns
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
        track.about = track.about or {"call_id": message.call_id, "utterance_id": message.utterance_id}
        utterance = Utterance(message.key, track, message.resume.unit if message.resume else 0)
        if track not in self._readers and not track.complete and self._seek(track):
            self._sought.add(track)
        self._readers.setdefault(track, {})[utterance] = stream
        stream.enqueue(utterance, message.before, cached=track.complete)
        self._touch(stream, now_ns)

    def _append(self, message: Append, now_ns: int) -> None:
        stream = self._rings[message.ring].streams.get(message.row)
        queue = [] if stream is None else stream.queue
        utterance = next((utterance for utterance in queue if utterance.key == message.key), None)
        if stream is not None and utterance is not None:
            manuscript = utterance.track.recipe.manuscript
            assert manuscript is not None, "appended to what was whole"
            manuscript.add(message.part, last=message.last)
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

    def found(self, track: Track, stretch: Stretch | None, now_ns: int) -> None:
        """All of a track that was sought elsewhere, or None: it is to be made here."""
        self._sought.discard(track)
        if stretch is not None:
            self.made(track, stretch, now_ns)
            return
        for stream in tuple(self._readers.get(track, {}).values()):
            self._touch(stream, now_ns)

    def waits(self, track: Track, now_ns: int) -> None:
        """``track`` is not to be made until something has come from elsewhere; then ``found`` is told."""
        readers = self._readers.get(track)
        if readers is not None:
            self._sought.add(track)
            for stream in tuple(readers.values()):
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

    def next_tracks(self, origin: Origin, now_ns: int) -> list[Track]:
        """The tracks of this origin that are to grow next, in one step; none when all have enough."""
        if not self._readers:
            return []
        found: list[tuple[_Rows, Longs, Longs]] = []
        for rows in self._rings:
            which = np.flatnonzero(rows.grows == origin)
            slack = rows.made_to[which] - rows.block.sent[which]
            short = slack < LOOKAHEAD
            found.append((rows, which[short], slack[short]))
        if not any(len(which) for _, which, _ in found):
            return []
        waiting = Waiting(
            slack=np.concatenate([slack for _, _, slack in found]),
            since_ns=np.concatenate([rows.dry_ns[which] for rows, which, _ in found]),
            begun=np.concatenate([rows.begun[which] for rows, which, _ in found]),
            voice=np.concatenate([rows.voice[which] for rows, which, _ in found]),
            track=np.concatenate([rows.track[which] for rows, which, _ in found]),
            patient=np.concatenate([rows.patient[which] for rows, which, _ in found]),
        )
        chosen = self._scheduler.choose(now_ns, waiting)
        if not chosen:
            return []
        legs = [(rows, row) for rows, which, _ in found for row in which.tolist()]
        tracks = (rows.streams[row].outlook().grow for rows, row in map(legs.__getitem__, chosen))
        return [track for track in tracks if track is not None]

    def waiting(self) -> dict[str, tuple[int, int]]:
        """Legs with less audio ahead of them than is made ahead, by voice: without any of it, and others."""
        first, more = np.zeros((2, len(self._voices)), np.int64)
        for rows in self._rings:
            short = (rows.grows != _NOTHING) & (rows.made_to - rows.block.sent < LOOKAHEAD)
            for count, which in ((first, short & ~rows.begun), (more, short & rows.begun)):
                count += np.bincount(rows.voice[which], minlength=len(count))
        return {name: (int(first[number]), int(more[number])) for name, number in self._voices.items()}

    def took(self, voice: str, seconds: float, tracks: int, units: int, *, first: bool) -> None:
        """A step of this voice for so many tracks made so much; ``first``: it was of first stretches."""
        number = self._voice(voice)
        self._scheduler.share(number, self._together(voice))  # which is known once the voice is loaded
        self._scheduler.took(number, int(seconds * 1e9), tracks, units, first=first)

    def _voice(self, name: str) -> int:
        number = self._voices.get(name)
        if number is None:
            number = self._voices[name] = self._scheduler.voice(1)
        return number

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
            which = np.flatnonzero(due)
            ahead = block.written[which] - block.sent[which]
            for row in which[np.argsort(ahead)].tolist():  # who runs dry first is served first
                self._touch(rows.streams[row], now_ns)
            slack = rows.made_to - block.sent
            rows.dry_ns = np.where(rows.patient, rows.dry_ns, deadlines(now_ns, slack, rows.dry_ns))

    def _touch(self, stream: Stream, now_ns: int) -> None:
        """Lay what can be laid, release what was heard, and note what the leg will need next."""
        rows, row = self._rings[stream.ring], stream.row
        waited_dry = rows.grows[row] != _NOTHING and rows.made_to[row] <= stream.sent
        self._leave(stream.feed())
        outlook = stream.outlook()
        rows.lay[row] = outlook.lay
        rows.awaited[row] = _NOT_CUT if stream.awaited is None else stream.awaited
        rows.ends[row] = outlook.ends
        if outlook.grow is None or outlook.grow in self._sought:
            rows.grows[row] = _NOTHING
        else:
            rows.grows[row] = outlook.grow.recipe.origin
            rows.begun[row] = outlook.grow.units > 0
            rows.voice[row] = self._voice(outlook.grow.recipe.voice)
            rows.track[row] = id(outlook.grow)
        made_to = stream.sent + outlook.made
        if rows.patient[row]:
            grown = made_to - int(rows.made_to[row])
            if grown < 0:  # cut: the listener has thrown away what he had
                rows.dry_ns[row] = now_ns
            elif grown or not waited_dry:
                rows.dry_ns[row] = max(int(rows.dry_ns[row]), now_ns) + grown * UNIT_NS
        elif not (outlook.made or waited_dry):
            rows.dry_ns[row] = now_ns
        rows.made_to[row] = made_to
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
