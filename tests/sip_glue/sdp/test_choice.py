"""Which line, which codec, which packet time, which ports, and whether to send at all."""

from __future__ import annotations

import pytest

from sip_glue import sdp
from sip_glue.sdp.choice import PTIMES, packet_time
from sip_glue.sdp.model import STATIC

US = sdp.Capabilities()


@pytest.fixture
def media(body):
    """The decision about one audio line with these attributes."""

    def decide(*attributes, m="m=audio 4000 RTP/AVP 0 8 101", capabilities=US, connection="IN IP4 10.0.0.9"):
        lines = (m, "a=rtpmap:101 telephone-event/8000", *attributes)
        return sdp.select(body(*lines, connection=connection), capabilities).media

    return decide


def test_the_plainest_offer(media):
    assert media() == sdp.Media(
        address="10.0.0.9",
        port=4000,
        rtcp_port=4001,
        rtcp_mux=False,
        payload_type=0,
        law="PCMU",
        ptime_ms=20,
        dtmf_payload_type=101,
        direction="send",
    )


@pytest.mark.parametrize(
    ("formats", "rtpmaps", "theirs", "ours"),
    [
        ("0 8", [], ("PCMU", 0), ("PCMA", 8)),
        ("8 0", [], ("PCMA", 8), ("PCMA", 8)),
        ("18 9 0", ["18 G729/8000", "9 G722/8000"], ("PCMU", 0), ("PCMU", 0)),
        ("96 0", ["96 pcma/8000"], ("PCMA", 96), ("PCMA", 96)),
        ("96 97 8", ["96 PCMU/16000", "97 PCMU/8000/2"], ("PCMA", 8), ("PCMA", 8)),
        ("0 8", ["0 G729/8000"], ("PCMA", 8), ("PCMA", 8)),
        ("0 96", ["96 PCMA/8000/1"], ("PCMU", 0), ("PCMA", 96)),
    ],
)
def test_the_codec_by_their_order_or_ours(media, formats, rtpmaps, theirs, ours):
    line = {"m": f"m=audio 4000 RTP/AVP {formats}"}
    attributes = [f"a=rtpmap:{rtpmap}" for rtpmap in rtpmaps]
    by_theirs = media(*attributes, **line, capabilities=sdp.Capabilities(("PCMA", "PCMU")))
    by_ours = media(*attributes, **line, capabilities=sdp.Capabilities(("PCMA", "PCMU"), ours_first=True))
    assert (by_theirs.law, by_theirs.payload_type) == theirs
    assert (by_ours.law, by_ours.payload_type) == ours


def test_a_law_that_we_do_not_speak_is_not_taken(media):
    assert media(capabilities=sdp.Capabilities(("PCMA",))).law == "PCMA"
    with pytest.raises(sdp.NotAcceptable, match="none of PCMA at 8000 Hz"):
        media(m="m=audio 4000 RTP/AVP 0", capabilities=sdp.Capabilities(("PCMA",)))


@pytest.mark.parametrize("number", [n for n in range(128) if n not in STATIC])
def test_telephone_event_has_the_peers_number(body, number):
    offer = body(f"m=audio 4000 RTP/AVP 0 {number}", f"a=rtpmap:{number} TELEPHONE-EVENT/8000")
    assert sdp.select(offer, US).media.dtmf_payload_type == number


@pytest.mark.parametrize(
    ("rtpmaps", "number"),
    [
        (["101 telephone-event/16000", "96 telephone-event/8000"], 96),
        (["101 telephone-event/48000"], None),
        (["97 telephone-event/8000"], None),
        (["8 telephone-event/8000"], None),
        ([], None),
    ],
)
def test_telephone_event_at_the_audio_clock_rate_or_none(body, rtpmaps, number):
    offer = body("m=audio 4000 RTP/AVP 0 8 101 96", *(f"a=rtpmap:{rtpmap}" for rtpmap in rtpmaps))
    assert sdp.select(offer, US).media.dtmf_payload_type == number


def test_no_telephone_event_if_we_have_none(media):
    assert media(capabilities=sdp.Capabilities(dtmf_payload_type=None)).dtmf_payload_type is None


@pytest.mark.parametrize(
    ("ptime", "maxptime", "chosen"),
    [
        (None, None, 20),
        (10, None, 10),
        (20, None, 20),
        (30, None, 30),
        (40, None, 40),
        (60, None, 60),
        (5, None, 10),
        (25, None, 20),
        (50, None, 40),
        (80, None, 60),
        (1000, None, 60),
        (None, 150, 20),
        (None, 20, 20),
        (None, 10, 10),
        (None, 15, 10),
        (None, 9, None),
        (20, 150, 20),
        (30, 20, 20),
        (60, 50, 40),
        (40, 40, 40),
        (40, 9, None),
    ],
)
def test_packet_times(media, ptime, maxptime, chosen):
    attributes = [f"a=ptime:{ptime}"] * bool(ptime) + [f"a=maxptime:{maxptime}"] * bool(maxptime)
    if chosen:
        assert media(*attributes).ptime_ms == chosen
    else:
        with pytest.raises(sdp.NotAcceptable, match="maxptime 9 is less than 10 ms"):
            media(*attributes)


def test_packet_times_exhaustively():
    wishes = [None, *range(1, 201)]
    for default in PTIMES:
        for ptime in wishes:
            for maxptime in wishes:
                allowed = [n for n in PTIMES if n <= max(ptime or default, 10) and n <= (maxptime or 999)]
                assert packet_time(ptime, maxptime, default) == (allowed[-1] if allowed else None)


