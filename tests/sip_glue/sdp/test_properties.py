"""What holds for any offer: a valid answer or a clean refusal, and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from sip_glue import sdp

PROPERTY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
US = sdp.LocalMedia("127.0.0.1", 20000, session_id=4711)
THEM = sdp.LocalMedia("10.0.0.9", 30000, session_id=1, rtcp_port=30007)

TOKEN = r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+"
CONNECTION = r"IN (?:IP4 [0-9.]+|IP6 [0-9a-f:]+)"
BODY = re.compile(  # RFC 8866 section 9, as far as we write it
    rf"v=0\r\no=- [0-9]+ [0-9]+ {CONNECTION}\r\ns=-\r\nc={CONNECTION}\r\n(?:t=[0-9]+ [0-9]+\r\n)+"
    rf"(?:m={TOKEN} [0-9]+ {TOKEN}(?:/{TOKEN})*(?: {TOKEN})+\r\n"
    rf"(?:a={TOKEN}(?::[^\r\n\0]+)?\r\n)*)+"
)

# -- offers -------------------------------------------------------------------------------------------------

NUMBERS = st.sampled_from([0, 8, 3, 9, 13, 18, 35, 64, 95, 96, 97, 101, 127])
ENCODINGS = st.sampled_from(
    ["PCMU/8000", "pcma/8000", "PCMA/8000/2", "telephone-event/8000", "telephone-event/48000", "opus/48000/2"]
)
ADDRESSES = st.sampled_from(
    [
        "IN IP4 10.0.0.9",
        "IN IP6 2001:db8::9",
        "IN IP6 ::ffff:10.0.0.9",
        "IN IP4 0.0.0.0",
        "IN IP6 ::",
        "IN IP4 host.example",
        "IN IP4 224.0.0.1/16",
    ]
)
PORTS = st.one_of(st.just(9), st.integers(1, 65534))
MAYBE_OFF = st.one_of(st.just(0), PORTS)
PTIMES = st.sampled_from([5, 10, 20, 30, 40, 50, 60, 80, 150])
MAXPTIMES = st.sampled_from([10, 15, 20, 30, 50, 60, 140, 200])
AVP = st.sampled_from(["RTP/AVP", "RTP/AVP", "rtp/avp"])
OTHER = st.sampled_from(["RTP/SAVP 0 101", "RTP/AVPF 8 96", "RTP/AVP 31", "udptl t38", "UDP/DTLS/SCTP x"])
DIRECTIONS = st.sampled_from(["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"])
FORMATS = st.lists(NUMBERS, min_size=1, max_size=8, unique=True)


def some(*lines):
    """Any of these lines, each once at most, in any order."""
    return st.lists(st.sampled_from(range(len(lines))), unique=True).flatmap(
        lambda chosen: st.tuples(*(lines[index] for index in chosen)).map(list)
    )


HOW = some(
    st.builds("a=ptime:{}".format, PTIMES),
    st.builds("a=maxptime:{}".format, MAXPTIMES),
    st.builds("a=rtcp:{}".format, PORTS),
    st.builds("c={}".format, ADDRESSES),
    st.just("a=rtcp-mux"),
    st.just("a=mid:1"),
    st.just("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x"),
    st.just("b=AS:64"),
    DIRECTIONS,
)


@st.composite
def usable(draw):
    """An audio section that we can take."""
    law = draw(st.sampled_from([0, 8]))
    numbers = draw(st.permutations([law, *draw(st.lists(NUMBERS, max_size=6))]))
    maps = [f"a=rtpmap:{n} {draw(ENCODINGS)}" for n in draw(FORMATS) if n not in (0, 8)]
    count = draw(st.sampled_from(["", "", "/1"]))
    head = f"m=audio {draw(PORTS)}{count} {draw(AVP)} {' '.join(map(str, numbers))}"
    return [head, *maps, *draw(HOW)]


OTHERS = st.builds(
    lambda kind, port, rest, how: [f"m={kind} {port} {rest}", *how],
    st.sampled_from(["audio", "video", "image", "application"]),
    MAYBE_OFF,
    OTHER,
    HOW,
)


def body(session, sections):
    head = ["v=0", "o=peer 1 1 IN IP4 10.0.0.9", "s=x", *session, "t=0 0"]
    return [*head, *(line for section in sections for line in section), ""]


SESSION = st.builds(lambda address, rest: [f"c={address}", *rest], ADDRESSES, some(DIRECTIONS))


@st.composite
def offer_lines(draw):
    """An offer with a line that we can take, somewhere among lines that we may or may not."""
    sections = draw(st.lists(st.one_of(usable(), OTHERS), max_size=3))
    sections.insert(draw(st.integers(0, len(sections))), draw(usable()))
    return body(draw(SESSION), sections)


OFFERS = st.builds(lambda lines, end: end.join(lines), offer_lines(), st.sampled_from(["\r\n", "\n"]))

WRONG_WHERE = ["m=audio 99999 RTP/AVP 0", "m=audio 65535 RTP/AVP 0", "m=audio 40/0 RTP/AVP 0", "m=audio"]
WRONG_WHERE += ["c=IN IP4 300.0.0.1", "c=IN IP6 10.0.0.9", "c=IN IP4 a b", "a=rtcp:70000", "a=rtcp:"]
WRONG_HOW = [
    "m=audio 0 RTP/AVP",
    "a=rtpmap:0 opus/48000",
    "a=maxptime:5",
    "a=ptime:-1",
    "a=rtpmap:x",
    "a=mid:a b",
]
WRONG_FORM = ["v=0", "o=-", "t=", "what", "", "=", "\0", "m=a 1 b c"]
WRONG = st.sampled_from(WRONG_WHERE + WRONG_HOW + WRONG_FORM)


@st.composite
def any_offers(draw):
    """An offer with lines lost, moved and wrong."""
    lines = draw(offer_lines())
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["lose", "move", "wrong", "wrong", "cut"])):
            case "lose":
                del lines[place]
            case "move":
                lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(place))
            case "wrong":
                lines.insert(place, draw(WRONG))
            case "cut":
                lines[place] = lines[place][: draw(st.integers(0, len(lines[place])))]
    return "\n".join(lines)


def answered(text, previous=None):
    """The offer as read, and our answer to it."""
    offer = sdp.parse(text)
    return offer, sdp.answer(offer, US, previous)


# -- properties ---------------------------------------------------------------------------------------------


@PROPERTY
@given(OFFERS)
def test_an_answer_is_valid_and_answers_line_by_line(text):
    check(*answered(text))


@PROPERTY
@given(any_offers())
def test_any_offer_gets_a_valid_answer_or_a_clean_refusal(text):
    try:
        both = answered(text)
    except (sdp.SdpError, sdp.NotAcceptable) as refused:
        event(type(refused).__name__)
    else:
        event("answered")
        check(*both)


def check(offer, answer):
    """That the answer is grammatical, and says of every line what the offer lets it say."""
    assert BODY.fullmatch(answer.text)
    assert sdp.parse(answer.text) == answer.description
    ours = answer.description.media
    assert [(line.kind, line.protocol.upper()) for line in ours] == [
        (line.kind, line.protocol.upper()) for line in offer.media
    ]
    live = [index for index, line in enumerate(ours) if line.port]
    assert len(live) == 1
    taken, said, media = offer.media[live[0]], ours[live[0]], answer.media
    assert (taken.kind, taken.protocol.upper()) == ("audio", "RTP/AVP")
    assert set(said.formats) <= set(taken.formats)
    assert said.formats == tuple(
        str(n) for n in (media.payload_type, media.dtmf_payload_type) if n is not None
    )
    assert said.direction is taken.direction.mirrored
    assert said.rtcp_mux == media.rtcp_mux <= taken.rtcp_mux
    assert said.ptime == media.ptime_ms <= (taken.maxptime or 60)
    assert (media.port, said.mid) == (taken.port, taken.mid)


@PROPERTY
@given(OFFERS)
def test_a_decision_never_sends_to_nowhere(text):
    media = answered(text)[1].media
    assert media.address not in ("0.0.0.0", "::")
    assert media.direction == "hold" or media.address
    assert 1 <= media.port <= 65535
    assert 1 <= media.rtcp_port <= 65535
    assert 0 <= media.payload_type <= 127


@PROPERTY
@given(OFFERS)
def test_the_same_offer_again_gets_the_same_answer(text):
    once = answered(text)
    assert answered(text, once[1].description) == once


@PROPERTY
@given(OFFERS)
def test_the_answer_of_an_answer_is_stable(text):
    first = answered(text)[1]
    back = sdp.answer(first.description, THEM)
    again = sdp.answer(back.description, US, first.description)
    assert replace(again.description, origin=first.description.origin) == first.description
    assert again.text == first.text
    for name in ("payload_type", "law", "ptime_ms", "dtmf_payload_type", "rtcp_mux"):
        assert getattr(again.media, name) == getattr(back.media, name) == getattr(first.media, name)


def without_version(text):
    return re.sub(r"(?m)^(o=- [0-9]+) [0-9]+", r"\1", text)


@PROPERTY
@given(st.lists(st.tuples(st.sampled_from(["answer", "answer", "offer"]), OFFERS), min_size=2, max_size=6))
def test_the_version_counts_changes_and_nothing_else(steps):
    """Over any mixture of their offers and ours in one session."""
    texts, previous = [], None
    for kind, text in steps:
        said = sdp.offer(US, previous) if kind == "offer" else answered(text, previous)[1]
        previous = said.description
        texts.append(said.text)
        assert BODY.fullmatch(said.text)
        assert sdp.parse(said.text) == said.description
        if len(texts) > 1:
            before, now = texts[-2:]
            changed = without_version(before) != without_version(now)
            assert sdp.parse(now).origin == replace(
                sdp.parse(before).origin, version=sdp.parse(before).origin.version + changed
            )


@st.composite
def capabilities(draw):
    laws = draw(st.permutations(["PCMU", "PCMA"]))[: draw(st.integers(1, 2))]
    return sdp.Capabilities(
        laws=tuple(laws),
        ours_first=draw(st.booleans()),
        ptime_ms=draw(st.sampled_from([10, 20, 30, 40, 60])),
        dtmf_payload_type=draw(st.sampled_from([None, 96, 101, 127])),
    )


@PROPERTY
@given(capabilities(), capabilities())
def test_two_of_us_agree(ours, theirs):
    """Our offer, answered by one of ours: both sides come to the same, or both know that there is nothing."""
    caller, callee = replace(US, capabilities=ours), replace(THEM, capabilities=theirs)
    offered = sdp.offer(caller).description
    if not set(ours.laws) & set(theirs.laws):
        try:
            sdp.answer(offered, callee)
        except sdp.NotAcceptable:
            return
        raise AssertionError("an answer with no law in common")
    answer = sdp.answer(sdp.parse(sdp.render(offered)), callee)
    decided = sdp.accept_answer(offered, sdp.parse(answer.text))
    assert (decided.address, decided.port, decided.rtcp_port) == ("10.0.0.9", 30000, 30007)
    same = replace(
        decided, address=answer.media.address, port=answer.media.port, rtcp_port=answer.media.rtcp_port
    )
    assert same == answer.media


ANSWERS = st.builds(lambda session, section: "\n".join(body(session, [section])), SESSION, usable())


@PROPERTY
@given(st.one_of(ANSWERS, any_offers()), capabilities())
def test_any_answer_to_our_offer_is_a_decision_or_a_clean_refusal(text, ours):
    offered = sdp.offer(replace(US, capabilities=ours)).description
    try:
        media = sdp.accept_answer(offered, sdp.parse(text))
    except (sdp.SdpError, sdp.NotAcceptable) as refused:
        event(type(refused).__name__)
        return
    event("taken")
    assert media.law in ours.laws
    assert media.dtmf_payload_type is None or ours.dtmf_payload_type is not None
    assert not media.rtcp_mux


PIECES = ["v=0", "o=- 1 1 IN IP4 1.1.1.1", "c=IN IP4 ", "m=audio ", "40", " RTP/AVP", " 0", "\n", "a=", "x"]


@PROPERTY
@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_pieces_of_sdp_in_any_order(text):
    try:
        check(*answered(text))
    except (sdp.SdpError, sdp.NotAcceptable) as refused:
        event(type(refused).__name__)
