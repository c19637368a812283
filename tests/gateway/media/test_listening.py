"""Which legs the media worker listens to, and what it mixes for them, over real sockets."""

import numpy as np
import pytest

from gateway.media.packet import RtpPacket, build_rtp
from gateway.messages.media import BED_REPEATED, Listen, MixLeg, VoiceHeard
from gateway.settings import Settings
from gateway.speech.offline import encode_text
from telephony_codecs import Law, decode, transcode


@pytest.fixture(scope="module")
def voice():
    return encode_text("Yes, please, I do.", "espeak:en-us", "PCMU", Settings())


def _speak(rig, row, peer, octets, payload_type=0, first=0):
    port = rig.engine.port_of[row].number
    for n in range(len(octets) // 160):
        packet = RtpPacket(payload_type, n == 0, n, first + 160 * n, 5, octets[160 * n : 160 * n + 160])
        peer.rtp.sendto(build_rtp(packet), ("127.0.0.1", port))
        if n % 20 == 19:
            rig.read()
    rig.read()


def _heard(rig):
    return [(message.row, message.kind) for message in rig.told if isinstance(message, VoiceHeard)]


def test_only_legs_that_ask_are_listened_to(rig, peer, voice):
    made = rig()
    deaf, listening = peer(), peer()
    made.open(1, deaf)
    made.open(2, listening)
    made.engine.listen(Listen(2, 0), made.now)
    for row, far in ((1, deaf), (2, listening)):
        _speak(made, row, far, voice)
    assert _heard(made)[:1] == [(2, "started")]
    assert {row for row, _ in _heard(made)} == {2}
    assert made.engine.legs[1].heard_ns == 0, "its audio is dropped in the kernel"
    assert made.engine.legs[2].heard_ns > 0
    made.now += 400_000_000
    made.engine.publish(made.now)
    assert _heard(made)[-1] == (2, "stopped"), "he sends no more"
    made.engine.listen(Listen(2, None), made.now)
    before = len(made.told)
    made.engine.legs[2].heard_ns = 0
    _speak(made, 2, listening, voice, first=160 * 1000)
    assert len(made.told) == before
    assert made.engine.legs[2].heard_ns == 0


def test_who_is_no_longer_listened_to_has_stopped_speaking(rig, peer, voice):
    made, far = rig(), peer()
    made.open(1, far)
    made.engine.listen(Listen(1, 80), made.now)
    _speak(made, 1, far, voice[: 160 * 12])
    assert [kind for _, kind in _heard(made)] == ["started", "confirmed"]
    made.engine.listen(Listen(1, None), made.now)
    assert _heard(made)[-1] == (1, "stopped")


def test_a_peer_that_sends_the_other_law_is_understood(rig, peer, voice):
    made, far = rig(), peer()
    made.open(1, far)
    made.engine.listen(Listen(1, 0), made.now)
    _speak(made, 1, far, transcode(voice, "PCMU", "PCMA"), payload_type=8)
    assert _heard(made)[:1] == [(1, "started")]
    _speak(made, 1, far, voice, payload_type=13, first=160 * 1000)  # comfort noise says nothing


def _bed(tmp_path):
    pcm = (8000 * np.sin(2 * np.pi * 500 * np.arange(1600) / 8000)).astype(np.int16)
    path = tmp_path / "bed"
    path.write_bytes(np.concatenate((pcm, pcm[:BED_REPEATED])).tobytes())
    return str(path)


def test_a_leg_that_suppresses_silence_sends_its_background(rig, peer, tmp_path):
    made, far = rig(), peer()
    made.open(1, far, suppress_silence=True)
    made.run(100)
    assert far.packets() == []
    made.engine.mix(MixLeg(1, 1.0, 7, _bed(tmp_path), 0.5, 1.0), made.now)
    made.run(1000)
    packets = far.packets()
    assert len(packets) == 50
    pcm = decode(Law.PCMU, np.frombuffer(packets[-1].payload, np.uint8))
    assert pcm.max() == pytest.approx(4000, rel=0.05)
    made.change(1, held=True)
    made.run(200)
    assert far.packets() == [], "nor when its peer has put it on hold"
    made.change(1, held=False)
    made.run(100)
    assert len(far.packets()) == 5
    made.engine.mix(MixLeg(1, 1.0), made.now)
    made.run(200)
    made.engine.publish(made.now)
    far.packets()
    made.run(200)
    made.engine.publish(made.now)
    last = far.packets()
    made.run(100)
    assert far.packets() == []
    assert len(last) < 11
    assert set(last[-1].payload) <= {0xFF, 0x7F}


def test_a_background_that_is_gone_again_harms_nobody(rig, peer):
    made, far = rig(), peer()
    made.open(1, far)
    made.engine.mix(MixLeg(1, 0.5, 7, "/proc/self/fd/9999", 0.5, 1.0), made.now)
    made.run(100)
    assert len(far.packets()) == 5
