"""``/v1/synthesize`` and ``/v1/speakers`` of a running gateway: what a client gets is what a caller hears."""

import base64
import io
import json
import time
import wave
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import resample_poly
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from telephony_codecs import Law, decode
from tests.gateway.live.conftest import GRPC_PORT

TEXT = "Hello there, my friend. All is well."
LONG = " ".join(f"This is sentence number {n} of a long text." for n in range(1, 40))
HEADERS = ("X-Inference-Time-Ms", "X-Audio-Duration-Ms", "X-RTF", "X-Model-Version")


def ask(api, path="", status=200, **body):
    answer = api.http.post(f"/v1/synthesize{path}", json={"text": TEXT, "speed": 2.0} | body)
    assert answer.status_code == status, answer.text
    return answer


def linear(octets):
    return decode(Law.PCMU, np.frombuffer(octets, np.uint8))


def events(stream):
    kind = None
    for line in stream.iter_lines():
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            yield kind, json.loads(value)


def idle(api, seconds=5):
    """No client is spoken to any more."""
    deadline = time.monotonic() + seconds
    series = 'voxtrunk_legs{codec="PCMU",origin="door",state="open"} 0.0'
    while series not in api.http.get("/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(("codec", "form"), [("PCMU", "mulaw"), ("PCMA", "alaw")])
def test_the_file_is_what_a_caller_hears_octet_for_octet(api, ear, codec, form):
    heard = ear()
    call = api.open(heard.port, codec=codec)
    said = api.wait(call, api.say(call, TEXT, rate=2.0))
    answer = ask(api, format=form)
    assert heard.until(call["rtp"]["ssrc"], answer.content) == answer.content
    assert answer.headers["X-Audio-Duration-Ms"] == str(said["duration_ms"])
    api.end(call)


def test_every_rate_is_the_same_speech(api):
    line = linear(ask(api, format="mulaw").content)
    for rate in (8000, 16000, 24000):
        answer = ask(api, sample_rate=rate)
        assert answer.headers["content-type"] == "audio/wav"
        assert all(answer.headers[name] for name in HEADERS)
        with wave.open(io.BytesIO(answer.content)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (rate, 1, 2)
            pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)
        assert len(pcm) == len(line) * rate // 8000
        expected = resample_poly(line.astype(float), rate // 8000, 1)
        assert np.corrcoef(pcm, expected)[0, 1] > 0.999
        assert np.sqrt((pcm**2).mean()) == pytest.approx(np.sqrt((line.astype(float) ** 2).mean()), rel=0.02)
        spectrum = np.abs(np.fft.rfft(pcm)) ** 2
        above = np.fft.rfftfreq(len(pcm), 1 / rate) > 4400
        assert spectrum[above].sum() < 1e-5 * spectrum.sum()
        raw = ask(api, format="pcm", sample_rate=rate)
        assert raw.content == answer.content[44:]


def test_events_leave_while_the_rest_is_made(api):
    text = f"First of all, {time.monotonic_ns() % 10**6}. {LONG}"
    began = time.monotonic()
    with api.http.stream(
        "POST", "/v1/synthesize/stream", json={"text": text, "chunk_size_ms": 200}
    ) as stream:
        assert stream.status_code == 200
        arrived, chunks, done = [], [], None
        for kind, data in events(stream):
            if kind == "audio":
                arrived.append(time.monotonic() - began)
                assert data["at_ms"] == 200 * data["seq"]
                chunks.append(base64.b64decode(data["audio"]))
            else:
                assert kind == "done"
                done = data
    assert arrived[0] < 0.25 * arrived[-1], "the first event did not wait for the last clause"
    assert {len(chunk) for chunk in chunks[:-1]} == {3200}
    assert done["chunks"] == len(chunks)
    assert sum(map(len, chunks)) == 16 * done["audio_duration_ms"]
    assert b"".join(chunks) == ask(api, text=text, format="pcm", speed=1.0).content
    idle(api)


def test_who_leaves_is_spoken_to_no_more(api):
    text = f"{time.monotonic_ns()}. " + LONG * 10
    with api.http.stream("POST", "/v1/synthesize/stream", json={"text": text}) as stream:
        assert next(events(stream))[0] == "audio"
    idle(api)
    with pytest.raises(Exception, match="timed out"):
        api.http.post("/v1/synthesize", json={"text": text + "And on."}, timeout=0.1)
    idle(api)


def test_what_is_wrong_is_said_by_its_field(api):
    for body, status, code, field in (
        ({"text": None}, 422, "invalid", "body"),
        ({"ssml": "<speak>"}, 422, "invalid", "body"),
        ({"text": "x" * 20_001}, 413, "text_too_long", "text"),
        ({"text": None, "ssml": "<speak>"}, 422, "bad_ssml", "ssml"),
        ({"speaker_id": "nobody"}, 422, "unknown_voice", "speaker_id"),
        ({"language": "tlh"}, 422, "unknown_voice", "language"),
        ({"speaker_id": "spk_0123456789abcdef"}, 404, "unknown_speaker", None),
        ({"format": "mp3"}, 422, "invalid", "format"),
        ({"sample_rate": 11025}, 422, "invalid", "sample_rate"),
    ):
        problem = ask(api, status=status, **body).json()
        assert problem["code"] == code
        assert field in (None, problem.get("errors", [{"field": None}])[0]["field"])
    for wrong in (19, 501, "100"):
        assert ask(api, "/stream", 422, chunk_size_ms=wrong).json()["errors"][0]["field"] == "chunk_size_ms"
    assert ask(api, language="de").headers["X-Model-Version"].startswith("espeak:de")
    assert ask(api, text=None, ssml="<speak>Hello.</speak>").content


def test_a_job_is_made_fetched_and_forgotten(api):
    job = ask(api, "/jobs", 202, format="alaw").json()
    path = f"/v1/synthesize/jobs/{job['id']}"
    deadline = time.monotonic() + 10
    while (now := api.ask("GET", path))["state"] != "done":
        assert now["state"] in ("queued", "running")
        assert time.monotonic() < deadline
        time.sleep(0.01)
    audio = api.http.get(path + "/audio")
    assert audio.content == ask(api, format="alaw").content
    assert audio.headers["X-Audio-Duration-Ms"] == str(now["figures"]["audio_duration_ms"])
    assert job["id"] in {each["id"] for each in api.ask("GET", "/v1/synthesize/jobs")["jobs"]}
    api.ask("DELETE", path, expect=200)
    assert api.ask("GET", path, expect=404)["code"] == "unknown_job"
    busy = ask(api, "/jobs", 202, text=LONG * 10, speed=1.0).json()
    path = f"/v1/synthesize/jobs/{busy['id']}"
    assert api.http.get(path + "/audio").json()["code"] == "wrong_state"
    api.ask("DELETE", path, expect=200)
    idle(api)


def test_reference_audio_is_checked_and_kept(api):
    spoken = ask(api, text=LONG[:200], sample_rate=16000).content

    def keep(audio, status, name="Ann", **more):
        files = {"audio": ("../../etc/passwd.wav", audio)}
        answer = api.http.post("/v1/speakers", data={"name": name} | more, files=files)
        assert answer.status_code == status, answer.text
        return answer.json()

    speaker = keep(spoken, 201, language="en-US")
    assert speaker["sample_rate"] == 16000
    assert speaker["duration_ms"] == (len(spoken) - 44) // 32
    assert speaker["speaks"] is False
    assert api.ask("GET", f"/v1/speakers/{speaker['speaker_id']}") == speaker
    assert speaker in api.ask("GET", "/v1/speakers")["speakers"]
    refused = ask(api, status=422, speaker_id=speaker["speaker_id"]).json()
    assert refused["code"] == "cannot_clone"
    assert "espeak" in refused["detail"]
    assert keep(b"no audio", 422)["code"] == "bad_audio"
    assert (
        "1 s are needed" in keep(spoken[:8044], 422)["detail"]
        or keep(spoken[:8044], 422)["code"] == "bad_audio"
    )
    assert keep(spoken, 422, name="")["code"] == "invalid"
    assert api.ask("GET", "/v1/speakers/..%2f..%2fetc", expect=404)["code"] in (
        "unknown_speaker",
        "not_found",
    )
    api.ask("DELETE", f"/v1/speakers/{speaker['speaker_id']}", expect=200)
    assert api.ask("GET", f"/v1/speakers/{speaker['speaker_id']}", expect=404)["code"] == "unknown_speaker"


def socket(gateway, query=""):
    return connect(gateway.url.replace("http", "ws") + "/v1/synthesize/ws" + query)


def until(client, kind, uid):
    """All that comes until then: (octets, messages)."""
    octets, told = b"", []
    while True:
        message = client.recv(10)
        if isinstance(message, bytes):
            octets += message
            continue
        told.append(json.loads(message))
        if (told[-1]["type"], told[-1].get("id")) == (kind, uid):
            return octets, told


def test_a_socket_says_texts_whole_or_as_they_are_written(api, gateway):
    with socket(gateway, "?format=mulaw") as client:
        assert json.loads(client.recv(5))["format"] == "mulaw"
        client.send(json.dumps({"type": "say", "id": "a", "text": TEXT, "speed": 2.0}))
        octets, told = until(client, "finished", "a")
        assert octets == ask(api, format="mulaw").content
        assert [each["type"] for each in told] == ["started", *["word"] * 7, "finished"]
        client.send(json.dumps({"type": "open", "id": "b", "speed": 2.0}))
        client.send(json.dumps({"type": "text", "id": "b", "text": "Hello there, my friend. All is"}))
        first, _ = until(client, "word", "b")
        assert first
        client.send(json.dumps({"type": "text", "id": "b", "text": " well."}))
        client.send(json.dumps({"type": "end", "id": "b"}))
        _, told = until(client, "finished", "b")
        assert told[-1]["spoken_text"] == TEXT
        client.send("{}")
        assert json.loads(client.recv(5))["code"] == "invalid"
        client.send(json.dumps({"type": "say", "id": "c", "text": LONG * 4}))
        until(client, "started", "c")
        client.send(json.dumps({"type": "clear"}))
        _, told = until(client, "finished", "c")
        assert told[-1]["state"] == "stopped"
    idle(api)
    with pytest.raises(InvalidStatus) as refused:
        socket(gateway, "?speaker_id=nobody")
    assert refused.value.response.status_code == 422


def test_a_socket_speaks_every_container(api, gateway):
    import av

    for form in ("wav", "mp3", "opus", "aac", "flac"):
        with socket(gateway, f"?format={form}&sample_rate=24000&words=false") as client:
            client.recv(5)
            client.send(json.dumps({"type": "say", "id": "a", "text": TEXT, "speed": 2.0}))
            octets, told = until(client, "finished", "a")
        with av.open(io.BytesIO(octets)) as container:
            seconds = sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
        assert 0 <= seconds - told[-1]["duration_ms"] / 1000 < 0.15


def test_the_page_says_how(gateway, api, tmp_path, capsys):
    page = (Path(__file__).parents[3] / "docs" / "synthesize.md").read_text()
    example: dict = {}
    for block in page.split("```python\n")[1:]:
        exec(block.split("```")[0], example)
    line = ask(api, format="mulaw", speed=1.0).content
    example["save"](gateway.url, TEXT, str(tmp_path / "said.wav"))
    with wave.open(str(tmp_path / "said.wav")) as file:
        assert (file.getframerate(), file.getnframes()) == (24000, 3 * len(line))
    assert capsys.readouterr().out.split()[0] == str(len(line) // 8)
    heard = bytearray()
    done = example["stream"](gateway.url, TEXT, heard.extend)
    assert np.frombuffer(heard, "<i2").tolist() == linear(line).tolist()
    assert done["audio_duration_ms"] == len(line) // 8
    heard.clear()
    example["converse"](gateway.url.replace("http", "ws"), [TEXT, TEXT], heard.extend)
    assert heard == line + line
    heard.clear()
    example["write"](f"127.0.0.1:{GRPC_PORT}", ["Hello ", "there, my fri", "end. All is well."], heard.extend)
    assert len(heard) > 6000
    for name in (*HEADERS, "cannot_clone", "audio_too_long", "chunk_size_ms"):
        assert f"`{name}`" in page
