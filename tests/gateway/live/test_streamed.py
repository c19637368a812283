"""Streamed text at the far end: what was written is heard, clause by clause, and what is told is what was."""

import json
import os
import signal
import time
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import correlate
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from bench.under_test import processes
from gateway.settings import Settings
from gateway.speech.recipe import Recipe
from gateway.speech.voice import VoiceSource
from telephony_codecs import Law, decode
from tts_core import EspeakEngine, Synthesiser

VOICE = "espeak:en-us"
ALIKE = 0.9
"""Of the same speech whose samples fall differently; of other words it is less than 0.5."""
CLAUSES = ["Hello there, my friend.", "The total is $1,234.50,", "due on May 5.", "Dr. Smith knows it."]
TEXT = " ".join(CLAUSES)
RATE = 1.6
"""So that tests are short."""
LONG = " ".join(f"This is sentence number {n} of a long text." for n in range(1, 12))


@lru_cache
def alone():
    """The voice without a gateway."""
    return VoiceSource(Synthesiser([EspeakEngine()]), Settings().level_dbm0, VOICE)


def pcm_of(octets):
    return decode(Law.PCMU, np.frombuffer(octets, np.uint8)).astype(float)


def spoken(text):
    """A text as it sounds, without the silence around it."""
    recipe = Recipe("text", text, None, VOICE, RATE, 0.0, "PCMU", 20)
    pcm = pcm_of(b"".join(stretch.payload for stretch in alone()(recipe)))
    loud = np.flatnonzero(np.abs(pcm) > 200)
    return pcm[loud[0] : loud[-1] + 1]


def place(pcm, part):
    """Where ``part`` sounds best in ``pcm``: (ms, the correlation there, 1 for the same)."""
    energy = np.sqrt(np.convolve(pcm**2, np.ones(len(part)), "valid")) * np.sqrt((part**2).sum())
    likeness = correlate(pcm, part, "valid", "fft") / np.maximum(energy, 1e3)
    return int(likeness.argmax()) / 8, float(likeness.max())


class Writer:
    """A client of the speech socket; ``said`` is all that it was told."""

    def __init__(self, gateway, call, **more):
        url = gateway.url.replace("http", "ws")
        self._stack = ExitStack()
        self.socket = self._stack.enter_context(connect(f"{url}/v1/calls/{call['id']}/speech", **more))
        self.said = []

    def close(self):
        self._stack.close()

    def tell(self, kind, **fields):
        self.socket.send(json.dumps({"type": kind} | fields))

    def write(self, uid, text, pieces=4, seconds=0.0):
        for at in range(0, len(text), pieces):
            self.tell("text", id=uid, text=text[at : at + pieces])
            time.sleep(seconds)

    def until(self, kind, seconds=20, **fields):
        """The first message of this kind (and with these fields) from now on."""
        deadline = time.monotonic() + seconds
        while True:
            message = json.loads(self.socket.recv(deadline - time.monotonic()))
            self.said.append(message)
            if message["type"] == kind and fields.items() <= message.items():
                return message

    def of(self, kind):
        return [message for message in self.said if message["type"] == kind]


