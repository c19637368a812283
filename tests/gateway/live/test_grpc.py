"""The gRPC door of a running gateway, by gRPC's own client, health and reflection."""

import subprocess
import time
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from gateway.rpc import speech_pb2 as pb
from gateway.rpc.speech_pb2_grpc import SpeechStub
from tests.gateway.live.conftest import GRPC_PORT

ROOT = Path(__file__).parents[3]
TEXT = "Hello there, my friend. All is well."
MULAW = pb.Manner(encoding=pb.MULAW, speed=2.0)


@pytest.fixture
def channel(gateway):
    with grpc.insecure_channel(f"127.0.0.1:{GRPC_PORT}") as opened:
        yield opened


@pytest.fixture
def stub(channel):
    return SpeechStub(channel)


def by_http(api, **body):
    answer = api.http.post("/v1/synthesize", json={"text": TEXT, "speed": 2.0, "format": "mulaw"} | body)
    assert answer.is_success
    return answer.content


def gathered(events):
    """(octets, words, done)."""
    octets, words, done = b"", [], None
    for event in events:
        assert done is None
        match event.WhichOneof("event"):
            case "audio":
                octets += event.audio
            case "word":
                words.append(event.word.word)
            case "done":
                done = event.done
    return octets, words, done


def test_the_committed_code_is_what_the_proto_says(tmp_path):
    subprocess.run([ROOT / "scripts/protos", tmp_path], check=True, timeout=50)
    for made in (tmp_path / "gateway/rpc").iterdir():
        assert made.read_bytes() == (ROOT / "gateway/rpc" / made.name).read_bytes(), (
            f"run scripts/protos: {made.name}"
        )


def test_it_says_what_http_says_octet_for_octet(api, stub):
    whole = stub.Synthesize(pb.SynthesizeRequest(text=TEXT, manner=MULAW))
    assert whole.audio == by_http(api)
    assert whole.done.audio_duration_ms * 8 == len(whole.audio)
    assert whole.done.model_version.startswith("espeak:en-us")
    octets, words, done = gathered(stub.SynthesizeStream(pb.SynthesizeRequest(text=TEXT, manner=MULAW)))
    assert octets == whole.audio
    assert words == ["Hello", "there", "my", "friend", "All", "is", "well"]
    assert done.audio_duration_ms == whole.done.audio_duration_ms
    wav = stub.Synthesize(
        pb.SynthesizeRequest(text=TEXT, manner=pb.Manner(encoding=pb.WAV, sample_rate=24000, speed=2.0))
    )
    assert wav.audio == by_http(api, format="wav", sample_rate=24000)


def test_text_is_said_while_it_is_written(api, stub):
    heard = []

    def written():
        yield pb.WriteRequest(open=MULAW)
        yield pb.WriteRequest(text="Hello there, my friend. All")
        deadline = time.monotonic() + 10
        while not heard:
            assert time.monotonic() < deadline, "the first clause comes before the second is written"
            time.sleep(0.01)
        yield pb.WriteRequest(text=" is well.")
        yield pb.WriteRequest(mark="end")

    marks = []

    def told(events):
        for event in events:
            heard.append(event)
            if event.WhichOneof("event") == "mark":
                marks.append(event.mark.name)
            yield event

    octets, words, done = gathered(told(stub.Write(written())))
    assert words == ["Hello", "there", "my", "friend", "All", "is", "well"]
    assert marks == ["end"]
    assert len(octets) == 8 * done.audio_duration_ms > 6000
    with pytest.raises(grpc.RpcError) as refused:
        list(stub.Write(iter([pb.WriteRequest(text="x")])))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_who_leaves_is_spoken_to_no_more(api, stub):
    long = " ".join(f"This is sentence number {n} of a long text." for n in range(300))
    stream = stub.SynthesizeStream(pb.SynthesizeRequest(text=long))
    next(stream)
    stream.cancel()
    deadline = time.monotonic() + 5
    while 'voxtrunk_legs{codec="PCMU",origin="door",state="open"} 0.0' not in api.http.get("/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_refusals_have_their_kind(stub):
    for request, status, code in (
        (pb.SynthesizeRequest(), grpc.StatusCode.INVALID_ARGUMENT, "invalid"),
        (pb.SynthesizeRequest(ssml="<speak>"), grpc.StatusCode.INVALID_ARGUMENT, "bad_ssml"),
        (
            pb.SynthesizeRequest(text="x", manner=pb.Manner(speaker_id="nobody")),
            grpc.StatusCode.INVALID_ARGUMENT,
            "unknown_voice",
        ),
        (
            pb.SynthesizeRequest(text="x", manner=pb.Manner(speaker_id="spk_0123456789abcdef")),
            grpc.StatusCode.NOT_FOUND,
            "unknown_speaker",
        ),
        (
            pb.SynthesizeRequest(text="x", manner=pb.Manner(encoding=99)),
            grpc.StatusCode.INVALID_ARGUMENT,
            "invalid",
        ),
        (
            pb.SynthesizeRequest(text="x", manner=pb.Manner(speed=9)),
            grpc.StatusCode.INVALID_ARGUMENT,
            "invalid",
        ),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            stub.Synthesize(request)
        assert refused.value.code() is status, refused.value.details()
        assert dict(refused.value.trailing_metadata())["voxtrunk-code"] == code
        with pytest.raises(grpc.RpcError) as refused:
            list(stub.SynthesizeStream(request))
        assert refused.value.code() is status


def test_health_and_reflection_tell_of_it(channel, stub):
    health = health_pb2_grpc.HealthStub(channel)
    for service in ("", "voxtrunk.v1.Speech"):
        answer = health.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    database = ProtoReflectionDescriptorDatabase(channel)
    assert "voxtrunk.v1.Speech" in database.get_services()
    found = DescriptorPool(database).FindServiceByName("voxtrunk.v1.Speech")
    assert {method.name for method in found.methods} == {
        "Synthesize",
        "SynthesizeStream",
        "Write",
        "ListVoices",
    }
    voices = stub.ListVoices(pb.ListVoicesRequest())
    assert voices.default_voice in {voice.name for voice in voices.voices}
