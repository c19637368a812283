"""The exchanges of RFC 4317, with us in the place of whichever side takes PCMU.

Their c= lines are host names, which the gateway's target policy refuses; here they show what is passed to it.
Where the RFC's only codec is iLBC, the same flow is also played with PCMU.
"""

from __future__ import annotations

import pytest

from sip_glue import sdp

PCMU, PCMA, ILBC = "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", "a=rtpmap:97 iLBC/8000"
H261, MPV = "a=rtpmap:31 H261/90000", "a=rtpmap:32 MPV/90000"
EVENTS = ("m=audio 49172 RTP/AVP 98", "a=rtpmap:98 telephone-event/8000", "a=sendonly")
ATLANTA = "host.atlanta.example.com"


def alice(*lines: str, version: int = 2890844526, where: str = ATLANTA) -> sdp.SessionDescription:
    head = ("v=0", f"o=alice 2890844526 {version} IN IP4 {ATLANTA}", "s= ", f"c=IN IP4 {where}", "t=0 0")
    return sdp.parse("\r\n".join([*head, *lines, ""]))


def media_lines(answer: sdp.Answer) -> list[str]:
    return [line for line in answer.text.splitlines() if line.startswith("m=")]


def test_2_1_audio_and_video(local):
    offer = alice("m=audio 49170 RTP/AVP 0 8 97", PCMU, PCMA, ILBC, "m=video 51372 RTP/AVP 31 32", H261, MPV)
    bob = sdp.answer(offer, local)
    assert media_lines(bob) == ["m=audio 20000 RTP/AVP 0", "m=video 0 RTP/AVP 31 32"]
    assert (bob.media.address, bob.media.port) == (ATLANTA, 49170)


def test_2_2_video_declined_then_one_codec(local):
    first = alice("m=audio 49170 RTP/AVP 0 8 97", PCMU, PCMA, ILBC, "m=video 51372 RTP/AVP 31 32", H261, MPV)
    second = alice("m=audio 51372 RTP/AVP 0", PCMU, "m=video 0 RTP/AVP 31", H261, version=2890844527)
    bob = sdp.answer(first, local)
    again = sdp.answer(second, local, bob.description)
    assert media_lines(again) == ["m=audio 20000 RTP/AVP 0", "m=video 0 RTP/AVP 31"]
    assert again.media.port == 51372
    assert again.description.origin.version == bob.description.origin.version + 1


def test_2_3_the_answer_calls_the_codec_by_another_number(local):
    """Ours is the offer; PCMU takes iLBC's part."""
    bob = alice("m=audio 49172 RTP/AVP 99", "a=rtpmap:99 PCMU/8000")
    assert sdp.accept_answer(sdp.offer(local).description, bob).payload_type == 99


def test_2_4_a_stream_of_its_own_for_tones(local):
    bob = sdp.answer(alice("m=audio 49170 RTP/AVP 0 97", PCMU, ILBC, *EVENTS), local)
    assert media_lines(bob) == ["m=audio 20000 RTP/AVP 0", "m=audio 0 RTP/AVP 98"]
    assert bob.media.dtmf_payload_type is None


def test_2_5_the_peer_moves(local):
    """Alice accepts Bob's new address with the SDP of the first exchange, version and all."""
    first = alice("m=audio 49174 RTP/AVP 0", PCMU, "m=video 49170 RTP/AVP 31", H261)
    moved = alice(
        "m=audio 49178 RTP/AVP 0", PCMU, "m=video 49188 RTP/AVP 31", H261, where="newhost.example.com"
    )
    before = sdp.answer(first, local)
    after = sdp.answer(moved, local, before.description)
    assert after.text == before.text
    assert (after.media.address, after.media.port) == ("newhost.example.com", 49178)


def test_2_6_two_streams_to_choose_from(local):
    offer = alice(
        "m=audio 49170 RTP/AVP 0",
        PCMU,
        "m=audio 51372 RTP/AVP 97 101",
        ILBC,
        "a=rtpmap:101 telephone-event/8000",
    )
    assert media_lines(sdp.answer(offer, local)) == ["m=audio 20000 RTP/AVP 0", "m=audio 0 RTP/AVP 97 101"]


