"""Reading: lenient about how things are written, strict about where audio goes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sip_glue import sdp
from sip_glue.sdp.model import Connection, Direction, Origin, Rtcp, RtpMap
from sip_glue.sdp.parser import MAX_CHARACTERS, MAX_FORMATS, MAX_LINES, MAX_MEDIA

PROPERTY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
FULL = """v=0
o=alice 2890844526 2890844527 IN IP4 host.example
s=Session
i=who reads this
u=http://example.com
e=a@example.com
p=+1 617 555
b=AS:64
c=IN IP4 192.0.2.1
t=0 0
r=7d 1h 0 25h
k=clear:x
a=tool:x
a=recvonly
a=ptime:30
m=audio 49170/2 RTP/AVP 0 8 97 101
i=audio
c=IN IP6 2001:DB8:0::1
a=rtpmap:97 iLBC/8000
a=rtpmap:101 telephone-event/8000/1
a=fmtp:101 0-15,66
a=ptime:20
a=maxptime:150
a=rtcp:53020 IN IP4 192.0.2.7
a=rtcp-mux
a=mid:1
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0c2VjcmV0
a=sendrecv
m=video 0 RTP/AVP 31
"""


def test_everything_it_reads():
    read = sdp.parse(FULL)
    assert read.origin == Origin("alice", 2890844526, 2890844527, "IP4", "host.example")
    assert read.connection == Connection("IP4", "192.0.2.1")
    assert read.times == ((0, 0),)
    audio, video = read.media
    assert audio == sdp.MediaDescription(
        kind="audio",
        port=49170,
        port_count=2,
        protocol="RTP/AVP",
        formats=("0", "8", "97", "101"),
        connection=Connection("IP6", "2001:db8::1"),
        direction=Direction.SENDRECV,
        rtpmaps=(RtpMap(97, "iLBC", 8000), RtpMap(101, "telephone-event", 8000)),
        fmtps=((101, "0-15,66"),),
        ptime=20,
        maxptime=150,
        rtcp=Rtcp(53020, Connection("IP4", "192.0.2.7")),
        rtcp_mux=True,
        mid="1",
        crypto_suites=("AES_CM_128_HMAC_SHA1_80",),
    )
    assert (video.connection, video.direction, video.ptime) == (read.connection, Direction.RECVONLY, 30)
    assert [codec.encoding for codec in audio.codecs] == ["PCMU", "PCMA", "iLBC", "telephone-event"]
    assert (audio.line, video.line) == (16, 29)


def test_no_key_is_kept():
    assert "c2VjcmV0" not in repr(sdp.parse(FULL))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace("\n", " \n\n"),
        lambda text: "\n" + text.rstrip("\n"),
        lambda text: text.replace("t=0 0\n", ""),
        lambda text: text.replace("s=Session\n", ""),
        lambda text: text.replace("t=0 0", "t="),
        lambda text: text.replace("a=tool:x", "x=what\na=unheard-of\nz=2882844526 -1h"),
        lambda text: text.replace("v=0\n", "", 1).replace("s=Session", "s=Session\nv=0"),
        lambda text: text.replace("t=0 0\n", "") + "t=0 0\n",
        lambda text: text.replace("a=rtpmap", "a=RTPMAP").replace("c=IN IP4", "c=in ip4"),
        lambda text: text.replace("a=ptime:20", "a=ptime: 20.0"),
        lambda text: text.replace("a=rtcp-mux", "a=rtcp-mux\na=rtcp-mux"),
        lambda text: text.replace("c=IN IP4 192.0.2.1", "c=IN IP4 192.0.2.1\nc=IN  IP4  192.0.2.1"),
        lambda text: text.replace("a=sendrecv\n", "a=sendrecv\na=inactive\n"),
        lambda text: text.replace("a=fmtp:101 0-15,66", "a=fmtp:101 0-15,66\na=fmtp:x\na=fmtp:101 0-11"),
        lambda text: text.replace(
            "a=mid:1", "a=mid:1\na=mid:two words\na=crypto:nonsense\na=rtpmap:8\na=rtpmap"
        ),
    ],
)
def test_the_same_in_the_hand_of_another_peer(spoil):
    assert sdp.parse(spoil(FULL)) == sdp.parse(FULL)


@pytest.mark.parametrize("value", ["", "x", "0", "-20", "20ms", "1e3", "２０", "999999999"])
def test_a_ptime_that_is_none_counts_as_absent(body, value):
    assert body("m=audio 4000 RTP/AVP 0", f"a=ptime:{value}").media[0].ptime is None


def test_what_names_no_codec_is_no_codec(body):
    line = body(
        "m=audio 4000 RTP/AVP 0 8 0 96 97 98 300 x",
        "a=rtpmap:8 G729/8000",
        "a=rtpmap:96 PCMA/8000",
        "a=rtpmap:96 PCMU/8000",
        "a=rtpmap:97 PCMU",
        "a=rtpmap:300 PCMU/8000",
    )
    assert line.media[0].codecs == (RtpMap(0, "PCMU", 8000), RtpMap(96, "PCMA", 8000))


@pytest.mark.parametrize(
    ("was", "becomes", "line"),
    [
        ("v=0", "v=1", 1),
        ("s=Session", "v=0", 3),
        ("s=Session", "o=- 1 1 IN IP4 10.0.0.1", 3),
        ("o=alice 2890844526", "o=alice", 2),
        ("s=Session", "what is this", 3),
        ("s=Session", "=", 3),
        ("s=Session", "1=x", 3),
        ("49170/2", "99999", 16),
        ("49170/2", "65536", 16),
        ("49170/2", "-1", 16),
        ("49170/2", "0x10", 16),
        ("49170/2", "４９１７０", 16),
        ("49170/2", "49_170", 16),
        ("49170/2", "49170/0", 16),
        ("49170/2", "49170/9000", 16),
        ("49170/2", "49170/" + "9" * 21, 16),
        ("49170/2", "4000 5000", 16),
        ("RTP/AVP 0 8 97 101", "", 16),
        ("RTP/AVP 0 8", "RTP//AVP 0 8", 16),
        ("RTP/AVP 0 8", "RTP/AVP 0\x008", 16),
        ("c=IN IP4 192.0.2.1", "c=IN IP4 999.1.1.1", 9),
        ("c=IN IP4 192.0.2.1", "c=IN IP4 127.1", 9),
        ("c=IN IP4 192.0.2.1", "c=IN IP4 2130706433", 9),
        ("c=IN IP4 192.0.2.1", "c=IN IP4 ::1", 9),
        ("c=IN IP4 192.0.2.1", "c=IN IP6 192.0.2.1", 9),
        ("c=IN IP4 192.0.2.1", "c=IN IP6 fe80::1%eth0", 9),
        ("c=IN IP4 192.0.2.1", "c=IN IP6 [::1]", 9),
        ("c=IN IP4 192.0.2.1", "c=IN IP4 host name", 9),
        ("c=IN IP4 192.0.2.1", "c=IN IP4 host/x", 9),
        ("c=IN IP4 192.0.2.1", "c=IN IP4", 9),
        ("c=IN IP4 192.0.2.1", "c=ATM NSAP 47.0091", 9),
        ("c=IN IP4 192.0.2.1", "c=IN IP4 " + "a" * 254, 9),
        ("c=IN IP4 192.0.2.1", "c=IN IP4 192.0.2.1\nc=IN IP4 192.0.2.2", 10),
        ("a=rtcp:53020", "a=rtcp:65536", 24),
        ("a=rtcp:53020", "a=rtcp:x", 24),
        ("a=rtcp:53020 IN IP4 192.0.2.7", "a=rtcp:53020 IN IP4", 24),
        ("a=rtcp:53020 IN IP4 192.0.2.7", "a=rtcp:53020 IN IP4 1.2.3.4.5", 24),
        ("a=rtcp-mux", "a=rtcp:53022", 25),
    ],
)
def test_what_is_wrong_is_named_by_its_line(was, becomes, line):
    assert was in FULL
    with pytest.raises(sdp.SdpError) as error:
        sdp.parse(FULL.replace(was, becomes, 1))
    assert error.value.line == line
    assert str(error.value).startswith(f"line {line} (")


@pytest.mark.parametrize("text", ["", "\n", "v=0\n", "o=- 1 1 IN IP4 10.0.0.1\n", "s=-\n"])
def test_what_is_no_description_at_all(text):
    with pytest.raises(sdp.SdpError, match="no v= line or no o= line") as error:
        sdp.parse(text)
    assert error.value.line == 0


def test_a_live_line_needs_an_address():
    head = "v=0\no=- 1 1 IN IP4 10.0.0.1\n"
    with pytest.raises(sdp.SdpError, match=r"^line 3 .* has a c= line$"):
        sdp.parse(head + "m=audio 4000 RTP/AVP 0\nm=audio 4002 RTP/AVP 0\nc=IN IP4 10.0.0.1\n")
    assert sdp.parse(head + "m=audio 0 RTP/AVP 0\n").media[0].connection is None


@pytest.mark.parametrize("name", ["host.example", "HOST", "a-b.c_d.example.com.", "0x7f000001", "1.2.3.4a"])
def test_names_are_kept_for_the_policy_to_refuse(body, name):
    assert body("m=audio 4000 RTP/AVP 0", connection=f"IN IP4 {name}").media[0].connection == Connection(
        "IP4", name
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("IN IP4 224.2.1.1/127", Connection("IP4", "224.2.1.1")),
        ("IN IP4 224.2.1.1/127/3", Connection("IP4", "224.2.1.1")),
        ("IN IP6 FF15:0::101/3", Connection("IP6", "ff15::101")),
        ("IN IP6 0:0:0:0:0:0:0:0", Connection("IP6", "::")),
    ],
)
def test_addresses_in_their_usual_spelling(body, written, meant):
    assert body("m=audio 4000 RTP/AVP 0", connection=written).media[0].connection == meant


def test_size_and_count_are_bounded(body):
    usual = ["m=audio 4000 RTP/AVP 0"]
    assert len(body(*usual * MAX_MEDIA).media) == MAX_MEDIA
    assert len(body(f"m=audio 4000 RTP/AVP{' 0' * MAX_FORMATS}").media[0].formats) == MAX_FORMATS
    for lines, why in (
        (usual * (MAX_MEDIA + 1), "m= lines"),
        ([f"m=audio 4000 RTP/AVP{' 0' * (MAX_FORMATS + 1)}"], "formats"),
        (["a=x"] * MAX_LINES, "lines"),
        (["a=" + "x" * MAX_CHARACTERS], "characters"),
    ):
        with pytest.raises(sdp.SdpError, match=f"(more|longer) than [0-9]+ {why}"):
            body(*lines)


def read(text: str) -> sdp.SessionDescription | None:
    """None when it is refused; anything else that is raised fails the test."""
    try:
        return sdp.parse(text)
    except sdp.SdpError:
        return None


@PROPERTY
@given(st.text())
@example("v=0\x85o=")
@example("m=" + "a" * 5000 + " " * 5000)
@example("o=" + "a " * 15000)
@example("o=a" + " " * 30000 + "b")
@example("c=IN IP4 " + "a." * 10000)
def test_random_text_is_read_or_refused(text):
    assert read(text) is None


@PROPERTY
@given(
    st.lists(st.tuples(st.integers(0, len(FULL) - 1), st.characters(exclude_categories=["Cs"])), max_size=9)
)
def test_spoilt_characters_are_read_or_refused(changes):
    text = list(FULL)
    for position, character in changes:
        text[position] = character
    spoilt = read("".join(text))
    assert spoilt is None or all(0 <= media.port <= 65535 for media in spoilt.media)


def test_cut_off_anywhere():
    whole = [read(FULL[:length]) for length in range(len(FULL))]
    assert whole[FULL.index("s=")] is not None
    assert whole[FULL.index("audio")] is None
    assert whole[-1] == sdp.parse(FULL)
