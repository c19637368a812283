"""Bodies in the style of the peers that call, and what becomes of each.

Written after what these products send by default; addresses, ports and ids are made up.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from sip_glue import sdp


@dataclass(frozen=True)
class Case:
    """``answered``: the m= lines of our answer, or what the NotAcceptable says."""

    body: str
    answered: list[str] | str
    media: sdp.Media | None = None


def to(
    address,
    port,
    law="PCMU",
    ptime=20,
    dtmf=101,
    direction="send",
    *,
    rtcp=None,
    mux=False,
    payload_type=None,
):
    number = {"PCMU": 0, "PCMA": 8}[law] if payload_type is None else payload_type
    rtcp_port = rtcp or (port if mux else port + 1)
    return sdp.Media(address, port, rtcp_port, mux, number, law, ptime, dtmf, direction)


CASES = {
    "asterisk chan_pjsip": Case(
        """v=0
o=- 1821905471 1821905471 IN IP4 192.0.2.10
s=Asterisk
c=IN IP4 192.0.2.10
t=0 0
m=audio 18214 RTP/AVP 0 8 101
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=maxptime:140
a=sendrecv
""",
        ["m=audio 20000 RTP/AVP 0 101"],
        to("192.0.2.10", 18214),
    ),
    "asterisk with srtp and video": Case(
        """v=0
o=- 1821905472 1821905472 IN IP4 192.0.2.10
s=Asterisk
c=IN IP4 192.0.2.10
t=0 0
m=audio 18214 RTP/SAVP 8 101
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:2fJ0b1XxUu4cJxvS8jH0m0k9W6f5TQx8x8x8x8x8
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
m=video 18216 RTP/SAVP 99
a=rtpmap:99 H264/90000
""",
        "m=audio 18214 RTP/SAVP: only audio over RTP/AVP is spoken; m=video 18216 RTP/SAVP: only audio",
    ),
    "asterisk t.38 re-invite": Case(
        """v=0
o=root 99 100 IN IP4 192.0.2.10
s=Asterisk PBX 18
c=IN IP4 192.0.2.10
t=0 0
m=image 4712 udptl t38
a=T38FaxVersion:0
a=T38MaxBitRate:14400
a=T38FaxRateManagement:transferredTCF
""",
        "m=image 4712 udptl: only audio",
    ),
    "freeswitch": Case(
        """v=0
o=FreeSWITCH 1700000000 1700000001 IN IP4 198.51.100.7
s=FreeSWITCH
c=IN IP4 198.51.100.7
t=0 0
m=audio 27540 RTP/AVP 102 9 0 8 103 101 13
a=rtpmap:102 opus/48000/2
a=fmtp:102 useinbandfec=1; maxaveragebitrate=30000; maxplaybackrate=48000; ptime=20; minptime=10
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:103 telephone-event/48000
a=fmtp:103 0-15
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=rtpmap:13 CN/8000
a=ptime:20
a=rtcp:27541 IN IP4 198.51.100.7
""",
        ["m=audio 20000 RTP/AVP 0 101"],
        to("198.51.100.7", 27540, rtcp=27541),
    ),
    "freeswitch holding": Case(
        """v=0
o=FreeSWITCH 1700000000 1700000002 IN IP4 198.51.100.7
s=FreeSWITCH
c=IN IP4 198.51.100.7
t=0 0
a=sendonly
m=audio 27540 RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
""",
        ["m=audio 20000 RTP/AVP 8 101"],
        to("198.51.100.7", 27540, "PCMA", direction="hold"),
    ),
    "cisco ios gateway": Case(
        """v=0
o=CiscoSystemsSIP-GW-UserAgent 2953 8151 IN IP4 203.0.113.5
s=SIP Call
c=IN IP4 203.0.113.5
t=0 0
m=audio 17606 RTP/AVP 18 8 0 96 19
c=IN IP4 203.0.113.6
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=no
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:96 telephone-event/8000
a=fmtp:96 0-16
a=rtpmap:19 CN/8000
a=ptime:20
a=mptime:20 20 20 20 -
""",
        ["m=audio 20000 RTP/AVP 8 96"],
        to("203.0.113.6", 17606, "PCMA", dtmf=96),
    ),
    "cisco cucm holding the old way": Case(
        """v=0
o=CiscoSystemsCCM-SIP 661 2 IN IP4 203.0.113.9
s=SIP Call
c=IN IP4 0.0.0.0
b=TIAS:64000
b=AS:64
t=0 0
m=audio 24648 RTP/AVP 0 101
a=X-cisco-media:umoh
a=rtpmap:0 PCMU/8000
a=ptime:20
a=inactive
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
""",
        ["m=audio 20000 RTP/AVP 0 101"],
        to(None, 24648, direction="hold"),
    ),
    "rtpengine behind kamailio": Case(
        """v=0
o=- 3912345678 3912345678 IN IP6 2001:db8:10::5
s=-
c=IN IP6 2001:db8:10::5
t=0 0
m=audio 30412 RTP/AVP 8 0 126
a=mid:0
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:126 telephone-event/8000
a=sendrecv
a=rtcp:30413
a=rtcp-mux
a=ptime:20
""",
        ["m=audio 20000 RTP/AVP 8 126"],
        to("2001:db8:10::5", 30412, "PCMA", dtmf=126, mux=True),
    ),
    "baresip": Case(
        """v=0
