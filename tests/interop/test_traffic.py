"""Calls by the thousand, lost messages, re-INVITEs and odd offers, as SIPp makes them; each is listened to."""

import time

import numpy as np
import pytest

from bench.machine import stolen_seconds
from gateway.settings import Settings
from gateway.speech.offline import encode_text
from telephony_codecs import Law, decode

from .audio import heard, spoken
from .conftest import desk_with
from .ear import Ear
from .peers import Kamailio, Sipp, reinvite

SHORT = "Hello."
LONG = "One two three four five six seven eight nine ten."


@pytest.fixture
def ear():
    with Ear(2) as listening:
        yield listening


@pytest.fixture(scope="module")
def talking():
    """Says a long sentence to whoever calls, then hangs up."""
    with desk_with(sip_greeting=LONG, sip_hang_up=True) as desk:
        yield desk


@pytest.fixture(scope="module")
def brief():
    """Says one word to whoever calls, then hangs up."""
    with desk_with(sip_greeting=SHORT, sip_hang_up=True, rtcp_interval_seconds=60) as desk:
        yield desk


def reference(text, law="PCMU"):
    return encode_text(text, None, law, Settings())


def settled(desk, count):
    """Waits until so many calls are over; returns them."""
    deadline = time.monotonic() + 20
    while True:
        everything = []
        page = {"next": ""}
        while page["next"] is not None:
            after = f"&after={page['next']}" if page["next"] else ""
            page = desk.ask("GET", f"/v1/calls?limit=1000{after}")
            everything += page["calls"]
        done = [call for call in everything if call["state"] == "closed"]
        if len(done) >= count and len(done) == len(everything):
            return done
        assert time.monotonic() < deadline, f"{len(done)} of {count} are over, {len(everything)} there are"
        time.sleep(0.1)


def all_heard(ear, text, count):
    """Every stream, and there are ``count``, is the text, octet for octet."""
    streams = ear.octets()
    said = reference(text)
    assert len(streams) == count
    assert [ssrc for ssrc, (octets, _) in streams.items() if said not in octets] == []
    assert ear.receiver.kernel_drops == 0


@pytest.mark.timeout(120)
def test_two_thousand_calls_at_a_hundred_a_second_each_hear_the_word(tmp_path, brief, ear):
    stolen = stolen_seconds()  # a tick is missed by us, or the host had the core for as long
    with Sipp(
        tmp_path, "uac_until_bye", "-r", 100, remote=brief.sip, calls=2000, rtp_port=ear.ports[0]
    ) as run:
        went = run.well(90)
    assert (went.successful, went.failed) == (2000, 0)
    calls = settled(brief, 2000)
    assert {call["cause"] for call in calls} == {"spoken"}
    assert sum(call["statistics"]["missed_ticks"] for call in calls) == 0 or stolen_seconds() > stolen + 0.02
    all_heard(ear, SHORT, 2000)


@pytest.mark.timeout(120)
def test_five_hundred_calls_with_every_tenth_message_lost(tmp_path, brief, ear):
    with Sipp(
        tmp_path, "uac_until_bye", "-r", 50, "-lost", 10, remote=brief.sip, calls=500, rtp_port=ear.ports[0]
    ) as run:
        went = run.well(90)
    assert (went.successful, went.failed) == (500, 0)
    all_heard(ear, SHORT, 500)


def test_an_invite_without_an_offer_gets_one(tmp_path, talking, ear):
    with Sipp(tmp_path, "uac_late_offer", remote=talking.sip, rtp_port=ear.ports[0]) as run:
        run.well()
    assert reference(LONG) in ear.the_stream()[0]


def reinvited(folder, remote, ear, arguments):
    """A call to ``remote`` that is re-INVITEd in mid-sentence, as `reinvite` says, and back again."""
    with Sipp(folder, "uac_reinvite", *arguments, remote=remote, rtp_port=ear.ports[0], pause_ms=600) as run:
        run.well()


