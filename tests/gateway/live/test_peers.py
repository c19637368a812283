"""Peers at the media ports: they press keys, report, send rubbish, flood, refuse, and the calls go on."""

import random
import socket
import time

import numpy as np
import pytest

from gateway.listen.listener import Listener
from gateway.media.packet import RtpPacket, TelephoneEvent, build_event, build_rtp
from gateway.settings import Settings
from gateway.speech.offline import encode_text

LONG = " ".join(f"This is sentence number {n} of a long text." for n in range(1, 12))


@pytest.fixture
def phone():
    """A peer's RTP socket: what it hears is not looked at."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    yield sock
    sock.close()


def _press(phone, call, code, ssrc=7):
    target = ("127.0.0.1", call["rtp"]["local"]["port"])
    for i in range(8):
        event = TelephoneEvent(code, i >= 5, 10, 160 * min(i + 1, 6))
        packet = RtpPacket(101, i == 0, 500 + i, 1000 * code, ssrc, build_event(event))
        phone.sendto(build_rtp(packet), target)


def test_a_key_press_is_reported_once_and_cuts_speech(api, phone):
    call = api.open(phone.getsockname()[1])
    said, queued = api.say(call, LONG), api.say(call, "Next.")
    api.wait(call, said, ["speaking"])
    _press(phone, call, 5)
    dtmf = api.wait_event(call, "call.dtmf")
    assert dtmf["data"]["digit"] == "5"
    assert api.wait(call, said)["cause"] == "barge_in"
    assert api.wait(call, queued)["state"] == "stopped"
    time.sleep(0.2)
    assert [e["type"] for e in api.events(call)].count("call.dtmf") == 1
    api.end(call)


def test_a_protected_utterance_is_not_cut_by_a_key(api, phone):
    call = api.open(phone.getsockname()[1])
    said = api.say(call, "This must be heard by everyone who calls.", interruptible="none")
    api.wait(call, said, ["speaking"])
    _press(phone, call, 1)
    api.wait_event(call, "call.dtmf")
    assert api.wait(call, said)["state"] == "finished"
    api.end(call)


def test_digits_that_we_send_are_heard(api, ear):
    listening = ear()
    call = api.open(listening.port)
    api.ask("POST", f"/v1/calls/{call['id']}/dtmf", {"digits": "159#", "duration_ms": 80}, expect=202)
    time.sleep(1.2)
    api.end(call)
    recording = listening.recording(call["rtp"]["ssrc"])
    assert recording.digits == "159#"


def test_rtcp_both_ways_with_our_own_listener(own_gateway):
    _, api = own_gateway(rtcp_interval_seconds=1)
    with Listener("127.0.0.1", 0) as listener:
        target = {"address": "127.0.0.1", "port": listener.port, "rtcp_mux": True}
        call = api.ask("POST", "/v1/calls", {"rtp": target, "silence": "send"})
        deadline = time.monotonic() + 8
        while not [e for e in api.events(call) if e["type"] == "call.quality"]:
            listener.step()
            assert time.monotonic() < deadline
        quality = api.wait_event(call, "call.quality")["data"]
        final = api.end(call)
        for _ in range(20):
            listener.step()
        assert listener.control.received["BYE"] == 1
    assert quality["fraction_lost"] == 0
    assert quality["jitter_ms"] < 20
    assert final["statistics"]["rtcp_received"] >= 1


def test_rubbish_at_every_port_reaches_nobody(api, ear, phone):
    listening = ear()
    calls = [api.open(listening.port) for _ in range(5)]
    said = [api.say(call, LONG) for call in calls]
    rng = random.Random(1)
    valid = build_rtp(RtpPacket(101, True, 1, 5, 9, build_event(TelephoneEvent(1, False, 10, 160))))
    for call in calls:
        for port in (call["rtp"]["local"]["port"], call["rtp"]["local"]["rtcp_port"]):
            for _ in range(200):
                phone.sendto(rng.randbytes(rng.randrange(1, 400)), ("127.0.0.1", port))
            for cut in range(len(valid)):
                phone.sendto(valid[:cut], ("127.0.0.1", port))
            phone.sendto(bytes([0x81, 201, 0, 7]) + bytes(28), ("127.0.0.1", port))
    time.sleep(1)
    offline = encode_text(LONG, None, "PCMU", Settings())
    for call, one in zip(calls, said, strict=True):
        assert api.utterance(call, one)["state"] == "speaking"
        assert offline.startswith(listening.octets(call["rtp"]["ssrc"]))
        assert not [e for e in api.events(call) if e["type"] == "call.dtmf"]
        api.end(call)


def test_a_flood_from_the_peer_delays_nobody(api, ear, phone):
    listening = ear()
    flooded = api.open(phone.getsockname()[1])
    quiet = api.open(listening.port, silence="send")
    target = ("127.0.0.1", flooded["rtp"]["local"]["port"])
    event = build_rtp(RtpPacket(101, True, 1, 5, 9, build_event(TelephoneEvent(16, False, 10, 160))))
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        for _ in range(100):
            phone.sendto(event, target)
        time.sleep(0.001)
    packets, _ = listening.hear()
    assert np.all(np.diff(packets["timestamp"]) == 160), "no frame was missed"
    for call in (flooded, quiet):
        api.end(call)


def test_a_target_that_refuses_ends_its_call_alone(own_gateway, ear):
    _, api = own_gateway(unreachable_seconds=0.5)
    listening = ear()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        port = gone.getsockname()[1]
    refused, good = api.open(port, silence="send"), api.open(listening.port, silence="send")
    closed = api.wait_event(refused, "call.closed")
    assert closed["data"]["cause"] == "unreachable"
    assert api.ask("GET", f"/v1/calls/{good['id']}")["state"] == "open"
    assert api.ask("GET", f"/v1/calls/{refused['id']}")["state"] == "closed"
    api.end(good)


def test_an_independent_judge_agrees(api, ear, tmp_path):
    """tshark (Debian) captures the wire and analyses the RTP stream by itself."""
    import subprocess

    listening = ear()
    port = listening.port
    capture = tmp_path / "wire.pcap"
    with subprocess.Popen(
        ["tshark", "-i", "lo", "-f", f"udp dst port {port}", "-w", str(capture), "-a", "duration:30", "-q"],
        stderr=subprocess.PIPE,
        text=True,
    ) as shark:
        assert shark.stderr is not None
        for line in shark.stderr:
            if "Capturing" in line:
                break
        time.sleep(0.5)
        call = api.open(port, silence="send")
        api.wait(call, api.say(call, "One, two, three, four, five."))
        time.sleep(0.5)
        api.end(call)
        time.sleep(1)
        shark.terminate()
        shark.wait()
    judged = subprocess.run(
        ["tshark", "-r", str(capture), "-d", f"udp.port=={port},rtp", "-q", "-z", "rtp,streams"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    row = next(
        line
        for line in judged.splitlines()
        if f"0x{call['rtp']['ssrc']:08X}" in line.upper().replace("0X", "0x")
    )
    assert "g711U" in row
    packets, _ = listening.hear()
    assert f" {len(packets)} " in row
    assert "0 (0.0%)" in row, "no loss, and no problem found"
