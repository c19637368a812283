"""A call's core in virtual time, with the real pacer's and the real synthesis worker's arithmetic around it.

``World`` joins ``Call`` to ``gateway.media.group.Group`` and ``gateway.speech.feeder.Feeder`` over a real ring.
Messages wait until somebody delivers them, and the pacer, the writer and control each move only when told to,
so that every interleaving of the three processes can be had. The payload of each unit names the utterance and
the unit in levels that survive transcoding, so what the caller really heard is read from the packets, by the
law that their payload type stands for.
"""

from __future__ import annotations

import re
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Literal

import numpy as np
import pytest

from gateway.calls.actions import CutRing, Glance, Publish, SetPaused, Tell
from gateway.calls.call import Call
from gateway.calls.draft import Bounds, Draft
from gateway.calls.passage import LOOKS
from gateway.calls.requests import BargeIn, Interruptible, Media, Mode, OpenCall, Say, SipFacts
from gateway.calls.utterance import Utterance
from gateway.media.group import Group
from gateway.messages.media import ChangeLeg, LegOpened, MixLeg, VoiceHeard
from gateway.messages.synthesis import MarkAt, Part, Resume, Word
from gateway.ring import NEVER, SILENCE, UNIT_OCTETS, RingBlock
from gateway.speech.feeder import Feeder
from gateway.speech.library import Library
from gateway.speech.manuscript import Manuscript
from gateway.speech.recipe import Origin
from gateway.speech.track import Failure, Stretch, Track
from telephony_codecs import Law, encode, transcode
from tts_core import Script

WORD_UNITS = 6
"""A multiple of every packet size up to 30 ms, in units of 10 ms."""


LEVELS = np.array([*(600 * 2**n for n in range(6)), 800, 1600, *(-600 * 2**n for n in range(6)), -800, -1600])
"""Sixteen levels, one for each nibble, that both laws tell apart."""
LAW_OF = {0: "PCMU", 8: "PCMA", 96: "PCMU", 97: "PCMA"}
"""What the payload types of these tests stand for."""


def _nibbles(law: str) -> bytes:
    """A table for ``bytes.translate``: the nibble that a code of this law stands for, 255 for none."""
    table = bytearray([255] * 256)
    for source in Law:
        codes = encode(source, LEVELS.astype(np.int16)).tobytes()
        for nibble, code in enumerate(transcode(codes, source, law)):
            assert table[code] in (255, nibble)
            table[code] = nibble
    return bytes(table)


_CODES = {law: encode(law, LEVELS.astype(np.int16)).tobytes() for law in Law}
_NIBBLES = {str(law): _nibbles(law) for law in Law}


def unit_of(law: str, key: int, unit: int) -> bytes:
    """10 ms of audio that says whose it is: its nibbles, and again inverted, which the wrong law would spoil."""
    name = struct.pack("!HH", key, unit).hex()
    nibbles = [int(digit, 16) for digit in name] + [15 - int(digit, 16) for digit in name]
    return (bytes(_CODES[Law(law)][nibble] for nibble in nibbles) * 5)[:UNIT_OCTETS]


def name_of(law: str, payload: bytes) -> tuple[int, int]:
    """Key and unit of 10 ms of audio, read in a law."""
    nibbles = payload.translate(_NIBBLES[law])
    name, inverse = nibbles[:8], nibbles[8:16]
    assert all(a + b == 15 for a, b in zip(name, inverse, strict=True)), "not of this law"
    assert nibbles == (name + inverse) * 5
    key, unit = struct.unpack("!HH", bytes.fromhex("".join(f"{nibble:x}" for nibble in name)))
    return key, unit


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


def words_of_parts(parts: Iterable[Part]) -> list[Word]:
    """The words of a text that was given out in these parts; each takes WORD_UNITS."""
    words: list[Word] = []
    at = 0
    for part in parts:
        for found in re.finditer("[^, ]+", part.text):
            unit = len(words) * WORD_UNITS
            words.append(Word(at + found.start(), at + found.end(), unit, unit + WORD_UNITS))
        at += len(part.text)
    return words


