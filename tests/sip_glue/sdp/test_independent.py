"""Others read what we write: aiortc's parser, and FFmpeg, which also receives audio as the body says."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable

import av
import numpy as np
import pytest
from aiortc.sdp import SessionDescription as AiortcDescription

from sip_glue import sdp
from telephony_codecs import g711

TONE_HZ = 1000


@pytest.fixture
def bodies(body) -> Callable[[sdp.LocalMedia], list[str]]:
    """One of every kind that we write."""

    def write(local: sdp.LocalMedia) -> list[str]:
        audio = ("m=audio 4000 RTP/AVP 8 0 96", "a=rtpmap:96 telephone-event/8000", "a=ptime:30", "a=mid:a")
        first = sdp.answer(body(*audio), local)
        return [
            sdp.offer(local).text,
            first.text,
            sdp.answer(body(*audio, "a=sendonly", "a=rtcp-mux"), local, first.description).text,
            sdp.offer(local, first.description).text,
            sdp.answer(body("m=video 4000 RTP/AVP 31", *audio, "a=inactive"), local).text,
        ]

    return write


@pytest.mark.parametrize(
    ("address", "rtcp_port"), [("127.0.0.1", None), ("127.0.0.1", 20009), ("2001:db8::2", 1)]
)
def test_aiortc_reads_it(bodies, address, rtcp_port):
    for text in bodies(sdp.LocalMedia(address, 20000, session_id=7, rtcp_port=rtcp_port)):
        ours, read = sdp.parse(text), AiortcDescription.parse(text)
        family = "IP6" if ":" in address else "IP4"
        assert read.origin == f"- 7 {ours.origin.version} IN {family} {address}"
        assert len(read.media) == len(ours.media)
        for said, theirs in zip(ours.media, read.media, strict=True):
            assert (theirs.kind, theirs.port, theirs.profile) == (said.kind, said.port, said.protocol)
            assert read.host == address
            if not said.port:
                continue
            assert [str(number) for number in theirs.fmt] == list(said.formats)
            assert theirs.direction == said.direction
            assert theirs.rtcp_mux == said.rtcp_mux
            assert theirs.rtcp_port == (said.rtcp.port if said.rtcp else None)
            assert [(codec.payloadType, codec.name, codec.clockRate) for codec in theirs.rtp.codecs] == [
                (codec.payload_type, codec.encoding, codec.clock_rate) for codec in said.codecs
            ]


def send_tone(port: int, law: g711.Law, payload_type: int, octets: int, stop: threading.Event) -> None:
    """RTP to 127.0.0.1 until told to stop; whole periods a packet, so that packets join without a seam."""
    time = np.arange(octets) / 8000
    tone = (8000 * np.sin(2 * np.pi * TONE_HZ * time)).astype(np.int16)
    payload = g711.encode(law, tone).tobytes()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        number = 0
        while not stop.wait(0.005):
            head = struct.pack("!BBHII", 0x80, payload_type, number & 0xFFFF, octets * number, 7)
            sock.sendto(head + payload, ("127.0.0.1", port))
            number += 1


def free_port() -> int:
    """An even port of which FFmpeg can take both halves."""
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtcp,
        ):
            rtp.bind(("127.0.0.1", 0))
            port: int = rtp.getsockname()[1]
            if port % 2:
                continue
            try:
                rtcp.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


@pytest.mark.parametrize(
    ("lines", "law", "payload_type", "ptime_ms", "codec"),
    [
        (["m=audio 4000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000"], "PCMU", 0, 20, "pcm_mulaw"),
        (["m=audio 4000 RTP/AVP 8", "a=ptime:40"], "PCMA", 8, 40, "pcm_alaw"),
        (["m=audio 4000 RTP/AVP 98", "a=rtpmap:98 PCMA/8000"], "PCMA", 98, 20, "pcm_alaw"),
    ],
)
def test_ffmpeg_hears_a_tone_by_it(body, tmp_path, lines, law, payload_type, ptime_ms, codec):
    """The body describes where we receive; FFmpeg receives there in our place."""
    answer = sdp.answer(body(*lines), sdp.LocalMedia("127.0.0.1", free_port(), session_id=1))
    path = tmp_path / "answer.sdp"
    path.write_text(answer.text, newline="")
    port, octets = answer.description.media[0].port, 8 * answer.media.ptime_ms
    stop = threading.Event()
    peer = threading.Thread(target=send_tone, args=(port, g711.Law(law), payload_type, octets, stop))
    peer.start()
    options = {"protocol_whitelist": "file,udp,rtp", "analyzeduration": "200000", "probesize": "4096"}
    try:
        with av.open(str(path), format="sdp", options=options, timeout=20) as container:
            stream = container.streams.audio[0]
            assert (stream.codec_context.name, stream.codec_context.sample_rate) == (codec, 8000)
            frames = container.decode(stream)
            heard = np.concatenate([next(frames).to_ndarray()[0] for _ in range(20)])
    finally:
        stop.set()
        peer.join()
    assert (answer.media.payload_type, answer.media.ptime_ms) == (payload_type, ptime_ms)
    assert len(heard) == 20 * octets
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert abs(np.argmax(spectrum) * 8000 / len(heard) - TONE_HZ) < 5
