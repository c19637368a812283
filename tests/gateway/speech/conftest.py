"""The feeder in virtual time: a real ring, a pacer that does what the media worker does, a maker of noise."""

from __future__ import annotations

import functools
from collections import defaultdict, deque
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from gateway.messages.synthesis import (
    AttachLeg,
    Cut,
    Described,
    DetachLeg,
    FromSynthesis,
    Laying,
    Remove,
    Removed,
    RingReset,
    Speak,
    SpeechFailed,
    ToSynthesis,
)
from gateway.ring import CAPACITY, NEVER, UNIT_OCTETS, RingBlock
from gateway.speech.feeder import Feeder
from gateway.speech.library import Library
from gateway.speech.recipe import Origin
from gateway.speech.track import Failure, Stretch, Track
from telephony_codecs import transcode

STEP_NS = 10_000_000


@functools.lru_cache(maxsize=256)
def audio_of(source: str, ptime_ms: int) -> list[bytes]:
    """The stretches of ``"seed:packets,packets"``: noise, so that no two octets in a row are equal by rule."""
    seed, _, sizes = source.partition(":")
    octets = np.random.default_rng([int(seed), ptime_ms])
    return [octets.bytes(int(size) * 8 * ptime_ms) for size in sizes.split(",")]


@functools.lru_cache(maxsize=256)
def whole_of(source: str, ptime_ms: int) -> bytes:
    """The stretches in one piece."""
    return b"".join(audio_of(source, ptime_ms))


