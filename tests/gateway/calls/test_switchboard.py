"""The switchboard with real media and synthesis workers: two of the first kind, one of the second."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
import sys
import time
from ipaddress import ip_network

import pytest
import pytest_asyncio

from gateway.calls.call import Call
from gateway.calls.demand import Burden
from gateway.calls.requests import Media, OpenCall, Say
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
    board.on_event = lambda call, note: (
        first_audio.append(note.data["first_audio_ms"]) if note.type == "utterance.started" else None
    )
    call = await board.reception.open_call(target(peer, client_state="mine"))
    assert (call.state, call.codec, call.payload_type, call.voice) == ("open", "PCMU", 0, "espeak:en-us")
    assert call.local.port in range(31000, 31200)
    assert board.registry.call(call.id) is call
    assert call in board.registry.calls()
    utterance = await board.speech.say(call.id, say("Hello."))
    assert (utterance.state, utterance.position) == ("queued", 0)
    await until(lambda: board.speech.utterance(call.id, utterance.id).ended)
    assert (utterance.state, utterance.cause, utterance.spoken_text) == ("finished", "normal", "Hello.")
    assert utterance.spoken_ms == utterance.duration_ms > 200
    assert first_audio == [utterance.first_audio_ms]
    assert utterance.requested_ns < utterance.queued_ns < utterance.made_ns

    final = await board.registry.close_call(call.id)
    assert final is call
    assert (call.state, call.cause) == ("closed", "closed")
    assert call.statistics.packets >= utterance.spoken_ms // 20
    assert await board.registry.close_call(call.id) is call
    with pytest.raises(Refusal, match="closed"):
        await board.speech.say(call.id, say("Too late."))
    with pytest.raises(Refusal) as paused:
        await board.speech.pause(call.id)
    assert paused.value.code == "wrong_state"
    assert await board.speech.stop_utterance(call.id, utterance.id) == []
    types = [event.type for event in board.events.after(call.id)]
    assert types == ["call.opened", "utterance.started", "utterance.finished", "call.closed"]
    times = [event.time for event in board.events.after(call.id)]
    assert (times[2] - times[1]).total_seconds() == pytest.approx(
        utterance.spoken_ms / 1000 - 0.02, abs=0.002
    )
    assert len({event.client_state for event in board.events.after(call.id)}) == 1


async def test_stop_answers_with_what_left_on_the_wire(board, peer):
    call = await board.reception.open_call(target(peer, silence="suppress"))
    current, queued = (
        await board.speech.say(call.id, say(LONG)),
        await board.speech.say(call.id, say("Next.")),
    )
    await until(lambda: board.speech.utterance(call.id, current.id).heard > 20)
    assert await board.speech.stop(call.id, "all") == [current, queued]
    assert (current.state, queued.state, queued.spoken_ms) == ("stopped", "stopped", 0)
    await asyncio.sleep(0.1)
    packets = 0
    while True:
        try:
            data = peer.recv(2000)
        except BlockingIOError:
            break
        packets += data[1] & 0x7F == 0
    assert current.spoken_ms == 20 * (packets - 1), "what dies away does not count"
    assert current.text == current.spoken_text + current.remaining_text
    assert 0 < len(current.spoken_text) < len(LONG)
    await board.registry.close_call(call.id)


async def test_pause_and_resume(board, peer):
    call = await board.reception.open_call(target(peer))
    utterance = await board.speech.say(call.id, say(LONG))
    await until(lambda: board.speech.utterance(call.id, utterance.id).heard > 4)
    assert (await board.speech.pause(call.id)).paused
    await asyncio.sleep(0.05)  # a packet may have been leaving
    held = board.speech.utterance(call.id, utterance.id).heard
    await asyncio.sleep(0.2)
    assert board.speech.utterance(call.id, utterance.id).heard == held
    assert utterance.state == "paused"
    await board.speech.resume(call.id)
    await until(lambda: board.speech.utterance(call.id, utterance.id).heard > held)
    await board.registry.close_call(call.id)
    assert utterance.cause == "call_closed"


async def test_the_callers_digit_barges_in(board, peer):
    call = await board.reception.open_call(target(peer))
    utterance = await board.speech.say(call.id, say(LONG))
    await until(lambda: board.speech.utterance(call.id, utterance.id).heard > 4)
    for sequence, end in enumerate((0, 0x80, 0x80, 0x80)):
        header = struct.pack("!BBHII", 0x80, 101 | (0x80 if sequence == 0 else 0), sequence, 1000, 7)
        peer.sendto(header + struct.pack("!BBH", 5, end | 10, 800), call.local[:2])
    await until(lambda: utterance.ended)
    assert (utterance.state, utterance.cause) == ("stopped", "barge_in")
    assert [dict(event.data) for event in told(board, call, "call.dtmf")] == [
        {"digit": "5", "duration_ms": None}
    ]
    await board.registry.close_call(call.id)


async def test_digits_go_out_unless_the_call_has_none(board, peer):
    call = await board.reception.open_call(target(peer, silence="suppress"))
    await board.sound.send_dtmf(call.id, "1", 40)
    seen = []

    def event_seen():
        while True:
            try:
                seen.append(peer.recv(2000)[1] & 0x7F)
            except BlockingIOError:
                return 101 in seen

    await until(event_seen)
    await board.registry.close_call(call.id)
    without = await board.reception.open_call(target(peer, dtmf_payload_type=None))
    with pytest.raises(Refusal) as refusal:
        await board.sound.send_dtmf(without.id, "1", 40)
    assert refusal.value.code == "wrong_state"
    await board.registry.close_call(without.id)


async def test_refusals(board, peer):
    for request, code in (
        (target(peer, voice="nobody"), "unknown_voice"),
        (OpenCall("example.com", 4000), "invalid"),
        (OpenCall("10.0.0.1", 4000), "target_not_allowed"),
        (target(peer, owner_allow=(ip_network("127.0.0.2/32"),)), "target_not_allowed"),
    ):
        with pytest.raises(Refusal) as refusal:
            await board.reception.open_call(request)
        assert refusal.value.code == code
    # nor may its peer have it sent elsewhere later
    bound = await board.reception.open_call(target(peer, owner_allow=(ip_network("127.0.0.1/32"),)))
    with pytest.raises(Refusal, match="rtp_allow"):
        board.signalling.change(bound.id, Media("127.0.0.2", 4000, 4001, "PCMU", 0, 20, 101, held=False))
    await board.registry.close_call(bound.id)
    for ask in (board.registry.close_call, board.speech.pause, board.speech.resume):
        with pytest.raises(Refusal) as unknown:
            await ask("c_none")
        assert unknown.value.code == "unknown_call"
    with pytest.raises(Refusal, match="c_none"):
        board.registry.call("c_none")


async def test_all_who_have_voices_looked_through_at_once_are_answered(board):
    answers = await asyncio.wait_for(asyncio.gather(*(board.workers.renew_voices() for _ in range(3))), 20)
    assert answers == [([], [])] * 3


async def test_a_full_gateway_refuses_and_has_room_again(board, peer):
    calls = await asyncio.gather(*(board.reception.open_call(target(peer)) for _ in range(MAX_CALLS)))
    with pytest.raises(Refusal) as full:
        await board.reception.open_call(target(peer))
    assert (full.value.code, full.value.retry_after) == ("at_capacity", 5)
    assert {call.playlist.ring for call in calls} == {0, 1}
    await asyncio.gather(*(board.registry.close_call(call.id) for call in calls))
    again = await board.reception.open_call(target(peer))
    await board.registry.close_call(again.id)


async def test_rows_come_back(board, peer):
    for _ in range(40):  # more than there are rows
        call = await board.reception.open_call(target(peer))
        await board.speech.say(call.id, say("Hi."))
        await board.registry.close_call(call.id)
    await until(lambda: all(seat.rows.free == 16 for seat in board.workers.media))
    assert not any(seat.legs or seat.openings for seat in board.workers.media)
    assert not any(seat.legs for seat in board.workers.synthesis)


async def test_a_leg_that_nobody_waits_for_is_closed_again(board, peer):
    asking = asyncio.create_task(board.reception.open_call(target(peer)))
    await asyncio.sleep(0)  # the worker is asked
    assert sum(len(seat.openings) for seat in board.workers.media) == 1
    before = len(board.registry.calls())
    asking.cancel()
    await until(lambda: all(seat.rows.free == 16 for seat in board.workers.media))
    assert len(board.registry.calls()) == before


async def test_a_leg_that_opens_in_the_moment_in_which_its_opener_leaves_is_closed_again(board, peer):
    opened = []

    def leave(call, note):
        if note.type == "call.opened":
            opened.append(call)
            asyncio.get_running_loop().call_soon(asking.cancel)  # before the answer has woken it

    asking = asyncio.create_task(board.reception.open_call(target(peer), leave))
    with pytest.raises(asyncio.CancelledError):
        await asking
    await until(lambda: opened[0].state == "closed", 5)
    assert [event.type for event in board.events.after(opened[0].id)] == ["call.opened", "call.closed"]


async def test_max_seconds_closes(board, peer):
    call = await board.reception.open_call(target(peer, max_seconds=1))
    await until(lambda: call.state == "closed")
    assert call.cause == "max_seconds"
    assert 0.9 < (call.closed_at - call.opened_at).total_seconds() < 5


async def test_a_target_that_refuses_closes_its_call(board):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    call = await board.reception.open_call(OpenCall("127.0.0.1", port, rtcp_mux=True))
    await until(lambda: call.state == "closed")
    assert call.cause == "unreachable"
    assert told(board, call, "call.quality")[0].data["unreachable"] is True
    assert call.statistics.unreachable > 0


async def test_a_media_worker_that_is_killed_takes_only_its_calls_along(board, peer):
    calls = [await board.reception.open_call(target(peer)) for _ in range(4)]
    said = [await board.speech.say(call.id, say(LONG)) for call in calls]
    await until(
        lambda: all(board.speech.utterance(c.id, u.id).heard > 4 for c, u in zip(calls, said, strict=True))
    )
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
    assert board.obstacle is None  # the other one carries on
    await until(lambda: seat.alive)
    assert seat.restarts == 1
    new = await board.reception.open_call(target(peer))
    assert new.playlist.ring == 0
    utterance = await board.speech.say(new.id, say("Here again."))
    await until(lambda: board.speech.utterance(new.id, utterance.id).ended)
    assert utterance.state == "finished"
    await asyncio.gather(*(board.registry.close_call(call.id) for call in [*kept, new]))
    await until(lambda: all(seat.rows.free == 16 for seat in board.workers.media))


async def test_a_synthesis_worker_that_hangs_is_replaced_and_costs_no_word(board, peer):
    call = await board.reception.open_call(target(peer))
    text = LONG[: len(LONG) // 3]
    current, queued = (
        await board.speech.say(call.id, say(text)),
        await board.speech.say(call.id, say("And this one.")),
    )
    await until(lambda: board.speech.utterance(call.id, current.id).heard > 4)
    seat = board.workers.synthesis[0]
    os.kill(seat.worker.pid, signal.SIGSTOP)
    await until(lambda: board.obstacle is not None)
    assert board.workers.voices()
    with pytest.raises(Refusal) as refusal:
        await board.reception.open_call(target(peer))
    assert (refusal.value.code, refusal.value.kind.status) == ("unavailable", 503)
    late = await board.speech.say(call.id, say("Late."))
    await until(lambda: board.speech.utterance(call.id, late.id).ended, 40)
    assert [entry.state for entry in (current, queued, late)] == ["finished"] * 3
    assert current.resume is not None
    assert current.spoken_text == text
    assert len(told(board, call, "utterance.finished")) == 3
    assert board.obstacle is None
    await board.registry.close_call(call.id)


HANGING = """
import gateway.speech.worker as worker
from tts_core.espeak import EspeakEngine

