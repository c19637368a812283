"""The peers against each other, so that what they say about us can be believed."""

import time

import numpy as np
import pytest

from gateway.listen.analysis import analyse
from gateway.listen.receiver import Receiver
from gateway.listen.recording import recordings
from telephony_codecs import Law, decode, encode

from .audio import heard, heard_exactly, spoken
from .peers import Baresip, Kamailio, Linphone, Sipp, free_port, reinvite

FRAME = 160
ONE = "Please hold the line."
OTHER = "Nobody is here to take your call."


@pytest.fixture(scope="module")
def one():
    return spoken(ONE)


@pytest.fixture(scope="module")
def other():
    return spoken(OTHER)


@pytest.fixture
def ear():
    """Two RTP ports that are listened to."""
    with Receiver("127.0.0.1", [0, 0], record=True) as receiver:
        yield receiver


def hear(ear, condition, what, seconds=15):
    """Listens until the condition holds for all packets so far."""
    deadline = time.monotonic() + seconds
    while not condition(ear.packets):
        ear.poll(0.02)
        assert time.monotonic() < deadline, f"not heard: {what}"


def on_the_wire(ear):
    """The one recording of all that came."""
    capture = ear.capture()
    (recording,) = recordings(capture.packets, capture.payloads)
    return recording


def test_baresip_calls_linphone_and_each_hears_the_other(tmp_path, one, other):
    with Linphone(tmp_path, plays=one) as carol, Baresip(tmp_path, plays=other) as alice:
        alice.dial(carol.uri)
        alice.until("CALL_ESTABLISHED")
        carol.established()
        alice.until_recorded(len(one) + 3000)
        carol.until_recorded(len(other) + 3000)
        alice.hangup()
        alice.until("CALL_CLOSED")
        carol.ended()
        heard(carol.recording(), other)
        # from linphonec's file to the wire nothing is lost either
        heard_exactly(alice.recording(), one)


def test_linphone_calls_baresip_with_the_other_law(tmp_path, one):
    said = spoken(OTHER, "PCMA")
    # of a call it makes itself linphonec loses the first 40 ms
    late = np.concatenate([np.zeros(800, np.int16), said])
    with Linphone(tmp_path, plays=one) as carol, Baresip(tmp_path, plays=late, codecs=["pcma"]) as alice:
        carol.dial(alice.uri)
        carol.established()
        alice.until_recorded(len(one) + 3000)
        carol.until_recorded(len(late) + 3000)
        alice.hangup()
        carol.ended()
        heard(carol.recording(), said)
        heard(alice.recording(), decode(Law.PCMA, encode(Law.PCMA, one)))


def test_baresip_takes_no_call_unasked_when_told_so(tmp_path, one):
    with Baresip(tmp_path, "bob", answers=False) as bob, Linphone(tmp_path) as carol:
        carol.dial(bob.uri)
        bob.until("CALL_INCOMING")
        assert not bob.seen("CALL_ESTABLISHED")
        bob.answer()
        bob.until("CALL_ESTABLISHED")
        carol.established()
        carol.hangup()
        bob.until("CALL_CLOSED")


def test_hold_resume_and_keys_between_two_baresips(tmp_path, one, other):
    with (
        Baresip(tmp_path, plays=np.concatenate([one, other])) as alice,
        Baresip(tmp_path, "bob", plays=np.concatenate([other, one])) as bob,
    ):
        alice.dial(bob.uri)
        alice.until("CALL_ESTABLISHED")
        alice.until_recorded(4000)
        alice.hold()
        before = len(alice.recording())
        bob.until("CALL_REMOTE_SDP", "offer", 2)
        time.sleep(0.5)  # how long it is on hold: nothing to wait for
        assert len(alice.recording()) - before < 800, "no more than was on its way"
        alice.resume()
        alice.press("7#")
        bob.until("CALL_DTMF_START", count=2)
        assert [event["param"] for event in bob.seen("CALL_DTMF_START")] == ["7", "#"]
        alice.until_recorded(len(one) + len(other))
        alice.hangup()
        bob.until("CALL_CLOSED")
        # what bob said meanwhile alice has not heard, and all the rest she has
        said = np.concatenate([other, one, np.zeros(16000, np.int16)])
        got = alice.recording()[: len(other) + len(one)]
        # on a busy machine bob's first packets go before alice listens
        missed = next(
            at for at in range(0, 5 * FRAME, FRAME) if np.all(np.abs(got[:4000] - said[at:][:4000]) <= 2)
        )
        said = said[missed:]
        cut = int(np.argmax(np.abs(got - said[: len(got)]) > 2)) // FRAME * FRAME
        assert cut >= 4000
        rest = got[cut:]
        gaps = [
            gap
            for gap in range(FRAME, len(said) - len(got), FRAME)
            if np.all(np.abs(rest - said[cut + gap :][: len(rest)]) <= 2)
        ]
        assert len(gaps) == 1
        assert gaps[0] >= 4000


