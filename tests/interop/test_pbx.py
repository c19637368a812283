"""The Kamailio configuration of deploy/kamailio in front of two gateways does what docs/pbx.md says of it."""

import signal
import socket
import ssl
import time
from urllib.parse import quote

import numpy as np
import pytest

from gateway.listen.receiver import Receiver
from gateway.settings import Settings
from gateway.speech.offline import encode_text
from voxtrunk.client import Problem

from .audio import heard_exactly, spoken
from .conftest import desk_with
from .ear import Ear
from .peers import Baresip, Front, Sipp, free_port

VOICE = "espeak:en-us"
GREETING = "Please hold."
# baresip 1.0.0 takes an escaped address for a format string: none of its directives may follow a %20
LONG = "The other house that has left the hotel has left you the house."
MOST_CALLS = 24


@pytest.fixture(scope="module")
def inside():
    return f"127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def settings(inside):
    """They greet and hang up."""
    return {
        "sip_greeting": GREETING,
        "sip_hang_up": True,
        "sip_proxy": f"sip:{inside}",
        "max_calls": MOST_CALLS,
        "drain_seconds": 20,
        "default_voice": VOICE,
        "warm_voices": "",
    }


@pytest.fixture(scope="module")
def pair(settings):
    """Two gateways."""
    with desk_with(**settings) as one, desk_with(**settings) as other:
        yield one, other


@pytest.fixture(scope="module")
def front(tmp_path_factory, pair, inside):
    with Front(tmp_path_factory.mktemp("front"), [desk.sip for desk in pair], inside) as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def _both_are_in(pair, front):
    """Every test begins with two gateways that calls go to, and none on them."""
    for desk in pair:
        front.until(desk.sip, active=True)
        deadline = time.monotonic() + 10
        while any(call["state"] != "closed" for call in desk.calls()):
            left = [(call, desk.events(call)) for call in desk.calls() if call["state"] != "closed"]
            assert time.monotonic() < deadline, f"calls are left of the test before: {left}"
            time.sleep(0.05)


def calls_over_tcp(folder, front, count):
    """So many calls by SIPp over TCP, four at a time; each hears the greeting, to the octet, and BYE."""
    said = encode_text(GREETING, VOICE, "PCMU", Settings())
    with Receiver("127.0.0.1", [0], record=True) as ear:
        arguments = ("-t", "t1", "-r", 20, "-l", 4)
        with Sipp(
            folder, "uac_until_bye", *arguments, remote=front.tcp, calls=count, rtp_port=ear.local_ports[0]
        ) as run:
            went = run.well()
        assert (went.successful, went.failed) == (count, 0)
        ear.drain()
        capture = ear.capture()
        assert ear.kernel_drops == 0
    streams = np.unique(capture.packets["ssrc"])
    assert len(streams) == count
    for ssrc in streams:
        packets = capture.packets[capture.packets["ssrc"] == ssrc]
        octets = b"".join(
            capture.payloads[p["payload_start"] : p["payload_start"] + p["payload_length"]].tobytes()
            for p in packets[np.argsort(packets["t_ns"])]
        )
        assert said in octets


def test_calls_over_tcp_are_spread_and_each_hears_the_greeting(tmp_path, pair, front):
    before = [len(desk.calls()) for desk in pair]
    calls_over_tcp(tmp_path, front, 8)
    assert [len(desk.calls()) - count for desk, count in zip(pair, before, strict=True)] == [4, 4]


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_a_softphone_hears_the_greeting_and_is_hung_up(tmp_path, front, transport):
    with Baresip(tmp_path) as alice:
        alice.dial(f"sip:100@{getattr(front, transport)};transport={transport}")
        alice.until("CALL_CLOSED")
        heard_exactly(alice.recording(), spoken(GREETING, voice=VOICE))


def test_hold_resume_and_hanging_up_over_tls(tmp_path, pair, front):
    with Baresip(tmp_path) as alice:
        alice.dial(f"sip:say@{front.tls};transport=tls;say={quote(LONG)}")
        alice.until_recorded(4000)
        alice.hold()
        alice.resume()
        alice.hangup()
        alice.until("CALL_CLOSED")
    (call,) = [call for desk in pair for call in desk.calls() if "say=" in call["sip"]["request_uri"]]
    (desk,) = [desk for desk in pair if call["id"] in {known["id"] for known in desk.calls()}]
    desk.until(call, "call.closed")
    assert desk.get(call)["cause"] == "hung_up"
    assert {"call.held", "call.resumed"} <= {event["type"] for event in desk.events(call)}


