"""What is cut or held dies away within 10 ms and comes back from the same sample: the pacer's arithmetic."""

import numpy as np
import pytest

from gateway.media.fades import FALL, RISE
from gateway.media.group import Group
from gateway.media.packet import parse_rtp
from gateway.ring import NEVER, UNIT_OCTETS
from telephony_codecs import Law, decode, encode

HZ = 230
"""No whole number of periods in a packet: every cut is at another phase."""


def _tone(units, law, amplitude=8000, hz=HZ):
    t = np.arange(units * UNIT_OCTETS) / 8000
    return encode(law, (amplitude * np.sin(2 * np.pi * hz * t)).astype(np.int16)).tobytes()


class Line:
    """One leg and what it hears, as sound."""

    def __init__(self, ring, writer, law=Law.PCMU, ptime=20, suppress=False):
        self.ring, self.law, self.k = ring, law, 0
        self.group, self.pen = Group(ring, ptime), writer(0)
        self.i = self.group.add(0, law.payload_type, str(law), 1, 0, 0, suppress)
        self.pen.adopt()
        self.packets = []

    def tick(self, n=1):
        for _ in range(n):
            if self.group.stamp(self.k, self.k):
                self.packets.append(parse_rtp(self.group.packet[self.i].tobytes()))
            self.k += 1

    @property
    def octets(self):
        return b"".join(packet.payload for packet in self.packets)

    @property
    def pcm(self):
        return decode(self.law, np.frombuffer(self.octets, np.uint8)).astype(float)


def _steepest(pcm):
    return np.abs(np.diff(pcm)).max()


@pytest.mark.parametrize("law", list(Law))
@pytest.mark.parametrize("ptime", [10, 20, 60])
def test_a_cut_dies_away_under_the_next_packet(ring, writer, law, ptime):
    line = Line(ring, writer, law, ptime)
    line.pen.lay(_tone(120, law))
    line.tick(5)
    ring.cut(0, fade=True)
    assert line.group.cut(line.i), "the fade keeps nobody waiting"
    sent = int(ring.sent[0])
    line.tick(3)
    at = sent * UNIT_OCTETS
    pcm = line.pcm
    whole = decode(law, np.frombuffer(_tone(120, law), np.uint8)).astype(float)
    assert _steepest(pcm) <= 1.25 * _steepest(whole), "no jump"
    fading = pcm[at : at + UNIT_OCTETS]
    assert np.abs(fading - whole[at : at + UNIT_OCTETS] * FALL).max() < 260, "G.711's step at this level"
    assert np.abs(pcm[at + UNIT_OCTETS :]).max() <= 8, "then silence"
    assert ring.sent[0] == sent, "which does not count as sent"


def test_a_cut_without_a_fade_and_one_that_is_seen_coming_leave_no_trace(ring, writer):
    line = Line(ring, writer)
    said = _tone(40, Law.PCMU)
    line.pen.lay(said)
    line.tick(3)
    ring.cut(0, at=10, fade=True)
    assert not line.group.cut(line.i)
    line.tick(2)
    assert line.group.cut(line.i)
    line.tick(2)
    assert line.octets == said[:800] + b"\xff" * 320
    line.pen.adopt()
    line.pen.lay(said)
    line.tick(2)
    ring.cut(0)
    line.group.cut(line.i)
    line.tick(2)
    assert line.octets[1120:] == said[:320] + b"\xff" * 320


def test_it_dies_away_under_what_is_said_next(ring, writer):
    line = Line(ring, writer)
    line.pen.lay(_tone(40, Law.PCMU))
    line.tick(3)
    ring.cut(0, fade=True)
    line.group.cut(line.i)
    line.pen.adopt()
    new = _tone(40, Law.PCMU, amplitude=3000, hz=700)
    line.pen.lay(new)
    line.tick(2)
    heard = line.pcm[480:]
    old = decode(Law.PCMU, np.frombuffer(_tone(40, Law.PCMU), np.uint8))[480:560] * FALL
    fresh = decode(Law.PCMU, np.frombuffer(new, np.uint8)).astype(float)
    assert np.abs(heard[:80] - fresh[:80] - old).max() < 300
    assert line.octets[560:] == new[80:320]


