"""The switchboard with real media and synthesis workers: two of the first kind, one of the second."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
import time

import pytest
import pytest_asyncio

from gateway.calls.requests import OpenCall, Say
from gateway.calls.switchboard import Switchboard
from gateway.calls.workers import WorkerFailed, pause_before
from gateway.errors import Refusal
from gateway.settings import Settings
from tts_core import Script

pytestmark = pytest.mark.asyncio(loop_scope="module")
LONG = (
    "This goes on for quite a while, long enough for anyone to cut in, and then it goes on a little more. "
    * 3
)
MAX_CALLS = 8


def settings(**changed):
    given = {
        "rtp_ports": "31000-31199",
        "legs_per_worker": 16,
        "max_calls": MAX_CALLS,
        "media_workers": 2,
        "unreachable_seconds": 0.1,
        "port_drain_seconds": 0,
        "closed_call_seconds": 60,
    }
    return Settings(**given | changed)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def board():
    switchboard = Switchboard(settings())
    try:
        await switchboard.start()
        yield switchboard
    finally:
        await switchboard.close()


@pytest.fixture
def peer():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.bind(("127.0.0.1", 0))
        end.setblocking(False)
        yield end


def target(peer, **more):
    # muxed: the next port may be anybody's, and refusing there would count as unreachable
    return OpenCall("127.0.0.1", peer.getsockname()[1], rtcp_mux=True, **more)


def say(text, **more):
    return Say(requested_ns=time.monotonic_ns(), script=Script.from_text(text), text=text, **more)


async def until(condition, seconds=15):
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


def told(board, call, kind):
    return [event for event in board.events.after(call.id) if event.type == kind]


async def test_a_call_from_opening_to_closing(board, peer):
    first_audio = []
    board.on_first_audio = first_audio.append
    call = await board.open_call(target(peer, client_state="mine"))
    assert (call.state, call.codec, call.payload_type, call.voice) == ("open", "PCMU", 0, "espeak:en-us")
    assert call.local.port in range(31000, 31200)
    assert board.call(call.id) is call
    assert call in board.calls()
    utterance = await board.say(call.id, say("Hello."))
    assert (utterance.state, utterance.position) == ("queued", 0)
    await until(lambda: board.utterance(call.id, utterance.id).ended)
    assert (utterance.state, utterance.cause, utterance.spoken_text) == ("finished", "normal", "Hello.")
    assert utterance.spoken_ms == utterance.duration_ms > 200
    assert first_audio == [utterance.first_audio_ms / 1000]

    final = await board.close_call(call.id)
    assert final is call
    assert (call.state, call.cause) == ("closed", "closed")
    assert call.statistics.packets >= utterance.spoken_ms // 20
    assert await board.close_call(call.id) is call
    with pytest.raises(Refusal, match="closed"):
        await board.say(call.id, say("Too late."))
    with pytest.raises(Refusal) as paused:
        await board.pause(call.id)
    assert paused.value.code == "wrong_state"
    assert await board.stop_utterance(call.id, utterance.id) == []
    types = [event.type for event in board.events.after(call.id)]
    assert types == ["call.opened", "utterance.started", "utterance.finished", "call.closed"]
    times = [event.time for event in board.events.after(call.id)]
    assert (times[2] - times[1]).total_seconds() == pytest.approx(
        utterance.spoken_ms / 1000 - 0.02, abs=0.002
    )
    assert len({event.client_state for event in board.events.after(call.id)}) == 1


async def test_stop_answers_with_what_left_on_the_wire(board, peer):
    call = await board.open_call(target(peer, silence="suppress"))
    current, queued = await board.say(call.id, say(LONG)), await board.say(call.id, say("Next."))
    await until(lambda: board.utterance(call.id, current.id).heard > 20)
    assert await board.stop(call.id, "all") == [current, queued]
    assert (current.state, queued.state, queued.spoken_ms) == ("stopped", "stopped", 0)
    await asyncio.sleep(0.1)
    packets = 0
    while True:
        try:
            data = peer.recv(2000)
        except BlockingIOError:
            break
        packets += data[1] & 0x7F == 0
    assert current.spoken_ms == 20 * packets
    assert current.text == current.spoken_text + current.remaining_text
    assert 0 < len(current.spoken_text) < len(LONG)
    await board.close_call(call.id)


async def test_pause_and_resume(board, peer):
    call = await board.open_call(target(peer))
    utterance = await board.say(call.id, say(LONG))
    await until(lambda: board.utterance(call.id, utterance.id).heard > 4)
    assert (await board.pause(call.id)).paused
    await asyncio.sleep(0.05)  # a packet may have been leaving
    held = board.utterance(call.id, utterance.id).heard
    await asyncio.sleep(0.2)
    assert board.utterance(call.id, utterance.id).heard == held
    assert utterance.state == "paused"
    await board.resume(call.id)
    await until(lambda: board.utterance(call.id, utterance.id).heard > held)
    await board.close_call(call.id)
    assert utterance.cause == "call_closed"


async def test_the_callers_digit_barges_in(board, peer):
    call = await board.open_call(target(peer))
    utterance = await board.say(call.id, say(LONG))
    await until(lambda: board.utterance(call.id, utterance.id).heard > 4)
    for sequence, end in enumerate((0, 0x80, 0x80, 0x80)):
        header = struct.pack("!BBHII", 0x80, 101 | (0x80 if sequence == 0 else 0), sequence, 1000, 7)
        peer.sendto(header + struct.pack("!BBH", 5, end | 10, 800), call.local[:2])
    await until(lambda: utterance.ended)
    assert (utterance.state, utterance.cause) == ("stopped", "barge_in")
    assert [dict(event.data) for event in told(board, call, "call.dtmf")] == [
        {"digit": "5", "duration_ms": None}
    ]
    await board.close_call(call.id)


async def test_digits_go_out_unless_the_call_has_none(board, peer):
    call = await board.open_call(target(peer, silence="suppress"))
    await board.send_dtmf(call.id, "1", 40)
    seen = []

    def event_seen():
        while True:
            try:
                seen.append(peer.recv(2000)[1] & 0x7F)
            except BlockingIOError:
                return 101 in seen

    await until(event_seen)
    await board.close_call(call.id)
    without = await board.open_call(target(peer, dtmf_payload_type=None))
    with pytest.raises(Refusal) as refusal:
        await board.send_dtmf(without.id, "1", 40)
    assert refusal.value.code == "wrong_state"
    await board.close_call(without.id)


async def test_refusals(board, peer):
    for request, code in (
        (target(peer, voice="nobody"), "unknown_voice"),
        (OpenCall("example.com", 4000), "invalid"),
        (OpenCall("10.0.0.1", 4000), "target_not_allowed"),
    ):
        with pytest.raises(Refusal) as refusal:
            await board.open_call(request)
        assert refusal.value.code == code
    for ask in (board.close_call, board.pause, board.resume):
        with pytest.raises(Refusal) as unknown:
            await ask("c_none")
        assert unknown.value.code == "unknown_call"
    with pytest.raises(Refusal, match="c_none"):
        board.call("c_none")


async def test_a_full_gateway_refuses_and_has_room_again(board, peer):
    calls = await asyncio.gather(*(board.open_call(target(peer)) for _ in range(MAX_CALLS)))
    with pytest.raises(Refusal) as full:
        await board.open_call(target(peer))
    assert (full.value.code, full.value.retry_after) == ("at_capacity", 5)
    assert {call.playlist.ring for call in calls} == {0, 1}
    await asyncio.gather(*(board.close_call(call.id) for call in calls))
    again = await board.open_call(target(peer))
    await board.close_call(again.id)


async def test_rows_come_back(board, peer):
    for _ in range(40):  # more than there are rows
        call = await board.open_call(target(peer))
        await board.say(call.id, say("Hi."))
        await board.close_call(call.id)
    await until(lambda: all(seat.rows.free == 16 for seat in board.workers.media))
    assert not any(seat.legs or seat.openings for seat in board.workers.media)
    assert not any(seat.legs for seat in board.workers.synthesis)


async def test_a_leg_that_nobody_waits_for_is_closed_again(board, peer):
    asking = asyncio.create_task(board.open_call(target(peer)))
    await asyncio.sleep(0)  # the worker is asked
    assert sum(len(seat.openings) for seat in board.workers.media) == 1
    before = len(board.calls())
    asking.cancel()
    await until(lambda: all(seat.rows.free == 16 for seat in board.workers.media))
    assert len(board.calls()) == before


async def test_max_seconds_closes(board, peer):
    call = await board.open_call(target(peer, max_seconds=1))
    await until(lambda: call.state == "closed")
    assert call.cause == "max_seconds"
    assert 0.9 < (call.closed_at - call.opened_at).total_seconds() < 5


async def test_a_target_that_refuses_closes_its_call(board):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    call = await board.open_call(OpenCall("127.0.0.1", port, rtcp_mux=True))
    await until(lambda: call.state == "closed")
    assert call.cause == "unreachable"
    assert told(board, call, "call.quality")[0].data["unreachable"] is True
    assert call.statistics.unreachable > 0


async def test_a_media_worker_that_is_killed_takes_only_its_calls_along(board, peer):
    calls = [await board.open_call(target(peer)) for _ in range(4)]
    said = [await board.say(call.id, say(LONG)) for call in calls]
    await until(lambda: all(board.utterance(c.id, u.id).heard > 4 for c, u in zip(calls, said, strict=True)))
    seat = board.workers.media[0]
    os.kill(seat.worker.pid, signal.SIGKILL)
    lost = [call for call in calls if call.playlist.ring == 0]
    kept = [call for call in calls if call.playlist.ring == 1]
    assert len(lost) == len(kept) == 2
    await until(lambda: all(call.state == "closed" for call in lost))
    assert {call.cause for call in lost} == {"media_worker_died"}
    assert {call.state for call in kept} == {"open"}
    for call, utterance in zip(calls, said, strict=True):
        assert utterance.underruns == 0
        assert utterance.state == ("stopped" if call in lost else "speaking")
        if call in lost:
            assert utterance.heard > 4
    assert board.ready  # the other one carries on
    await until(lambda: seat.alive)
    assert seat.restarts == 1
    new = await board.open_call(target(peer))
    assert new.playlist.ring == 0
    utterance = await board.say(new.id, say("Here again."))
    await until(lambda: board.utterance(new.id, utterance.id).ended)
    assert utterance.state == "finished"
    await asyncio.gather(*(board.close_call(call.id) for call in [*kept, new]))
    await until(lambda: all(seat.rows.free == 16 for seat in board.workers.media))


async def test_a_synthesis_worker_that_is_killed_costs_one_utterance(board, peer):
    call = await board.open_call(target(peer))
    current, queued = await board.say(call.id, say(LONG)), await board.say(call.id, say("And this one."))
    await until(lambda: board.utterance(call.id, current.id).heard > 4)
    seat = board.workers.synthesis[0]
    os.kill(seat.worker.pid, signal.SIGKILL)
    await until(lambda: current.ended)
    assert (current.state, current.cause) == ("failed", "worker_died")
    assert current.spoken_text + current.remaining_text == LONG
    assert not board.ready
    assert board.voices()
    with pytest.raises(Refusal) as refusal:
        await board.open_call(target(peer))
    assert (refusal.value.code, refusal.value.kind.status) == ("unavailable", 503)
    late = await board.say(call.id, say("Late."))
    await until(lambda: board.utterance(call.id, late.id).ended)
    assert (queued.state, late.state) == ("finished", "finished")
    assert board.ready
    await board.close_call(call.id)


async def test_draining_lets_speech_finish_and_then_closes(peer):
    async with running(settings(media_workers=1)) as board:
        speaking = await board.open_call(target(peer))
        idle = await board.open_call(target(peer))
        utterance = await board.say(speaking.id, say("Let me finish."))
        draining = asyncio.create_task(board.drain(20))
        await until(lambda: board.draining)
        assert not board.ready
        with pytest.raises(Refusal) as refusal:
            await board.open_call(target(peer))
        assert refusal.value.code == "draining"
        await draining
        assert utterance.state == "finished"
        assert {call.cause for call in (speaking, idle)} == {"drained"}


async def test_draining_has_a_limit_and_closed_calls_are_forgotten(peer):
    async with running(settings(media_workers=1, closed_call_seconds=0)) as board:
        call = await board.open_call(target(peer))
        utterance = await board.say(call.id, say(LONG))
        await board.drain(0.3)
        assert (call.state, utterance.cause) == ("closed", "call_closed")
        await until(lambda: not board.calls())
        assert board.events.after(call.id) == []


async def test_a_worker_that_cannot_start_is_told():
    board = Switchboard(settings(media_workers=1), synthesis_command=("/bin/false",))
    try:
        with pytest.raises(WorkerFailed, match="synthesis-0 died 3 times at its start, with status 1"):
            await board.start()
        assert not board.ready
    finally:
        await board.close()


async def test_the_pause_before_a_new_worker_grows_to_a_limit():
    pauses = [pause_before(deaths) for deaths in range(1, 12)]
    assert pauses[0] == 0
    assert pauses == sorted(pauses)
    assert pauses[-1] == 5


class running:
    """A switchboard of its own for one test."""

    def __init__(self, chosen):
        self.board = Switchboard(chosen)

    async def __aenter__(self):
        await self.board.start()
        return self.board

    async def __aexit__(self, *_):
        await self.board.close()