def test_its_certificate_is_what_tls_shows(front):
    host, port = front.tls.split(":")
    context = ssl.create_default_context(cafile=front.certificate)
    with (
        socket.create_connection((host, int(port)), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=host) as wire,
    ):
        assert wire.version() in ("TLSv1.2", "TLSv1.3")
        lines = [
            f"OPTIONS sip:{front.tls};transport=tls SIP/2.0",
            "Via: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bK1;rport", "From: <sip:me@127.0.0.1>;tag=1",
            f"To: <sip:{front.tls}>", "Call-ID: 1", "CSeq: 1 OPTIONS", "Max-Forwards: 70", "Content-Length: 0",
        ]  # fmt: skip
        wire.sendall("\r\n".join([*lines, "", ""]).encode())
        assert wire.recv(65535).startswith(b"SIP/2.0 200 ")


def test_a_gateway_calls_a_phone_on_tcp_through_it(tmp_path, pair):
    with Baresip(tmp_path, "bob") as bob:
        call = pair[0].dial(f"{bob.uri};transport=tcp")
        pair[0].say(call, GREETING)
        pair[0].until(call, "utterance.finished")
        bob.until_recorded(len(spoken(GREETING, voice=VOICE)) + 800)
        pair[0].ask("DELETE", f"/v1/calls/{call['id']}")
        bob.until("CALL_CLOSED")
        heard_exactly(bob.recording(), spoken(GREETING, voice=VOICE))


def test_a_full_gateway_is_left_out_until_it_has_room(tmp_path, pair, front):
    full, other = pair
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        target = {"rtp": {"address": "127.0.0.1", "port": deaf.getsockname()[1]}}
        held = [full.ask("POST", "/v1/calls", target) for _ in range(MOST_CALLS)]
        with pytest.raises(Problem, match="full"):
            full.ask("POST", "/v1/calls", target)
        before = len(other.calls())
        # until a probe has met its 503, an INVITE may; the call goes to the other one then
        calls_over_tcp(tmp_path, front, 2)
        front.until(full.sip, active=False)
        calls_over_tcp(tmp_path, front, 4)
        assert len(other.calls()) - before == 6
        for call in held:
            full.ask("DELETE", f"/v1/calls/{call['id']}")
    front.until(full.sip, active=True)


def test_a_dead_gateway_is_left_out_until_it_lives(tmp_path, pair, front):
    other, dead = pair
    before = len(other.calls())
    dead.gateway.process.send_signal(signal.SIGSTOP)
    try:
        # the probes have not met its silence yet, an INVITE may
        calls_over_tcp(tmp_path, front, 2)
        front.until(dead.sip, active=False)
        calls_over_tcp(tmp_path, front, 2)
        assert len(other.calls()) - before == 4
    finally:
        dead.gateway.process.send_signal(signal.SIGCONT)
    front.until(dead.sip, active=True)


def test_a_gateway_is_upgraded_under_load_and_nobody_hears_of_it(tmp_path, settings, pair, front):
    """The last test here: one of the two is drained and ends, and a new one takes its address."""
    before = [len(desk.calls()) for desk in pair]
    with (
        Ear() as ear,
        Baresip(tmp_path) as alice,
        Sipp(
            tmp_path, "uac_until_bye", "-r", 10, remote=front.udp, calls=10_000, rtp_port=ear.ports[0]
        ) as load,
    ):
        alice.dial(f"sip:say@{front.tls};transport=tls;say={quote(LONG)}")
        alice.until("CALL_ESTABLISHED")
        new = {desk: desk.calls()[count:] for desk, count in zip(pair, before, strict=True)}
        draining = next(
            desk for desk, calls in new.items() if any("say=" in call["sip"]["request_uri"] for call in calls)
        )
        draining.until_calls(2)
        assert draining.ask("POST", "/v1/drain")["calls"] >= 2, "hers and others"
        front.until(draining.sip, active=False)
        assert not alice.seen("CALL_CLOSED"), "out while it still speaks: it said so, it is not gone"
        draining.until_calls(0)
        alice.until("CALL_CLOSED")
        known = {call["id"] for call in draining.calls()[: before[pair.index(draining)]]}
        assert {call["cause"] for call in draining.calls() if call["id"] not in known} == {"spoken"}
        assert draining.gateway.stop() == 0
        with desk_with(**(settings | {"sip_listen": draining.sip})) as fresh:
            front.until(fresh.sip, active=True)
            fresh.next_call()
            load.finish()
            went = load.well()
        heard_exactly(alice.recording(), spoken(LONG, voice=VOICE))
        assert (went.failed, went.successful >= 30) == (0, True)
        said = encode_text(GREETING, VOICE, "PCMU", Settings())
        streams = ear.octets()
        assert len(streams) == went.successful
        assert [ssrc for ssrc, (octets, _) in streams.items() if said not in octets] == []