@pytest.mark.parametrize("fixed", PTIMES)
def test_a_packet_time_in_use_stays_or_the_line_is_refused(body, fixed):
    """Every wish and every limit: packets that a limit forbids cannot go on, so the call cannot."""
    speak = sdp.Capabilities(ptime_ms=fixed, ptime_fixed=True)
    for ptime in (None, 5, *PTIMES, 150):
        for maxptime in (None, *PTIMES, 150):
            attributes = [f"a=ptime:{ptime}"] * bool(ptime) + [f"a=maxptime:{maxptime}"] * bool(maxptime)
            offer = body("m=audio 4000 RTP/AVP 0", *attributes)
            if maxptime is None or maxptime >= fixed:
                assert sdp.select(offer, speak).media.ptime_ms == fixed
            else:
                with pytest.raises(sdp.NotAcceptable, match=f"maxptime {maxptime} is less than {fixed} ms"):
                    sdp.select(offer, speak)


@pytest.mark.parametrize(
    ("attributes", "port", "mux"),
    [
        ([], 4001, False),
        (["a=rtcp:5000"], 5000, False),
        (["a=rtcp:5000 IN IP4 192.168.1.9"], 5000, False),
        (["a=rtcp:0"], 4001, False),
        (["a=rtcp-mux"], 4000, True),
        (["a=rtcp:5000", "a=rtcp-mux"], 4000, True),
    ],
)
def test_where_rtcp_goes(media, attributes, port, mux):
    decided = media(*attributes)
    assert (decided.address, decided.rtcp_port, decided.rtcp_mux) == ("10.0.0.9", port, mux)


def test_mux_only_if_we_want_it_and_types_do_not_look_like_rtcp(body, media):
    without = media("a=rtcp-mux", "a=rtcp:5000", capabilities=sdp.Capabilities(rtcp_mux=False))
    assert (without.rtcp_port, without.rtcp_mux) == (5000, False)
    for number in (63, 64, 95, 96):
        offer = body(f"m=audio 4000 RTP/AVP {number}", f"a=rtpmap:{number} PCMU/8000", "a=rtcp-mux")
        assert sdp.select(offer, US).media.rtcp_mux == (number in (63, 96))


def test_the_last_port_has_no_next(media):
    last = "m=audio 65535 RTP/AVP 0"
    with pytest.raises(sdp.NotAcceptable, match="RTCP would go to port 65536"):
        media(m=last)
    assert media("a=rtcp-mux", m=last).rtcp_port == 65535
    assert media("a=rtcp:4001", m=last).rtcp_port == 4001


@pytest.mark.parametrize(
    "connection", ["IN IP4 10.0.0.9", "IN IP4 0.0.0.0", "IN IP6 ::", "IN IP6 ::ffff:0.0.0.0"]
)
@pytest.mark.parametrize("attribute", ["a=sendrecv", "a=recvonly", "a=sendonly", "a=inactive", "a=x"])
def test_hold_in_every_dialect(media, connection, attribute):
    decided = media(attribute, connection=connection)
    sent = connection == "IN IP4 10.0.0.9"
    assert decided.address == ("10.0.0.9" if sent else None)
    assert decided.direction == (
        "send" if sent and attribute[2:] in ("sendrecv", "recvonly", "x") else "hold"
    )


def test_the_first_usable_line_is_taken(body):
    offer = body(
        "m=image 4000 udptl t38",
        "m=audio 4002 RTP/SAVP 0",
        "m=audio 0 RTP/AVP 0",
        "m=audio 4004 RTP/AVP 18",
        "m=audio 4006 rtp/avp 8",
        "c=IN IP6 2001:db8::1",
        "m=audio 4008 RTP/AVP 0",
    )
    chosen = sdp.select(offer, US)
    assert (chosen.index, chosen.media.address, chosen.media.port) == (4, "2001:db8::1", 4006)


def test_why_every_line_was_refused(body):
    with pytest.raises(sdp.NotAcceptable) as refused:
        sdp.select(body("m=image 4000 udptl t38", "m=audio 4002 RTP/SAVP 0", "m=audio 0 RTP/AVP 0"), US)
    assert refused.value.reasons == (
        "m=image 4000 udptl: only audio over RTP/AVP is spoken",
        "m=audio 4002 RTP/SAVP: only audio over RTP/AVP is spoken",
        "m=audio 0 RTP/AVP: switched off",
    )
    with pytest.raises(sdp.NotAcceptable, match="no m= line"):
        sdp.select(body(), US)


@pytest.mark.parametrize(
    "wrong",
    [
        {"laws": ()},
        {"laws": ("PCMU", "PCMU")},
        {"ptime_ms": 25},
        {"dtmf_payload_type": 0},
        {"dtmf_payload_type": 8},
        {"dtmf_payload_type": 128},
        {"dtmf_payload_type": -1},
    ],
)
def test_capabilities_that_nobody_has(wrong):
    with pytest.raises(ValueError, match=r"laws|ptime_ms|dtmf_payload_type"):
        sdp.Capabilities(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"address": "host"},
        {"address": "0.0.0.0"},
        {"address": "::"},
        {"address": "224.0.0.1"},
        {"address": "::ffff:10.0.0.1"},
        {"address": "fe80::1%eth0"},
        {"port": 0},
        {"port": 65535},
        {"rtcp_port": 65536},
        {"session_id": -1},
        {"session_id": 1 << 62},
    ],
)
def test_our_own_side_must_be_sayable(wrong):
    with pytest.raises(ValueError, match=r"address|port|session_id"):
        sdp.LocalMedia(**{"address": "127.0.0.1", "port": 20000, "session_id": 1} | wrong)
