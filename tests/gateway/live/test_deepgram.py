"""Deepgram's speak API as its clients use it: what a socket is sent is what a telephone leg hears."""

import io
import json
import time
from contextlib import ExitStack
from pathlib import Path

import av
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

VOICE = "espeak:en-us"
TEXT = "Hello. It is $1,234.50."
SPEED = 2.0
"""So that tests are short."""


def heard(api, ear, text, rate=SPEED, **more):
    """What a leg is sent of ``text``."""
    listening = ear()
    call = api.open(listening.port, voice=VOICE, **more)
    end = api.wait(call, api.say(call, text, rate=rate))
    listening.wait(call["rtp"]["ssrc"], 8 * end["spoken_ms"])
    octets = listening.octets(call["rtp"]["ssrc"])
    api.end(call)
    return octets


def posted(api, text):
    """The same by POST, which is what a leg is sent (``test_by_post_it_is_the_same``)."""
    asked = {"model": VOICE, "speed": SPEED, "encoding": "mulaw", "container": "none"}
    return api.http.post("/v1/speak", params=asked, json={"text": text}).content


class Client:
    """A socket of Deepgram's. ``audio`` is all that it was sent, ``told`` all messages."""

    def __init__(self, stack, gateway, query="", **headers):
        url = f"{gateway.url}/v1/speak?model={VOICE}&encoding=mulaw&sample_rate=8000&speed={SPEED}{query}"
        self.socket = stack.enter_context(connect(url.replace("http", "ws", 1), additional_headers=headers))
        self.audio = b""
        self.told = []

    def say(self, kind, **more):
        self.socket.send(json.dumps({"type": kind} | more))

    def until(self, kind, seconds=20):
        deadline = time.monotonic() + seconds
        while True:
            message = self.socket.recv(deadline - time.monotonic())
            if isinstance(message, bytes):
                self.audio += message
                continue
            self.told.append(json.loads(message))
            if self.told[-1]["type"] == kind:
                return self.told[-1]


@pytest.fixture
def client(gateway):
    with ExitStack() as stack:
        yield lambda *query, **headers: Client(stack, gateway, *query, **headers)


def test_what_is_sent_is_what_a_leg_hears(api, ear, client):
    mine = client()
    assert mine.until("Metadata")["model_name"] == VOICE
    for at in range(0, len(TEXT), 7):
        mine.say("Speak", text=TEXT[at : at + 7])
    mine.say("Flush")
    assert mine.until("Flushed")["sequence_id"] == 0
    assert mine.audio == heard(api, ear, TEXT)
    mine.audio = b""
    mine.say("Speak", text="And one more.")
    mine.say("Flush")
    assert mine.until("Flushed")["sequence_id"] == 1
    assert mine.audio == posted(api, "And one more.")


def open_streams(api):
    """Takes that are open, by the gateway's own account."""
    metrics = api.http.get("/metrics").text.splitlines()
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in metrics
        if line.startswith("voxtrunk_legs") and 'origin="door"' in line
    )


LONG = " ".join(f"This is sentence number {n} of a long text." for n in range(60))


def test_what_is_cleared_is_sent_no_more_and_the_next_text_is_whole(api, client):
    mine = client()
    mine.say("Speak", text=LONG)
    mine.say("Flush")
    while not mine.audio:
        message = mine.socket.recv(20)
        mine.audio += message if isinstance(message, bytes) else b""
    mine.say("Clear")
    mine.until("Cleared")
    mine.audio = b""
    mine.say("Speak", text="After it.")
    mine.say("Flush")
    assert mine.until("Flushed")
    assert mine.audio == posted(api, "After it.")
    assert [told["sequence_id"] for told in mine.told] == [0, 1]


def test_close_comes_when_all_is_said(api, client):
    mine = client()
    mine.say("Speak", text="Said to its end.")
    mine.say("Close")
    with pytest.raises(ConnectionClosed) as closed:
        mine.until("never")
    assert closed.value.rcvd.code == 1000
    assert mine.audio == posted(api, "Said to its end.")