@pytest.fixture
def writer(gateway):
    made = []

    def make(call, **more):
        made.append(Writer(gateway, call, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_tokens_are_heard_as_the_clauses_that_they_make(api, ear, writer):
    listening = ear()
    call = api.open(listening.port, voice=VOICE)
    mine = writer(call)
    mine.tell("open", id="u-7", rate=RATE)
    mine.write("u-7", TEXT, pieces=3, seconds=0.01)
    mine.tell("text", id="u-7", mark="done")
    mine.tell("end", id="u-7")
    end = mine.until("finished")
    assert (end["id"], end["state"], end["cause"]) == ("u-7", "finished", "normal")
    assert (end["spoken_text"], end["remaining_text"], end["underruns"]) == (TEXT, "", 0)
    assert end["last_word"]["word"] == "it"
    assert end["last_mark"] == "done"
    assert [mark["name"] for mark in mine.of("mark")] == ["done"]
    words = mine.of("word")
    assert [TEXT[word["char_start"] : word["char_end"]] for word in words] == [word["word"] for word in words]
    assert [word["word"] for word in words][-4:] == ["Dr.", "Smith", "knows", "it"]
    listening.wait(call["rtp"]["ssrc"], 8 * end["spoken_ms"])
    octets = listening.octets(call["rtp"]["ssrc"])
    assert len(octets) == 8 * end["spoken_ms"]
    pcm = pcm_of(octets)
    at = 0
    for clause in CLAUSES:
        begin = TEXT.index(clause)
        first = next(word for word in words if word["char_start"] == begin)
        ms, likeness = place(pcm, spoken(clause))
        assert likeness > ALIKE, clause
        assert ms == pytest.approx(first["start_ms"], abs=30), "a word's time is where it sounds"
        assert ms > at
        at = ms
    api.end(call)


def test_what_is_cleared_is_not_heard_and_its_rest_is(api, ear, writer):
    listening = ear()
    call = api.open(listening.port, voice=VOICE)
    mine = writer(call)
    mine.tell("open", id="cut", rate=RATE)
    mine.write("cut", LONG[:83], pieces=20)
    mine.tell("end", id="cut")
    mine.until("word", word="2")
    time.sleep(0.25)
    mine.tell("clear")
    heard = mine.until("heard")
    ended = mine.until("finished")
    time.sleep(0.2)
    octets = listening.octets(call["rtp"]["ssrc"])
    assert ended["state"] == "stopped"
    assert ended["cause"] == "cleared"
    assert heard["spoken_ms"] == len(octets) // 8 - 20, "what dies away in one more packet does not count"
    assert heard["spoken_text"] + heard["remaining_text"] == LONG[:83]
    words = mine.of("word")
    counted = [word for word in words if 2 * heard["spoken_ms"] >= word["start_ms"] + word["end_ms"]]
    assert heard["last_word"] == {name: counted[-1][name] for name in heard["last_word"]}
    assert heard["spoken_text"].rstrip(".").endswith(counted[-1]["word"])
    mine.tell("text", id="cut", text="no more")
    assert mine.until("error")["code"] == "unknown_utterance"

    path = f"/v1/calls/{call['id']}/utterances/cut/resume_from"
    rest = api.wait(call, api.ask("POST", path, {"id": "rest", "mode": "append"}, expect=202))
    assert (rest["state"], rest["text"]) == ("finished", heard["remaining_text"])
    tail = pcm_of(listening.octets(call["rtp"]["ssrc"])[len(octets) :])
    _, likeness = place(np.pad(spoken(LONG[42:83]), (0, 8000)), tail[: len(tail) - 400])
    assert likeness > ALIKE, "the same melody, from the word on"
    api.ask("POST", f"/v1/calls/{call['id']}/utterances/rest/resume_from", expect=409)
    api.end(call)


def test_the_rest_of_ssml_begins_with_its_word_and_tells_the_marks_that_are_left(api, ear):
    listening = ear()
    call = api.open(listening.port, voice=VOICE)
    ssml = '<speak>One two <mark name="a"/>three four five six seven eight <mark name="b"/>nine ten.</speak>'
    said = api.ask("POST", f"/v1/calls/{call['id']}/utterances", {"ssml": ssml, "rate": RATE}, expect=202)
    api.wait_event(call, "utterance.mark")
    time.sleep(0.4)
    (cut,) = api.ask("POST", f"/v1/calls/{call['id']}/stop")["stopped"]
    assert cut["last_word"]["word"] in cut["spoken_text"]
    at = 8 * cut["spoken_ms"]
    rest = api.ask("POST", f"/v1/calls/{call['id']}/utterances/{said['id']}/resume_from", expect=202)
    assert api.wait(call, rest)["text"] == cut["remaining_text"]
    assert [e["data"]["name"] for e in api.events(call) if e["type"] == "utterance.mark"] == ["a", "b"]
    whole = spoken("One two three four five six seven eight nine ten.")
    tail = pcm_of(listening.octets(call["rtp"]["ssrc"])[at:])
    ms, likeness = place(np.pad(whole, (0, 8000)), tail[: len(tail) - 400])
    assert likeness > ALIKE, "the same melody, from the word on"
    assert ms > cut["last_word"]["start_ms"]
    api.end(call)


def test_a_slow_writer_makes_a_pause_and_no_underrun(api, ear, writer):
    listening = ear()
    call = api.open(listening.port, voice=VOICE, silence="send")
    mine = writer(call)
    mine.tell("open", id="slow")
    mine.write("slow", "One moment please. Somebody is loo")
    mine.until("word", word="please")
    assert mine.until("word", word="Somebody"), "an unfinished clause is begun, and half a word is not"
    time.sleep(0.6)
    mine.write("slow", "king for it.")
    mine.tell("end", id="slow")
    end = mine.until("finished")
    assert (
        " ".join(word["word"] for word in mine.of("word")) == "One moment please Somebody is looking for it"
    )
    assert end["underruns"] == 0
    assert api.end(call)["statistics"]["underruns"] == 0


def test_a_writer_that_dies_ends_its_utterance_and_not_the_call(api, ear, writer):
    listening = ear()
    call = api.open(listening.port, voice=VOICE)
    mine = writer(call)
    mine.tell("open", id="left")
    mine.tell("open", id="empty")
    mine.write("left", "Your order is on its")
    mine.until("accepted", buffered_chars=20)
    mine.socket.socket.close()  # no goodbye
    left = api.wait(call, {"id": "left"})
    assert (left["state"], left["cause"]) == ("finished", "writer_gone")
    assert left["spoken_text"] == "Your order is on its"
    assert api.wait(call, {"id": "empty"})["cause"] == "writer_gone"
    assert api.wait(call, api.say(call, "Still here."))["state"] == "finished"
    api.end(call)


def test_what_a_socket_cannot_read_is_told_and_it_lives(api, ear, writer):
    listening = ear()
    call = api.open(listening.port, voice=VOICE)
    mine = writer(call)
    for sent, code in (
        ("nonsense", "bad_request"),
        ('{"type":"dance"}', "invalid"),
        ("[]", "invalid"),
        (b"\x00", "bad_request"),
        ('{"type":"open"}', "invalid"),
        ('{"type":"open","id":"x","voice":"espeak:nobody"}', "unknown_voice"),
        ('{"type":"text","id":"nobody","text":"a"}', "unknown_utterance"),
        (json.dumps({"type": "open", "id": "long"}), None),
        (json.dumps({"type": "open", "id": "long"}), "duplicate_utterance"),
        (json.dumps({"type": "text", "id": "long", "text": "x" * 20_001}), "text_too_long"),
    ):
        mine.socket.send(sent)
        if code is None:
            mine.until("accepted")
        else:
            assert mine.until("error")["code"] == code
    mine.tell("text", id="long", text="Here I am.")
    mine.tell("end", id="long")
    assert mine.until("finished")["spoken_text"] == "Here I am."
    api.end(call)
    with pytest.raises(ConnectionClosed):
        mine.until("error")
    with pytest.raises(InvalidStatus) as refused:
        writer({"id": "c_nobody"})
    assert refused.value.response.status_code == 404
    assert json.loads(refused.value.response.body)["code"] == "unknown_call"


def test_a_chunked_body_is_spoken_while_it_comes(api, ear):
    listening = ear()
    call = api.open(listening.port, voice=VOICE)
    heard = []

    def body():
        text = "Grüße and welcome. This is the second sentence.".encode()
        yield text[:3]  # in the middle of a letter
        yield text[3:22]
        listening.wait(call["rtp"]["ssrc"], 4000)
        heard.append(True)
        yield text[22:]

    path = f"/v1/calls/{call['id']}/utterances"
    plain = {"content-type": "text/plain; charset=utf-8"}
    answer = api.http.post(f"{path}?id=said&rate=1.5", content=body(), headers=plain)
    assert answer.status_code == 202, answer.text
    assert heard
    said = api.wait(call, answer.json())
    assert (said["id"], said["state"]) == ("said", "finished")
    assert said["spoken_text"] == "Grüße and welcome. This is the second sentence."
    for content, query, status in ((b"\xff", "", 400), (b"a", "?rate=9", 422), (b"a", "?id=said", 409)):
        answer = api.http.post(path + query, content=iter([content]), headers=plain)
        assert answer.status_code == status, answer.text
    whole = api.http.post(path, content=b"All at once.", headers=plain | {"idempotency-key": "k"})
    again = api.http.post(path, content=b"All at once.", headers=plain | {"idempotency-key": "k"})
    assert whole.json() == again.json()
    api.end(call)


def test_a_killed_worker_is_not_heard_in_what_is_being_written(own_gateway, ear):
    running, api = own_gateway(default_voice=VOICE, warm_voices="", synthesis_workers=2)
    listening = ear()
    octets = []
    for kill in (False, True):
        call = api.open(listening.port)
        mine = Writer(running, call)
        mine.tell("open", id="u")
        mine.write("u", LONG[:60], pieces=15)
        mine.until("word", word="is")
        if kill:
            os.kill(processes(running)["speech"], signal.SIGKILL)
        mine.write("u", LONG[60:125], pieces=15)
        mine.tell("end", id="u")
        end = mine.until("finished")
        assert end["spoken_text"] == LONG[:125]
        listening.wait(call["rtp"]["ssrc"], 8 * end["spoken_ms"])
        octets.append(listening.octets(call["rtp"]["ssrc"]))
        mine.close()
        api.end(call)
    assert octets[0] == octets[1]


def test_the_page_says_how(gateway, api, ear, capsys):
    page = (Path(__file__).parents[3] / "docs" / "streaming.md").read_text()
    listening = ear()
    call = api.open(listening.port, voice=VOICE)
    example: dict = {}
    exec(page.split("```python\n")[1].split("```")[0], example)
    end = example["speak"](gateway.url.replace("http", "ws"), call["id"], ["Hel", "lo ", "there", "."])
    assert end["spoken_text"] == "Hello there."
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == ["Hello", "there"]
    api.end(call)
    for name in ("accepted", "paused", "resumed", "started", "word", "mark", "heard", "finished", "error"):
        assert f"`{name}`" in page
