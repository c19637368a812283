"""Call load: what callers heard against what they asked for, with known faults; a true step where Locust is."""

from importlib.util import find_spec

import numpy as np
import pytest

from bench import load
from bench.load import Script, account, broken, first_packet_ms
from bench.window import Window
from gateway.listen.content import FRAME, audible, cut
from gateway.listen.packets import PACKET
from gateway.listen.receiver import Capture
from telephony_codecs import Law, decode

TEXTS = ("Your order has left the warehouse.", "You are next in line, please hold.")
MS = 1_000_000
BEGIN = 10_000 * MS
WINDOW = Window(BEGIN, BEGIN + 10_000 * MS)


@pytest.fixture(scope="module")
def script():
    return Script()


def call(script, ssrc, text, wait_ms=30, spoken=None):
    """A caller's note, and the packets and octets of a gateway that did all right."""
    octets = script.octets(text)
    octets = script.heard(text, 20 * spoken, stopped=True) if spoken else octets
    count = len(octets) // FRAME
    packets = np.zeros(count, PACKET)
    k = np.arange(count)
    packets["ssrc"], packets["seq"], packets["timestamp"] = ssrc, k, FRAME * k
    packets["t_ns"] = BEGIN + (1000 + ssrc * 7 + wait_ms + 20 * k) * MS
    packets["payload_length"] = FRAME
    packets["payload_start"] = FRAME * k
    said = {
        "text": text, "fresh": True, "asked_ns": BEGIN + (1000 + ssrc * 7) * MS,
        "spoken_ms": 20 * (spoken or count), "state": "stopped" if spoken else "finished",
        "first_audio_ms": 25.0, "underruns": 0,
    }  # fmt: skip
    note = {
        "number": ssrc, "sip": ssrc % 2 == 0, "ssrc": ssrc, "error": None, "utterances": [said], "refused_ns": [],
        "opened_ns": BEGIN - 1000 * MS, "ended_ns": WINDOW.end_ns + 1000 * MS,
    }  # fmt: skip
    return note, packets, np.frombuffer(octets, np.uint8)


def judged(script, *calls):
    """`account` of these calls together."""
    start, packets, payloads = 0, [], []
    for _, own, octets in calls:
        moved = own.copy()
        moved["payload_start"] += start
        start += len(octets)
        packets.append(moved)
        payloads.append(octets)
    every = np.concatenate(packets)
    every = every[np.argsort(every["t_ns"], kind="stable")]
    capture = Capture(every, np.concatenate(payloads), 0, 0, 0, 0.0)
    row = account([note for note, _, _ in calls], capture, WINDOW, script) | {"asked": len(calls)}
    return row, broken(row)


def test_all_well(script):
    row, why = judged(script, call(script, 1, TEXTS[0]), call(script, 2, TEXTS[1], spoken=40))
    assert why == []
    assert (row["calls"], row["sip_calls"], row["calls_at_once"], row["cut_off"]) == (2, 1, 2, 1)
    assert row["first_audio_ms"]["p50"] == pytest.approx(30, abs=0.1)
    assert (row["holes"], row["missing"], row["wrong_leg"], row["wrong"]) == (0, 0, 0, 0)


def test_what_is_cut_dies_away_in_one_packet_more(script):
    said = script.octets(TEXTS[0])
    heard = script.heard(TEXTS[0], 800, stopped=True)
    assert len(heard) == 8 * 820
    assert heard[: 8 * 800] == said[: 8 * 800]
    last, full = (
        decode(Law.PCMU, np.frombuffer(each[8 * 800 : 8 * 820], np.uint8)) for each in (heard, said)
    )
    assert 0 < np.abs(last[40:80].astype(int)).max() < np.abs(full[40:80].astype(int)).max()
    assert not last[80:].any(), "10 ms, and silence"
    assert script.heard(TEXTS[0], 800, stopped=False) == said[: 8 * 800]


def test_another_callers_words(script):
    one, two = call(script, 1, TEXTS[0]), call(script, 2, TEXTS[1])
    octets = one[2].copy()
    theirs = sorted(audible(cut(script.octets(TEXTS[1]))) - audible(cut(script.octets(TEXTS[0]))))
    octets[FRAME * 20 : FRAME * 25] = np.frombuffer(b"".join(theirs[:5]), np.uint8)
    row, why = judged(script, (one[0], one[1], octets), two)
    assert row["wrong_leg"] == 5
    assert any("5 frames of another leg" in each for each in why)


def test_a_hole_in_speech(script):
    note, packets, octets = call(script, 1, TEXTS[0])
    packets["t_ns"][30:] += 100 * MS
    packets["timestamp"][30:] += 5 * FRAME
    row, why = judged(script, (note, packets, octets))
    assert row["holes"] == 5
    assert "5 frames of silence in speech" in why[0]


def test_first_audio_that_is_late(script):
    _, why = judged(script, call(script, 1, TEXTS[0], wait_ms=350))
    assert why == ["first audio p95 350.0 ms"]


def test_an_utterance_that_never_began_and_a_call_that_failed(script):
    mute, failed = call(script, 1, TEXTS[0]), call(script, 2, TEXTS[1])
    failed[0]["error"] = "open: 503"
    row, why = judged(script, (mute[0], mute[1][:0], mute[2]), failed)
    assert row["unheard"] == 1
    assert row["missing"] == len(mute[2]) // FRAME
    assert "1 of 2 calls failed: open: 503" in why
    assert "1 utterances never began" in why


def test_a_refusal_breaks_it_in_the_window_and_not_while_the_calls_fill_up(script):
    early, late = call(script, 1, TEXTS[0]), call(script, 2, TEXTS[1])
    early[0]["refused_ns"] = [BEGIN - 1]
    row, why = judged(script, early, late)
    assert (row["refused"], row["refused_besides"], why) == (0, 1, [])
    late[0]["refused_ns"] = [BEGIN, BEGIN + 5 * MS]
    row, why = judged(script, early, late)
    assert (row["refused"], row["refused_besides"]) == (2, 1)
    assert why == ["2 requests refused"]


def test_fewer_calls_than_asked_for_is_no_load(script):
    note, packets, octets = call(script, 1, TEXTS[0])
    note["ended_ns"] = WINDOW.begin_ns + 5000 * MS
    _, why = judged(script, (note, packets, octets))
    assert why == ["only 0 calls came to be up at once"]


def test_first_packet_is_the_first_after_the_request(script):
    _, packets, _ = call(script, 1, TEXTS[0])
    assert first_packet_ms(packets, int(packets["t_ns"][3]) - 4 * MS) == pytest.approx(4)
    assert first_packet_ms(packets, int(packets["t_ns"][-1]) + 1) is None


# looked for and not imported: Locust replaces the sockets and threads of whoever imports it
@pytest.mark.skipif(find_spec("locust") is None, reason="needs the extra load")
def test_a_true_step_is_held_octet_for_octet(script):
    row = load.step(10, 5.0, 10.0, script)
    assert (row["failed"], row["holes"], row["missing"], row["wrong_leg"], row["wrong"]) == (0, 0, 0, 0, 0)
    assert row["compared_s"] > 10
    assert row["sip_calls"] > 0
