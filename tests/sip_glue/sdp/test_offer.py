"""Our offers, and every kind of answer to them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sip_glue import sdp


def test_the_whole_body(local):
    assert sdp.offer(local).text.split("\r\n") == [
        "v=0",
        "o=- 4711 1 IN IP4 127.0.0.1",
        "s=-",
        "c=IN IP4 127.0.0.1",
        "t=0 0",
        "m=audio 20000 RTP/AVP 0 8 101",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=ptime:20",
        "a=sendrecv",
        "",
    ]


def test_what_is_configured_is_offered(local):
    ours = sdp.Capabilities(("PCMA", "PCMU"), ptime_ms=30, dtmf_payload_type=None)
    text = sdp.offer(replace(local, capabilities=ours, rtcp_port=20009)).text
    assert "m=audio 20000 RTP/AVP 8 0\r\n" in text
    assert "a=ptime:30\r\na=rtcp:20009\r\na=sendrecv\r\n" in text
    assert "telephone-event" not in text


DECIDED = sdp.Media(
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
EVENT = "a=rtpmap:101 telephone-event/8000"


@pytest.mark.parametrize(
    ("lines", "differs"),
    [
        (["m=audio 4000 RTP/AVP 0 101", EVENT], {}),
        (["m=audio 4000 RTP/AVP 0 101"], {}),
        (["m=audio 4000 RTP/AVP 0"], {"dtmf_payload_type": None}),
        (["m=audio 4000 RTP/AVP 0 96", "a=rtpmap:96 telephone-event/8000"], {"dtmf_payload_type": 96}),
        (["m=audio 4000 RTP/AVP 8 0 101", EVENT], {"payload_type": 8, "law": "PCMA"}),
        (["m=audio 4000 RTP/AVP 18 8 0 101", EVENT], {"payload_type": 8, "law": "PCMA"}),
        (["m=audio 4000 RTP/AVP 99 101", "a=rtpmap:99 PCMA/8000"], {"payload_type": 99, "law": "PCMA"}),
        (["m=audio 4000 RTP/AVP 0 101", "a=ptime:30"], {"ptime_ms": 30}),
        (["m=audio 4000 RTP/AVP 0 101", "a=maxptime:10"], {"ptime_ms": 10}),
        (["m=audio 4000 RTP/AVP 0 101", "a=rtcp:4009"], {"rtcp_port": 4009}),
        (["m=audio 4000 RTP/AVP 0 101", "a=rtcp-mux"], {}),
        (["m=audio 4000 RTP/AVP 0 101", "a=recvonly"], {}),
        (["m=audio 4000 RTP/AVP 0 101", "a=sendonly"], {"direction": "hold"}),
        (["m=audio 4000 RTP/AVP 0 101", "a=inactive"], {"direction": "hold"}),
        (["m=audio 4000 RTP/AVP 0 101", "c=IN IP4 0.0.0.0"], {"direction": "hold", "address": None}),
        (["m=audio 4000 RTP/AVP 0 101", "c=IN IP4 host.example"], {"address": "host.example"}),
    ],
)
def test_answers(body, local, lines, differs):
    assert sdp.accept_answer(sdp.offer(local).description, body(*lines)) == replace(DECIDED, **differs)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([], "as many m= lines as the offer: 1, not 0"),
        (["m=audio 4000 RTP/AVP 0", "m=audio 4002 RTP/AVP 0"], "as many m= lines as the offer: 1, not 2"),
        (["m=video 4000 RTP/AVP 0"], "line 6: answers audio over RTP/AVP with something else"),
        (["m=audio 4000 RTP/SAVP 0"], "line 6: answers audio over RTP/AVP with something else"),
        (["m=audio 4000 RTP/AVP 18"], "line 6: answers with formats 18, none of which was offered"),
        (["m=audio 4000 RTP/AVP 3 101", EVENT], "answers with formats 3 101, none of which was offered"),
        (["m=audio 4000 RTP/AVP 0", "a=rtpmap:0 G729/8000"], "answers with formats 0, none of which"),
        (["m=audio 4000 RTP/AVP 97", "a=rtpmap:97 PCMU/16000"], "answers with formats 97, none of which"),
    ],
)
def test_answers_that_answer_something_else(body, local, lines, why):
    with pytest.raises(sdp.SdpError, match=why):
        sdp.accept_answer(sdp.offer(local).description, body(*lines))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("m=audio 0 RTP/AVP 0", "turned the audio down"),
        ("m=audio 65535 RTP/AVP 0", "port 65536"),
    ],
)
def test_answers_that_leave_no_audio(body, local, line, why):
    with pytest.raises(sdp.NotAcceptable, match=why):
        sdp.accept_answer(sdp.offer(local).description, body(line))


def test_only_what_was_offered_is_heard(body, local):
    only = replace(local, capabilities=sdp.Capabilities(("PCMA",), dtmf_payload_type=None))
    offered = sdp.offer(only).description
    answer = body("m=audio 4000 RTP/AVP 0 8 101", EVENT)
    assert sdp.accept_answer(offered, answer) == replace(
        DECIDED, payload_type=8, law="PCMA", dtmf_payload_type=None
    )


class TestWithinASession:
    """A re-INVITE without a body: the offer in our 200 keeps to what the session is."""

    OFFER = (
        "m=video 5000 RTP/AVP 31",
        "m=audio 4000 RTP/AVP 8 0 96",
        "a=rtpmap:96 telephone-event/8000",
        "a=ptime:30",
        "a=rtcp-mux",
        "a=mid:a",
    )

    def test_it_keeps_lines_numbers_codec_and_origin(self, body, local):
        answered = sdp.answer(body(*self.OFFER), local)
        text = sdp.offer(local, answered.description).text
        assert text.split("\r\n") == [
            "v=0",
            "o=- 4711 2 IN IP4 127.0.0.1",
            "s=-",
            "c=IN IP4 127.0.0.1",
            "t=0 0",
            "m=video 0 RTP/AVP 31",
            "m=audio 20000 RTP/AVP 8 0 96",
            "a=mid:a",
            "a=rtpmap:8 PCMA/8000",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:96 telephone-event/8000",
            "a=fmtp:96 0-15",
            "a=ptime:30",
            "a=rtcp-mux",
            "a=sendrecv",
            "",
        ]

    def test_the_same_offer_again_is_the_same_text(self, body, local):
        once = sdp.offer(local, sdp.answer(body(*self.OFFER), local).description)
        assert sdp.offer(local, once.description) == once
        first = sdp.offer(local)
        assert sdp.offer(local, first.description) == first

    def test_its_answer_is_read_and_the_next_offer_answered(self, body, local):
        offered = sdp.offer(local, sdp.answer(body(*self.OFFER), local).description)
        answer = body("m=video 0 RTP/AVP 31", "m=audio 4444 RTP/AVP 8 96", "a=rtcp-mux")
        assert sdp.accept_answer(offered.description, answer) == sdp.Media(
            "10.0.0.9", 4444, 4444, True, 8, "PCMA", 30, 96, "send"
        )
        held = sdp.answer(body(*self.OFFER, "a=inactive"), local, offered.description)
        assert held.description.origin.version == 3

    @pytest.mark.parametrize(("taken", "number"), [(101, 96), (102, 101)])
    def test_a_number_keeps_its_meaning(self, body, local, taken, number):
        """The peer calls PCMU by the number that we would have given to telephone-event."""
        answered = sdp.answer(body(f"m=audio 4000 RTP/AVP {taken}", f"a=rtpmap:{taken} PCMU/8000"), local)
        assert f"m=audio 20000 RTP/AVP 0 8 {number}\r\n" in sdp.offer(local, answered.description).text


@pytest.mark.parametrize("answered", [10, 30, 60])
def test_a_packet_time_that_an_answer_settled_is_what_we_offer_next(local, body, answered):
    """Our first offer said another one; within a call packets cannot change their length."""
    first = sdp.offer(local)
    media = sdp.accept_answer(first.description, body("m=audio 4000 RTP/AVP 0", f"a=ptime:{answered}"))
    settled = replace(local.capabilities, ptime_ms=media.ptime_ms, ptime_fixed=True)
    again = sdp.offer(replace(local, capabilities=settled), first.description).description
    assert again.media[0].ptime == answered
    kept = sdp.accept_answer(again, body("m=audio 4000 RTP/AVP 0", "a=ptime:20"), ptime_fixed=True)
    assert kept.ptime_ms == answered