def test_a_leg_that_sends_no_silence_sends_the_packet_that_dies_away(ring, writer):
    line = Line(ring, writer, suppress=True)
    line.pen.lay(_tone(40, Law.PCMU))
    line.tick(3)
    ring.cut(0, fade=True)
    line.group.cut(line.i)
    line.tick(5)
    assert len(line.packets) == 4
    assert [packet.sequence for packet in line.packets] == [0, 1, 2, 3]
    assert not line.packets[3].marker
    assert set(line.packets[3].payload[80:]) == {0xFF}


def test_a_pause_dies_away_and_comes_back_from_the_same_sample(ring, writer):
    line = Line(ring, writer)
    said = _tone(60, Law.PCMU)
    line.pen.lay(said, unfinished=True)
    line.tick(4)
    assert line.group.hold(line.i, 0)
    line.tick(4)
    assert line.group.hold(line.i, NEVER)
    line.tick(4)
    whole = decode(Law.PCMU, np.frombuffer(said, np.uint8)).astype(float)
    assert _steepest(line.pcm) <= 1.25 * _steepest(whole)
    again = line.pcm[8 * 160 :]
    assert np.abs(again[:80] - whole[640:720] * RISE).max() < 260
    assert line.octets[8 * 160 + 80 :] == said[720 : 720 + 560]
    assert ring.sent[0] == 16
    assert ring.underruns[0] == 0, "a pause is no underrun"


def test_a_pause_at_a_position_is_exact_and_does_not_wait_for_what_was_cut(ring, writer):
    line = Line(ring, writer)
    said = _tone(60, Law.PCMU)
    line.pen.lay(said)
    line.tick(2)
    assert not line.group.hold(line.i, 9), "no whole packet fits below 9 after 8"
    line.tick(2)
    assert line.group.hold(line.i, 9)
    line.tick(3)
    assert ring.sent[0] == 8
    assert line.octets[:640] == said[:640]
    assert np.abs(line.pcm[720:]).max() == 0
    line.group.hold(line.i, NEVER)
    line.tick(2)
    assert not line.group.hold(line.i, 30)
    ring.cut(0, fade=True)
    assert line.group.cut(line.i)
    assert line.group.hold(line.i, 30), "the word is gone"
    line.pen.adopt()
    line.pen.lay(said)
    line.tick(3)
    assert ring.sent[0] == 12, "held"


def test_what_was_not_being_said_does_not_die_away(ring, writer):
    line = Line(ring, writer, suppress=True)
    assert line.group.hold(line.i, 0)
    line.pen.lay(_tone(20, Law.PCMU))
    line.tick(3)
    ring.cut(0, fade=True)
    line.group.cut(line.i)
    line.tick(3)
    assert line.packets == []
    assert line.group.hold(line.i, NEVER)
    line.pen.adopt()
    line.pen.lay(_tone(20, Law.PCMU))
    line.tick(2)
    assert line.octets == _tone(20, Law.PCMU)[:320], "nor come up from nothing"


def test_fades_move_with_their_legs(ring, writer):
    group = Group(ring, 20)
    pens = [writer(row) for row in range(3)]
    for row, pen in enumerate(pens):
        group.add(row, 0, "PCMU", row, 0, 0, True)
        pen.adopt()
        pen.lay(_tone(40, Law.PCMU))
    group.stamp(0, 0)
    for row in (0, 2):
        ring.cut(row, fade=True)
        assert group.cut(row)
    assert group.remove(0) == 2
    assert group.stamp(1, 0) == 2, "the fade of row 2, and row 1"
    assert group.leaving.tolist() == [True, True]
    assert np.abs(decode(Law.PCMU, group.packet["payload"][0, 80:])).max() == 0
    assert np.abs(decode(Law.PCMU, group.packet["payload"][0, :80])).max() > 1000
