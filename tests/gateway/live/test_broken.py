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

from bench.under_test import processes, workers
from gateway.listen.analysis import analyse
from gateway.settings import Settings
from gateway.speech.offline import encode_text
from telephony_codecs import Law, decode

LONG = " ".join(f"This is sentence number {n} of a long text." for n in range(1, 12))
SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def _gone(pid, seconds=15):
    deadline = time.monotonic() + seconds
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        assert time.monotonic() < deadline, f"process {pid} still lives"
        time.sleep(0.05)


def test_sigterm_lets_calls_finish(own_gateway, ear):
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
    assert api.http.delete("/v1/drain").json()["code"] == "wrong_state"
    assert api.wait(call, said)["state"] == "finished"
    assert api.ask("GET", "/v1/drain")["calls"] == 1
    api.end(call)
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


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_a_dead_media_worker_ends_its_calls_and_no_other(own_gateway, ear, blow):
    """Killed or hanging, under load. Ports and rows are so few that what is not given back is missed."""
    running, api = own_gateway(
        media_workers=2, synthesis_workers=2, rtp_ports="22000-22099", legs_per_worker=25
    )
    listening = ear()
    calls = [api.open(listening.port, silence="send") for _ in range(48)]
    for call in calls:
        api.say(call, LONG)
    for call in calls:
        api.wait_event(call, "utterance.started")
    ring_blocks = _ring_blocks(running)
    victim = workers(running, "media")[0]
    os.kill(victim, blow)
    _gone(victim)
    deadline = time.monotonic() + 5
    while len(lost := [call for call in _states(api, calls) if call["state"] == "closed"]) < 24:
        assert time.monotonic() < deadline, len(lost)
        time.sleep(0.05)
    for call in lost:
        last = api.events(call)[-1]
        assert (last["type"], last["data"]["cause"]) == ("call.closed", "media_worker_died")
    again = []
    while len(again) < 25:
        answer = api.http.post("/v1/calls", json={"rtp": {"address": "127.0.0.1", "port": listening.port}})
        if answer.status_code == 201:
            again.append(answer.json())
        else:  # for as long as it takes to start
            assert time.monotonic() < deadline + 5, answer.text
            time.sleep(0.1)
    said = [(call, api.say(call, "Back again.")) for call in again]
    back = encode_text("Back again.", None, "PCMU", Settings())
    for call, utterance in said:
        assert api.wait(call, utterance)["state"] == "finished"
        listening.until(call["rtp"]["ssrc"], back)
    packets, _ = listening.hear()
    alive = [call for call in _states(api, calls) if call["state"] == "open"]
    assert len(alive) == 24
    for call in alive:
        mine = packets[packets["ssrc"] == call["rtp"]["ssrc"]]
        assert np.all(np.diff(mine["timestamp"]) == 160), "no other call noticed"
        assert np.all(np.diff(mine["seq"].astype(np.int64)) % 65536 == 1)
    assert _ring_blocks(running) <= ring_blocks * 1.1, "the dead one's rows serve again"
    assert 'voxtrunk_worker_restarts_total{kind="media"' in api.http.get("/metrics").text


def _states(api, calls):
    """The calls as they are now."""
    now = {call["id"]: call for call in api.ask("GET", "/v1/calls?limit=1000")["calls"]}
    return [now[call["id"]] for call in calls]


def _ring_blocks(running):
    """Memory of the rings, in blocks of 512 octets, as the kernel has it."""
    descriptors = Path(f"/proc/{running.process.pid}/fd").iterdir()
    return sum(fd.stat().st_blocks for fd in descriptors if "voxtrunk-ring" in os.readlink(fd))


def _envelope(octets):
    """The mean magnitude of every 20 ms."""
    pcm = np.abs(decode(Law.PCMU, np.frombuffer(octets, np.uint8)).astype(float))
    return pcm[: len(pcm) // 160 * 160].reshape(-1, 160).mean(axis=1)


def test_the_other_synthesis_worker_says_what_a_dead_one_did_not(own_gateway, ear):
    """Each worker speaks on 25 calls when one is killed: every word is heard once, with no gap."""
    running, api = own_gateway(synthesis_workers=2)
    listening = ear()
    text = " ".join(f"This is sentence number {n} of a text." for n in range(1, 4))
    whole, after = (encode_text(said, None, "PCMU", Settings()) for said in (text, "This one was waiting."))
    calls = [api.open(listening.port) for _ in range(50)]
    said = [(call, api.say(call, text), api.say(call, "This one was waiting.")) for call in calls]
    for call, speaking, _ in said:
        api.wait(call, speaking, ["speaking"])
    time.sleep(0.5)
    victim = workers(running, "speech")[0]
    os.kill(victim, signal.SIGKILL)
    told, gaps = [], {}
    for call, speaking, waiting in said:
        assert api.wait(call, speaking)["state"] == api.wait(call, waiting)["state"] == "finished"
        spoken = api.utterance(call, speaking)
        assert spoken["spoken_text"] == text
        assert abs(spoken["spoken_ms"] - len(whole) // 8) <= 20
        heard = listening.until(call["rtp"]["ssrc"], after)
        ours, theirs = _envelope(heard[: -len(after)]), _envelope(whole)
        assert abs(len(ours) - len(theirs)) <= 1
        n = min(len(ours), len(theirs))
        assert np.corrcoef(ours[:n], theirs[:n])[0, 1] > 0.99
        kinds = [event["type"] for event in api.events(call)]
        assert kinds.count("utterance.finished") == 2
        packets, _ = listening.hear()
        mine = packets[(packets["ssrc"] == call["rtp"]["ssrc"]) & (packets["payload_type"] == 0)]
        steps = np.diff(mine["timestamp"].astype(np.int64))[: len(whole) // 160 - 1]
        gaps[call["id"]] = np.flatnonzero(steps != 160).tolist()
        told += [event["data"] for event in api.events(call) if event["type"] == "utterance.underrun"]
    assert len(told) >= sum(map(bool, gaps.values())), f"every gap is told: {told}"
    assert sum(event["cause"] == "synthesis" for event in told) <= len(calls) // 10, f"in time: {told}"


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
