"""The real worker process with the real espeak, over a real socket pair and a real ring."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
import pytest

from gateway import told
from gateway.messages.synthesis import (
    AttachLeg,
    Cut,
    Described,
    DetachLeg,
    FromSynthesis,
    Laying,
    LegDetached,
    Remove,
    Removed,
    Speak,
    SpeechFailed,
    SynthesisReady,
    ToSynthesis,
)
from gateway.messages.work import SynthesisStatistics
from gateway.ring import CAPACITY, UNIT_OCTETS, RingBlock
from gateway.settings import Settings
from gateway.speech.prompt import PromptSource
from gateway.speech.recipe import recipe_of
from gateway.speech.voice import VoiceSource
from telephony_codecs import write_wav
from tts_core import open_default

LEGS = 8
TIMEOUT_S = 20
Kind = TypeVar("Kind", bound=msgspec.Struct)


class Worker:
    """A worker process, and control and pacer to it: ``hear`` takes out of the ring what is laid."""

    def __init__(self, temporary: Path) -> None:
        self.block = RingBlock.create(LEGS)
        self.end, other = socket.socketpair()
        self.end.settimeout(TIMEOUT_S)
        fds = (other.fileno(), self.block.fd)
        command = [sys.executable, "-m", "gateway.speech.worker", "--link", str(fds[0])]
        environment = told.environment(Settings()) | {"TMPDIR": str(temporary)}
        self.process = subprocess.Popen(
            [*command, "--rings", f"{fds[1]}:{LEGS}"], pass_fds=fds, env=environment, stderr=subprocess.PIPE
        )
        other.close()
        self.log: list[FromSynthesis] = []
        self.heard = [b""] * LEGS
        self._decoder = msgspec.msgpack.Decoder(FromSynthesis)
        self._keys = iter(range(1, 1000))

    def close(self) -> None:
        self.end.close()
        try:
            self.process.wait(TIMEOUT_S)
        finally:
            self.process.kill()
            self.process.wait()
            assert self.process.stderr is not None
            self.process.stderr.close()
            self.block.close()

    # -- control ------------------------------------------------------------------------------------------

    def send(self, message: ToSynthesis) -> None:
        body = msgspec.msgpack.encode(message)
        self.end.sendall(struct.pack("!I", len(body)) + body)

    def attach(self, row: int, ptime_ms: int = 20, law: str = "PCMU") -> None:
        generation = int(self.block.generation[row])
        self.block.acked[row] = generation
        self.send(AttachLeg(0, row, generation, law, ptime_ms))  # type: ignore[arg-type]

    def speak(self, row: int, **request: object) -> Speak:
        given = {"voice": "espeak:en-us", "rate": 1.0, "gain_db": 0.0} | request
        message = Speak(0, row, next(self._keys), **given)  # type: ignore[arg-type]
        self.send(message)
        return message

    def until(self, kind: type[Kind], wanted: Callable[[Kind], bool] = lambda message: True) -> Kind:
        """Read messages up to one of this kind; ``log`` has them all."""
        while True:
            message = self._decoder.decode(self._exactly(*struct.unpack("!I", self._exactly(4))))
            self.log.append(message)
            if isinstance(message, kind) and wanted(message):
                return message

    def complete(self, key: int) -> Described:
        """Read messages until all of an utterance is made, while the ring is emptied."""
        return self.until(
            Described, lambda message: self._hear_all() and message.key == key and message.complete
        )

    def _exactly(self, count: int) -> bytes:
        parts = b""
        while len(parts) < count:
            self._hear_all()
            part = self.end.recv(count - len(parts))
            assert part, self.process.communicate()[1]
            parts += part
        return parts

    # -- pacer --------------------------------------------------------------------------------------------

    def hear(self, row: int) -> bytes:
        """Send what lies in the ring. The frames are read before ``sent`` says that they may be overwritten."""
        block = self.block
        sent, written = int(block.sent[row]), int(block.written[row])
        ring = np.concatenate((block.frames[row], block.frames[row])).tobytes()
        begin = sent % CAPACITY * UNIT_OCTETS
        self.heard[row] += ring[begin : begin + (written - sent) * UNIT_OCTETS]
        block.sent[row] = written
        return self.heard[row]

    def _hear_all(self) -> bool:
        for row in range(LEGS):
            self.hear(row)
        return True

    def hear_until(self, row: int, octets: int) -> bytes:
        """Send until so many octets were heard."""
        deadline = time.monotonic() + TIMEOUT_S
        while len(self.hear(row)) < octets and time.monotonic() < deadline:
            time.sleep(0.002)
        return self.heard[row]


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    worker = Worker(tmp_path_factory.mktemp("worker"))
    try:
        ready = worker.until(SynthesisReady)
        assert ready.pid == worker.process.pid
        assert "espeak:en-us" in {voice.name for voice in ready.voices}
        yield worker
    finally:
        worker.close()
    assert worker.process.returncode == 0


@pytest.fixture(scope="module")
def voices() -> VoiceSource:
    return VoiceSource(open_default(), Settings().level_dbm0, Settings().default_voice)


def offline(voices: VoiceSource, request: Speak, law: str = "PCMU", ptime_ms: int = 20) -> bytes:
    """What the request must sound like, octet for octet."""
    recipe = recipe_of(request, law, ptime_ms)  # type: ignore[arg-type]
    return b"".join(stretch.payload for stretch in voices(recipe))


TEXT = "Good morning. Your parcel is on its way, and it will be with you by noon. Goodbye!"


def test_two_utterances_are_in_the_ring_octet_for_octet(worker: Worker, voices: VoiceSource) -> None:
    worker.attach(0)
    first = worker.speak(0, text=TEXT)
    second = worker.speak(0, ssml="<speak>One more <mark name='m'/>thing.</speak>", voice="espeak:de")
    worker.complete(second.key)
    wanted = offline(voices, first), offline(voices, second)
    assert worker.hear_until(0, sum(map(len, wanted))) == b"".join(wanted)
    layings = {m.key: m for m in worker.log if isinstance(m, Laying)}
    assert (layings[first.key].at, layings[second.key].at) == (0, len(wanted[0]) // UNIT_OCTETS)
    described = [m for m in worker.log if isinstance(m, Described)]
    words = [word for m in described if m.key == first.key for word in m.words]
    assert [TEXT[word.char_start : word.char_end] for word in words[:2]] == ["Good", "morning"]
    assert [mark.name for m in described for mark in m.marks] == ["m"]
    kinds = [(type(m), m.key) for m in worker.log if isinstance(m, Laying | Described)]
    assert kinds.index((Described, first.key)) < kinds.index((Laying, first.key))


@pytest.mark.parametrize(("law", "ptime_ms", "row"), [("PCMA", 60, 1), ("PCMU", 30, 2)])
def test_every_leg_gets_its_own_law_and_ptime(
    worker: Worker, voices: VoiceSource, law: str, ptime_ms: int, row: int
) -> None:
    worker.attach(row, ptime_ms, law)
    request = worker.speak(row, text=TEXT)
    worker.complete(request.key)
    wanted = offline(voices, request, law, ptime_ms)
    assert worker.hear_until(row, len(wanted)) == wanted


def test_the_second_time_comes_from_the_cache(worker: Worker, voices: VoiceSource) -> None:
    worker.attach(3)
    worker.complete(worker.speak(3, text="Say it again.").key)
    again = worker.speak(3, text="Say it again.")
    described = worker.until(Described, lambda message: message.key == again.key)
    assert described.cached
    assert described.complete
    wanted = offline(voices, again)
    assert worker.hear_until(3, 2 * len(wanted)) == wanted * 2
    statistics = worker.until(SynthesisStatistics, lambda message: message.cache_hits > 0)
    assert statistics.cache_entries > 0
    work = next(each for each in statistics.work if each.steps and each.name != "prompt")
    assert work.audio_s > work.busy_s > 0
    assert work.steps == sum(work.buckets) > 0
    assert 0 < work.streams <= work.room


def test_a_prompt_file_is_played(worker: Worker, tmp_path: Path) -> None:
    tone = (8000 * np.sin(2 * np.pi * 440 / 16000 * np.arange(3 * 16000))).astype(np.int16)
    write_wav(tmp_path / "tone.wav", tone, 16000)
    worker.attach(4)
    request = worker.speak(4, prompt=str(tmp_path / "tone.wav"))
    worker.complete(request.key)
    (wanted,) = PromptSource(Settings().level_dbm0, 60)(recipe_of(request, "PCMU", 20))
    assert worker.hear_until(4, len(wanted.payload)) == wanted.payload
    missing = worker.speak(4, prompt=str(tmp_path / "missing.wav"))
    failed = worker.until(SpeechFailed)
    assert (failed.key, failed.cause, failed.end_unit) == (missing.key, "bad_prompt", 0)


def test_a_cut_leaves_what_was_heard_and_the_queue_goes_on(worker: Worker, voices: VoiceSource) -> None:
    row, block = 5, worker.block
    worker.attach(row)
    first = worker.speak(row, text=TEXT)
    second = worker.speak(row, text="Then this.")
    worker.until(Laying, lambda message: message.key == first.key)
    heard = worker.hear_until(row, 160)
    generation = block.cut(row)
    block.acked[row] = generation
    sent = int(block.sent[row])
    worker.send(Cut(0, row, generation, (first.key,), "PCMU"))
    laying = worker.until(
        Laying, lambda message: message.key == second.key and message.generation == generation
    )
    assert (laying.at, laying.offset) == (sent, 0)
    wanted = offline(voices, first)[: sent * UNIT_OCTETS] + offline(voices, second)
    assert worker.hear_until(row, len(wanted)) == wanted
    assert wanted.startswith(heard)


def test_removing_and_detaching_are_answered(worker: Worker) -> None:
    worker.attach(6)
    request = worker.speak(6, text="Never mind. " * 50)
    worker.send(Remove(0, 6, request.key))
    assert worker.until(Removed).key == request.key
    worker.send(DetachLeg(0, 6))
    assert worker.until(LegDetached) == LegDetached(row=6, ring=0)


def test_a_very_long_text_and_a_short_one_share_the_voice(worker: Worker, voices: VoiceSource) -> None:
    worker.attach(6)
    worker.attach(7)
    worker.speak(6, text="This goes on and on and on, without an end. " * 450)  # 20,000 characters
    request = worker.speak(7, text="Short.")
    worker.complete(request.key)
    wanted = offline(voices, request)
    assert worker.hear_until(7, len(wanted)) == wanted
    worker.send(DetachLeg(0, 6))
    worker.until(LegDetached)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_are_left_to_control(worker: Worker, number: int) -> None:
    os.kill(worker.process.pid, number)
    worker.until(SynthesisStatistics)
    assert worker.process.poll() is None


def test_it_ends_when_control_is_gone_and_leaves_nothing(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    worker.until(SynthesisReady)
    worker.close()
    assert worker.process.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_killed_it_ends_the_link_and_leaves_the_ring_to_the_pacer(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    try:
        worker.until(SynthesisReady)
        worker.attach(0)
        worker.speak(0, text=TEXT)
        assert worker.hear_until(0, 1)
        worker.process.kill()
        worker.process.wait(TIMEOUT_S)
        while worker.end.recv(65536):
            pass
        assert worker.hear(0)
    finally:
        worker.close()
