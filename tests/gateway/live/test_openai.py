"""OpenAI's own client against the gateway: each format decodes to what a telephone leg hears."""

import base64
import io
import json
import time
from itertools import pairwise
from pathlib import Path

import av
import httpx
import numpy as np
import openai
import pytest

from telephony_codecs import Law, decode

VOICE = "espeak:en-us"
TEXT = "Hello there, my friend."
FORMATS = {"mp3": 24000, "opus": 48000, "aac": 24000, "flac": 24000, "wav": 24000, "pcm": 24000}


@pytest.fixture(scope="module")
def client(gateway):
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def line(gateway):
    """What is said, as int16 at 8 kHz: Deepgram's door sends what a leg hears (``test_deepgram.py``)."""
    asked = {"model": VOICE, "encoding": "mulaw", "sample_rate": 8000, "container": "none"}
    answer = httpx.post(f"{gateway.url}/v1/speak", params=asked, json={"text": TEXT})
    return decode(Law.PCMU, np.frombuffer(answer.read(), np.uint8)).astype(float)


def pcm_of(name, octets):
    if name == "pcm":
        return np.frombuffer(octets, "<i2").astype(float), 24000
    with av.open(io.BytesIO(octets)) as container:
        to_16 = av.AudioResampler(format="s16", layout="mono")
        parts = [made for frame in container.decode(audio=0) for made in to_16.resample(frame)]
        return np.concatenate([part.to_ndarray()[0] for part in parts]).astype(float), parts[0].sample_rate


def bands(pcm, rate):
    """The level of each third of an octave from 200 to 3200 Hz, dB."""
    power = np.abs(np.fft.rfft(pcm)) ** 2 / (len(pcm) * rate)
    hz = np.fft.rfftfreq(len(pcm), 1 / rate)
    edges = 200 * 2 ** (np.arange(13) / 3)
    return np.array([10 * np.log10(power[(hz >= a) & (hz < b)].sum()) for a, b in pairwise(edges)])


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_decodes_to_what_is_said(client, line, name):
    answer = client.audio.speech.create(model="tts-1", voice=VOICE, input=TEXT, response_format=name)
    pcm, rate = pcm_of(name, answer.read())
    assert rate == FORMATS[name]
    assert len(pcm) / rate == pytest.approx(len(line) / 8000, abs=0.2 if name in {"mp3", "aac"} else 0.03)
    whole = np.interp(np.arange(len(pcm)) / rate, np.arange(len(line)) / 8000, line)
    level = 10 * np.log10((pcm**2).sum() / (whole**2).sum())
    assert abs(level) < 0.5
    assert np.abs(bands(pcm, rate) - bands(line, 8000)).max() < (0.5 if name in {"pcm", "wav", "flac"} else 3)


def test_speech_begins_before_it_is_whole(client):
    text = " ".join(f"This is sentence number {n} of a long text." for n in range(60))
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="alloy", input=text, response_format="pcm"
    ) as answer:
        assert answer.headers["content-type"] == "audio/pcm"
        begun = time.monotonic()
        pieces = answer.iter_bytes()
        octets = len(next(pieces))
        first = time.monotonic() - begun
        seconds = (octets + sum(map(len, pieces))) / 48000
    assert first < 0.5
    assert seconds > 60


def test_a_client_that_leaves_frees_all(gateway, client):
    def open_streams():
        lines = httpx.get(f"{gateway.url}/metrics").text.splitlines()
        own = [line for line in lines if line.startswith("voxtrunk_legs") and 'origin="door"' in line]
        return sum(float(line.rsplit(" ", 1)[1]) for line in own)

    for kind in ("audio", "sse"):
        with client.audio.speech.with_streaming_response.create(
            model="m", voice=VOICE, input=TEXT * 170, response_format="pcm", stream_format=kind
        ) as answer:
            pieces = answer.iter_bytes()
            next(pieces)
            assert open_streams() == 1
        deadline = time.monotonic() + 3
        while open_streams():
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_events_hold_the_same_audio(client):
    whole = client.audio.speech.create(model="m", voice=VOICE, input=TEXT, response_format="pcm").read()
    with client.audio.speech.with_streaming_response.create(
        model="m", voice={"id": VOICE}, input=TEXT, response_format="pcm", stream_format="sse"
    ) as answer:
        events = [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: ")]
    *deltas, done = events
    assert {delta["type"] for delta in deltas} == {"speech.audio.delta"}
    assert b"".join(base64.b64decode(delta["audio"]) for delta in deltas) == whole
    assert done["type"] == "speech.audio.done"
    no_tokens = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    assert done["usage"] == {**no_tokens, "characters": len(TEXT)}


@pytest.mark.parametrize("speed", [0.25, 0.5, 2.0, 4.0])
def test_speed(client, line, speed):
    answer = client.audio.speech.create(
        model="m", voice=VOICE, input=TEXT, response_format="pcm", speed=speed
    )
    length = len(answer.read()) / 48000
    assert length == pytest.approx(len(line) / 8000 / speed, rel=0.25)


@pytest.mark.parametrize(
    ("asked", "error", "code", "param"),
    [
        ({"voice": "nobody"}, openai.BadRequestError, "unknown_voice", "voice"),
        ({"voice": {}}, openai.BadRequestError, "invalid", None),
        ({"input": "x" * 4097}, openai.BadRequestError, "string_above_max_length", "input"),
        ({"input": "  "}, openai.BadRequestError, "invalid", "input"),
        ({"response_format": "midi"}, openai.BadRequestError, "invalid", "response_format"),
        ({"speed": 9}, openai.BadRequestError, "invalid", "speed"),
        ({"stream_format": "smell"}, openai.BadRequestError, "invalid", "stream_format"),
    ],
)
def test_errors_are_the_clients_own(client, asked, error, code, param):
    with pytest.raises(error) as refused:
        client.audio.speech.create(**({"model": "m", "voice": "alloy", "input": "Hello."} | asked))
    assert refused.value.body["code"] == code
    assert refused.value.body["message"]
    if param is not None:
        assert refused.value.body["param"] == param
    assert refused.value.request_id


def test_the_page_says_how(gateway, tmp_path):
    page = (Path(__file__).parents[3] / "docs" / "openai.md").read_text()
    example: dict = {}
    exec(page.split("```python\n")[1].split("```")[0], example)
    example["save"](f"{gateway.url}/v1", "any", str(tmp_path / "speech.wav"))
    pcm, rate = pcm_of("wav", (tmp_path / "speech.wav").read_bytes())
    assert rate == 24000
    assert 1 < len(pcm) / rate < 4
    assert np.sqrt((pcm**2).mean()) > 300
    for name in FORMATS:
        assert f"`{name}`" in page
