"""Softphones call the gateway; what they heard is what was to be said."""

import time

import numpy as np
import pytest

from voxtrunk.client import Problem

from .audio import heard, heard_exactly, spoken
from .conftest import GREETING, desk_with
from .peers import Baresip, Sipp

LONG = "One two three four five six seven eight nine ten. " * 2


def test_baresip_dials_in_and_hears_the_greeting(tmp_path, answering):
    with Baresip(tmp_path) as alice:
        alice.dial(f"sip:100@{answering.sip}")
        call = answering.next_call()
        answering.until(call, "utterance.finished")
        reference = spoken(GREETING)
        alice.until_recorded(len(reference) + 1600)
        alice.hangup()
        answering.until(call, "call.closed")
        heard_exactly(alice.recording(), reference)
    told = [event["type"] for event in answering.events(call)]
    assert told == [
        "call.incoming",
        "call.answered",
        "utterance.started",
        "utterance.finished",
        "call.closed",
    ]
    final = answering.get(call)
    assert (final["state"], final["cause"]) == ("closed", "hung_up")
    assert final["sip"]["direction"] == "in"
    assert final["sip"]["request_uri"].startswith("sip:100@")


def in_mid_sentence(alice, answering):
    """Alice has called, heard the greeting, and hears something long."""
    alice.dial(f"sip:100@{answering.sip}")
    call = answering.next_call()
    answering.until(call, "utterance.finished")
    answering.say(call, LONG)
    answering.until(call, "utterance.started", 2)
    return call


def test_held_and_resumed_the_sentence_goes_on_from_the_same_word(tmp_path, answering):
    with Baresip(tmp_path) as alice:
        call = in_mid_sentence(alice, answering)
        time.sleep(1.5)
        alice.hold()
        answering.until(call, "call.held")
        assert answering.get(call)["sip"]["held"]
        first = answering.utterance(call)
        time.sleep(0.5)
        again = answering.utterance(call)
        assert first["state"] == again["state"] == "paused"
        assert first["spoken_ms"] == again["spoken_ms"] > 1000
        alice.resume()
        answering.until(call, "utterance.finished", 2)
        whole = np.concatenate([spoken(GREETING), spoken(LONG)])
        alice.until_recorded(len(whole) + 1600)
        alice.hangup()
        answering.until(call, "call.closed")
        recording = alice.recording()
    reference = spoken(LONG)
    # silence frames before and after the hold may stand between its words
    hearing = heard(recording[len(spoken(GREETING)) :], reference, length_ms=120.0, slip_ms=100.0)
    assert hearing.hole_ms == 0


def test_a_key_pressed_on_the_phone_stops_speech(tmp_path, answering):
    with Baresip(tmp_path) as alice:
        call = in_mid_sentence(alice, answering)
        time.sleep(0.5)
        alice.press("5")
        stopped = answering.until(call, "utterance.stopped")
        assert stopped["data"]["cause"] == "barge_in"
        assert answering.until(call, "call.dtmf")["data"]["digit"] == "5"
        assert stopped["data"]["spoken_text"] + stopped["data"]["remaining_text"] == LONG
        answering.ask("DELETE", f"/v1/calls/{call['id']}")
        alice.until("CALL_CLOSED")


@pytest.mark.parametrize("asked", ["uri", "header"])
def test_an_invite_that_asks_for_an_announcement_hears_it_and_is_hung_up(tmp_path, waiting, asked):
    reference = spoken("Your order has left the house.")
    if asked == "uri":
        with Baresip(tmp_path) as alice:
            alice.dial(f"sip:say@{waiting.sip};say=Your%20order%20has%20left%20the%20house.")
            alice.until("CALL_CLOSED")
            heard_exactly(alice.recording(), reference)
    else:
        with Sipp(tmp_path, "uac_announcement", remote=waiting.sip) as run:
            run.well()
    call = waiting.next_call()
    waiting.until(call, "call.closed")
    assert waiting.get(call)["cause"] == "spoken"
    assert waiting.utterance(call)["spoken_ms"] == 1000 * len(reference) // 8000


def test_the_controller_answers_a_call_that_rings_with_speech_that_waited(tmp_path, waiting):
    with Baresip(tmp_path) as alice:
        alice.dial(f"sip:100@{waiting.sip}")
        call = waiting.next_call()
        assert call["state"] == "ringing"
        incoming = waiting.until(call, "call.incoming")["data"]["sip"]
        assert dict(map(tuple, incoming["headers"]))["user-agent"].startswith("baresip")
        waiting.say(call, GREETING)
        time.sleep(0.3)
        assert waiting.utterance(call)["state"] == "queued"
        waiting.ask("POST", f"/v1/calls/{call['id']}/answer")
        waiting.until(call, "utterance.finished")
        alice.until_recorded(len(spoken(GREETING)) + 1600)
        with pytest.raises(Problem, match="rings"):
            waiting.ask("POST", f"/v1/calls/{call['id']}/answer")
        waiting.ask("DELETE", f"/v1/calls/{call['id']}")
        alice.until("CALL_CLOSED")
        heard_exactly(alice.recording(), spoken(GREETING))


def test_the_controller_rejects_a_call_that_rings(tmp_path, waiting):
    with Baresip(tmp_path) as alice:
        alice.dial(f"sip:100@{waiting.sip}")
        call = waiting.next_call()
        waiting.ask("POST", f"/v1/calls/{call['id']}/reject", {"code": 486})
        assert "486" in str(alice.until("CALL_CLOSED"))
        closed = waiting.until(call, "call.closed")
        assert (closed["data"]["cause"], closed["data"]["sip"]["code"]) == ("rejected", 486)


def test_a_caller_who_gives_up_while_it_rings(tmp_path, waiting):
    with Baresip(tmp_path) as alice:
        alice.dial(f"sip:100@{waiting.sip}")
        call = waiting.next_call()
        alice.until("CALL_RINGING")
        alice.hangup()
        assert waiting.until(call, "call.closed")["data"]["cause"] == "cancelled"


def test_early_media_is_heard_before_the_answer(tmp_path):
    with desk_with(sip_incoming="ring", sip_early_media=True) as desk, Baresip(tmp_path) as alice:
        alice.dial(f"sip:100@{desk.sip}")
        call = desk.next_call()
        alice.until("CALL_PROGRESS")
        desk.say(call, GREETING)
        desk.until(call, "utterance.finished")
        assert desk.get(call)["state"] == "ringing"
        desk.ask("POST", f"/v1/calls/{call['id']}/answer")
        alice.until("CALL_ESTABLISHED")
        desk.until(call, "call.answered")


def test_a_rejecting_gateway_and_a_full_one(tmp_path):
    with desk_with(sip_incoming="reject", sip_reject_code=480) as desk, Baresip(tmp_path) as alice:
        alice.dial(f"sip:100@{desk.sip}")
        assert "480" in str(alice.until("CALL_CLOSED"))
        assert desk.calls() == []
    with desk_with(max_calls=1) as desk, Baresip(tmp_path) as alice, Baresip(tmp_path, "bob") as bob:
        alice.dial(f"sip:100@{desk.sip}")
        alice.until("CALL_ESTABLISHED")
        bob.dial(f"sip:100@{desk.sip}")
        assert "503" in str(bob.until("CALL_CLOSED"))
        assert len(desk.calls()) == 1