class World:
    """One leg and all three processes. ``heard``: by key, the units that left in packets, in order.

    ``sip``: an incoming call whose INVITE has an offer, or an outgoing one, which learns its target later.
    ``spurts``: of each packet that left its timestamp, and whether it opens a talkspurt.
    """

    def __init__(
        self, ptime: int = 20, queue_limit: int = 8, sip: Literal["in", "out"] | None = None
    ) -> None:
        self.now_ns = 1_000_000_000
        self.ptime = ptime
        self.ring = RingBlock.create(1)
        generation = self.ring.cut(0)
        # a call that we place offers 20 ms, whatever the peer then wants
        opening = 20 if sip == "out" else ptime
        self.group = Group(self.ring, opening)
        self.group.add(0, 0, "PCMU", 1, 0, 0, sip is not None)
        facts = SipFacts("d", sip, "i", "sip:a@b", "sip:c@d", "sip:c@d", (("x-a", "b"),)) if sip else None
        address, port = ("0.0.0.0", 0) if sip == "out" else ("127.0.0.1", 4000)
        request = OpenCall(address, port, ptime=opening, client_state="the call's", sip=facts)
        opened = LegOpened(0, "127.0.0.1", 20000, 20001, 1)
        self.aimed, self.held = port != 0, sip is not None
        """What the media worker knows."""
        self.to_media: deque[ChangeLeg] = deque()
        self.mixes: list[MixLeg] = []
        self.spurts: list[tuple[int, bool]] = []
        self.payload_types: list[int] = []
        self.call = Call(
            "c_1", request, "v", 0, opened, generation, datetime.now(UTC), queue_limit=queue_limit
        )
        self.to_writer: deque[object] = deque()
        self.to_control: deque[object] = deque()
        self.events: list[Publish] = []
        self.heard: dict[int, list[int]] = {}
        self.said: list[Utterance] = []
        self.told: dict[int, list[tuple[str, Mapping[str, object]]]] = {}
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
        self.call.playlist.writer_lost(self.ring.laid_to(0), self.glance())
        self.act()

    def move(self) -> None:
        """Another worker is to go on: here the same one, which knows nothing of the leg once it has let go."""
        self.call.playlist.move()
        self.act()

    def pace(self, packets: int = 1) -> None:
        """The media worker: a packet time, with the packet's contents noted."""
        for _ in range(packets):
            self.now_ns += self.ptime * 1_000_000
            self.ticks += 1
            self.acknowledge()
            before = int(self.ring.sent[0])
            left = self.group.stamp(self.ticks, self.now_ns)
            if left:
                self._packet(spoken=int(self.ring.sent[0]) > before)

    def _packet(self, *, spoken: bool) -> None:
        """A packet has left."""
        assert self.aimed, "sent to nobody"
        packet = self.group.packet[0]
        marker, payload_type = divmod(int(packet["header"]["marker_type"]), 128)
        self.spurts.append((int(packet["header"]["timestamp"]), bool(marker)))
        self.payload_types.append(payload_type)
        law, payload = LAW_OF[payload_type], packet["payload"].tobytes()
        if not spoken:
            assert not self.held, "silence although the leg is held"
            assert set(payload) == {SILENCE[law == "PCMA"]}
            return
        for at in range(0, len(payload), UNIT_OCTETS):
            key, unit = name_of(law, payload[at : at + UNIT_OCTETS])
            self.heard.setdefault(key, []).append(unit)

    def hear(self, messages: int | None = None) -> None:
        """The media worker reads up to that many changes: what ``Engine.change`` does, less sockets."""
        for _ in range(len(self.to_media) if messages is None else min(messages, len(self.to_media))):
            order = self.to_media.popleft()
            self.aimed, self.held = order.remote_port != 0, order.held
            self.group.changes[0] += order.with_cut
            if order.ptime_ms != self.group.ptime_ms:
                self._regroup(order)
            self.group.code(0, order.payload_type, order.law)
            self.group.suppress[0] = order.held

    def acknowledge(self) -> None:
        """The media worker acts on a cut and on a hold; nothing fades here, for units tell their names."""
        cut = self.ring.generation[0] != self.ring.acked[0]
        if not (self.held and self.ring.hold_at[0] == NEVER):
            self.group.hold(0, int(self.ring.hold_at[0]), fade=False)
        if cut:
            self.group.cut(0)

    def make(self, words: int = 1) -> None:
        """The synthesis worker makes some words of what is most urgent."""
        assert self.writer is not None
        track = next(iter(self.writer.next_tracks(Origin.VOICE, self.now_ns)), None)
        if track is None:
            return
        if track.recipe.manuscript is not None:
            self._make_written(track, track.recipe.manuscript, words)
            return
        text = track.recipe.source
        key = next(entry.key for entry in self.said if entry.text == text)
        everything = words_of(text)
        resume = track.recipe.resume
        base = resume.unit if resume else 0
        first = base + track.units
        stop = min(len(everything), first // WORD_UNITS + words)
        payload = b"".join(unit_of(track.recipe.law, key, unit) for unit in range(first, stop * WORD_UNITS))
        mine = [word for word in everything[:stop] if word.start_unit >= first]
        if resume is not None:
            self._check(resume, text)
        told = tuple(
            Word(word.char_start, word.char_end, word.start_unit - base, word.end_unit - base)
            for word in mine
        )
        marks = tuple(MarkAt(f"m{word.start_unit // WORD_UNITS}", word.start_unit - base) for word in mine)
        self.writer.made(track, Stretch(payload, told, marks, stop == len(everything)), self.now_ns)

    def _make_written(self, track: Track, manuscript: Manuscript, words: int) -> None:
        """The same of what is being written."""
        assert self.writer is not None
        stream = self.writer._rings[0].streams[0]
        key = next(entry.key for entry in stream.queue if entry.track is track)
        everything = words_of_parts(manuscript.parts)
        resume = track.recipe.resume
        base = resume.unit if resume else 0
        if resume is not None and resume.char is not None:
            word = next(word for word in everything if word.char_start == resume.char)
            assert resume.unit * UNIT_OCTETS == word.start_unit * UNIT_OCTETS + resume.skip
        first = base + track.units
        stop = min(len(everything), first // WORD_UNITS + words)
        payload = b"".join(unit_of(track.recipe.law, key, unit) for unit in range(first, stop * WORD_UNITS))
        told = tuple(
            Word(word.char_start, word.char_end, word.start_unit - base, word.end_unit - base)
            for word in everything[:stop]
            if word.start_unit >= first
        )
        done = stop == len(everything)
        awaits = len(manuscript.parts) if done and not manuscript.closed else None
        last = done and manuscript.closed
        self.writer.made(track, Stretch(payload, told, (), last, awaits), self.now_ns)

    def _check(self, resume: Resume, text: str) -> None:
        """A worker could find the place: ``skip`` octets from the word at ``char``."""
        word = next((word for word in words_of(text) if word.char_start == resume.char), None)
        start = word.start_unit if word is not None else 0
        assert resume.unit * UNIT_OCTETS == start * UNIT_OCTETS + resume.skip
        assert resume.marks == -(-resume.unit // WORD_UNITS)

    def fail(self) -> None:
        """The engine fails over what is most urgent."""
        assert self.writer is not None
        track = next(iter(self.writer.next_tracks(Origin.VOICE, self.now_ns)), None)
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
                "LegDetached": lambda _, glance, playlist=playlist: playlist.writer_left(
                    self.ring.laid_to(0), glance
                ),
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

    def _regroup(self, order: ChangeLeg) -> None:
        """Another packet time, which may be had only while nothing was sent."""
        old = self.group
        assert not old.packets[0]
        self.group = Group(self.ring, order.ptime_ms)
        acked, changes = int(old.acked[0]), int(old.changes[0])
        self.group.add(0, order.payload_type, order.law, 1, 0, 0, order.held, acked=acked, changes=changes)

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
            elif isinstance(action, Tell):
                action.listener(action.kind, action.data)
            elif isinstance(action, CutRing):
                self.ring.changes[0] += action.with_change
                assert self.ring.cut(0, action.at) == action.generation
            elif isinstance(action, SetPaused):
                self.ring.hold(0, action.at if action.paused else NEVER)
            elif isinstance(action, MixLeg):
                self.mixes.append(action)
            elif isinstance(action, ChangeLeg):
                self.to_media.append(action)
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
        barge_in: BargeIn | None = None,
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
            barge_in=barge_in,
        )
        utterance = self.call.say(say, key=key, fresh_id=f"u_{key}", glance=self.glance())
        self.said.append(utterance)
        self.act()
        return utterance

    def voice(self, kind: Literal["started", "confirmed", "stopped"], voice_ms: int = 60) -> None:
        """The media worker has heard the caller."""
        self.call.hear(VoiceHeard(0, kind, voice_ms, self.now_ns), self.glance())
        self.act()

    def digit(self, digit: str) -> None:
        self.call.digit(digit, None, self.glance())
        self.act()

    def open_text(self, mode: Mode = "append") -> Utterance:
        """An utterance that is to be written, with ``write_text`` and so on."""
        key = len(self.said) + 1
        draft = Draft(lambda text: text.rfind(" ") + 1, Bounds(1000, 60, 30, 100_000_000))
        say = Say(requested_ns=self.now_ns, draft=draft, mode=mode, listener=partial(self._told, key))
        utterance = self.call.say(say, key=key, fresh_id=f"u_{key}", glance=self.glance())
        self.said.append(utterance)
        self.act()
        return utterance

    def write_text(self, utterance: Utterance, text: str) -> None:
        self.call.writing.write(utterance, text, None, self.glance())
        self.act()

    def _told(self, key: int, kind: str, data: Mapping[str, object]) -> None:
        self.told.setdefault(key, []).append((kind, data))

    def stop(self, scope: str = "current") -> list[Utterance]:
        victims = self.call.stop(scope, self.glance())
        self.act()
        return victims

    def stop_one(self, utterance: Utterance) -> list[Utterance]:
        victims = self.call.stop_utterance(utterance.id, self.glance())
        self.act()
        return victims

    def answer(self, **changed: object) -> None:
        """The peer and we agree, and the 200 is acknowledged."""
        self.call.answered(self.media(**changed), datetime.now(UTC), self.glance())
        self.act()

    def change(self, **changed: object) -> None:
        """A re-INVITE: what is not named stays as it is."""
        self.call.change(self.media(**changed), self.glance())
        self.act()

    def media(self, **changed: object) -> Media:
        """What a peer may want: by default what the call has."""
        call = self.call
        ptime = self.ptime if call.state == "ringing" else call.ptime
        address, port = call.remote or ("127.0.0.1", 4000)
        now = Media(address, port, port + 1, call.codec, call.payload_type, ptime, 101, call.held)
        codec = changed.get("codec")
        if codec is not None and "payload_type" not in changed:
            changed["payload_type"] = {"PCMU": 0, "PCMA": 8}[str(codec)]
        return replace(now, **changed)  # type: ignore[arg-type]

    # -- all together -------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Everybody does all there is to do, short of a packet."""
        self.hear()
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

    def idle(self, packets: int) -> None:
        """Packet times in which control and the pacer work, and no writer."""
        for _ in range(packets):
            self.hear()
            for _ in range(LOOKS + 1):
                self.acknowledge()
                self.look()
            self.pace()
        self.look()

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


@pytest.fixture(name="words_of_parts", scope="session")
def _words_of_parts() -> Callable[..., list[Word]]:
    return words_of_parts
