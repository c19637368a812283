"""The gateway calls softphones, directly and through a registrar."""

from .audio import compare, heard, heard_exactly, spoken
from .conftest import GREETING, desk_with
from .peers import Baresip, Kamailio, Linphone, Sipp, free_port


def test_linphone_answers_and_records_the_sentence(tmp_path, waiting):
    with Linphone(tmp_path) as carol:
        call = waiting.dial(carol.uri)
        assert call["state"] == "ringing"
        assert call["rtp"]["remote"] is None
        waiting.say(call, GREETING)
        waiting.until(call, "call.answered")
        waiting.until(call, "utterance.finished")
        carol.until_recorded(len(spoken(GREETING)) + 1600)
        waiting.ask("DELETE", f"/v1/calls/{call['id']}")
        carol.ended()
        heard(carol.recording(), spoken(GREETING), length_ms=100.0)


def test_baresip_is_called_at_its_registrar_through_digest(tmp_path, waiting):
    with (
        Kamailio(tmp_path) as proxy,
        Baresip(tmp_path, "bob", registrar=proxy.address, password=Kamailio.PASSWORD, codecs=["pcma"]) as bob,
    ):
        bob.until("REGISTER_OK")
        auth = {"user": "100", "password": Kamailio.PASSWORD}
        call = waiting.dial(
            bob.aor, **{"from": f"sip:100@{proxy.address}"}, auth=auth, headers={"X-Job": "7"}
        )
        waiting.say(call, GREETING)
        waiting.until(call, "call.answered")
        assert waiting.get(call)["codec"] == "PCMA"
        waiting.until(call, "utterance.finished")
        reference = spoken(GREETING, "PCMA")
        bob.until_recorded(len(reference) + 1600)
        bob.hangup()
        assert waiting.until(call, "call.closed")["data"]["cause"] == "hung_up"
        heard_exactly(bob.recording(), reference)


def test_the_gateway_registers_and_is_called_there(tmp_path):
    with Kamailio(tmp_path) as proxy:
        account = f'[{{"address":"sip:100@{proxy.address}","user":"100","password":"{Kamailio.PASSWORD}"}}]'
        with (
            desk_with(sip_accounts=account, sip_greeting=GREETING) as desk,
            Baresip(tmp_path, "alice", registrar=proxy.address, password=Kamailio.PASSWORD) as alice,
        ):
            alice.until("REGISTER_OK")
            alice.dial(f"sip:100@{proxy.address}")
            call = desk.next_call()
            assert desk.ask("GET", "/health")["checks"][f"registered sip:100@{proxy.address}"]["ok"]
            desk.until(call, "utterance.finished")
            alice.until_recorded(len(spoken(GREETING)) + 1600)
            desk.ask("DELETE", f"/v1/calls/{call['id']}")
            alice.until("CALL_CLOSED")
            heard_exactly(alice.recording(), spoken(GREETING))


def test_what_becomes_of_calls_that_are_not_answered(tmp_path, waiting):
    with Sipp(tmp_path, "busy") as busy:
        call = waiting.dial(busy.uri)
        closed = waiting.until(call, "call.closed")["data"]
        assert (closed["cause"], closed["sip"]["code"]) == ("busy", 486)
    with Sipp(tmp_path, "rings") as peer:
        call = waiting.dial(peer.uri)
        waiting.until(call, "call.ringing")
        waiting.ask("DELETE", f"/v1/calls/{call['id']}")
        assert waiting.until(call, "call.closed")["data"]["cause"] == "closed"
        peer.well()
    with Sipp(tmp_path, "rings") as peer:
        call = waiting.dial(peer.uri, ring_timeout=1)
        closed = waiting.until(call, "call.closed")["data"]
        assert (closed["cause"], closed["sip"]["code"]) == ("no_answer", 408)
        peer.well()


def test_nobody_is_called_outside_the_allowed_networks(waiting):
    call = waiting.dial("sip:somebody@192.0.2.1")
    closed = waiting.until(call, "call.closed")["data"]
    assert (closed["cause"], closed["sip"]["code"]) == ("failed", 403)


def test_a_port_where_nobody_speaks_sip(waiting):
    call = waiting.dial(f"sip:somebody@127.0.0.1:{free_port()}", ring_timeout=1)
    assert waiting.until(call, "call.closed")["data"]["cause"] == "no_answer"


def test_what_had_reached_the_ear_by_a_softphones_own_reports(tmp_path):
    text = " ".join(f"This is sentence number {number} of many." for number in range(1, 20))
    with desk_with(sip_incoming="ring", rtcp_interval_seconds=0.5) as desk, Baresip(tmp_path, "bob") as bob:
        call = desk.dial(bob.uri)
        desk.say(call, text)
        desk.until(call, "utterance.started")
        assert desk.utterance(call)["heard_ms"] is None, "no report has come"
        told = desk.until(call, "call.quality")["data"]
        assert 0 <= told["round_trip_ms"] < 50
        assert told["fraction_lost"] == 0
        (cut,) = desk.ask("POST", f"/v1/calls/{call['id']}/stop", {"scope": "all"})["stopped"]
        newest = [event["data"] for event in desk.events(call) if event["type"] == "call.quality"][-1]
        lag_ms = newest["round_trip_ms"] / 2 + newest["jitter_ms"]
        assert cut["heard_ms"] == max(0, round(cut["spoken_ms"] - lag_ms))
        reference = spoken(text)
        bob.until_recorded(8 * cut["spoken_ms"])
        bob.hangup()
        desk.until(call, "call.closed")
        found = compare(bob.recording(), reference[: 8 * cut["heard_ms"]])
        assert found.exact > 0.99, "all of it is in what the softphone heard"
        beyond = compare(bob.recording(), reference[: 8 * cut["spoken_ms"] + 3200])
        assert beyond.hole_ms > 100, "and not 400 ms more than was sent"
