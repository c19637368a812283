"""A call's core in virtual time, with the real pacer's and the real synthesis worker's arithmetic around it.

``World`` joins ``Call`` to ``gateway.media.group.Group`` and ``gateway.speech.feeder.Feeder`` over a real ring.
Messages wait until somebody delivers them, and the pacer, the writer and control each move only when told to,
so that every interleaving of the three processes can be had. The payload of each unit names the utterance and
the unit, so what the caller really heard is read from the packets.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from gateway.calls.actions import CutRing, Glance, Publish, SetPaused
from gateway.calls.call import Call
from gateway.calls.playlist import LOOKS
from gateway.calls.requests import Interruptible, Mode, OpenCall, Say
from gateway.calls.utterance import Utterance
from gateway.media.group import Group
from gateway.messages import LegOpened, MarkAt, Word
from gateway.ring import UNIT_OCTETS, RingBlock
from gateway.speech.feeder import Feeder
from gateway.speech.library import Library
from gateway.speech.recipe import Origin
from gateway.speech.track import Failure, Stretch
from tts_core import Script

WORD_UNITS = 6
"""A multiple of every packet size up to 30 ms, in units of 10 ms."""


def text_of(number: int, words: int) -> str:
    """A text whose words say what they are: ``u7w0, u7w1, …``."""
    return ", ".join(f"u{number}w{index}" for index in range(words))


def words_of(text: str) -> list[Word]:
    """Each word takes WORD_UNITS, the comma after it belongs to nobody."""
    words, at = [], 0
    for index, word in enumerate(text.split(", ") if text else ()):
        words.append(Word(at, at + len(word), index * WORD_UNITS, (index + 1) * WORD_UNITS))
        at += len(word) + 2
    return words


class World:
    """One leg and all three processes. ``heard``: by key, the units that left in packets, in order."""

    def __init__(self, ptime: int = 20, queue_limit: int = 8) -> None:
        self.now_ns = 1_000_000_000
        self.ptime = ptime
        self.ring = RingBlock.create(1)
        generation = self.ring.cut(0)
        self.group = Group(self.ring, ptime)
        self.group.add(0, 0, 1, 0, 0, False)
        request = OpenCall("127.0.0.1", 4000, client_state="the call's")
        opened = LegOpened(0, "127.0.0.1", 20000, 20001, 1)
        self.call = Call(
            "c_1", request, "v", 0, opened, generation, datetime.now(UTC), queue_limit=queue_limit
        )
        self.call.ptime = request.ptime
        self.to_writer: deque[object] = deque()
        self.to_control: deque[object] = deque()
        self.events: list[Publish] = []
        self.heard: dict[int, list[int]] = {}
        self.said: list[Utterance] = []
        self.looks = 0
        self.ticks = 0
        self.start_writer()
        self.call.opened(self.glance())
        self.act()

    # -- the three processes ------------------------------------------------------------------------------

    def start_writer(self) -> None:
        self.writer: Feeder | None = Feeder(
            [self.ring], Library(1 << 20), self.to_control.append, lambda track: None
        )

    def kill_writer(self) -> None:
        """It dies, with what it had not read; what it had sent lies in the socket and is read before its end."""
        self.read()
        self.writer = None
        self.to_writer.clear()
        self.call.playlist.writer_lost(self.glance())
        self.act()

    def pace(self, packets: int = 1) -> None:
        """The media worker: a packet time, with the packet's contents noted."""
        for _ in range(packets):
            self.now_ns += self.ptime * 1_000_000
            self.ticks += 1
            self.acknowledge()
            before = int(self.ring.sent[0])
            self.group.stamp(self.ticks, self.now_ns)
            if int(self.ring.sent[0]) > before:
                payload = self.group.packet["payload"][0].tobytes()
                for at in range(0, len(payload), UNIT_OCTETS):
                    key, unit = struct.unpack_from("!II", payload, at)
                    self.heard.setdefault(key, []).append(unit)

    def acknowledge(self) -> None:
        """The media worker acts on a cut."""
        if self.ring.generation[0] != self.ring.acked[0]:
            self.group.cut(0)

    def make(self, words: int = 1) -> None:
        """The synthesis worker makes some words of what is most urgent."""
        assert self.writer is not None
        track = self.writer.next_track(Origin.VOICE, self.now_ns)
        if track is None:
            return
        text = track.recipe.source
        key = next(entry.key for entry in self.said if entry.text == text)
        everything = words_of(text)
        first = track.units // WORD_UNITS
        mine = everything[first : first + words]
        units = range(track.units, track.units + len(mine) * WORD_UNITS)
        payload = b"".join(struct.pack("!II", key, unit).ljust(UNIT_OCTETS, b"\xd5") for unit in units)
        marks = tuple(MarkAt(f"m{word.start_unit // WORD_UNITS}", word.start_unit) for word in mine)
        last = first + len(mine) >= len(everything)
        self.writer.made(track, Stretch(payload, tuple(mine), marks, last), self.now_ns)

    def fail(self) -> None:
        """The engine fails over what is most urgent."""
        assert self.writer is not None
        track = self.writer.next_track(Origin.VOICE, self.now_ns)
        if track is not None:
            self.writer.failed(track, Failure("engine", "it broke"), self.now_ns)

    def write(self, messages: int | None = None) -> None:
        """The synthesis worker reads up to that many messages and lays what it can."""
        assert self.writer is not None
        for _ in range(len(self.to_writer) if messages is None else min(messages, len(self.to_writer))):
            self.writer.take(self.to_writer.popleft(), self.now_ns)
        self.writer.service(self.now_ns)

    def read(self, messages: int | None = None) -> None:
        """Control reads up to that many messages."""
        for _ in range(len(self.to_control) if messages is None else min(messages, len(self.to_control))):
            message = self.to_control.popleft()
            playlist = self.call.playlist
            take = {
                "Described": playlist.describe,
                "Laying": playlist.laid,
                "Removed": playlist.removed,
                "SpeechFailed": playlist.speech_failed,
            }[type(message).__name__]
            take(message, self.glance())
            self.act()

    def look(self) -> None:
        """Control looks at the ring. Between that many looks it has read what was sent to it before."""
        self.looks += 1
        if self.looks % (LOOKS - 1) == 0:
            self.read()
        playlist = self.call.playlist
        position = playlist.cut_is_through(self.ring)
        if position is not None:
            playlist.begun(playlist.generation, position, self.glance())
        self.call.advance(self.glance())
        self.act()

    # -- control ------------------------------------------------------------------------------------------

    def glance(self) -> Glance:
        return Glance(self.now_ns, int(self.ring.sent[0]), int(self.ring.sent_ns[0]))

    def act(self) -> None:
        self._perform()
        if self.call.playlist.orphaned and self.writer is not None and not self.call.closing:
            self.call.playlist.attach()
            self._perform()

    def _perform(self) -> None:
        for action in self.call.take():
            if isinstance(action, Publish):
                self.events.append(action)
            elif isinstance(action, CutRing):
                assert self.ring.cut(0, action.at) == action.generation
            elif isinstance(action, SetPaused):
                self.ring.paused[0] = action.paused
            else:
                assert self.writer is not None
                self.to_writer.append(action)

    def say(
        self,
        words: int = 3,
        mode: Mode = "append",
        interruptible: Interruptible = "any",
        uid: str | None = None,
        client_state: str | None = None,
    ) -> Utterance:
        key = len(self.said) + 1
        text = text_of(key, words)
        say = Say(
            requested_ns=self.now_ns,
            script=Script.from_text(text),
            text=text,
            id=uid,
            mode=mode,
            interruptible=interruptible,
            client_state=client_state,
        )
        utterance = self.call.say(say, key=key, fresh_id=f"u_{key}", glance=self.glance())
        self.said.append(utterance)
        self.act()
        return utterance

    def stop(self, scope: str = "current") -> list[Utterance]:
        victims = self.call.stop(scope, self.glance())
        self.act()
        return victims

    def stop_one(self, utterance: Utterance) -> list[Utterance]:
        victims = self.call.stop_utterance(utterance.id, self.glance())
        self.act()
        return victims

    # -- all together -------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Everybody does all there is to do, short of a packet."""
        for _ in range(LOOKS + 1):
            self.write()
            self.make(100)
            self.write()
            self.read()
            self.acknowledge()
            self.look()

    def run(self, packets: int) -> None:
        """Packet times with everybody prompt."""
        for _ in range(packets):
            self.turn()
            self.pace()
        self.turn()

    def finish(self) -> None:
        """Until the queue is empty."""
        for _ in range(5000):
            if not self.call.speaking:
                return
            self.run(1)
        raise AssertionError(f"still waiting for {self.call.playlist.queue}")

    def happened(self, utterance: Utterance) -> list[str]:
        """The events of one utterance, by type."""
        return [
            event.type.removeprefix("utterance.")
            for event in self.events
            if event.utterance_id == utterance.id
        ]

    def truly_heard(self, utterance: Utterance) -> int:
        """Units of it that left in packets, once checked to be its first ones, each once and in order."""
        units = self.heard.get(utterance.key, [])
        assert units == list(range(len(units))), f"{utterance.id}: {units}"
        return len(units)

    def close(self) -> None:
        self.ring.close()


@pytest.fixture
def world() -> Iterator[World]:
    """A leg of 20 ms packets, open, with nothing to say."""
    made = World()
    yield made
    made.close()


@pytest.fixture(scope="session")
def new_world() -> Callable[[], World]:
    """To make more than one; the caller closes them."""
    return World
