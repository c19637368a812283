"""A running gateway watched and changed: its log, its level, its keys, its voices; and what it tells nobody."""

import json
import os
import signal
import socket
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from gateway.running import RunningGateway
from tests.gateway.live.conftest import Api

SECRET = "Zebedee has measles"
KEYS = '[[keys]]\nname = "ops"\nkey = "{}"\nadmin = true\n'


def say(api, call, **body):
    """Say it and wait for its end; ask again while a busy machine has no room for it."""
    deadline = time.monotonic() + 20
    while (answer := api.http.post(f"/v1/calls/{call['id']}/utterances", json=body)).status_code == 503:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert answer.status_code == 202, answer.text
    return api.wait(call, answer.json())


def lines(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def invite(place):
    """A caller who asks for its announcement by the URI, as a PBX does, and hears no more of it."""
    sdp = (
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"
    )
    with socket.socket(type=socket.SOCK_DGRAM) as caller:
        caller.connect(place)
        own = "{}:{}".format(*caller.getsockname())
        uri = f"sip:x@{place[0]}:{place[1]};say={quote(SECRET)}"
        headers = (
            f"INVITE {uri} SIP/2.0", f"Via: SIP/2.0/UDP {own};branch=z9hG4bK1", "Max-Forwards: 70",
            f"From: <sip:me@{own}>;tag=1", f"To: <{uri}>", "Call-ID: seen-1", "CSeq: 1 INVITE",
            f"Contact: <sip:me@{own}>", "Content-Type: application/sdp", f"Content-Length: {len(sdp)}", "", sdp,
        )  # fmt: skip
        caller.send("\r\n".join(headers).encode())
        caller.settimeout(10)
        while not caller.recv(4096).startswith(b"SIP/2.0 200"):
            pass


def until(met, seconds=20):
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def collector(monkeypatch):
    """Takes spans as an OpenTelemetry collector does, by OTLP over HTTP; a list of the bodies."""
    bodies = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            assert self.path == "/v1/traces"
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield bodies
    server.shutdown()
    thread.join()
    server.server_close()


def spans(bodies):
    """Of each trace, by the utterance that it is about: its spans by name, in nanoseconds from its beginning."""
    found = {}
    for body in bodies:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    found.setdefault(span.trace_id, []).append(span)
    told = {}
    for together in found.values():
        (whole,) = [span for span in together if span.name == "utterance"]
        ids = {each.key: each.value.string_value for each in whole.attributes}
        begin = whole.start_time_unix_nano
        told[ids["voxtrunk.utterance.id"]] = {
            span.name: (span.start_time_unix_nano - begin, span.end_time_unix_nano - begin)
            for span in together
        }
    return told


def test_a_gateway_is_watched_and_changed_while_it_runs(ear, tmp_path, capfd, collector):
    listening, file = ear(), tmp_path / "keys.toml"
    file.write_text(KEYS.format("first"))
    settings = {
        "rtp_ports": "23000-23099", "log_level": "INFO", "default_voice": "espeak:en-us", "warm_voices": "",
        "api_keys_file": file, "voices_folder": tmp_path / "voices", "sip_listen": "127.0.0.1:0",
        "traces": True,
    }  # fmt: skip
    with (
        RunningGateway(**settings) as gateway,
        closing(Api(gateway.url, **{"X-API-Key": "first"})) as api,
    ):
        # every process logs at the new level, and one that is started later does, too
        assert api.ask("PUT", "/v1/admin/log-level", {"level": "DEBUG"}) == {"level": "DEBUG"}
        call = api.open(listening.port, client_state=SECRET)
        said = [say(api, call, text=f"{SECRET}. Number {n}.", rate=2.0) for n in range(2)]
        said.append(say(api, call, ssml=f"<speak>{SECRET}</speak>"))
        assert {each["state"] for each in said} == {"finished"}
        broken = api.ask(
            "POST", f"/v1/calls/{call['id']}/utterances", {"ssml": f"<speak>{SECRET}"}, expect=422
        )
        assert broken["code"] == "bad_ssml"
        failed = api.ask(
            "POST", f"/v1/calls/{call['id']}/utterances", {"text": SECRET, "rate": 77}, expect=422
        )
        assert failed["code"] == "invalid"
        api.end(call)

        invite(gateway.sip_place)
        until(lambda: len(api.ask("GET", "/v1/calls")["calls"]) == 2)
        by_sip = api.ask("GET", "/v1/calls")["calls"][1]
        said_by_sip = api.ask("GET", f"/v1/calls/{by_sip['id']}/utterances")["utterances"]
        assert [each["text"] for each in said_by_sip] == [SECRET]

        # a bad file leaves the old keys in force and says why, by signal as by API
        file.write_text("name = first")
        os.kill(gateway.process.pid, signal.SIGHUP)
        seen = ""

        def told():
            nonlocal seen
            seen += capfd.readouterr().err
            return "what was in force stays" in seen

        until(told)
        hurt = tmp_path / "voices" / "hurt"
        hurt.mkdir(parents=True)
        (hurt / "voice.json").write_text("{}")
        answer = api.ask("POST", "/v1/admin/reload")
        assert answer["changed"] == {"voices": []}
        assert "keys.toml is not TOML" in answer["errors"]["keys"][0]
        file.write_text(KEYS.format("second"))
        os.kill(gateway.process.pid, signal.SIGHUP)
        until(lambda: api.http.get("/v1/calls").status_code == 401)
        assert api.http.get("/v1/calls", headers={"X-API-Key": "second"}).status_code == 200
    out, err = capfd.readouterr()
    seen += err
    traced = spans(collector)
    for each in said:
        steps = traced[each["id"]]
        assert steps["utterance"][1] == pytest.approx(each["first_audio_ms"] * 1e6, abs=1e3)
        assert steps["admission"][0] == 0
        assert steps["admission"][1] == steps["synthesis"][0] <= steps["synthesis"][1] == steps["delivery"][0]
        assert steps["delivery"][1] == steps["utterance"][1]
    assert not any(b"Zebedee" in body for body in collector)
    found = lines(seen)
    assert SECRET not in out + seen
    assert "Zebedee" not in out + seen
    assert {"control", "synthesis-0", "media-0"} >= {each["process"] for each in found}
    events = [each for each in found if each["logger"] == "voxtrunk.calls"]
    finished = [e for e in events if (e["message"], e["call_id"]) == ("utterance.finished", call["id"])]
    assert [each["utterance_id"] for each in finished] == [each["id"] for each in said]
    assert {each["call_id"] for each in events} == {call["id"], by_sip["id"]}
    assert {"call.opened", "utterance.started", "call.closed"} <= {each["message"] for each in events}
    assert "first" not in {each.get("key") for each in found}