def clause(self, clause, *more, real=EspeakEngine._clause):
    while "forever" in clause.text:
        pass
    return real(self, clause, *more)

EspeakEngine._clause = clause
worker._STUCK_S = 0.5
worker.main()
"""


async def test_an_engine_that_hangs_fails_its_utterance_and_no_other(peer):
    async with running(settings(media_workers=1), (sys.executable, "-c", HANGING)) as board:
        call, other = [await board.reception.open_call(target(peer)) for _ in range(2)]
        hanging, after = (
            await board.speech.say(call.id, say("On forever.")),
            await board.speech.say(call.id, say("Next.")),
        )
        beside = await board.speech.say(other.id, say("Beside it."))
        for each, of in ((hanging, call), (after, call), (beside, other)):
            await until(lambda each=each, of=of: board.speech.utterance(of.id, each.id).ended)
        assert (hanging.state, hanging.failure[0]) == ("failed", "engine_error")
        assert "0.5 s" in hanging.failure[1]
        assert (after.state, beside.state) == ("finished", "finished")
        assert board.workers.synthesis[0].restarts == 1


async def test_speech_that_there_is_no_room_for_is_refused_unless_it_is_cached_or_another_has_room(peer):
    async with running(settings(media_workers=1, synthesis_workers=2)) as board:
        first, second = board.workers.synthesis
        calls = [await board.reception.open_call(target(peer)) for _ in range(2)]
        assert [len(seat.legs) for seat in (first, second)] == [1, 1]
        call = calls[0]
        await until(lambda: first.statistics and second.statistics)
        cost = first.demand.cost("espeak:en-us")
        assert cost in first.statistics.costs, "it was tried before the first call"
        assert 0 < cost.ratio < 0.5
        known = await board.speech.say(call.id, say("Known."))
        assert first.demand.total > 0
        assert board.workers.headroom == 1, "the other worker is idle"
        await until(lambda: board.speech.utterance(call.id, known.id).ended)
        assert first.demand.total == 0
        assert first.statistics.utilisation < 1
        assert first.demand.cost("espeak:en-us").ratio != cost.ratio, "it is measured as it speaks"

        heavy = Burden("remote:slow", True)
        for seat in (first, second, first, second):
            seat.demand.change(None, heavy)
        assert board.workers.headroom < 0
        with pytest.raises(Refusal, match="VOXTRUNK_SYNTHESIS_LIMIT") as refusal:
            await board.speech.say(call.id, say("News."))
        assert (refusal.value.code, refusal.value.retry_after) == ("at_capacity", 2)
        assert "espeak:en-us takes" in refusal.value.detail
        assert first.refused == {"espeak:en-us": 1}
        again = await board.speech.say(call.id, say("Known."))
        await until(lambda: board.speech.utterance(call.id, again.id).ended)
        assert (again.state, again.cached) == ("finished", True)
        new = await board.reception.open_call(target(peer))  # it may want to play prompts
        await board.registry.close_call(new.id)

        for _ in range(2):
            second.demand.change(heavy, None)
        news = await board.speech.say(call.id, say("News."))
        assert call.playlist.writer.parting
        await until(lambda: board.speech.utterance(call.id, news.id).ended)
        assert news.state == "finished"
        assert [len(seat.legs) for seat in (first, second)] == [0, 2]
        await asyncio.gather(*(board.registry.close_call(call.id) for call in calls))
        await until(lambda: all(seat.rows.free == 16 for seat in board.workers.media))
        assert first.demand.total > second.demand.total == 0


async def test_legs_that_say_the_same_are_one_stream_for_admission(board, peer):
    (worker,) = board.workers.synthesis
    assert worker.demand.total == 0
    calls = [await board.reception.open_call(target(peer)) for _ in range(4)]
    text = f"All of us say this. {LONG}"
    said = [await board.speech.say(call.id, say(text)) for call in calls]
    await until(lambda: all(board.speech.utterance(each.call_id, each.id).begun for each in said))
    await until(lambda: worker.demand.total == worker.demand.cost("espeak:en-us").ratio)
    await asyncio.gather(*(board.registry.close_call(call.id) for call in calls))
    assert worker.demand.total == 0


async def test_an_overfull_worker_leaves_legs_to_the_idlest_and_nobody_hears_it(peer):
    async with running(settings(media_workers=1, synthesis_workers=2)) as board:
        first, second = board.workers.synthesis
        calls = [await board.reception.open_call(target(peer)) for _ in range(4)]
        said = [await board.speech.say(call.id, say(f"{n}. {LONG}")) for n, call in enumerate(calls)]
        await until(lambda: all(board.speech.utterance(u.call_id, u.id).heard > 4 and u.begun for u in said))
        assert [len(seat.legs) for seat in (first, second)] == [2, 2]
        heavy = Burden("remote:slow", True)
        for _ in range(2):
            first.demand.change(None, heavy)
        await until(lambda: [len(seat.legs) for seat in (first, second)] == [0, 4])
        for _ in range(2):
            first.demand.change(heavy, None)
        for utterance in said:
            await until(lambda each=utterance: board.speech.utterance(each.call_id, each.id).ended, 60)
        told = [event for call in calls for event in board.events.after(call.id)]
        causes = [event.data["cause"] for event in told if event.type == "utterance.underrun"]
        assert [(each.state, each.underruns) for each in said] == [("finished", 0)] * 4, causes
        assert all(each.heard == each.units > 1000 for each in said), "to the end, whole"


async def test_draining_lets_calls_finish_and_may_be_taken_back_until_the_end(peer):
    async with running(settings(media_workers=1)) as board:
        speaking = await board.reception.open_call(target(peer))
        idle = await board.reception.open_call(target(peer))
        utterance = await board.speech.say(speaking.id, say("Let me finish."))
        board.draining.start(None)
        assert board.obstacle == "draining"
        assert board.reception.retry_after() == 30
        with pytest.raises(Refusal) as refusal:
            await board.reception.open_call(target(peer))
        assert refusal.value.code == "draining"
        board.draining.stop()
        assert board.obstacle is None
        await board.registry.close_call((await board.reception.open_call(target(peer))).id)
        board.draining.start(3600)
        assert 3590 < board.draining.left <= 3600
        ending = asyncio.create_task(board.draining.finish(20))
        await until(lambda: utterance.ended)
        assert utterance.state == "finished"
        with pytest.raises(Refusal, match="cannot be taken back"):
            board.draining.stop()
        assert not ending.done(), "a call that says nothing is a call"
        await board.speech.say(idle.id, say("And me."))
        await board.registry.close_call(speaking.id)
        await board.registry.close_call(idle.id)
        await asyncio.wait_for(ending, 2)
        assert {call.cause for call in (speaking, idle)} == {"closed"}


async def test_draining_has_a_limit_and_closed_calls_are_forgotten(peer):
    async with running(settings(media_workers=1, closed_call_seconds=0)) as board:
        call = await board.reception.open_call(target(peer))
        utterance = await board.speech.say(call.id, say(LONG))
        await board.draining.finish(0.3)
        assert (call.state, call.cause, utterance.cause) == ("closed", "drained", "call_closed")
        await until(lambda: not board.registry.calls())
        assert board.events.after(call.id) == []


async def test_a_worker_that_cannot_start_is_told():
    board = Switchboard(settings(media_workers=1), synthesis_command=("/bin/false",))
    try:
        with pytest.raises(WorkerFailed, match="synthesis-0 died 3 times at its start, with status 1"):
            await board.start()
        assert board.obstacle is not None
    finally:
        await board.close()


async def test_the_pause_before_a_new_worker_grows_to_a_limit():
    pauses = [pause_before(deaths) for deaths in range(1, 12)]
    assert pauses[0] == 0
    assert pauses == sorted(pauses)
    assert pauses[-1] == 5


class running:
    """A switchboard of its own for one test."""

    def __init__(self, chosen, *synthesis):
        more = {"synthesis_command": synthesis[0]} if synthesis else {}
        self.board = Switchboard(chosen, **more)

    async def __aenter__(self):
        await self.board.start()
        return self.board

    async def __aexit__(self, *_):
        await self.board.close()


async def test_a_key_has_so_many_calls_and_no_more(board, peer):
    first, second = [
        await board.reception.open_call(target(peer, owner="a", owner_limit=2)) for _ in range(2)
    ]
    assert board.registry.owned["a"] == 2
    with pytest.raises(Refusal) as refused:
        await board.reception.open_call(target(peer, owner="a", owner_limit=2))
    assert (refused.value.code, refused.value.kind.status) == ("too_many_calls", 429)
    other = await board.reception.open_call(target(peer, owner="b", owner_limit=1))
    await board.registry.close_call(first.id)
    # of several at once there are as many as there is room for
    asked = [board.reception.open_call(target(peer, owner="a", owner_limit=2)) for _ in range(3)]
    opened = [call for call in await asyncio.gather(*asked, return_exceptions=True) if isinstance(call, Call)]
    assert len(opened) == 1
    for call in (second, other, *opened):
        await board.registry.close_call(call.id)
    assert not +board.registry.owned


async def test_calls_are_refused_before_pacing_is_full(board, peer):
    seats = board.workers.media
    call = await board.reception.open_call(target(peer))
    assert all(0 < seat.headroom < 1 for seat in seats)
    await until(lambda: all(seat.busy.utilisation > 0 for seat in seats), 8)  # it is measured
    for seat in seats:
        assert seat.busy.utilisation < 0.5
        seat.busy.limit = 1e-9
    assert board.obstacle == "full"
    assert board.reception.retry_after() is not None
    with pytest.raises(Refusal, match="VOXTRUNK_MEDIA_LIMIT") as refused:
        await board.reception.open_call(target(peer))
    assert refused.value.code == "at_capacity"
    await board.registry.close_call(call.id)
