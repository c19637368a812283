"""ElevenLabs' sockets as its clients use them: what is sent is what a telephone leg hears, and when."""

import base64
import json
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

VOICE = "espeak:en-us"
TEXT = "Hello. It is $5.50, “due” May 5."
SPEED = 2.0
LONG = " ".join(f"This is sentence number {n} of a long text." for n in range(200))


class Client:
    """A socket of ElevenLabs'. ``audio`` and ``told`` by context."""

    def __init__(self, stack, gateway, kind, query=""):
        url = f"{gateway.url}/v1/text-to-speech/{VOICE}/{kind}?model_id=m&output_format=ulaw_8000{query}"
        self.socket = stack.enter_context(connect(url.replace("http", "ws", 1)))
        self.audio = {}
        self.told = []

    def say(self, **message):
        self.socket.send(json.dumps(message))

    def receive(self, seconds=20):
        message = json.loads(self.socket.recv(seconds))
        name = message.get("contextId")
        if message.get("audio"):
            self.audio[name] = self.audio.get(name, b"") + base64.b64decode(message["audio"])
        self.told.append(message)
        return message

    def final(self, name=None):
        while not ((told := self.receive()).get("isFinal") and told.get("contextId") == name):
            pass
        return self.audio.get(name, b"")

    def characters(self, name=None):
        """All that was aligned: the characters, and when each begins by the clock of pipecat's client."""
        chars, starts, clock = "", [], 0
        for told in self.told:
            if told.get("contextId") == name and (times := told.get("alignment")):
                assert times == told["normalizedAlignment"]
                chars += "".join(times["chars"])
                starts += [clock + start for start in times["charStartTimesMs"]]
                clock += times["charStartTimesMs"][-1] + times["charDurationsMs"][-1]
        return chars, starts


@pytest.fixture
def client(gateway):
    with ExitStack() as stack:
        yield lambda *what: Client(stack, gateway, *what)


def test_a_stream_is_what_a_leg_hears_with_the_time_of_each_character(api, ear, client):
    mine = client("stream-input")
    mine.say(text=" ", voice_settings={"speed": SPEED}, generation_config={"chunk_length_schedule": [50]})
    for at in range(0, len(TEXT), 6):
        mine.say(text=TEXT[at : at + 6], try_trigger_generation=True)
    mine.say(text="")
    audio = mine.final()
    with pytest.raises(ConnectionClosed) as closed:
        mine.receive()
    assert closed.value.rcvd.code == 1000
    assert mine.told[-1] == {"isFinal": True, "audio": None, "alignment": None, "normalizedAlignment": None}

    listening = ear()
    call = api.open(listening.port, voice=VOICE)
    end = api.wait(call, api.say(call, TEXT, rate=SPEED))
    listening.wait(call["rtp"]["ssrc"], 8 * end["spoken_ms"])
    assert audio == listening.octets(call["rtp"]["ssrc"])
    api.end(call)
    chars, starts = mine.characters()
    assert chars == TEXT
    assert starts == sorted(starts)
    assert 0 < starts[-1] <= end["spoken_ms"]


def test_contexts_are_said_beside_each_other(client):
    mine = client("multi-stream-input")
    texts = {"a": "One and two.", "b": "Three, four, five."}
    for name, text in texts.items():
        mine.say(text=" ", context_id=name, voice_settings={})
        mine.say(text=text + " ", context_id=name, flush=True)
    for name in texts:
        mine.say(context_id=name, close_context=True)
    finals = set()
    while finals != set(texts):
        told = mine.receive()
        finals |= {told["contextId"]} if told.get("isFinal") else set()
    again = client("stream-input")
    again.say(text=texts["b"] + " ")
    again.say(text="")
    assert mine.audio["b"] == again.final()
    assert len(mine.audio["a"]) < len(mine.audio["b"])
    assert mine.characters("a")[0] == "One and two. "
    mine.say(close_socket=True)
    with pytest.raises(ConnectionClosed) as closed:
        mine.receive()
    assert closed.value.rcvd.code == 1000


def test_times_count_from_the_beginning_where_that_is_asked_for(client):
    texts = ["One and two.", " Three, four."]
    relative, absolute = client("stream-input"), client("stream-input", "&sync_alignment=true")
    for mine in (relative, absolute):
        for text in texts:
            mine.say(text=text, flush=True)
        mine.say(text="")
        mine.final()
    chars, starts = relative.characters()
    own = [
        start
        for told in absolute.told
        if told.get("alignment")
        for start in told["alignment"]["charStartTimesMs"]
    ]
    assert own == starts
    assert chars == "".join(texts)


def test_a_context_that_is_closed_unflushed_is_cut(api, client):
    mine = client("multi-stream-input")
    mine.say(text=LONG, context_id="a")
    while not mine.audio:
        mine.receive()
    mine.say(context_id="a", close_context=True)
    mine.final("a")
    assert len(mine.audio["a"]) < 30 * 8000
    mine.say(text="Short. ", context_id="a", flush=True)
    mine.say(context_id="a", close_context=True)
    mine.audio.clear()
    assert mine.final("a")


def test_phrases_are_said_at_once_in_auto_mode(client):
    mine = client("multi-stream-input", "&auto_mode=true")
    mine.say(text="No full stop", context_id="a")
    began = time.monotonic()
    while not mine.audio:
        mine.receive()
    assert time.monotonic() - began < 0.4, "sooner than VOXTRUNK_STREAM_WAIT_MS"


