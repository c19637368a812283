"""What is mixed into packets, for the legs that ask and for no other: level, spectrum, ramps."""

import numpy as np
import pytest

from gateway.media.group import Group
from gateway.messages.media import BED_REPEATED
from gateway.ring import UNIT_OCTETS
from telephony_codecs import Law, decode, encode


def _tone(samples, hz, amplitude):
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(samples) / 8000)).astype(np.int16)


def _bed(hz, amplitude, samples=1600):
    """A whole number of periods, so that its repetition is seamless."""
    pcm = _tone(samples, hz, amplitude)
    return np.concatenate((pcm, pcm[:BED_REPEATED]))


def _size(pcm, hz):
    """The amplitude of ``hz`` in float[n]."""
    t = np.arange(len(pcm)) / 8000
    return 2 * abs(np.mean(pcm * np.exp(-2j * np.pi * hz * t)))


class Line:
    """A group of legs, and all that each of them hears."""

    def __init__(self, ring, writer, laws, ptime=20):
        self.group, self.k, self.laws = Group(ring, ptime), 0, laws
        self.pens = [writer(row) for row in range(len(laws))]
        self.heard = [b""] * len(laws)
        for row, (law, pen) in enumerate(zip(laws, self.pens, strict=True)):
            self.group.add(row, law.payload_type, str(law), row, 0, 0, False)
            pen.adopt()

    def tick(self, n=1):
        for _ in range(n):
            self.group.stamp(self.k, 0)
            self.k += 1
            for i in range(self.group.n):
                self.heard[int(self.group.rows[i])] += self.group.packet["payload"][i].tobytes()

    def pcm(self, row, begin=0, end=None):
        octets = self.heard[row][begin:end]
        return decode(self.laws[row], np.frombuffer(octets, np.uint8)).astype(float)


@pytest.mark.parametrize("law", list(Law))
def test_volume_is_a_ramp_of_one_packet_and_touches_nobody_else(ring, writer, law):
    line = Line(ring, writer, [law, law])
    said = encode(law, _tone(16000, 700, 8000)).tobytes()
    for pen in line.pens:
        pen.lay(said)
    line.tick(4)
    line.group.mix(0, 0.5, None, 0, 1)
    line.tick(8)
    assert line.heard[1] == said[: 12 * 160]
    assert line.heard[0][: 4 * 160] == said[: 4 * 160]
    pcm = line.pcm(0)
    assert _size(pcm[5 * 160 :], 700) == pytest.approx(4000, rel=0.03), "companded twice"
    ramp = pcm[4 * 160 : 5 * 160] / (_tone(1920, 700, 8000)[4 * 160 : 5 * 160] + 0.1)
    clear = np.abs(_tone(1920, 700, 8000)[4 * 160 : 5 * 160]) > 4000
    assert np.abs(ramp - np.linspace(1, 0.5, 160))[clear].max() < 0.06


@pytest.mark.parametrize("ptime", [10, 20, 60])
@pytest.mark.parametrize("law", list(Law))
def test_a_bed_is_heard_in_silence_and_gives_way_to_speech(ring, writer, law, ptime):
    line = Line(ring, writer, [law, law], ptime)
    packets = 1200 // ptime
    line.group.mix(0, 1, _bed(500, 8000), 0.5, 0.25)
    line.tick(packets)
    quiet = line.pcm(0)
    assert abs(quiet[:8]).max() < 100, "it comes up from nothing"
    assert _size(quiet[-3200:], 500) == pytest.approx(4000, rel=0.01)
    assert set(line.heard[1]) == {law.silence}
    line.pens[0].lay(encode(law, _tone(19200, 1100, 6000)).tobytes())
    line.tick(packets)
    speaking = line.pcm(0, len(quiet))
    assert _size(speaking[3200:6400], 1100) == pytest.approx(6000, rel=0.01)
    assert _size(speaking[3200:6400], 500) == pytest.approx(1000, rel=0.04), "ducked by 12 dB"
    line.tick(2 * packets)
    assert _size(line.pcm(0)[-3200:], 500) == pytest.approx(4000, rel=0.01), "and back"
    steepest = np.abs(np.diff(quiet)).max()
    assert steepest <= 1.15 * np.abs(np.diff(_tone(1600, 500, 4000).astype(float))).max()


def test_a_bed_that_ends_fades_out_and_the_leg_costs_nothing_any_more(ring, writer):
    line = Line(ring, writer, [Law.PCMU])
    line.group.mix(0, 0.5, _bed(500, 8000), 0.5, 1)
    line.tick(60)
    line.group.mix(0, 1, None, 0, 1)
    line.tick(10)
    gone = line.pcm(0, 60 * 160)
    assert np.abs(np.diff(gone)).max() <= 1.3 * np.abs(np.diff(_tone(1600, 500, 4000).astype(float))).max()
    assert np.abs(gone[6 * 160 + 160 :]).max() == 0
    line.tick(64)
    assert not len(line.group._mixing)
    assert not line.group._beds


def test_one_bed_follows_on_another_when_that_has_faded_out(ring, writer):
    line = Line(ring, writer, [Law.PCMA])
    line.group.mix(0, 1, _bed(500, 8000), 0.5, 1)
    line.tick(60)
    line.group.mix(0, 1, _bed(1000, 8000), 0.25, 1)
    line.tick(60)
    end = line.pcm(0)[-3200:]
    assert _size(end, 1000) == pytest.approx(2000, rel=0.02)
    assert _size(end, 500) < 20
    assert np.abs(np.diff(line.pcm(0))).max() < 2000


def test_mixes_move_with_their_legs(ring, writer):
    line = Line(ring, writer, [Law.PCMU, Law.PCMA, Law.PCMU])
    line.group.mix(2, 1, _bed(500, 8000), 0.5, 1)
    line.tick(60)
    assert line.group.remove(0) == 2
    line.tick(20)
    assert _size(line.pcm(2)[-3200:], 500) == pytest.approx(4000, rel=0.01)
    assert set(line.heard[1]) == {0xD5}
    assert np.abs(np.diff(line.pcm(2)[-30 * 160 :])).max() < 1700, "without a seam"


def test_what_is_too_loud_is_clipped_and_does_not_wrap(ring, writer):
    line = Line(ring, writer, [Law.PCMU])
    line.pens[0].lay(encode(Law.PCMU, _tone(4000, 300, 30000)).tobytes())
    line.group.mix(0, 3, None, 0, 1)
    line.tick(10)
    pcm = line.pcm(0, 10 * UNIT_OCTETS)
    clean = _tone(4000, 300, 30000)[10 * UNIT_OCTETS : 1600]
    assert np.all(np.sign(pcm[np.abs(clean) > 3000]) == np.sign(clean[np.abs(clean) > 3000]))
