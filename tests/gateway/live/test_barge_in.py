"""A caller who really sends G.711 cuts what is said to him, or does not, by key and by voice."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from gateway.media.packet import DIGITS, RtpPacket, TelephoneEvent, build_event, build_rtp
from gateway.settings import Settings
from gateway.speech.offline import encode_text
from telephony_codecs import Law, encode

LONG = " ".join(f"This is sentence number {n} of a long text." for n in range(1, 8))
QUIET = b"\xff" * 160
VOICE = {"voice": True}


@pytest.fixture(scope="module")
def caller():
    """What the caller says, from its first sound on."""
    octets = encode_text("Yes, I would like to book a table for two.", "espeak:en-us", "PCMU", Settings())
    loud = np.abs(np.frombuffer(octets, np.uint8).astype(int) - 0xFF) % 128 > 20
    return octets[int(np.flatnonzero(loud)[0]) :]


@pytest.fixture(scope="module")
def offline():
    return encode_text(LONG, None, "PCMU", Settings())


class Caller(threading.Thread):
    """Speaks on a call in the background, once it is started."""

    def __init__(self, ear, call, octets):
        super().__init__()
        self._speak = lambda: ear.speak(call, octets)
        self.begun_ns = 0

    def run(self):
        self.begun_ns = self._speak()


def _press(ear, call, digit):
    """One key as three event packets and the end, three times."""
    local, start = call["rtp"]["local"], 160 * 1000
    for n in range(6):
        event = TelephoneEvent(DIGITS.index(digit), n >= 3, 10, 160 * min(n + 1, 4))
        packet = RtpPacket(101, n == 0, 5000 + n, start + DIGITS.index(digit) * 8000, 77, build_event(event))
        ear.receiver._sockets[0].sendto(build_rtp(packet), (local["address"], local["port"]))


def _speech_events(api, call):
    return [e for e in api.events(call) if e["type"].startswith("call.speech")]


def test_a_voice_cuts_speech_and_it_is_told_what_was_heard(api, ear, caller, offline):
    listening = ear()
    call = api.open(listening.port, barge_in=VOICE)
    said, queued = api.say(call, LONG), api.say(call, "This waits behind it.")
    api.wait(call, said, ["speaking"])
    talker = Caller(listening, call, QUIET * 10 + caller[:8000])
    talker.start()
    ended = api.wait(call, said)
    talker.join()
    after = api.wait(call, queued)
    stopped = api.wait_event(call, "call.speech_stopped")
    api.end(call)
    assert (ended["state"], ended["cause"]) == ("stopped", "barge_in")
    assert (after["state"], after["cause"], after["spoken_ms"]) == ("stopped", "barge_in", 0)
    heard = listening.octets(call["rtp"]["ssrc"])
    assert len(heard) == 8 * ended["spoken_ms"] + 160, "and a packet that dies away"
    assert offline.startswith(heard[:-160])
    assert ended["spoken_text"] + ended["remaining_text"] == LONG
    assert 0 < len(ended["spoken_text"]) < len(LONG)
    started = _speech_events(api, call)[0]
    assert started["data"]["barge_in"] == "cut"
    assert stopped["data"]["voice_ms"] > 200
    packets, _ = listening.hear()
    mine = packets[packets["ssrc"] == call["rtp"]["ssrc"]]
    latency_ms = (int(mine["t_ns"][-2]) - talker.begun_ns) / 1e6 - 200
    assert 20 < latency_ms < 260, "from the caller's first sound to our last packet of full speech"


def test_noise_and_silence_cut_nothing(api, ear, offline):
    listening = ear()
    call = api.open(listening.port, barge_in=VOICE)
    said = api.say(call, LONG)
    api.wait(call, said, ["speaking"])
    noise = np.random.default_rng(3).normal(0, 700, 6400).astype(np.int16)
    listening.speak(call, QUIET * 10 + encode(Law.PCMU, noise).tobytes())
    now = api.utterance(call, said)
    api.end(call)
    assert now["state"] == "speaking"
    assert _speech_events(api, call) == []
    assert offline.startswith(listening.octets(call["rtp"]["ssrc"])[: 8 * now["spoken_ms"]])


def test_a_cough_pauses_speech_which_goes_on_from_the_same_sample(api, ear, caller, offline):
    listening = ear()
    call = api.open(listening.port, silence="send", barge_in=VOICE | {"confirm_ms": 300})
    said = api.say(call, LONG)
    api.wait(call, said, ["speaking"])
    listening.speak(call, QUIET * 10 + caller[: 160 * 9] + QUIET * 25)
    started, stopped = _speech_events(api, call)
    assert (started["data"]["barge_in"], stopped["data"]["barge_in"]) == ("held", "dismissed")
    now = api.wait(call, said, ["speaking"])
    time.sleep(0.3)
    api.end(call)
    assert now["underruns"] == 0
    heard = listening.octets(call["rtp"]["ssrc"])
    begin = heard.find(offline[:1600])
    assert begin >= 0
    heard = heard[begin:]
    same = next(n for n in range(0, len(offline), 160) if heard[n : n + 160] != offline[n : n + 160])
    back = heard.find(offline[same + 80 : same + 800], same)
    assert back >= 0, "it goes on after its first 10 ms, which come up from nothing"
    assert (back - same - 80) % 160 == 0
    assert 200 < (back - same - 80) / 8 < 700, "ms of silence"
    assert set(heard[same + 80 : back - 80]) == {0xFF}
    assert offline[same + 80 :].startswith(heard[back : back + 1600])


def test_one_who_goes_on_speaking_is_confirmed(api, ear, caller):
    listening = ear()
    call = api.open(listening.port)
    said = api.say(call, LONG, barge_in=VOICE | {"confirm_ms": 300})
    api.wait(call, said, ["speaking"])
    talker = Caller(listening, call, QUIET * 10 + caller[:8000])
    talker.start()
    ended = api.wait(call, said)
    talker.join()
    api.end(call)
    assert (ended["state"], ended["cause"]) == ("stopped", "barge_in")
    started = _speech_events(api, call)[0]
    assert started["data"]["barge_in"] == "held"
    stopped = next(e for e in api.events(call) if e["type"] == "utterance.stopped")
    assert stopped["data"]["spoken_ms"] == ended["spoken_ms"]


def test_a_notice_that_is_protected_is_heard_to_its_end(api, ear, caller):
    listening = ear()
    call = api.open(listening.port, barge_in=VOICE)
    notice = "This call is recorded."
    said = api.say(call, notice, interruptible="none")
    api.wait(call, said, ["speaking"])
    for digit in "5#":
        _press(listening, call, digit)
    listening.speak(call, QUIET * 5 + caller[:8000])
    ended = api.wait(call, said)
    api.end(call)
    assert (ended["state"], ended["cause"]) == ("finished", "normal")
    assert listening.octets(call["rtp"]["ssrc"]) == encode_text(notice, None, "PCMU", Settings())
    assert [e["data"]["digit"] for e in api.events(call) if e["type"] == "call.dtmf"] == ["5", "#"]
    assert [e["data"]["barge_in"] for e in _speech_events(api, call)][:1] == ["none"]


def test_a_key_of_the_map_cuts_and_another_is_only_told(api, ear, caller):
    listening = ear()
    call = api.open(listening.port)
    said = api.say(call, LONG, interruptible="dtmf", barge_in={"digits": "0-3#"})
    api.wait(call, said, ["speaking"])
    _press(listening, call, "7")
    listening.speak(call, caller[:4000])
    assert api.utterance(call, said)["state"] == "speaking"
    _press(listening, call, "2")
    ended = api.wait(call, said)
    api.end(call)
    assert (ended["state"], ended["cause"]) == ("stopped", "barge_in")
    assert [e["data"]["digit"] for e in api.events(call) if e["type"] == "call.dtmf"] == ["7", "2"]
    assert _speech_events(api, call) == [], "nobody asked to listen"


@pytest.mark.parametrize("digits", ["0-", "9-0", "E", "1 2"])
def test_a_digit_map_that_names_no_keys_is_refused_by_its_field(api, ear, digits):
    listening = ear()
    call = api.open(listening.port)
    refused = api.ask(
        "POST",
        f"/v1/calls/{call['id']}/utterances",
        {"text": "Hello.", "barge_in": {"digits": digits}},
        expect=422,
    )
    assert refused["errors"][0]["field"] == "barge_in.digits"
    api.end(call)


def test_the_example_of_the_docs_does_what_they_say(gateway, api, ear):
    page = (Path(__file__).parents[3] / "docs" / "barge-in.md").read_text()
    listening = ear()
    names = {"gateway": gateway.url, "rtp": {"address": "127.0.0.1", "port": listening.port}}
    exec(page.split("```python\n")[1].split("```")[0], names)
    call, question = names["call"], names["question"]
    names["api"].close()
    api.wait(call, question, ["speaking"])
    _press(listening, call, "5")
    _press(listening, call, "#")
    ended = api.wait(call, question)
    notice = api.ask("GET", f"/v1/calls/{call['id']}/utterances")["utterances"][0]
    api.end(call)
    assert (notice["state"], notice["spoken_text"]) == ("finished", "This call is recorded.")
    assert (ended["state"], ended["cause"]) == ("stopped", "barge_in")