@pytest.mark.parametrize(
    "how", [{"direction": "sendonly"}, {"direction": "inactive"}, {"address": "0.0.0.0"}]
)
def test_hold_stops_the_packets_and_resume_goes_on_where_it_was(tmp_path, talking, ear, how):
    arguments = reinvite(ear.ports[0], **how)
    reinvited(tmp_path, talking.sip, ear, arguments)
    octets, packets = ear.the_stream()
    gaps = np.diff(packets["t_ns"]) / 1e6
    assert (gaps > 100).sum() == 1
    at = int(gaps.argmax())
    assert 500 < gaps[at] < 800
    # the clock ran on, the numbers did not, and a new talkspurt is marked
    assert int(packets["seq"][at + 1] - packets["seq"][at]) & 0xFFFF == 1
    stamps = int(packets["timestamp"][at + 1] - packets["timestamp"][at]) & 0xFFFFFFFF
    assert stamps / 8 == pytest.approx(gaps[at], abs=15)
    assert packets["marker"][at + 1]
    # both halves are there, whole, with nothing but silence between them
    said = reference(LONG)
    start = octets.index(said[:800])
    cut = next(n for n in range(len(said), 0, -160) if octets[start : start + n] == said[:n])
    assert cut > 2400
    # beyond the packet in which speech comes back, which may swell for its first 10 ms
    rest = said[cut + 160 :].rstrip(b"\xff")
    assert rest in octets[start + cut :]


def test_another_codec_in_mid_sentence(tmp_path, talking, ear):
    arguments = reinvite(ear.ports[0], payload_type=8)
    stolen = stolen_seconds()
    reinvited(tmp_path, talking.sip, ear, arguments)
    octets, packets = ear.the_stream()
    assert set(packets["payload_type"]) == {0, 8}
    assert (np.diff(packets["seq"].astype(np.int64)) % 65536 == 1).all()
    assert (np.diff(packets["timestamp"].astype(np.int64)) % 2**32 == 160).all()
    late_ns = 60e6 + 1e9 * (stolen_seconds() - stolen)  # or the host had the core for as long
    assert np.diff(packets["t_ns"]).max() < late_ns, "no gap in the stream"
    pcm = np.concatenate(
        [
            decode(
                Law.PCMA if kind == 8 else Law.PCMU, np.frombuffer(octets[160 * n : 160 * n + 160], np.uint8)
            )
            for n, kind in enumerate(packets["payload_type"])
        ]
    )
    # a part of it was compressed twice, which is not exact
    heard(pcm, spoken(LONG), exact=0.3, length_ms=100.0, distance_db=3.0)


def test_another_address_in_mid_sentence(tmp_path, talking, ear):
    arguments = reinvite(ear.ports[1])
    reinvited(tmp_path, talking.sip, ear, arguments)
    octets, packets = ear.the_stream()
    assert reference(LONG) in octets
    assert (np.diff(packets["seq"].astype(np.int64)) % 65536 == 1).all()
    assert list(packets["port_index"][np.flatnonzero(np.diff(packets["port_index"])) + 1]) == [1, 0]


def test_a_session_refresh_is_not_heard(tmp_path, talking, ear):
    arguments = reinvite(ear.ports[0], version=1, back_version=1)
    reinvited(tmp_path, talking.sip, ear, arguments)
    octets, packets = ear.the_stream()
    assert reference(LONG) in octets
    assert (np.diff(packets["seq"].astype(np.int64)) % 65536 == 1).all()


def test_a_call_through_a_record_routing_kamailio(tmp_path, talking, ear):
    with Kamailio(tmp_path, forward=talking.sip) as proxy:
        arguments = reinvite(ear.ports[1])
        reinvited(tmp_path, proxy.address, ear, arguments)
    assert reference(LONG) in ear.the_stream()[0]


def test_a_cancelled_call_leaves_nothing(tmp_path):
    with desk_with(sip_incoming="ring") as desk:
        with Sipp(tmp_path, "cancel", "-r", 20, remote=desk.sip, calls=40) as run:
            run.well()
        calls = settled(desk, 40)
        assert {call["cause"] for call in calls} == {"cancelled"}


def test_ipv6(tmp_path):
    with (
        desk_with("::1", sip_greeting=SHORT, sip_hang_up=True) as desk,
        Sipp(tmp_path, "uac_until_bye", remote=desk.sip, host="::1") as run,
    ):
        run.well()
        (call,) = settled(desk, 1)
        assert call["cause"] == "spoken"
        assert call["rtp"]["remote"]["address"] == "::1"
