"""URIs, announcements, INFO digits, bodies: all that is read without a socket."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip_glue.agent import SipAgent
from sip_glue.announcement import Announcement, BadAnnouncement, asked
from sip_glue.body import sdp_in
from sip_glue.config import Account, Credentials, Listen, SipConfig
from sip_glue.dtmf_info import ACCEPTED, PLAIN, RELAY, BadDigit, Digit, parse_digit
from sip_glue.registration import refresh_after, retry_after
from sip_glue.uri import BadUri, parse_address, parse_uri

URI = "sip:x@h"


@pytest.mark.parametrize(
    ("text", "user", "address"),
    [
        ("sip:h", None, ("h", 5060)),
        ("SIP:100@pbx.example:5070", "100", ("pbx.example", 5070)),
        (
            "sips:a%20b;par=1:secret@[2001:db8::1]:6000;transport=udp;lr",
            "a%20b;par=1:secret",
            ("[2001:db8::1]", 6000),
        ),
        ("sip:+1-212@192.0.2.1;user=phone", "+1-212", ("192.0.2.1", 5060)),
    ],
)
def test_uris(text, user, address):
    uri = parse_uri(text)
    assert (uri.user, uri.address) == (user, address)


def test_uri_parameters():
    uri = parse_uri("sip:x@h;lr;Say=a%3Bb;empty=")
    assert [uri.parameter(name) for name in ("lr", "say", "empty", "other")] == ["", "a%3Bb", "", None]


@pytest.mark.parametrize(
    "text",
    ["", "x", "sip:", "tel:+1", "sip:a b@h", "sip:@h", "sip:a@b@c", "sip:h:0", "sip:h:65536", "sip:h:x", "sip:h:",
     "sip:[::1", "sip:[::g]", "sip:[::1]x", "sip:-h", "sip:h;a b", "sip:<x>@h", "sip:h\r\n", "sip:h?a=b",
     "sip:h:١"],
)  # fmt: skip
def test_what_is_no_uri(text):
    with pytest.raises(BadUri):
        parse_uri(text)


@pytest.mark.parametrize(
    ("text", "display", "uri", "tag"),
    [
        ("sip:a@h;tag=1", "", "sip:a@h", "1"),
        ("<sip:a@h;tag=0>;tag=1", "", "sip:a@h;tag=0", "1"),
        ('"B, \\"A\\" <x>" <sip:a@h> ; TAG = 1', 'B, "A" <x>', "sip:a@h", "1"),
        ("Bob Lee <tel:+1>", "Bob Lee", "tel:+1", None),
        ('<sip:a@h>;x="y;tag=2";tag=3', "", "sip:a@h", "3"),
    ],
)
def test_addresses(text, display, uri, tag):
    address = parse_address(text)
    assert (address.display, address.uri, address.tag) == (display, uri, tag)


@pytest.mark.parametrize("text", ["", "a", '"a <sip:a@h>', '"a" sip:a@h', "<sip:a@h", "<a>", "<sip:a h>"])
def test_what_is_no_address(text):
    with pytest.raises(BadUri):
        parse_address(text)


@given(st.text(max_size=100))
def test_any_text_is_an_address_or_refused(text):
    for read in (parse_uri, parse_address):
        for candidate in (text, f"sip:{text}", f"<sip:a@h>;{text}"):
            try:
                found = read(candidate)
            except BadUri:
                continue
            assert found.uri in candidate if read is parse_address else found.address[1] in range(1, 65536)


def test_an_announcement_in_headers_is_taken_as_it_is():
    headers = (("x-voxtrunk-say", " 100% sure; ünter 5 € "), ("X-Voxtrunk-Voice", "espeak:de"))
    assert asked(headers, URI) == Announcement("100% sure; ünter 5 €", "espeak:de")
    assert asked((), URI) is None
    assert asked((("X-Voxtrunk-Voice", "a"),), URI) is None


def test_an_announcement_in_the_uri_is_decoded():
    assert asked((), "sip:x@h;say=Gr%C3%BC%C3%9Fe%2C%20100%25") == Announcement("Grüße, 100%", None)
    assert asked((("X-Voxtrunk-Say", "header"),), "sip:x@h;say=uri") == Announcement("header", None)
    assert asked((), "tel:+1;say=x") is None


@pytest.mark.parametrize("say", ["%", "%zz", "a%2", "%ff", "%00", "%0b", "", "%20", "x" * 2001])
def test_announcements_that_cannot_be_read(say):
    with pytest.raises(BadAnnouncement):
        asked((), f"sip:x@h;say={say}")


def test_announcements_are_bounded():
    assert asked((("X-Voxtrunk-Say", "x" * 10),), URI, longest=10).text == "x" * 10
    with pytest.raises(BadAnnouncement):
        asked((("X-Voxtrunk-Say", "x" * 11),), URI, longest=10)
    with pytest.raises(BadAnnouncement):
        asked((("X-Voxtrunk-Say", "x"), ("X-Voxtrunk-Voice", "v" * 129)), URI)


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=200))
def test_any_text_survives_the_uri(text):
    if text.strip():
        assert asked((), f"sip:x@h;say={quote(text, safe='')}").text == text.strip()


@given(st.text(max_size=60))
def test_any_parameter_is_an_announcement_or_refused(text):
    for request_uri, headers in ((f"sip:x@h;say={text}", ()), (URI, (("X-Voxtrunk-Say", text),))):
        try:
            found = asked(headers, request_uri)
        except BadAnnouncement:
            continue
        assert found is None or 0 < len(found.text) <= 2000


@pytest.mark.parametrize("key", "0123456789*#ABCD")
def test_every_key_by_info(key):
    assert parse_digit(PLAIN, f"{key}\r\n") == Digit(key, None)
    assert parse_digit(PLAIN, key.lower()) == Digit(key, None)
    assert parse_digit(RELAY, f"Signal= {key}\r\nDuration=250\r\n") == Digit(key, 250)
    assert parse_digit(RELAY, f"signal={key}") == Digit(key, None)


@pytest.mark.parametrize(("number", "key"), list(zip(range(10, 16), "*#ABCD", strict=True)))
def test_keys_by_number(number, key):
    assert parse_digit(RELAY, f"Signal={number}\nDuration=100") == Digit(key, 100)


def test_a_flash_is_no_digit():
    assert parse_digit(PLAIN, "!") is None
    assert parse_digit(RELAY, "Signal=16") is None


@pytest.mark.parametrize(
    "body", ["", "E", "17", "Signal=", "Signal=12a", "Signal=1\nDuration=x", "Signal=55"]
)
def test_what_is_no_digit(body):
    with pytest.raises(BadDigit):
        parse_digit(RELAY, body)


@given(st.sampled_from(ACCEPTED), st.text(max_size=50))
def test_any_info_body_is_a_digit_or_refused(kind, body):
    try:
        digit = parse_digit(kind, body)
    except BadDigit:
        return
    assert digit is None or digit.key in "0123456789*#ABCD"


SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n"


def test_sdp_is_found_in_bodies():
    assert sdp_in(None, SDP.encode()) == SDP
    assert sdp_in("Application/SDP;charset=utf-8", SDP.encode()) == SDP
    assert sdp_in("application/sdp", b" \r\n") is None
    assert sdp_in("text/plain", SDP.encode()) is None
    assert sdp_in("application/sdp", b"s=\xff") == "s=\ufffd"
    isup, sdp = (
        "Content-Type: application/isup\r\n\r\n\x01\x02",
        f"Content-Type: application/sdp\r\n\r\n{SDP}",
    )
    parts = f"--b\r\n{isup}\r\n--b\r\n{sdp}\r\n--b--"
    assert sdp_in('multipart/mixed;boundary="b"', parts.encode()) == SDP
    assert sdp_in("Multipart/Mixed; boundary=b", parts.encode()) == SDP
    assert sdp_in("multipart/mixed", parts.encode()) is None
    assert sdp_in("multipart/mixed;boundary=c", parts.encode()) is None
    assert sdp_in("multipart/mixed;boundary=b", b"--b\r\n\r\nplain\r\n--b--") is None


@given(
    st.text(alphabet=st.characters(exclude_categories=("Cs",), exclude_characters="\r\n"), max_size=40),
    st.binary(max_size=200),
)
def test_any_multipart(parameters, body):
    found = sdp_in(f"multipart/mixed;{parameters}", body)
    assert found is None or found.encode("utf-8", "surrogateescape") in body


@pytest.mark.parametrize("granted", [1, 30, 60, 100, 300, 3600])
def test_registrations_are_refreshed_in_time(granted):
    assert granted * 0.5 <= refresh_after(granted) < granted


def test_failed_registrations_are_tried_again_ever_later():
    waits = [retry_after(failures, 1.0) for failures in range(1, 30)]
    assert waits[0] == 2.0
    assert waits == sorted(waits)
    assert waits[-1] == 300.0
    assert retry_after(3, 0.0) == retry_after(3, 1.0) / 2


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Listen("0.0.0.0"), lambda: Listen("::"), lambda: Listen("pbx"),
        lambda: Listen("127.0.0.1", 70_000), lambda: SipConfig(()), lambda: Account("sip:pbx"),
        lambda: Account("100@pbx"),
        lambda: Account("sip:100@pbx", expires=1), lambda: Account("sip:100@pbx", proxy="pbx"),
        lambda: Account("sips:100@pbx"), lambda: Account("sip:100@pbx", proxy="sips:pbx"),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=r"\S"):
        wrong()


@pytest.mark.parametrize(("to", "proxy"), [("sips:a@pbx", None), ("sip:a@pbx", "sips:proxy")])
def test_nothing_that_asks_for_tls_is_called_without_it(to, proxy):
    with pytest.raises(BadUri, match="asks for TLS"):
        SipAgent.prepare(to, "sip:us@pbx", outbound_proxy=proxy)


def test_a_password_is_not_shown():
    assert "wonder" not in repr(Account("sip:100@pbx", Credentials("100", "wonder")))
    assert Listen("0.0.0.0", advertise="192.0.2.1").version == 4