o=- 2346548273 1293481923 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
a=tool:baresip 1.0.0
m=audio 16526 RTP/AVP 0 8 101
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=rtcp:16527
a=sendrecv
a=label:1
a=rtcp-rsize
a=ssrc:2793872983 cname:sip:alice@127.0.0.1
a=ptime:20
""",
        ["m=audio 20000 RTP/AVP 0 101"],
        to("127.0.0.1", 16526),
    ),
    "linphone with video and ice": Case(
        """v=0
o=alice 1877 3403 IN IP4 192.0.2.77
s=Talk
c=IN IP4 192.0.2.77
b=AS:380
t=0 0
a=ice-pwd:f28a5d29b2dd2ccb2e1d9c3c
a=ice-ufrag:84ad8b96
a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics
m=audio 7078 RTP/AVP 96 97 98 0 8 18 99
a=rtpmap:96 opus/48000/2
a=fmtp:96 useinbandfec=1
a=rtpmap:97 speex/16000
a=fmtp:97 vbr=on
a=rtpmap:98 speex/8000
a=fmtp:98 vbr=on
a=fmtp:18 annexb=yes
a=rtpmap:99 telephone-event/8000
a=candidate:1 1 UDP 2130706303 192.0.2.77 7078 typ host
m=video 9078 RTP/AVP 96
a=rtpmap:96 VP8/90000
""",
        ["m=audio 20000 RTP/AVP 0 99", "m=video 0 RTP/AVP 96"],
        to("192.0.2.77", 7078, dtmf=99),
    ),
    "linphone with avpf": Case(
        "v=0\no=a 1 1 IN IP4 192.0.2.77\ns=Talk\nc=IN IP4 192.0.2.77\nt=0 0\nm=audio 7078 RTP/AVPF 0\n",
        "m=audio 7078 RTP/AVPF: only audio",
    ),
    "sipp": Case(
        """v=0
o=user1 53655765 2353687637 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 6000 RTP/AVP 0
a=rtpmap:0 PCMU/8000
""",
        ["m=audio 20000 RTP/AVP 0"],
        to("127.0.0.1", 6000, dtmf=None),
    ),
    "teams through an sbc": Case(
        """v=0
o=- 65124 0 IN IP4 203.0.113.40
s=session
c=IN IP4 203.0.113.40
b=CT:10000000
t=0 0
a=group:BUNDLE 0
m=audio 50014 RTP/AVP 104 9 103 111 18 0 8 97 101 13 118
c=IN IP4 203.0.113.41
a=rtcp:50015
a=label:main-audio
a=mid:0
a=rtpmap:104 SILK/16000
a=rtpmap:9 G722/8000
a=rtpmap:103 SILK/8000
a=rtpmap:111 SIREN/16000
a=fmtp:111 bitrate=16000
a=rtpmap:18 G729/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:97 RED/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=rtpmap:13 CN/8000
a=rtpmap:118 CN/16000
a=ptime:20
a=maxptime:200
a=rtcp-mux
""",
        ["m=audio 20000 RTP/AVP 0 101"],
        to("203.0.113.41", 50014, mux=True),
    ),
    "webrtc gone astray": Case(
        """v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=msid-semantic: WMS
m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=rtpmap:111 opus/48000/2
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
""",
        "m=audio 9 UDP/TLS/RTP/SAVPF: only audio",
    ),
    "srtp or plain, at the peer's choice": Case(
        """v=0
o=- 5 5 IN IP4 192.0.2.20
s=-
c=IN IP4 192.0.2.20
t=0 0
m=audio 11000 RTP/SAVP 0 101
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:2fJ0b1XxUu4cJxvS8jH0m0k9W6f5TQx8x8x8x8x8
m=audio 11000 RTP/AVP 0 101
a=rtpmap:101 telephone-event/8000
""",
        ["m=audio 0 RTP/SAVP 0 101", "m=audio 20000 RTP/AVP 0 101"],
        to("192.0.2.20", 11000),
    ),
    "a softphone with a display name in o= and no s=": Case(
        """v=0
o=John Q. Public -17 1 IN IP4 pc.local
c=IN IP4 192.0.2.33
m=audio 40000/2 RTP/AVP 8 0 97
a=rtpmap:97 telephone-event/8000
a=ptime:30
""",
        ["m=audio 20000 RTP/AVP 8 97"],
        to("192.0.2.33", 40000, "PCMA", 30, 97),
    ),
    "an adapter with ptime 60 and maxptime 40": Case(
        """v=0
o=- 1 1 IN IP4 192.0.2.44
s=-
c=IN IP4 192.0.2.44
t=0 0
m=audio 5004 RTP/AVP 0
a=maxptime:40
a=ptime:60
a=silenceSupp:off - - - -
""",
        ["m=audio 20000 RTP/AVP 0"],
        to("192.0.2.44", 5004, ptime=40, dtmf=None),
    ),
}


@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
@pytest.mark.parametrize("peer", CASES)
def test_what_becomes_of_it(peer, line_end, local):
    case = CASES[peer]
    offer = sdp.parse(case.body.replace("\n", line_end))
    if isinstance(case.answered, str):
        with pytest.raises(sdp.NotAcceptable) as refused:
            sdp.answer(offer, local)
        assert str(refused.value).startswith(case.answered)
        return
    answer = sdp.answer(offer, local)
    assert [line for line in answer.text.splitlines() if line.startswith("m=")] == case.answered
    assert answer.media == case.media
    assert answer.media == sdp.select(offer, local.capabilities).media
