"""A call that SIP opens: it rings, is answered, moved, held, recoded, and closed."""

from __future__ import annotations

from itertools import pairwise

import pytest

from gateway.calls.requests import BargeIn
from gateway.messages.media import ChangeLeg
from gateway.messages.synthesis import AttachLeg


@pytest.fixture
def sip(new_world):
    """Makes worlds with a SIP call."""
    worlds = []

    def make(direction, ptime=20):
        worlds.append(new_world(ptime, sip=direction))
        return worlds[-1]

    yield make
    for made in worlds:
        made.close()


def types(world):
    """The events so far."""
    return [event.type for event in world.events]


def call_events(world):
    """Those of the call itself, with their data."""
    return [(event.type, dict(event.data)) for event in world.events if event.type.startswith("call.")]


REMOTE = {"address": "127.0.0.1", "port": 4000}


@pytest.mark.parametrize("direction", ["in", "out"])
def test_from_ringing_to_closed(sip, direction):
    world = sip(direction)
    call = world.call
    assert (call.state, call.answered_at) == ("ringing", None)
    if direction == "out":
        call.ringing(180, world.glance())
    utterance = world.say(3)
    world.run(10)
    assert (utterance.state, utterance.heard, world.spurts) == ("queued", 0, [])
    world.answer()
    assert (call.state, call.answered_at is None) == ("open", False)
    world.finish()
    assert world.truly_heard(utterance) == 18
    call.close("hung_up", world.glance())
    world.run(1)
    call.closed("hung_up", None, call.opened_at, world.glance())
    world.act()
    (opening, facts), *rest = call_events(world)
    assert opening == {"in": "call.incoming", "out": "call.opened"}[direction]
    assert facts == {
        "sip": {
            "direction": direction, "call_id": "i", "from": "sip:a@b", "to": "sip:c@d", "request_uri": "sip:c@d",
            "headers": [["x-a", "b"]],
        }
    }  # fmt: skip
    ringing = [("call.ringing", {"code": 180})] if direction == "out" else []
    assert rest == [
        *ringing,
        ("call.answered", {"codec": "PCMU", "remote": REMOTE}),
        ("call.closed", {"cause": "hung_up", "statistics": None}),
    ]


@pytest.mark.parametrize("ptime", [10, 20, 30, 40, 60])
@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
@pytest.mark.parametrize("told", ["first", "last"])
def test_nothing_is_laid_out_before_the_media_worker_knows_what_was_agreed_on(sip, ptime, codec, told):
    """Speech is made while the change is still on its way to a busy media worker."""
    world = sip("out", ptime)
    utterance = world.say(10)
    world.answer(codec=codec)
    if told == "first":
        world.hear()
    for _ in range(5):
        world.write()
        world.make(100)
        world.write()
        world.pace()
    assert told == "first" or world.spurts == []
    world.finish()
    assert world.truly_heard(utterance) == utterance.heard == 60
    assert set(world.payload_types) == {{"PCMU": 0, "PCMA": 8}[codec]}


def test_early_media_is_heard_before_the_answer(sip):
    world = sip("in")
    utterance = world.say(3)
    world.run(2)
    world.call.early(world.glance())
    world.act()
    world.run(4)
    assert (world.call.state, utterance.state, utterance.heard) == ("ringing", "speaking", 8)
    world.answer()
    world.finish()
    assert world.truly_heard(utterance) == 18
    assert len(world.spurts) == 9, "the answer makes no gap"


def test_an_agreed_leg_is_one_change_and_nothing_is_cut(sip):
    """The answer to a call whose INVITE had the offer: the leg is as it was opened, but sends."""
    world = sip("in")
    world.say(2)
    world.run(1)
    assert world.call.playlist.writer.attached, "speech is made while it rings"
    generation = int(world.ring.generation[0])
    world.answer()
    assert list(world.to_media) == [
        ChangeLeg(0, "127.0.0.1", 4000, 4001, 0, "PCMU", 20, 101, held=False, with_cut=False)
    ]
    assert int(world.ring.generation[0]) == generation


def test_speech_of_a_call_out_is_made_once_it_is_known_how(sip):
    world = sip("out", 30)
    world.say(2)
    world.run(3)
    assert not world.to_writer
    assert not world.call.playlist.writer.attached
    world.answer(codec="PCMA", address="127.0.0.2", port=5000)
    attach = world.to_writer[0]
    assert isinstance(attach, AttachLeg)
    assert (attach.law, attach.ptime_ms, attach.generation) == ("PCMA", 30, int(world.ring.generation[0]))
    (change,) = world.to_media
    assert (change.remote_address, change.remote_port, change.law, change.ptime_ms) == (
        "127.0.0.2",
        5000,
        "PCMA",
        30,
    )
    assert (change.held, change.with_cut) == (False, True)
    assert (world.call.ptime, world.call.codec, world.call.payload_type) == (30, "PCMA", 8)


def test_the_holds_of_controller_and_peer_compose(sip):
    world = sip("in")
    world.answer()
    utterance = world.say(10)
    world.run(2)
    heard = []
    steps = [
        lambda: world.change(held=True),
        lambda: world.call.pause(world.glance()),
        lambda: world.change(held=False),  # the controller holds it still
        lambda: world.change(held=True),
        lambda: world.call.resume(world.glance()),  # the peer holds it still
        lambda: world.change(held=False),
    ]
    for step in steps:
        step()
        world.act()
        before = len(world.spurts)
        world.run(2)
        heard.append((utterance.state, utterance.heard, world.call.held, len(world.spurts) - before))
    assert heard == [
        ("paused", 4, True, 0),
        ("paused", 4, True, 0),
        ("paused", 4, False, 2),  # silence
        ("paused", 4, True, 0),
        ("paused", 4, True, 0),
        ("speaking", 8, False, 2),
    ]
    world.finish()
    assert world.truly_heard(utterance) == 60
    assert [kind for kind in types(world) if kind in ("call.held", "call.resumed", "call.changed")] == [
        "call.held",
        "call.resumed",
        "call.held",
        "call.resumed",
    ]


