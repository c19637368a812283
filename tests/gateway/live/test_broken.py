"""Things that break: processes die, ports and descriptors run out, receivers hang, the clock jumps."""

import json
import os
import signal
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import numpy as np
import pytest
from standardwebhooks import Webhook

from bench.pace import processes
from gateway.listen.analysis import analyse
from gateway.settings import Settings
from gateway.speech.offline import encode_text

LONG = " ".join(f"This is sentence number {n} of a long text." for n in range(1, 12))
SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def _gone(pid, seconds=15):
    deadline = time.monotonic() + seconds
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        assert time.monotonic() < deadline, f"process {pid} still lives"
        time.sleep(0.05)


def test_sigterm_lets_speech_finish_and_says_bye(own_gateway, ear):
    running, api = own_gateway(drain_seconds=20)
    listening = ear()
    call = api.open(listening.port)
    text = "This sentence will be heard to its end, whatever happens to the gateway meanwhile."
    said = api.say(call, text)
    api.wait(call, said, ["speaking"])
    running.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    refused = api.http.post("/v1/calls", json={"rtp": {"address": "127.0.0.1", "port": listening.port}})
    assert refused.status_code == 503
    assert refused.json()["code"] == "draining"
    assert "retry-after" in refused.headers
    assert api.http.get("/health/ready").status_code == 503
    assert api.http.get("/health/live").status_code == 200
    assert running.process.wait(20) == 0
    assert listening.octets(call["rtp"]["ssrc"]) == encode_text(text, None, "PCMU", Settings())


def test_drain_has_a_limit(own_gateway, ear):
    running, api = own_gateway(drain_seconds=1)
    call = api.open(ear().port)
    api.wait(call, api.say(call, LONG), ["speaking"])
    began = time.monotonic()
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(20) == 0
    assert time.monotonic() - began < 12


def test_killed_media_worker_ends_its_calls_and_no_other(own_gateway, ear):
    running, api = own_gateway(media_workers=2)
    listening = ear()
    calls = [api.open(listening.port, silence="send") for _ in range(6)]
    for call in calls:
        api.say(call, LONG)
    time.sleep(0.5)
    children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text().split()
    media = [p for p in children if "gateway.media.worker" in Path(f"/proc/{p}/cmdline").read_text()]
    assert len(media) == 2
    os.kill(int(media[0]), signal.SIGKILL)
    time.sleep(1.5)
    states = [api.ask("GET", f"/v1/calls/{call['id']}") for call in calls]
    lost = [call for call in states if call["state"] == "closed"]
    alive = [call for call in states if call["state"] == "open"]
    assert len(lost) == len(alive) == 3
    for call in lost:
        assert api.events(call)[-1]["type"] == "call.closed"
        assert api.events(call)[-1]["data"]["cause"] == "media_worker_died"
    packets, _ = listening.hear()
    for call in alive:
        mine = packets[packets["ssrc"] == call["rtp"]["ssrc"]]
        assert np.all(np.diff(mine["timestamp"]) == 160), "no other call noticed"
    again = [api.open(listening.port) for _ in range(4)]
    for call in again:
        assert api.wait(call, api.say(call, "Back again."))["state"] == "finished"
    metrics = api.http.get("/metrics").text
    assert 'voxtrunk_worker_restarts_total{kind="media"' in metrics


def test_killed_synthesis_worker_fails_what_it_spoke_and_calls_go_on(own_gateway, ear):
    running, api = own_gateway()
    listening = ear()
    call = api.open(listening.port)
    speaking, waiting = api.say(call, LONG), api.say(call, "This one was waiting.")
    api.wait(call, speaking, ["speaking"])
    time.sleep(0.5)
    os.kill(processes(running)["speech"], signal.SIGKILL)
    failed = api.wait(call, speaking)
    assert (failed["state"], failed["cause"]) == ("failed", "worker_died")
    assert failed["spoken_ms"] > 300
    assert api.wait(call, waiting)["state"] == "finished"
    heard = listening.octets(call["rtp"]["ssrc"])
    at = 8 * failed["spoken_ms"]
    assert encode_text(LONG, None, "PCMU", Settings()).startswith(heard[:at])
    assert heard[at:] == encode_text("This one was waiting.", None, "PCMU", Settings())
    assert api.ask("GET", f"/v1/calls/{call['id']}")["state"] == "open"