def test_registered_with_digest_and_called_through_the_proxy(tmp_path, one, other):
    with (
        Kamailio(tmp_path) as proxy,
        Baresip(tmp_path, registrar=proxy.address, password=proxy.PASSWORD, plays=one) as alice,
        Baresip(tmp_path, "bob", registrar=proxy.address, password=proxy.PASSWORD, plays=other) as bob,
        Baresip(tmp_path, "mallory", registrar=proxy.address, password="guess") as mallory,
    ):
        mallory.until("REGISTER_FAIL")
        for registered in (alice, bob):
            registered.until("REGISTER_OK")
        bob.dial(alice.aor)
        bob.until("CALL_ESTABLISHED")
        bob.until_recorded(len(one) + 800)
        alice.until_recorded(len(other) + 800)
        bob.hangup()
        alice.until("CALL_CLOSED")
        heard_exactly(bob.recording(), one)
        heard_exactly(alice.recording(), other)


def test_what_baresip_sends_is_heard_on_the_wire(tmp_path, ear, one):
    with (
        Sipp(tmp_path, "uas_answers", rtp_port=ear.local_ports[0], pause_ms=100) as sipp,
        Baresip(tmp_path, plays=one) as alice,
    ):
        alice.dial(sipp.uri)
        alice.until("CALL_RINGING")
        alice.until("CALL_ESTABLISHED")
        hear(ear, lambda packets: len(packets) * FRAME > len(one), "the sentence")
        alice.press("42*")
        hear(
            ear,
            lambda packets: len(np.unique(packets["timestamp"][packets["payload_type"] == 101])) == 3,
            "keys",
        )
        alice.hangup()
        assert sipp.well().successful == 1
        recording = on_the_wire(ear)
        assert recording.digits == "42*"
        # keys take the place of audio
        heard(recording.pcm, one)


def test_scenarios_of_a_caller(tmp_path, ear):
    port = ear.local_ports[0]
    with Baresip(tmp_path, "bob") as bob:
        to_bob = {"remote": bob.address, "user": "bob", "rtp_port": port}
        for number, scenario in enumerate(("uac_until_bye", "uac_late_offer"), 1):
            with Sipp(tmp_path, scenario, **to_bob) as sipp:
                bob.until("CALL_ESTABLISHED", count=number)
                ear.drain()
                before = len(ear)
                hear(ear, lambda packets, before=before: len(packets) > before + 10, scenario)
                bob.hangup()
                assert sipp.well().successful == 1
        with Sipp(tmp_path, "uac_hangs_up", calls=3, pause_ms=100, **to_bob) as sipp:
            assert (sipp.well().successful, sipp.calls().failed) == (3, 0)
        bob.until("CALL_CLOSED", count=5)


DIRECTIONS = ("a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive")
REINVITES = {
    "hold": {"direction": "sendonly"},
    "inactive": {"direction": "inactive"},
    "hold of old": {"address": "0.0.0.0"},
    "codec": {"payload_type": 8},
    "address": {},
    "refresh": {"version": 1, "back_version": 1},
}