def test_text_that_is_written_slowly_is_begun_before_it_is_whole(client):
    mine = client()
    mine.until("Metadata")
    mine.say("Speak", text="The first clause is whole, and then the writer ")
    while not mine.audio:
        mine.audio += mine.socket.recv(5)
    mine.say("Speak", text="goes on.")
    mine.say("Flush")
    assert mine.until("Flushed")


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("{", "not JSON"),
        ("[]", "type should be"),
        ('{"type": "Sing"}', "type should be"),
        ('{"type": "Speak"}', "text of Speak"),
        ('{"type": "Speak", "text": 5}', "text of Speak"),
        (b"\0\1", "not binary"),
        (json.dumps({"type": "Speak", "text": "x" * 20_001}), "VOXTRUNK_TEXT_LIMIT"),
    ],
)
def test_what_cannot_be_done_is_warned_of_and_the_socket_lives_on(client, message, told):
    mine = client()
    mine.socket.send(message)
    warning = mine.until("Warning")
    assert told in warning["description"]
    assert warning["code"] == warning["warn_code"]
    mine.say("Speak", text="Yes.")
    mine.say("Flush")
    mine.until("Flushed")
    assert mine.audio


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("model=nobody", "VOXTRUNK_VOICE_ALIASES"),
        ("encoding=mp3", "linear16"),
        ("encoding=mulaw&sample_rate=44100", "sample_rate of mulaw"),
        ("speed=5", "less than or equal to 2"),
        ("model=aura-2-somebody-xx", "No voice speaks"),
    ],
)
def test_a_wrong_query_is_refused_before_the_socket_opens(gateway, query, said):
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(f"{gateway.url}/v1/speak?{query}".replace("http", "ws", 1)),
    ):
        pass
    assert refused.value.response.status_code == 400
    told = json.loads(refused.value.response.body)
    assert said in told["err_msg"]
    assert told["request_id"] == refused.value.response.headers["x-request-id"]


def test_a_client_that_dies_frees_all(api, client):
    mine = client()
    mine.say("Speak", text=LONG * 4)
    mine.say("Flush")
    while not mine.audio:
        message = mine.socket.recv(20)
        mine.audio += message if isinstance(message, bytes) else b""
    assert open_streams(api) == 1
    mine.socket.socket.close()
    deadline = time.monotonic() + 5
    while open_streams(api):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_by_post_it_is_the_same(api, ear):
    asked = {"model": VOICE, "speed": SPEED, "container": "none"}
    text, said = "Same by post.", {}
    for encoding, codec in (("mulaw", "PCMU"), ("alaw", "PCMA")):
        answer = api.http.post("/v1/speak", params=asked | {"encoding": encoding}, json={"text": text})
        assert (answer.headers["dg-model-name"], answer.headers["dg-char-count"]) == (VOICE, "13")
        said[encoding] = answer.content
        assert said[encoding] == heard(api, ear, text, codec=codec)
    answer = api.http.post("/v1/speak", params={"model": VOICE, "speed": SPEED}, json={"text": text})
    assert answer.headers["content-type"] == "audio/mpeg"
    with av.open(io.BytesIO(answer.content)) as mp3:
        assert mp3.streams.audio[0].rate == 22050
        seconds = sum(frame.samples for frame in mp3.decode(audio=0)) / 22050
    assert seconds == pytest.approx(len(said["mulaw"]) / 8000, abs=0.2)
    answer = api.http.post(
        "/v1/speak", params=asked | {"encoding": "linear16", "container": "wav"}, json={"text": text}
    )
    assert (answer.headers["content-type"], answer.content[:4]) == ("audio/wav", b"RIFF")


@pytest.mark.parametrize(
    ("query", "body", "status", "said"),
    [
        ({}, {}, 400, "text"),
        ({}, {"text": " "}, 400, "text"),
        ({"encoding": "midi"}, {"text": "a"}, 400, "encoding"),
        ({"encoding": "mp3", "sample_rate": 8000}, {"text": "a"}, 400, "sample_rate"),
        ({"encoding": "mulaw", "container": "wav"}, {"text": "a"}, 400, "container"),
        ({"model": "nobody"}, {"text": "a"}, 400, "VOXTRUNK_VOICE_ALIASES"),
        ({}, {"text": "x" * 20_001}, 413, "VOXTRUNK_TEXT_LIMIT"),
    ],
)
def test_errors_by_post(api, query, body, status, said):
    answer = api.http.post("/v1/speak", params=query, json=body)
    assert answer.status_code == status
    assert said in answer.json()["err_msg"]


def test_the_page_says_how(gateway):
    page = (Path(__file__).parents[3] / "docs" / "deepgram.md").read_text()
    example: dict = {}
    exec(page.split("```python\n")[1].split("```")[0], example)
    audio = example["speak"](gateway.url.replace("http", "ws"), "any", ["Hel", "lo ", "there."])
    assert 0.3 < len(audio) / 8000 < 3
    for name in ("Speak", "Flush", "Clear", "Close", "Metadata", "Flushed", "Cleared", "Warning", "Error"):
        assert name in page