class Rig:
    """Control, feeder, maker and pacer of ``legs`` legs, a step of 10 ms at a time.

    Whatever is sent is compared with what the messages say lies there, and with what was made. ``log`` holds
    every message to control, ``heard`` the octets that were sent of each utterance, as they were made.
    """

    def __init__(self, ptimes: tuple[int, ...] = (20,), capacity: int = 1 << 20) -> None:
        self.block = RingBlock.create(len(ptimes))
        self.ptimes = ptimes
        self.library = Library(capacity)
        self.seeking: set[str] | None = None
        """Sources that are looked for elsewhere; ``sought`` are their tracks."""
        self.sought: list[Track] = []
        self.feeder = Feeder([self.block], self.library, self._tell, self._drop, seek=self._seek)
        self.now_ns = 0
        self.log: list[FromSynthesis] = []
        self.inbox: deque[ToSynthesis] = deque()
        self.sources: dict[int, tuple[int, str]] = {}  # key: row, source
        self.answers: list[tuple[int, int, int, int]] = []  # row, key, laid_at of Removed, written then
        self.heard: dict[int, bytearray] = defaultdict(bytearray)
        self.silent: set[int] = set()  # keys of which nothing may be sent any more
        self.doomed: list[tuple[int, int, int]] = []  # row, generation, key: silent once acknowledged
        self.failed: dict[int, int] = {}  # key: the unit at which it ends
        self.packets = [0] * len(ptimes)
        self.laws = ["PCMU"] * len(ptimes)
        self.made_in: dict[int, str] = {}  # key: the law that its track is made in
        self.law_of: dict[tuple[int, int], str] = {}  # row, generation: the law that is sent
        self.dropped: list[Track] = []
        self._growing: dict[Track, Iterator[bytes]] = {}
        self._described: dict[int, int] = {}
        self._layings: dict[tuple[int, int], list[Laying]] = defaultdict(list)
        self._keys = iter(range(1, 1 << 30))

    def close(self) -> None:
        self.block.close()

    # -- control ------------------------------------------------------------------------------------------

    def attach(self, row: int = 0) -> None:
        generation = int(self.block.generation[row])
        self.law_of[row, generation] = self.laws[row]
        self.inbox.append(AttachLeg(0, row, generation, self.laws[row], self.ptimes[row]))

    def speak(self, source: str, row: int = 0, before: int | None = None) -> int:
        key = next(self._keys)
        self.sources[key] = row, source
        self.made_in[key] = self.laws[row]
        self.inbox.append(Speak(0, row, key, "v", 1.0, 0.0, text=source, before=before))
        return key

    def remove(self, key: int) -> None:
        self.inbox.append(Remove(0, self.sources[key][0], key))

    def cut(self, *drop: int, at: int = 0, row: int = 0) -> int:
        generation = self.block.cut(row, at)
        self.doomed += [(row, generation, key) for key in drop]
        self.law_of[row, generation] = self.laws[row]
        self.inbox.append(Cut(0, row, generation, drop, self.laws[row]))
        return generation

    def recode(self, row: int = 0) -> int:
        """The other law, from the next packet on. That the pacer knows of it is not its subject here."""
        self.laws[row] = "PCMA" if self.laws[row] == "PCMU" else "PCMU"
        return self.cut(row=row)

    def detach(self, row: int = 0) -> None:
        self.silent |= {key for key, (other, _) in self.sources.items() if other == row}
        self.block.cut(row)
        self.inbox.append(DetachLeg(0, row))

    def reset(self) -> None:
        self.inbox.append(RingReset(0))

    def deliver(self, count: int = 1 << 30) -> None:
        """Hand the oldest ``count`` messages to the feeder."""
        answers, self.answers = self.answers, []
        for row, key, at, written in answers:
            if int(self.block.generation[row]) == int(self.block.written_generation[row]):
                assert self.block.written[row] == written, "laid while control had yet to cut"
            self.cut(key, at=at, row=row)
        while self.inbox and count > 0:
            count -= 1
            self.feeder.take(self.inbox.popleft(), self.now_ns)

    def laying(self, key: int) -> Laying | None:
        """The newest Laying of an utterance."""
        return next((m for m in reversed(self.log) if isinstance(m, Laying) and m.key == key), None)

    def of(self, kind: type[FromSynthesis]) -> list[FromSynthesis]:
        return [message for message in self.log if isinstance(message, kind)]

    def _seek(self, track: Track) -> bool:
        wanted = track.recipe.source in (self.seeking or ())
        if wanted:
            self.sought.append(track)
        return wanted

    def _tell(self, message: FromSynthesis) -> None:
        self.log.append(message)
        match message:
            case Described(key=key, units=units):
                assert units >= self._described.get(key, 0)
                self._described[key] = units
            case Laying(row=row, key=key, at=at, offset=offset, generation=generation):
                assert self.block.written[row] == at, "announced after it was laid"
                assert self.block.generation[row] == self.block.written_generation[row] == generation
                assert offset <= self._described.get(key, 0)
                self._layings[row, generation].append(message)
            case SpeechFailed(key=key, end_unit=end):
                self.failed[key] = end
            case Removed(key=key, row=row, laid_at=None):
                self.silent.add(key)
            case Removed(key=key, row=row, laid_at=at):
                assert at is not None
                self.answers.append((row, key, at, int(self.block.written[row])))

    # -- maker --------------------------------------------------------------------------------------------

    def _drop(self, track: Track) -> None:
        self.dropped.append(track)
        self._growing.pop(track, None)

    def make(self, count: int = 1) -> Track | None:
        """Make the ``count`` most urgent stretches; returns the last track that grew."""
        track = None
        for _ in range(count):
            track = next(iter(self.feeder.next_tracks(Origin.VOICE, self.now_ns)), None)
            if track is None:
                break
            if track not in self._growing:
                self._growing[track] = iter(audio_of(track.recipe.source, track.recipe.ptime_ms))
            payload = next(self._growing[track], None)
            last = payload is None
            self.feeder.made(track, Stretch(payload or b"", last=last), self.now_ns)
        return track

    def fail(self) -> None:
        """The engine cannot go on with the track that is due."""
        track = next(iter(self.feeder.next_tracks(Origin.VOICE, self.now_ns)), None)
        if track is not None:
            self.feeder.failed(track, Failure("engine_error", "no breath"), self.now_ns)

    # -- pacer --------------------------------------------------------------------------------------------

    def step(self, count: int = 1, *, making: bool = False) -> None:
        """10 ms each: the pacer's tick, then the feeder's service, and with ``making`` a willing maker."""
        for _ in range(count):
            self.now_ns += STEP_NS
            for row, ptime_ms in enumerate(self.ptimes):
                self._acknowledge(row)
                if self.now_ns // STEP_NS % (ptime_ms // 10) == 0:
                    self._pace(row)
            if making:
                self.deliver()
                self.make(4)
            self.feeder.service(self.now_ns)

    def _acknowledge(self, row: int) -> None:
        block = self.block
        generation = int(block.generation[row])
        if block.acked[row] == generation:
            return
        readable = block.written_generation[row] == block.acked[row]
        if (
            readable
            and block.sent[row] < min(block.cut_at[row], block.written[row])
            and block.hold_at[row] == NEVER
        ):
            return
        block.acked[row] = generation
        self.silent |= {key for other, cut, key in self.doomed if other == row and cut <= generation}

    def _pace(self, row: int) -> None:
        block = self.block
        units = self.ptimes[row] // 10
        sent, generation = int(block.sent[row]), int(block.written_generation[row])
        end = int(block.written[row])
        if block.acked[row] != block.generation[row]:
            end = min(end, int(block.cut_at[row]))
        if generation != block.acked[row] or block.hold_at[row] != NEVER or end - sent < units:
            return
        begin = sent % CAPACITY * UNIT_OCTETS
        packet = block.frames[row, begin : begin + units * UNIT_OCTETS].tobytes()
        laying = next(laid for laid in reversed(self._layings[row, generation]) if laid.at <= sent)
        unit = laying.offset + sent - laying.at
        assert laying.key not in self.silent, "sent after it was cut"
        assert unit + units <= self._described[laying.key], "sent before it was described"
        heard = self.heard[laying.key]
        assert len(heard) == unit * UNIT_OCTETS, "octets lost or sent twice"
        made = self.whole(laying.key)[len(heard) : len(heard) + len(packet)]
        law, source = self.law_of[row, generation], self.made_in[laying.key]
        expected = made if law == source else transcode(made, source, law)
        assert packet == expected, "not the octets that were made"
        heard += made
        self.packets[row] += 1
        block.sent[row] = sent + units

    # -- truth --------------------------------------------------------------------------------------------

    def whole(self, key: int) -> bytes:
        """All the octets of an utterance."""
        row, source = self.sources[key]
        return whole_of(source, self.ptimes[row])

    @property
    def has_speech(self) -> bool:
        """Whether any utterance is queued that was not heard to its end."""
        return bool(self.feeder._readers)

    @staticmethod
    def held_octets(track: Track) -> int:
        """Octets of a track that are in memory."""
        return sum(map(len, track._blocks))

    def finish(self, limit: int = 20_000) -> None:
        """Let everybody do their work until nothing is left to say."""
        self.block.hold_at[:] = NEVER
        while limit and (self.inbox or self.answers or self.has_speech or self.feeder.is_cutting):
            self.step(making=True)
            limit -= 1
        assert limit, "speech does not end"
        assert not self.block.unfinished.any(), "the pacer would count an underrun"

    def check_all_heard(self) -> None:
        """Every utterance that was not cut or removed was heard from its first octet to its last."""
        doomed = {key for _, _, key in self.doomed} | self.silent
        for key in self.sources.keys() - doomed:
            end = self.failed.get(key)
            whole = self.whole(key)
            assert self.heard[key] == (whole if end is None else whole[: end * UNIT_OCTETS])


@pytest.fixture(scope="session")
def new_rig() -> Callable[..., Rig]:
    """Makes rigs; close them."""
    return Rig


@pytest.fixture
def rig() -> Iterator[Rig]:
    """One leg at 20 ms, attached."""
    rig = Rig()
    rig.attach()
    rig.deliver()
    yield rig
    rig.close()
