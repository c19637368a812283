"""Offer and answer over a dialog's life, with offers as peers write them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.sip.negotiation import Negotiation
from sip_glue import sdp


def body(
    formats="0 8 101", address="10.0.0.9", port=4000, direction="sendrecv", version=1, extra=()
):  # fmt: skip
    """What Asterisk, baresip and SIPp say, less what does not matter."""
    family = "IP6" if ":" in address else "IP4"
    lines = [
        "v=0", f"o=peer 7 {version} IN IP4 10.0.0.9", "s=call", f"c=IN {family} {address}", "t=0 0",
        f"m=audio {port} RTP/AVP {formats}", "a=rtpmap:101 telephone-event/8000", *extra, f"a={direction}", "",
    ]  # fmt: skip
    return "\r\n".join(lines)


def ours(text):
    """The one live m= line of a body of ours, and its o= version."""
    read = sdp.parse(text)
    (line,) = (line for line in read.media if line.port)
    return line, read.origin.version


@pytest.fixture
def session():
    """A session whose leg is open."""
    made = Negotiation(4711, sdp.Capabilities())
    made.bind("127.0.0.1", 20000, 20001)
    return made


def answered(session, **offer):
    """A peer's offer, heard and answered."""
    return session.hear_offer(body(**offer)), session.answer()


def test_the_peers_call_held_resumed_moved_and_recoded(session):
    media, text = answered(session)
    assert (media.address, media.port, media.rtcp_port, media.codec) == ("10.0.0.9", 4000, 4001, "PCMU")
    assert (media.payload_type, media.ptime, media.dtmf_payload_type, media.held) == (0, 20, 101, False)
    assert ours(text)[1] == 1
    held, text = answered(session, direction="sendonly", version=2)
    assert (held.held, ours(text)[0].direction, ours(text)[1]) == (True, sdp.Direction.RECVONLY, 2)
    nowhere, text = answered(session, address="0.0.0.0", version=3)
    assert (nowhere.held, nowhere.address, ours(text)[1]) == (True, None, 3)
    back, text = answered(session, address="10.0.0.8", formats="8", version=4)
    assert (back.address, back.codec, back.payload_type, back.dtmf_payload_type) == (
        "10.0.0.8",
        "PCMA",
        8,
        None,
    )
    assert ours(text)[1] == 4
    assert answered(session, address="10.0.0.8", formats="8", version=5)[1] == text, "nothing has changed"


@pytest.mark.parametrize(
    ("refused", "error"),
    [
        ({"formats": "9"}, sdp.NotAcceptable),
        ({"port": 0}, sdp.NotAcceptable),
        ({"port": 99999}, sdp.SdpError),
        ({"extra": ("a=maxptime:10",)}, sdp.NotAcceptable),
    ],
)
def test_a_refused_offer_leaves_the_session_as_it_was(session, refused, error):
    media, text = answered(session)
    with pytest.raises(error):
        session.hear_offer(body(**refused))
    assert (media, text) == answered(session)


def test_an_offer_that_was_heard_and_refused_by_others_leaves_no_trace(session):
    media, text = answered(session)
    session.hear_offer(
        body(address="192.0.2.66", formats="8", extra=("a=rtcp-mux",))
    )  # the target policy says no
    assert (media, text) == answered(session)


@pytest.mark.parametrize(("first", "ptime"), [(("a=ptime:30",), 30), (("a=maxptime:15",), 10), ((), 20)])
def test_the_packet_time_of_the_first_agreement_stays(session, first, ptime):
    assert answered(session, extra=first)[0].ptime == ptime
    for wish in (10, 20, 40, 60):
        media, text = answered(session, extra=(f"a=ptime:{wish}",))
        assert (media.ptime, ours(text)[0].ptime) == (ptime, ptime)
    line, _ = ours(session.offer())
    assert line.ptime == ptime
    assert session.hear_answer(body(formats="0", extra=("a=ptime:60",))).ptime == ptime


