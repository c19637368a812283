"""The first reading of datagrams."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip_glue.message import COMPACT, Request, Response, Unreadable, Via, read

INVITE = (
    b"INVITE sip:x@h SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5070;rport;branch=z9hG4bK1,SIP/2.0/TCP p\r\n"
    b'From: "A, \xc3\x85 B" <sip:a@h>;tag=1\r\nTo: <sip:x@h>\r\nCall-ID: c@1\r\nCSeq: 7 INVITE\r\n'
    b"Contact: <sip:a@10.0.0.1>\r\nSubject: one\r\n two\r\n"
    b"Content-Type: application/sdp\r\nContent-Length: 4\r\n\r\nv=0\xff"
)


def without(name: bytes) -> bytes:
    return re.sub(rb"(?m)^" + name + rb":.*\r\n", b"", INVITE)


def test_a_request_is_read():
    message = read(INVITE)
    assert isinstance(message, Request)
    assert (message.method, message.uri, message.call_id, message.cseq) == ("INVITE", "sip:x@h", "c@1", 7)
    assert message.via == Via("10.0.0.1", 5070, True, "z9hG4bK1")
    assert (message.from_.display, message.from_.uri, message.from_.tag) == ("A, Å B", "sip:a@h", "1")
    assert message.to.tag is None
    assert message.body == b"v=0\xff"
    assert message.values("subject") == ["one two"]
    # for the stack: the head in UTF-8, the body one character an octet
    assert message.text.endswith("content-length: 4\r\n\r\nv=0\xff")
    assert '"A, Å B"' in message.text


@pytest.mark.parametrize("name", [b"From", b"To", b"Call-ID", b"CSeq"])
def test_mandatory_headers_are_there_once(name):
    missing = read(without(name))
    assert isinstance(missing, Unreadable)
    assert (missing.code, missing.why) == (400, f"no {name.decode().lower()}")
    line = re.search(rb"(?m)^" + name + rb":.*\r\n", INVITE)[0]
    twice = read(INVITE.replace(line, line + line))
    assert isinstance(twice, Unreadable)
    assert twice.why == f"{name.decode().lower()} twice"


@pytest.mark.parametrize(("compact", "name"), COMPACT.items())
def test_compact_names(compact, name):
    message = read(INVITE.replace(b"Subject", compact.encode()))
    if name in ("from", "to", "call-id", "content-length", "content-type"):
        assert isinstance(message, Unreadable)
    elif name != "via":
        assert isinstance(message, Request)
        assert "one two" in message.values(name)


@pytest.mark.parametrize(
    "broken",
    [
        b"", b"\r\n\r\n", b"hello", without(b"Via"), INVITE.replace(b"sip:a@h", b"sip:\xff@h"),
        INVITE.replace(b"one", b"o\0e"), INVITE.replace(b"10.0.0.1:5070", b"10.0.0.1:99999"),
        INVITE.replace(b"INVITE sip:x@h SIP/2.0", b"SIP/2.0 999 Beyond"),
        without(b"To").replace(b"INVITE sip:x@h SIP/2.0", b"SIP/2.0 200 OK"),
    ],
)  # fmt: skip
def test_what_may_not_be_answered(broken):
    assert read(broken) is None


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (INVITE.replace(b"7 INVITE", b"7 BYE"), 400),
        (INVITE.replace(b"7 INVITE", b"2147483648 INVITE"), 400),
        (INVITE.replace(b"7 INVITE", b"-7 INVITE"), 400),
        (INVITE.replace(b"Length: 4", b"Length: 5"), 400),
        (INVITE.replace(b"Length: 4", b"Length: -4"), 400),
        (INVITE.replace(b"Length: 4", b"Length: \xd9\xa4"), 400),
        (INVITE.replace(b"Subject:", b"Subject"), 400),
        (INVITE.replace(b"SIP/2.0\r\nVia", b"SIP/3.0\r\nVia"), 505),
        (INVITE.replace(b"INVITE sip:", b"INVITE http:"), 416),
        (INVITE.replace(b"INVITE sip:x@h", b"INVITE sip:x@h?a=b"), 400),
        (INVITE.partition(b"\r\n\r\n")[0] + b"\r\n", 400),
        (INVITE.replace(b"one", b"o" * 17_000), 513),
        (INVITE.replace(b"Subject", b"X: y\r\n" * 300 + b"Subject"), 513),
    ],
)
def test_what_is_refused(broken, code):
    message = read(broken)
    assert isinstance(message, Unreadable)
    assert message.code == code


def test_a_body_longer_than_announced_is_cut():
    assert read(INVITE + b"more").body == b"v=0\xff"
    assert read(re.sub(rb"Content-Length.*?\r\n", b"", INVITE) + b"more").body == b"v=0\xffmore"


def test_nothing_in_a_header_becomes_a_line_of_its_own_in_the_stack():
    for separator in ("\x85", "\u2028", "\u2029"):
        message = read(INVITE.replace(b"one", f"a{separator}Via: SIP/2.0/UDP evil".encode()))
        head = message.text.partition("\r\n\r\n")[0]
        assert len(head.splitlines()) == len(head.split("\r\n"))
    quoted = read(INVITE.replace(b"A, ", b"A\\\x0bVia: x\\\x1c "))
    assert len(quoted.text.partition("\r\n\r\n")[0].splitlines()) == 10


def test_responses_are_known_by_their_from_tag():
    answer = INVITE.replace(b"INVITE sip:x@h SIP/2.0", b"SIP/2.0 200 OK")
    message = read(answer)
    assert isinstance(message, Response)
    assert (message.code, message.from_tag) == (200, "1")


@pytest.mark.parametrize(
    "repeated", [" ", "\t", '"', "\\", ";", ";a=", "a.", "<", ",", "/", "=", ":", "%41", ';"', "\r\n "]
)
@pytest.mark.parametrize(
    "place", ["INVITE ", "sip:x@", "Via: ", "UDP ", "10.0.0.1", "sip:a@", "c@", "7 ", "Subject: "]
)
def test_no_message_takes_long_to_read(repeated, place):
    octets = INVITE.replace(place.encode(), place.encode() + repeated.encode() * (16_000 // len(repeated)), 1)
    before = time.process_time()
    read(octets)
    assert time.process_time() - before < 0.5  # linear: about 10 ms; a pattern that backtracks: minutes


@given(st.binary(max_size=300))
def test_any_octets(noise):
    for octets in (noise, b"INVITE sip:x@h SIP/2.0\r\n" + noise):
        message = read(octets)
        # whatever it is, it can be told where an answer goes
        assert message is None or isinstance(message, Response) or 0 < (message.via.port or 5060) < 65536


@given(st.data())
def test_any_change_to_a_message(data):
    octets = bytearray(INVITE)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(octets) - 1))
        octets[place : place + data.draw(st.integers(0, 5))] = data.draw(st.binary(max_size=5))
    message = read(bytes(octets))
    if isinstance(message, Request):
        # whatever is let through says of itself what it is
        head, _, body = message.text.partition("\r\n\r\n")
        assert body.encode("latin-1") == message.body
        assert f"content-length: {len(message.body)}" in head
        assert "\n" not in message.call_id