@pytest.mark.parametrize("kind", REINVITES)
def test_scenarios_of_a_reinvite(tmp_path, ear, kind):
    first, second = ear.local_ports
    asked = reinvite(second if kind == "address" else first, **REINVITES[kind])
    to_bob = {"user": "bob", "rtp_port": first, "pause_ms": 300, "traced": True}
    with (
        Baresip(tmp_path, "bob") as bob,
        Sipp(tmp_path, "uac_reinvite", *asked, remote=bob.address, **to_bob) as sipp,
    ):
        sipp.until("sent", "ACK", 3)
        ear.drain()
        before = len(ear)
        hear(ear, lambda packets: len(packets) > before + 5, "bob after it")
        bob.hangup()
        sipp.well()
        answers = [answer for answer in sipp.messages("received", "SIP/2.0 200") if "m=audio" in answer]
    (heard_of_bob,) = analyse(ear.packets)
    assert len(answers) == 3
    assert [line for line in answers[1].splitlines() if line in DIRECTIONS] == [
        {"hold": "a=recvonly", "inactive": "a=inactive"}.get(kind, "a=sendrecv")
    ]
    # the RTP clock runs on while nothing is sent
    assert heard_of_bob.talkspurts == (2 if kind in ("hold", "inactive", "hold of old") else 1)
    assert heard_of_bob.payload_types == ((0, 8) if kind == "codec" else (0,))
    assert heard_of_bob.port_indexes == ((0, 1) if kind == "address" else (0,))


def test_scenarios_of_a_caller_who_is_not_answered(tmp_path):
    with Baresip(tmp_path, "bob", answers=False) as bob:
        to_bob = {"remote": bob.address, "user": "bob"}
        with Sipp(tmp_path, "cancel", **to_bob) as sipp:
            assert sipp.well().successful == 1
        bob.until("CALL_CLOSED")
        with Sipp(tmp_path, "refused_486", **to_bob) as sipp:
            bob.until("CALL_INCOMING", count=2)
            bob.hangup()
            assert sipp.well().successful == 1


def test_scenarios_of_one_who_is_called(tmp_path, ear):
    with Baresip(tmp_path, password="wonder") as alice:
        for number, scenario in enumerate(("uas_answers", "uas_early_media", "challenge"), 1):
            with Sipp(tmp_path, scenario, pause_ms=100) as sipp:
                alice.dial(sipp.uri)
                alice.until("CALL_ESTABLISHED", count=number)
                alice.hangup()
                assert sipp.well().successful == 1
        assert len(alice.seen("CALL_PROGRESS")) == 1
        alice.until("CALL_CLOSED", count=3)
        with Sipp(tmp_path, "rings") as sipp:
            alice.dial(sipp.uri)
            alice.until("CALL_RINGING", count=2)
            alice.hangup()
            assert sipp.well().successful == 1
        with Sipp(tmp_path, "busy") as sipp:
            alice.dial(sipp.uri)
            assert sipp.well().successful == 1
        assert alice.until("CALL_CLOSED", count=5)["param"] == "486 Busy Here"


def test_a_scenario_that_does_not_go_as_written_is_a_failure(tmp_path):
    with (
        Baresip(tmp_path, "bob") as bob,
        Sipp(tmp_path, "uac_until_bye", remote=bob.address, user="eve") as sipp,
    ):
        with pytest.raises(AssertionError, match="404 Not Found"):
            sipp.well()
        assert (sipp.calls().successful, sipp.calls().failed) == (0, 1)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_scenarios_against_each_other_in_numbers(tmp_path, host):
    with (
        Sipp(tmp_path, "uas_answers", host=host, calls=100, pause_ms=10) as called,
        Sipp(tmp_path, "uac_hangs_up", "-r", 100, remote=called.address, host=host, calls=100) as calling,
    ):
        assert (calling.well().successful, called.well().successful) == (100, 100)


def test_calls_through_the_proxy_and_to_whom_it_forwards(tmp_path):
    with Baresip(tmp_path, "bob") as bob, Kamailio(tmp_path, forward=bob.address) as proxy:
        to_bob = {"user": "bob", "pause_ms": 50, "traced": True}
        session = reinvite(free_port(), direction="sendonly")
        with Sipp(
            tmp_path, "uac_reinvite", *session, remote=bob.address, via=proxy.address, **to_bob
        ) as within:
            within.until("sent", "ACK", 3)
            bob.hangup()
            assert within.well().successful == 1
        # a dispatcher's caller knows the proxy alone
        with Sipp(tmp_path, "uac_hangs_up", remote=proxy.address, **to_bob) as to_the_proxy:
            assert to_the_proxy.well().successful == 1
        for run in (within, to_the_proxy):
            answer = run.messages("received", "SIP/2.0 200")[0]
            assert f"Record-Route: <sip:{proxy.address};lr" in answer