@pytest.mark.parametrize(("asked", "kept"), [(True, True), (False, False)])
def test_muxing_is_settled_by_the_first_offer(asked, kept):
    session = Negotiation(1, sdp.Capabilities())
    mux = ("a=rtcp-mux",)
    media = session.hear_offer(body(extra=mux if asked else ()))
    assert (media.rtcp_port == media.port) is asked
    session.bind("127.0.0.1", 20000, 20000 if asked else 20001)
    assert ours(session.answer())[0].rtcp_mux is asked
    again, text = answered(session, extra=mux)
    assert (again.rtcp_port == again.port, ours(text)[0].rtcp_mux) == (kept, kept)


def test_a_late_offer(session):
    line, version = ours(session.offer())
    assert ([codec.encoding for codec in line.codecs], version) == (["PCMU", "PCMA", "telephone-event"], 1)
    assert session.offering
    media = session.hear_answer(body(formats="8 101", extra=("a=ptime:40",)))
    assert (media.codec, media.ptime, session.offering) == ("PCMA", 40, False)
    line, version = ours(session.offer())  # to a re-INVITE without a body
    assert (line.ptime, version) == (40, 2), (
        "the packet time is the one agreed on, not the one we offered first"
    )
    media = session.hear_answer(body(formats="0", direction="inactive"))
    assert (media.held, media.ptime) == (True, 40)


def test_a_late_offer_that_is_turned_down(session):
    session.offer()
    with pytest.raises(sdp.NotAcceptable):
        session.hear_answer(body(port=0))
    assert not session.offering


def test_an_offer_of_the_peers_takes_the_place_of_ours(session):
    """A re-INVITE without a body that was cancelled: our offer never reached the peer."""
    answered(session)
    session.offer()
    answered(session, direction="sendonly")
    assert not session.offering


FORMATS = st.permutations(["0", "8", "101", "9"]).flatmap(
    lambda all_: st.integers(1, 4).map(lambda count: " ".join(all_[:count]))
)
OFFERS = st.fixed_dictionaries(
    {},
    optional={
        "formats": FORMATS,
        "address": st.sampled_from(["10.0.0.9", "10.0.0.8", "0.0.0.0", "2001:db8::9", "::"]),
        "port": st.sampled_from([4000, 4002, 65534, 0]),
        "direction": st.sampled_from(["sendrecv", "sendonly", "recvonly", "inactive"]),
        "extra": st.lists(
            st.sampled_from(["a=ptime:10", "a=ptime:30", "a=maxptime:20", "a=rtcp-mux", "a=rtcp:5000"]),
            max_size=3,
            unique_by=lambda line: line.split(":")[0],
        ).map(tuple),
    },
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["offers", "answers", "refused"]), OFFERS), max_size=6))
def test_over_a_dialog_what_is_said_is_what_is_done(steps):
    """The peer's offers and its answers to ours: whatever is agreed on, both sides say the same of it."""
    session = Negotiation(4711, sdp.Capabilities())
    session.bind("127.0.0.1", 20000, 20001)
    version, ptime = 0, None
    for kind, given_ in steps:
        try:
            if kind == "answers":
                text = session.offer()
                media = session.hear_answer(body(**given_))
            else:
                media = session.hear_offer(body(**given_))
                if kind == "refused":
                    continue
                text = session.answer()
        except (sdp.SdpError, sdp.NotAcceptable):
            if kind == "answers":
                return  # the call ends
            continue
        line, said = ours(text)
        assert said in (version, version + 1)
        version = said
        assert media.ptime == (ptime or media.ptime)
        ptime = media.ptime
        assert media.held == (
            media.address is None or given_.get("direction", "sendrecv") in ("sendonly", "inactive")
        )
        assert (media.address is None) == (given_.get("address") in ("0.0.0.0", "::"))
        assert line.port == 20000
        if kind == "offers":
            assert line.ptime == ptime
            assert line.codecs[0].payload_type == media.payload_type
            assert line.direction is sdp.parse(body(**given_)).media[0].direction.mirrored