def test_3_1_held_by_the_answer_then_not(local):
    offered = sdp.offer(local)
    held = alice("m=audio 49172 RTP/AVP 0", PCMU, "a=sendonly", where="placeholder.example.com")
    assert sdp.accept_answer(offered.description, held).direction == "hold"
    resumed = sdp.answer(alice("m=audio 49170 RTP/AVP 0", PCMU), local, offered.description)
    assert (resumed.media.direction, resumed.media.address) == ("send", ATLANTA)
    assert resumed.description.origin.version == 2


def test_3_2_one_of_two_streams_held(local):
    tones = ("m=audio 49174 RTP/AVP 98", "a=rtpmap:98 telephone-event/8000", "a=recvonly")
    first = sdp.answer(alice("m=audio 49172 RTP/AVP 0", PCMU, *tones), local)
    held = sdp.answer(alice("m=audio 49172 RTP/AVP 0", PCMU, "a=sendonly", *tones), local, first.description)
    assert (first.media.direction, held.media.direction) == ("send", "hold")
    assert "a=recvonly\r\nm=audio 0 RTP/AVP 98\r\n" in held.text


def test_4_1_a_second_audio_stream_added(local):
    first = sdp.answer(alice("m=audio 49170 RTP/AVP 0", PCMU), local)
    server = (
        "m=audio 48282 RTP/AVP 98",
        "c=IN IP4 mediaserver.example.com",
        "a=rtpmap:98 telephone-event/8000",
    )
    second = sdp.answer(
        alice("m=audio 49170 RTP/AVP 0", PCMU, *server, "a=recvonly"), local, first.description
    )
    assert media_lines(second) == ["m=audio 20000 RTP/AVP 0", "m=audio 0 RTP/AVP 98"]
    assert second.media == first.media


def test_4_2_video_added_and_4_3_deleted(local):
    audio = ("m=audio 49170 RTP/AVP 0", PCMU)
    first = sdp.answer(alice(*audio), local)
    added = sdp.answer(alice(*audio, "m=video 49172 RTP/AVP 31", H261), local, first.description)
    deleted = sdp.answer(alice(*audio, "m=video 0 RTP/AVP 31", H261), local, added.description)
    assert media_lines(added) == ["m=audio 20000 RTP/AVP 0", "m=video 0 RTP/AVP 31"]
    assert added.description.origin.version == 2
    assert deleted == added


def test_5_1_no_media_is_not_acceptable_to_a_speaker(local):
    with pytest.raises(sdp.NotAcceptable, match="no m= line"):
        sdp.answer(alice(), local)


def test_5_2_black_holed_at_first(local):
    """The answer is normal SDP, and the same when the address comes."""
    audio = ("m=audio 23442 RTP/AVP 0", PCMU)
    blind = sdp.answer(alice(*audio, where="0.0.0.0"), local)
    seeing = sdp.answer(alice(*audio, version=2890844527), local, blind.description)
    assert (blind.media.direction, blind.media.address) == ("hold", None)
    assert (seeing.media.direction, seeing.media.address) == ("send", ATLANTA)
    assert seeing.text == blind.text
    assert blind.text.endswith("a=sendrecv\r\n")


def test_5_3_black_holed_by_the_answer(local):
    offered = sdp.offer(local).description
    decided = sdp.accept_answer(offered, alice("m=audio 9322 RTP/AVP 0", PCMU, where="0.0.0.0"))
    assert (decided.direction, decided.address) == ("hold", None)


@pytest.mark.parametrize("where", [ATLANTA, "0.0.0.0"])
def test_ilbc_alone_is_not_spoken(local, where):
    """The offers of 2.5, 2.7, 4.3 and 5.2 as printed."""
    with pytest.raises(sdp.NotAcceptable, match="none of PCMU, PCMA at 8000 Hz"):
        sdp.answer(alice("m=audio 49170 RTP/AVP 97", ILBC, "m=video 51372 RTP/AVP 31", where=where), local)