def test_killed_control_takes_its_workers_with_it_and_leaves_nothing(own_gateway, ear):
    running, api = own_gateway()
    listening = ear()
    call = api.open(listening.port)
    api.wait(call, api.say(call, LONG), ["speaking"])
    pids = processes(running)
    assert set(pids) == {"control", "media", "speech"}
    running.process.kill()
    running.process.wait()
    _gone(pids["media"])
    _gone(pids["speech"])
    time.sleep(0.2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", call["rtp"]["local"]["port"]))


def test_port_range_used_up_is_503_and_a_freed_port_serves_again(own_gateway, ear):
    _, api = own_gateway(rtp_ports="22500-22503", port_drain_seconds=0.1)
    listening = ear()
    calls = [api.open(listening.port, silence="send") for _ in range(2)]
    refused = api.http.post("/v1/calls", json={"rtp": {"address": "127.0.0.1", "port": listening.port}})
    assert (refused.status_code, refused.json()["code"]) == (503, "at_capacity")
    assert int(refused.headers["retry-after"]) >= 1
    other = ear()
    shared = api.open(other.port)
    assert shared["rtp"]["local"]["port"] in (22500, 22502), "another remote shares a port"
    assert api.wait(shared, api.say(shared, "On a shared port."))["state"] == "finished"
    assert other.octets(shared["rtp"]["ssrc"]) == encode_text("On a shared port.", None, "PCMU", Settings())
    api.end(calls[0])
    time.sleep(0.3)
    api.open(listening.port)
    packets, _ = listening.hear()
    mine = packets[packets["ssrc"] == calls[1]["rtp"]["ssrc"]]
    assert np.all(np.diff(mine["timestamp"]) == 160)


def test_descriptors_used_up_is_503_and_nothing_else_breaks(own_gateway, ear):
    import resource

    running, api = own_gateway()
    listening = ear()
    first = api.open(listening.port, silence="send")
    media = processes(running)["media"]
    used = len(list(Path(f"/proc/{media}/fd").iterdir()))
    resource.prlimit(media, resource.RLIMIT_NOFILE, (used + 10, used + 10))
    codes = []
    for _ in range(12):
        answer = api.http.post("/v1/calls", json={"rtp": {"address": "127.0.0.1", "port": listening.port}})
        codes.append(answer.status_code)
    assert codes.count(201) >= 3
    assert set(codes) == {201, 503}
    assert api.wait(first, api.say(first, "Still speaking."))["state"] == "finished"
    assert api.http.get("/health/live").status_code == 200


class _Hooks(ThreadingHTTPServer):
    """A webhook receiver: hangs for ``hang`` requests, then answers and keeps what came."""

    def __init__(self, hang=0):
        self.got, self.hang, self.release = [], hang, threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                if outer.hang:
                    outer.hang -= 1
                    outer.release.wait(10)
                    return
                outer.got.append((dict(self.headers), body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/hook"

    def stop(self):
        self.release.set()
        self.shutdown()
        self.server_close()


def test_webhooks_are_signed_in_order_and_a_hanging_receiver_holds_only_its_own(own_gateway, ear):
    _, api = own_gateway(webhook_secret=SECRET, webhook_timeout_seconds=1)
    listening = ear()
    good, bad = _Hooks(), _Hooks(hang=1)
    try:
        hanging = api.open(listening.port, webhook_url=bad.url)
        call = api.open(listening.port, webhook_url=good.url, client_state="ticket 7")
        ended = [api.wait(c, api.say(c, "Hello, hooks.")) for c in (hanging, call)]
        assert all(said["state"] == "finished" for said in ended)
        assert all(said["first_audio_ms"] < 500 for said in ended)
        api.end(call)
        api.end(hanging)
        for server in (good, bad):
            deadline = time.monotonic() + 15
            while len(server.got) < 4:
                assert time.monotonic() < deadline, server.got
                time.sleep(0.05)
    finally:
        good.stop()
        bad.stop()
    for server, expected in ((good, call), (bad, hanging)):
        bodies = []
        for headers, body in server.got:
            lower = {name.lower(): value for name, value in headers.items()}
            bodies.append(Webhook(SECRET).verify(body, lower))
            assert json.loads(body)["id"] == lower["webhook-id"]
        assert [b["seq"] for b in bodies] == [1, 2, 3, 4]
        assert {b["call_id"] for b in bodies} == {expected["id"]}
    assert {json.loads(body)["client_state"] for _, body in good.got} == {"ticket 7"}


def test_a_stepped_clock_is_not_noticed(own_gateway, ear, tmp_path, monkeypatch):
    """libfaketime (Debian) steps the wall clock of the gateway's processes, a day ahead and back."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    offset = tmp_path / "offset"
    offset.write_text("+0\n")
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(offset))
    monkeypatch.setenv("FAKETIME_NO_CACHE", "1")
    monkeypatch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    _, api = own_gateway(rtcp_interval_seconds=0.5)
    monkeypatch.undo()
    listening = ear()
    call = api.open(listening.port, silence="send")
    said = api.say(call, "One, two, three, four, five, six, seven, eight, nine, ten.")
    for step in ("-1d\n", "+1d\n"):
        time.sleep(0.5)
        offset.write_text(step)
    now = api.wait(call, said)
    assert now["state"] == "finished"
    assert now["spoken_ms"] == now["duration_ms"]
    times = [event["time"][:10] for event in api.events(call)]
    assert len(set(times)) > 1, "the wall clock did step"
    api.end(call)
    (report,) = analyse(listening.hear()[0])
    assert report.lost == report.timestamp_jumps == 0
    assert abs(report.rate_error_ppm) < 1000
    packets, _ = listening.hear()
    assert np.all(np.diff(packets["timestamp"]) == 160)


def test_keys_are_asked_for(own_gateway, ear):
    running, api = own_gateway(api_keys="secret-one,secret-two")
    body = {"rtp": {"address": "127.0.0.1", "port": ear().port}}
    assert api.http.post("/v1/calls", json=body).status_code == 401
    wrong = api.http.post("/v1/calls", json=body, headers={"Authorization": "Bearer nope"})
    assert wrong.status_code == 401
    assert wrong.headers["content-type"].startswith("application/problem+json")
    for headers in ({"Authorization": "Bearer secret-one"}, {"X-API-Key": "secret-two"}):
        assert httpx.post(f"{running.url}/v1/calls", json=body, headers=headers).status_code == 201


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"rtp": {"address": "example.com", "port": 4000}}, 422, "rtp.address"),
        ({"rtp": {"address": "192.0.2.1", "port": 4000}}, 403, "VOXTRUNK_RTP_ALLOW"),
        ({"rtp": {"address": "224.0.0.1", "port": 4000}}, 403, "multicast"),
        ({"rtp": {"address": "::ffff:192.0.2.1", "port": 4000}}, 403, "VOXTRUNK_RTP_ALLOW"),
        ({"rtp": {"address": "127.0.0.1", "port": 99999}}, 422, "rtp.port"),
        ({"rtp": {"address": "127.0.0.1", "port": "4000"}}, 422, "rtp.port"),
        ({"rtp": {"address": "127.0.0.1", "port": 21000}}, 403, "own"),
        ({"rtp": {"address": "127.0.0.1", "port": 4000}, "codec": "G729"}, 422, "codec"),
        ({"rtp": {"address": "127.0.0.1", "port": 4000}, "ptime": 25}, 422, "ptime"),
        ({"rtp": {"address": "127.0.0.1", "port": 4000}, "voice": "nobody"}, 422, "nobody"),
        ({"rtp": {"address": "127.0.0.1", "port": 4000}, "colour": "red"}, 422, "colour"),
        ({}, 422, "rtp"),
        ([], 422, ""),
    ],
)
def test_wrong_calls_are_refused_by_name(api, body, status, field):
    answer = api.http.post("/v1/calls", json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem = answer.json()
    assert field in answer.text
    assert {
        "type",
        "title",
        "status",
        "detail",
        "instance",
        "code",
        "request_id",
        "retryable",
    } <= problem.keys()


def test_wrong_requests_are_problems_and_never_500(api, ear):
    call = api.open(ear().port)
    path = f"/v1/calls/{call['id']}"
    assert api.http.post("/v1/calls", content=b"{nope").status_code == 400
    assert api.http.post("/v1/calls", content=b"x" * 2_000_000).status_code == 413
    assert api.http.get("/v1/calls/c_unknown").status_code == 404
    assert api.http.get(f"{path}/utterances/u_unknown").status_code == 404
    assert api.http.post(f"{path}/utterances", json={"text": "a", "ssml": "b"}).status_code == 422
    assert api.http.post(f"{path}/utterances", json={"prompt": "../../etc/passwd"}).status_code == 422
    assert api.http.post(f"{path}/utterances", json={"ssml": "<speak>&lol;</speak>"}).status_code == 422
    assert api.http.post(f"{path}/resume").status_code == 409
    api.say(call, "Hello.", id="mine")
    assert api.http.post(f"{path}/utterances", json={"text": "b", "id": "mine"}).status_code == 409
    api.end(call)
    assert api.http.post(f"{path}/utterances", json={"text": "too late"}).status_code == 409
    assert api.http.post(f"{path}/pause").status_code == 409


def test_idempotency_key_speaks_once(api, ear):
    listening = ear()
    call = api.open(listening.port)
    path = f"/v1/calls/{call['id']}/utterances"
    key = {"Idempotency-Key": "say-it-once"}
    first = api.http.post(path, json={"text": "Only once."}, headers=key)
    again = api.http.post(path, json={"text": "Only once."}, headers=key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert api.http.post(path, json={"text": "Something else."}, headers=key).status_code == 422
    api.wait(call, first.json())
    api.end(call)
    assert listening.octets(call["rtp"]["ssrc"]) == encode_text("Only once.", None, "PCMU", Settings())


def test_server_sent_events_resume(api, ear):
    call = api.open(ear().port)
    api.wait(call, api.say(call, "Hello."))
    api.end(call)
    events = api.events(call)
    with api.http.stream("GET", "/v1/events", headers={"Last-Event-ID": events[0]["id"]}) as stream:
        got = []
        for line in stream.iter_lines():
            if line.startswith("data:"):
                event = json.loads(line[5:])
                if event["call_id"] == call["id"]:
                    got.append(event)
                if len(got) == len(events) - 1:
                    break
    assert got == events[1:]
    gone = api.http.get("/v1/events", headers={"Last-Event-ID": "e_long_gone_1"})
    assert gone.status_code == 410