def test_a_context_that_is_forgotten_is_said_to_its_end(client):
    mine = client("multi-stream-input", "&inactivity_timeout=1")
    mine.say(text="Not whole", context_id="a")
    began = time.monotonic()
    assert mine.final("a")
    assert 0.9 < time.monotonic() - began < 2
    assert mine.characters("a")[0] == "Not whole"


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("{", "not JSON"),
        ("[]", "JSON object"),
        ('{"text": 5}', "text should be"),
        ('{"text": "a", "voice_settings": {"speed": 9}}', "speed should be"),
        (b"\0", "not binary"),
        (json.dumps({"text": "x" * 20_001}), "VOXTRUNK_TEXT_LIMIT"),
    ],
)
def test_what_cannot_be_done_is_told(client, message, told):
    one, many = client("stream-input"), client("multi-stream-input")
    one.socket.send(message)
    error = one.receive()
    assert told in error["message"]
    assert error["error"]
    with pytest.raises(ConnectionClosed) as closed:
        one.receive()
    assert closed.value.rcvd.code == 1008
    many.socket.send(message)
    assert told in many.receive()["message"]
    many.say(text="Yes. ", context_id="a", flush=True)
    many.say(context_id="a", close_context=True)
    assert many.final("a"), "one of many does not end the others"


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("nobody/stream-input", 404, "voice_not_found"),
        (f"{VOICE}/stream-input?output_format=mp3_1_2", 422, "output_format"),
        (f"{VOICE}/stream-input?output_format=ulaw_8000_64", 422, "output_format"),
        (f"{VOICE}/multi-stream-input?auto_mode=perhaps", 422, "auto_mode"),
        (f"{VOICE}/multi-stream-input?enable_ssml_parsing=true", 422, "plain text"),
    ],
)
def test_a_wrong_address_is_refused_before_the_socket_opens(gateway, path, status, said):
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(f"{gateway.url}/v1/text-to-speech/{path}".replace("http", "ws", 1)),
    ):
        pass
    assert refused.value.response.status_code == status
    assert said in refused.value.response.body.decode()


def test_a_client_that_dies_frees_all(api, client):
    mine = client("multi-stream-input")
    for name in "abc":
        mine.say(text=LONG[:9000], context_id=name, flush=True)
    while set(mine.audio) != set("abc"):
        mine.receive()

    def open_streams():
        lines = api.http.get("/metrics").text.splitlines()
        own = [line for line in lines if line.startswith("voxtrunk_legs") and 'origin="door"' in line]
        return sum(float(line.rsplit(" ", 1)[1]) for line in own)

    assert open_streams() == 3
    mine.socket.socket.close()
    deadline = time.monotonic() + 5
    while open_streams():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_by_post_it_is_the_same_with_the_time_of_each_character(api, client):
    mine = client("stream-input")
    mine.say(text="The same by post.", voice_settings={"speed": SPEED})
    mine.say(text="")
    audio = mine.final()
    body = {
        "text": "The same by post.",
        "model_id": "m",
        "voice_settings": {"speed": SPEED, "stability": 0.5},
    }
    for path in ("", "/stream"):
        url = f"/v1/text-to-speech/{VOICE}{path}?output_format=ulaw_8000"
        assert api.http.post(url, json=body).content == audio
    url = f"/v1/text-to-speech/{VOICE}/stream/with-timestamps?output_format=ulaw_8000"
    lines = [json.loads(line) for line in api.http.post(url, json=body).text.splitlines()]
    assert b"".join(base64.b64decode(line["audio_base64"]) for line in lines) == audio
    times = [line["alignment"] for line in lines if line["alignment"]]
    assert "".join(char for each in times for char in each["characters"]) == "The same by post."
    starts = [start for each in times for start in each["character_start_times_seconds"]]
    assert [round(1000 * start) for start in starts] == mine.characters()[1]
    assert api.http.post(f"/v1/text-to-speech/{VOICE}", json=body).headers["content-type"] == "audio/mpeg"


@pytest.mark.parametrize(
    ("voice", "query", "body", "status", "said"),
    [
        (VOICE, "", {}, 422, "text"),
        (VOICE, "", {"text": ""}, 422, "text"),
        (VOICE, "", {"text": "a", "voice_settings": {"speed": 3}}, 422, "speed"),
        (VOICE, "?output_format=midi", {"text": "a"}, 422, "output_format"),
        ("nobody", "", {"text": "a"}, 404, "voice_not_found"),
        ("default", "", {"text": "a", "language_code": "xx"}, 404, "voice_not_found"),
        (VOICE, "", {"text": "x" * 20_001}, 400, "max_character_limit_exceeded"),
    ],
)
def test_errors_by_post(api, voice, query, body, status, said):
    answer = api.http.post(f"/v1/text-to-speech/{voice}{query}", json=body)
    assert answer.status_code == status
    assert said in json.dumps(answer.json()["detail"])


def test_the_page_says_how(gateway):
    page = (Path(__file__).parents[3] / "docs" / "elevenlabs.md").read_text()
    example: dict = {}
    exec(page.split("```python\n")[1].split("```")[0], example)
    audio, text = example["speak"](gateway.url.replace("http", "ws"), "any", ["Hel", "lo ", "there."])
    assert text == "Hello there."
    assert 0.3 < len(audio) / 8000 < 3
