"""Takes with real workers: what a client is handed is what a telephone leg is sent, and no leg pays for it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time

import numpy as np
import pytest
import pytest_asyncio

from gateway.calls import studio
from gateway.calls.life import ENDS
from gateway.calls.requests import OpenCall, Say
from gateway.calls.studio import BUFFER_OCTETS, Studio, Told, octets_of
from gateway.calls.switchboard import Switchboard
from gateway.errors import Refusal
from gateway.ring import CAPACITY, UNIT_OCTETS
from gateway.settings import Settings
from telephony_codecs import Law, decode
from tts_core import Script

pytestmark = pytest.mark.asyncio(loop_scope="module")
TEXT = "Hello there, my friend. All is well."
DOORS = 4


def lengthy(sentences, first=1):
    return " ".join(f"This is sentence number {n} of a long text." for n in range(first, first + sentences))


def say(text, rate=2.0, **more):
    return Say(requested_ns=time.monotonic_ns(), script=Script.from_text(text), text=text, rate=rate, **more)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def board():
    switchboard = Switchboard(Settings(rtp_ports="31200-31399", doors_max=DOORS, cache_octets=0))
    try:
        await switchboard.start()
        yield switchboard
    finally:
        await switchboard.close()


async def until(condition, seconds=15):
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)


async def gone(board):
    """Every row is free again, in every process."""
    booth = board.workers.booth
    await until(lambda: booth.rows.free == DOORS)
    assert not booth.legs
    assert not booth.openings


@pytest_asyncio.fixture(loop_scope="module")
async def doors(board):
    yield Studio(board)
    await gone(board)


async def heard(doors, order, **more):
    async with doors.take("test", **more) as take:
        await take.say(order)
        return b"".join([octets async for octets in take])


class Leg:
    """A telephone leg on a socket of its own."""

    def __init__(self, board, codec="PCMU"):
        self.board, self.codec = board, codec
        self.octets = b""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)

    async def __aenter__(self):
        port = self._socket.getsockname()[1]
        self.call = await self.board.reception.open_call(
            OpenCall("127.0.0.1", port, codec=self.codec, silence="suppress", rtcp_mux=True)
        )
        self._listening = asyncio.create_task(self._listen())
        return self

    async def _listen(self):
        while True:
            packet = await asyncio.get_running_loop().sock_recv(self._socket, 2048)
            if packet[1] & 0x7F in (0, 8):
                self.octets += packet[12:]

    async def finish(self, utterance):
        await until(lambda: utterance.ended)
        await asyncio.sleep(0.02)

    async def __aexit__(self, *_):
        await self.board.registry.close_call(self.call.id)
        self._listening.cancel()
        self._socket.close()


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
async def test_a_client_is_handed_what_a_telephone_leg_is_sent(board, doors, codec):
    async with Leg(board, codec) as leg:
        said = await board.speech.say(leg.call.id, say(TEXT))
        handed = await heard(doors, say(TEXT), codec=codec)
        await leg.finish(said)
        assert handed == leg.octets
        assert len(handed) == said.units * UNIT_OCTETS > 6000


async def until_two_ended(take):
    """Octets that came, and which two ended how."""
    octets, ended = 0, []
    async for item in take.items():
        if isinstance(item, bytes):
            octets += len(item)
        elif item.kind in ENDS:
            ended.append((item.id, item.kind))
            if len(ended) == 2:
                break
    return octets, ended


async def test_an_id_that_is_taken_leaves_the_utterance_that_has_it_pending(doors):
    async with doors.take("test") as take:
        await take.say(say(TEXT, id="a"))
        with pytest.raises(Refusal, match="'a'"):
            await take.say(say("Again.", id="a"))
        assert take.pending == {"a"}
        assert len(b"".join([octets async for octets in take])) > 6000


async def test_what_is_taken_back_takes_nothing_of_another_along(doors):
    async with doors.take("test") as take:
        first = await take.say(say(lengthy(4), id="a"))
        await take.say(say(lengthy(4), id="b"))
        await until(lambda: first.heard * UNIT_OCTETS > 8000)  # it is made, and waits for its client
        (second,) = await take.clear("b")
        octets, ended = await until_two_ended(take)
        assert octets == first.units * UNIT_OCTETS
        assert (second.id, second.heard) == ("b", 0)
        assert sorted(ended) == [("a", "utterance.finished"), ("b", "utterance.stopped")]


async def test_what_is_told_stands_where_it_is_said(board, doors):
    async with doors.take("test") as take:
        said = [await take.say(say("One, two.", id="a")), await take.say(say("Three.", id="b"))]
        octets, told = 0, []
        async for item in take.items():
            if isinstance(item, bytes):
                octets += len(item)
                assert not len(item) % 160
                continue
            told.append((item.id, item.kind, item.data.get("word")))
            begins = 0 if item.id == "a" else said[0].units * UNIT_OCTETS
            if item.kind == "word":
                assert 0 < octets - begins - item.data["start_ms"] * 8 <= 160
            if item.kind == "utterance.finished":
                assert octets == begins + item.data["duration_ms"] * 8
            if item.id == "b" and item.kind in ENDS:
                break
        assert told == [
            ("a", "utterance.started", None),
            ("a", "word", "One"),
            ("a", "word", "two"),
            ("a", "utterance.finished", None),
            ("b", "utterance.started", None),
            ("b", "word", "Three"),
            ("b", "utterance.finished", None),
        ]
        assert not take.pending
        assert 0 < said[0].first_audio_ms < 500


async def test_all_that_is_made_by_now_comes_at_once(board, doors):
    async with doors.take("test", words=False) as take:
        said = await take.say(say(lengthy(4, 40)))
        await until(lambda: take.call.playlist.queue[0].heard > 100)
        batches = []
        async for batch in take.batches():
            batches.append(batch)
            if isinstance(batch[-1], Told) and batch[-1].kind in ENDS:
                break
    assert len(octets_of(batches[0])) >= 8000
    assert max(len(octets_of(batch)) for batch in batches) < 8000 + CAPACITY * UNIT_OCTETS
    whole = [item for batch in batches for item in batch]
    assert len(octets_of(whole)) == said.units * UNIT_OCTETS
    assert [item.kind for item in whole if isinstance(item, Told)] == [
        "utterance.started",
        "utterance.finished",
    ], "no word is told to who wants none"


async def test_text_is_said_while_it_is_written(board, doors):
    async with doors.take("test") as take:
        utterance = await take.open_text(rate=2.0)
        take.write(utterance.id, "Hello there, my friend. It is a quarter")
        items = take.items()
        first = await anext(items)
        assert isinstance(first, bytes), "the first clause comes before the second is written"
        take.write(utterance.id, " past nine, and all is well.")
        take.end(utterance.id)
        octets, words = len(first), []
        async for item in items:
            if isinstance(item, bytes):
                octets += len(item)
            elif item.kind == "word":
                words.append(item.data["word"])
            elif item.kind in ENDS:
                break
        assert " ".join(words) == "Hello there my friend It is a quarter past nine and all is well"
        assert octets == utterance.units * UNIT_OCTETS
        with pytest.raises(Refusal, match="takes no more text"):
            take.write(utterance.id, "More.")


async def test_a_writer_is_not_hurried_while_the_listener_has_something_to_hear(board, doors):
    """What was handed out takes as long to hear as it would from a telephone."""
    async with doors.take("test") as take:
        utterance = await take.open_text(rate=1.0)
        take.write(utterance.id, "This clause takes more than two seconds to be heard, whoever hears it. And")
        await asyncio.sleep(0.9)
        assert len(utterance.parts) == 1, "VOXTRUNK_STREAM_WAIT_MS is 500"
        take.write(utterance.id, " here is the end of it.")
        take.end(utterance.id)
        assert [part.text for part in utterance.parts][1:] == [
            "whoever hears it. ",
            "And here is the end of it.",
        ]


async def test_who_goes_away_is_spoken_to_no_more(board, doors):
    worker = board.workers.synthesis[0]
    async with doors.take("test") as take:
        utterance = await take.say(say(lengthy(300), rate=1.0))
        await anext(aiter(take))
    await gone(board)
    assert utterance.state == "stopped"
    assert not utterance.complete
    assert worker.demand.total == 0


async def test_a_client_that_reads_nothing_stops_the_making(board, doors, monkeypatch):
    monkeypatch.setattr(studio, "BUFFER_OCTETS", 16_000)
    text = lengthy(12, 50)
    whole = await heard(doors, say(text))
    async with doors.take("test") as take:
        utterance = await take.say(say(text))
        await asyncio.sleep(0.5)
        waiting = sum(len(item) for _, item in take._items if isinstance(item, bytes))
        most = 16_000 + CAPACITY * UNIT_OCTETS
        assert 16_000 <= waiting <= most < BUFFER_OCTETS
        assert not utterance.complete
        assert b"".join([octets async for octets in take]) == whole


async def test_what_is_taken_back_is_not_handed_out(board, doors):
    async with doors.take("test") as take:
        utterance = await take.open_text()
        take.write(utterance.id, lengthy(30) + " ")
        await anext(take.items())
        assert await take.clear(utterance.id) == [utterance]
        await take.say(say("Good bye.", id="bye"))
        octets, ended = await until_two_ended(take)
        assert ended == [(utterance.id, "utterance.stopped"), ("bye", "utterance.finished")]
        assert octets == len(await heard(doors, say("Good bye.")))
        assert utterance.remaining_text


async def test_it_is_bounded_and_belongs_to_its_key(board, doors):
    takes = [doors.take("test", owner="ivr", owner_limit=DOORS + 1) for _ in range(DOORS)]
    for take in takes:
        await take.__aenter__()
    assert board.registry.owned["ivr"] == DOORS
    assert not any(call.request.door for call in board.registry.calls())
    assert [call.request.door for call in board.registry.doors()] == ["test"] * DOORS
    with pytest.raises(Refusal, match="VOXTRUNK_DOORS_MAX") as full:
        await doors.take("test").__aenter__()
    assert full.value.code == "at_capacity"
    with pytest.raises(Refusal, match="VOXTRUNK_KEY_MAX_CALLS"):
        await doors.take("test", owner="ivr", owner_limit=DOORS).__aenter__()
    for take in takes:
        take.close()
    await gone(board)
    assert board.registry.owned["ivr"] == 0


async def test_what_cannot_be_said_is_refused(board, doors):
    with pytest.raises(Refusal, match="no voice"):
        await doors.take("test", voice="nobody").__aenter__()
    with pytest.raises(Refusal, match="no voice 'nobody'"):
        doors.voice("nobody")
    with pytest.raises(Refusal, match="No voice speaks 'tlh'"):
        doors.voice(None, "tlh")
    assert doors.voice("espeak:en-us", "de-DE") == "espeak:de"
    async with doors.take("test") as take:
        with pytest.raises(Refusal, match="no voice"):
            await take.say(say("Hello.", voice="nobody"))
        assert not take.pending
        assert [octets async for octets in take] == []


async def test_another_worker_says_the_rest(board, doors):
    """From the sample on; between our samples its own fall otherwise (22,050 Hz)."""
    text = lengthy(30, 300)
    whole = await heard(doors, say(text))
    async with doors.take("test") as take:
        await take.say(say(text))
        handed, killed_at = b"", 0
        async for octets in take:
            handed += octets
            if len(handed) > len(whole) // 4 and not killed_at:
                killed_at = len(handed)
                os.kill(board.workers.synthesis[0].worker.pid, signal.SIGKILL)
    assert killed_at
    assert len(handed) == len(whole)
    assert handed[:killed_at] == whole[:killed_at]
    one, other = (
        decode(Law.PCMU, np.frombuffer(pcm[killed_at:], np.uint8)).astype(float) for pcm in (handed, whole)
    )
    assert max(alike(one, other, part / 8) for part in range(-4, 5)) > 0.98


def alike(one, other, later):
    """The correlation of two sounds, the one ``later`` samples delayed."""
    turned = np.fft.rfft(one) * np.exp(-2j * np.pi * np.fft.rfftfreq(len(one)) * later)
    return np.corrcoef(np.fft.irfft(turned, len(one)), other)[0, 1]


async def test_no_leg_pays_for_it(board, doors):
    """Three clients are handed speech as fast as it can be made, while telephone legs speak."""
    text = lengthy(40, 600)
    async with Leg(board) as one, Leg(board) as two:
        spoken = [
            await board.speech.say(leg.call.id, say(lengthy(2, 700 + 10 * n)))
            for n, leg in enumerate((one, two))
        ]
        handed = await asyncio.gather(*(heard(doors, say(text, rate=r)) for r in (1.0, 1.1, 1.2)))
        assert min(map(len, handed)) > 60 * 8000
        for leg, utterance in zip((one, two), spoken, strict=True):
            await leg.finish(utterance)
            assert utterance.state == "finished"
            assert utterance.underruns == 0
            assert len(leg.octets) == utterance.units * UNIT_OCTETS


async def test_a_take_ends_with_the_gateway(board, doors):
    async with doors.take("test") as take:
        await take.say(say(lengthy(500)))
        await anext(take.items())
        asyncio.get_running_loop().call_later(0.05, lambda: board.draining.start(0))
        with pytest.raises(Refusal, match="shutting down"):
            [item async for item in take.items()]
        with pytest.raises(Refusal, match="no new calls"):
            await doors.take("test").__aenter__()
    board.draining.stop()