def test_what_goes_on_waits_until_the_media_worker_knows_where_to(sip):
    world = sip("out")
    world.answer(address=None, port=9, held=True)
    utterance = world.say(2)
    world.run(2)
    world.change(address="127.0.0.1", port=4000, held=False)
    world.pace(3)  # it has not read the change
    assert (world.spurts, world.truly_heard(utterance)) == ([], 0)
    world.finish()
    assert world.truly_heard(utterance) == utterance.heard == 12


def test_a_caller_who_may_mean_it_is_no_peer_that_holds(sip):
    """A re-INVITE while what is said waits for whether he goes on: silence is sent, digits are dialled."""
    world = sip("in")
    world.answer()
    world.say(10, barge_in=BargeIn(voice=True, confirm_ms=300))
    world.run(2)
    world.voice("started")
    world.change(port=5000)
    assert [change.held for change in world.to_media] == [False]
    before = len(world.spurts)
    world.run(2)
    assert len(world.spurts) == before + 2
    world.voice("stopped")
    world.finish()


def test_on_hold_nothing_leaves_the_clock_runs_and_a_marker_opens_what_follows(sip):
    world = sip("in")
    world.answer()
    utterance = world.say(4)
    world.run(3)
    world.change(held=True)
    world.run(20)
    assert len(world.spurts) == 3
    world.change(held=False)
    world.finish()
    times, markers = zip(*world.spurts, strict=True)
    assert times[3] - times[2] == 160 * 21
    assert [at for at, marker in enumerate(markers) if marker] == [0, 3]
    assert world.truly_heard(utterance) == 24


def test_the_controllers_pause_sends_silence(sip):
    world = sip("in")
    world.answer()
    world.say(4)
    world.run(2)
    world.call.pause(world.glance())
    world.act()
    world.run(3)
    assert len(world.spurts) == 5


@pytest.mark.parametrize("ptime", [10, 20, 30])
def test_a_change_of_codec_goes_on_where_the_old_one_was_heard(sip, ptime):
    world = sip("in", ptime)
    world.answer()
    first, second = world.say(8), world.say(3)
    world.run(3)
    for codec, number in (("PCMA", 8), ("PCMU", 0), ("PCMA", 97)):
        world.change(codec=codec, payload_type=number)
        world.run(3)
    world.finish()
    assert world.truly_heard(first) == first.heard == 48
    assert world.truly_heard(second) == second.heard == 18
    times = [time for time, _ in world.spurts]
    assert [b - a for a, b in pairwise(times)] == [8 * ptime] * (len(times) - 1)
    assert list(dict.fromkeys(world.payload_types)) == [0, 8, 97]
    changed = [data for kind, data in call_events(world) if kind == "call.changed"]
    assert changed == [{"codec": codec, "remote": REMOTE} for codec in ("PCMA", "PCMU", "PCMA")]


def test_what_a_change_tells(sip):
    world = sip("in")
    world.answer()
    told = len(world.events)
    world.change()  # a refresh
    world.change(dtmf_payload_type=96)
    assert world.events[told:] == []
    world.change(address="127.0.0.9", port=4444, held=True)
    assert call_events(world)[told:] == [
        ("call.changed", {"codec": "PCMU", "remote": {"address": "127.0.0.9", "port": 4444}}),
        ("call.held", {}),
    ]
    world.change(address=None, port=9)  # c=0.0.0.0: the target stays
    assert world.to_media[-1].remote_port == 4444
    assert (world.call.remote.port, len(world.events)) == (4444, told + 2)
    world.change(address="127.0.0.1", port=4000, held=False)
    assert call_events(world)[told + 2 :] == [
        ("call.changed", {"codec": "PCMU", "remote": REMOTE}),
        ("call.resumed", {}),
    ]
    assert world.call.dtmf_payload_type == 101


def test_answered_on_hold_and_without_a_target(sip):
    world = sip("out")
    utterance = world.say(2)
    world.answer(address=None, port=9, held=True)
    assert (world.call.state, world.call.held, world.call.remote) == ("open", True, None)
    assert call_events(world)[-1] == ("call.answered", {"codec": "PCMU", "remote": None})
    world.run(10)
    assert (world.spurts, utterance.heard) == ([], 0)
    world.change(address="127.0.0.1", port=4000, held=False)
    world.finish()
    assert world.truly_heard(utterance) == 12


@pytest.mark.parametrize("direction", ["in", "out"])
def test_a_call_that_is_never_answered_says_nothing(sip, direction):
    world = sip(direction)
    utterance = world.say(2)
    world.run(2)
    world.call.close("busy", world.glance(), (486, "Busy Here"))
    world.run(1)
    world.call.closed("busy", None, world.call.opened_at, world.glance())
    world.act()
    assert (utterance.state, utterance.cause, utterance.heard, world.spurts) == (
        "stopped",
        "call_closed",
        0,
        [],
    )
    assert call_events(world)[-1] == (
        "call.closed",
        {"cause": "busy", "statistics": None, "sip": {"code": 486, "reason": "Busy Here"}},
    )
