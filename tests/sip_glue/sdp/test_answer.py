"""Answers and re-offers: what the body says, and when its version counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sip_glue import sdp

AUDIO = ("m=audio 4000 RTP/AVP 0 8 96", "a=rtpmap:96 telephone-event/8000", "a=fmtp:96 0-16")


def version(answer):
    return answer.description.origin.version


def test_the_whole_body(body, local):
    offer = body(
        "m=video 5000/2 RTP/AVPF 96 97", "a=mid:v", *AUDIO, "a=mid:a", "a=rtcp-mux", "m=image 7 udptl t38"
    )
    assert sdp.answer(offer, local).text.split("\r\n") == [
        "v=0",
        "o=- 4711 1 IN IP4 127.0.0.1",
        "s=-",
        "c=IN IP4 127.0.0.1",
        "t=0 0",
        "m=video 0 RTP/AVPF 96 97",
        "a=mid:v",
        "m=audio 20000 RTP/AVP 0 96",
        "a=mid:a",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:96 telephone-event/8000",
        "a=fmtp:96 0-15",
        "a=ptime:20",
        "a=rtcp-mux",
        "a=sendrecv",
        "m=image 0 udptl t38",
        "",
    ]


def test_ipv6_is_bare(body):
    local = sdp.LocalMedia("2001:DB8:0::2", 20000, session_id=1)
    text = sdp.answer(body(*AUDIO, connection="IN IP6 2001:db8::1"), local).text
    assert "o=- 1 1 IN IP6 2001:db8::2\r\n" in text
    assert "c=IN IP6 2001:db8::2\r\n" in text


def test_our_rtcp_port_is_said_when_it_is_not_the_next(body, local):
    apart = replace(local, rtcp_port=20007)
    assert "a=rtcp:20007\r\n" in sdp.answer(body(*AUDIO), apart).text
    assert "a=rtcp:" not in sdp.answer(body(*AUDIO, "a=rtcp-mux"), apart).text
    assert "a=rtcp" not in sdp.answer(body(*AUDIO, "a=rtcp:5000"), replace(local, rtcp_port=20001)).text


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("a=sendrecv", "a=sendrecv"),
        ("a=sendonly", "a=recvonly"),
        ("a=recvonly", "a=sendonly"),
        ("a=inactive", "a=inactive"),
        ("a=nothing", "a=sendrecv"),
    ],
)
@pytest.mark.parametrize("connection", ["IN IP4 10.0.0.9", "IN IP4 0.0.0.0", "IN IP6 ::"])
def test_the_direction_is_mirrored(body, local, theirs, ours, connection):
    for lines in ((*AUDIO, theirs), (theirs, *AUDIO)):
        assert sdp.answer(body(*lines, connection=connection), local).text.endswith(f"{ours}\r\n")


def test_t_is_the_offers(local):
    offer = sdp.parse("v=0\no=- 1 1 IN IP4 10.0.0.9\nc=IN IP4 10.0.0.9\nt=5 9\nm=audio 4000 RTP/AVP 0\n")
    assert "t=5 9\r\n" in sdp.answer(offer, local).text


def test_a_refresh_gets_the_very_same_text(body, local):
    first = sdp.answer(body(*AUDIO), local)
    again = sdp.answer(body(*AUDIO, version=2), local, first.description)
    assert (again.text, again.media) == (first.text, first.media)


def test_the_peer_may_move_without_our_saying_anything_new(body, local):
    first = sdp.answer(body(*AUDIO), local)
    moved = sdp.answer(body(*AUDIO, connection="IN IP4 10.0.0.10"), local, first.description)
    assert (moved.text, moved.media.address) == (first.text, "10.0.0.10")


def test_every_change_counts_one(body, local):
    """Hold, resume, codec, ptime, our port, a new line: version 2, 3, 4 …; the rest of o= stays for ever."""
    video = ("m=video 5000 RTP/AVP 31",)
    steps = [
        ((*AUDIO, "a=sendonly"), local),
        (AUDIO, local),
        (("m=audio 4000 RTP/AVP 8",), local),
        (("m=audio 4000 RTP/AVP 8", "a=ptime:30"), local),
        (("m=audio 4000 RTP/AVP 8", "a=ptime:30"), replace(local, port=20002)),
        (("m=audio 4000 RTP/AVP 8", "a=ptime:30"), replace(local, address="127.0.0.2")),
        (("m=audio 4000 RTP/AVP 8", *video), local),
    ]
    said = sdp.answer(body(*AUDIO), local)
    for count, (lines, ours) in enumerate(steps, 2):
        other_id = replace(ours, session_id=99)
        said = sdp.answer(body(*lines), other_id, said.description)
        assert said.text.splitlines()[1] == f"o=- 4711 {count} IN IP4 127.0.0.1"
        assert sdp.answer(body(*lines), other_id, said.description) == said


def test_the_line_in_use_stays_in_use(body, local):
    first = sdp.answer(body("m=audio 0 RTP/AVP 0", *AUDIO), local)
    both = sdp.answer(body("m=audio 6000 RTP/AVP 0", *AUDIO), local, first.description)
    assert (both.text, both.media.port) == (first.text, 4000)
    gone = sdp.answer(body("m=audio 6000 RTP/AVP 0", "m=audio 0 RTP/AVP 0"), local, both.description)
    assert (gone.media.port, version(gone)) == (6000, 2)


def test_a_refused_offer_leaves_the_session_as_it_was(body, local):
    first = sdp.answer(body(*AUDIO), local)
    with pytest.raises(sdp.NotAcceptable):
        sdp.answer(body("m=audio 0 RTP/AVP 0", "m=image 4000 udptl t38"), local, first.description)
    assert sdp.answer(body(*AUDIO), local, first.description) == first


def test_a_line_without_formats_is_still_rejected_in_good_grammar(body, local):
    assert "m=video 0 RTP/AVP 0\r\n" in sdp.answer(body(*AUDIO, "m=video 5000 RTP/AVP"), local).text


def test_what_was_parsed_is_what_was_meant(body, local):
    said = sdp.answer(body("m=video 5000 RTP/AVP 31", *AUDIO, "a=ptime:30"), local)
    assert sdp.parse(said.text) == said.description
