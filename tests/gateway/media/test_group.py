"""The pacer's arithmetic in virtual time: what leaves, with which header, and what the ring says about it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.media.group import Group
from gateway.media.packet import parse_rtp
from gateway.ring import CAPACITY, NEVER, UNIT_OCTETS, RingBlock

MU, A = 0xFF, 0xD5


class Line:
    """What the far ends receive: every packet that leaves a group, by SSRC."""

    def __init__(self, group: Group) -> None:
        self.group, self.k, self.packets = group, 0, {}

    def tick(self, n: int = 1) -> None:
        for _ in range(n):
            count = self.group.stamp(self.k, 1_000_000 + self.k)
            leaving = np.flatnonzero(self.group.leaving)
            assert len(leaving) == count
            for i in leaving:
                packet = parse_rtp(self.group.packet[i].tobytes())
                self.packets.setdefault(packet.ssrc, []).append(packet)
            self.k += 1

    def octets(self, ssrc: int) -> bytes:
        return b"".join(p.payload for p in self.packets[ssrc])


def _leg(group, row, *, ssrc=1, payload_type=0, suppress=False, sequence=10, timestamp=100):
    law = "PCMA" if payload_type == 8 else "PCMU"
    return group.add(row, payload_type, law, ssrc, sequence, timestamp, suppress)


@pytest.mark.parametrize("ptime", [10, 20, 30, 40, 60])
def test_speech_is_what_was_laid_through_many_turns_of_the_ring(ring, writer, speech, ptime):
    group, pen = Group(ring, ptime), writer(3)
    _leg(group, 3)
    assert pen.adopt()
    line, said = Line(group), speech(CAPACITY * 5 // 12 * 12)
    at = 0
    while at < len(said):
        at += pen.lay(said[at:])
        line.tick(3)
    line.tick(CAPACITY)
    heard = line.octets(1)
    assert heard[: len(said)] == said
    assert set(heard[len(said) :]) == {MU}
    assert ring.sent[3] == len(said) // UNIT_OCTETS
    timestamps = [p.timestamp for p in line.packets[1]]
    assert np.diff(timestamps).tolist() == [8 * ptime] * (len(timestamps) - 1)


@given(sequence=st.integers(65500, 65535), timestamp=st.integers(2**32 - 40000, 2**32 - 1))
def test_sequence_and_timestamp_wrap(sequence, timestamp):
    ring = RingBlock.create(4)
    group = Group(ring, 20)
    _leg(group, 0, sequence=sequence, timestamp=timestamp)
    line = Line(group)
    line.tick(300)
    packets = line.packets[1]
    assert [p.sequence for p in packets] == [(sequence + i) % 2**16 for i in range(300)]
    assert [p.timestamp for p in packets] == [(timestamp + 160 * i) % 2**32 for i in range(300)]
    ring.close()


def test_when_speech_left_is_told_of_each_leg_whoever_comes_and_goes(ring, writer, speech):
    group = Group(ring, 20)
    line = Line(group)
    for row in range(3):
        _leg(group, row, ssrc=row)
    for row in range(3):  # each has spoken once, at another time
        pen = writer(row)
        assert pen.adopt()
        pen.lay(speech(2))
        line.tick()
    assert ring.sent_ns[:3].tolist() == [1_000_000, 1_000_001, 1_000_002]
    group.remove(0)
    line.tick()
    assert ring.sent_ns[1:3].tolist() == [1_000_001, 1_000_002]
    _leg(group, 4, ssrc=4)
    line.tick()
    assert ring.sent_ns[4] == 0, "it has not spoken yet"


def test_silence_sent_or_suppressed_with_clock_kept_and_marker_right(ring, writer, speech):
    group = Group(ring, 20)
    _leg(group, 0, ssrc=1)
    _leg(group, 1, ssrc=2, payload_type=8, suppress=True)
    pens = [writer(0), writer(1)]
    assert all(pen.adopt() for pen in pens)
    line = Line(group)
    line.tick(5)
    for pen in pens:
        pen.lay(speech(8))
    line.tick(10)
    for pen in pens:
        pen.lay(speech(4, seed=2))
    line.tick(5)
    always, spurts = line.packets[1], line.packets[2]
    assert len(always) == 20
    assert [p.marker for p in always] == [True] + [False] * 19
    assert [p.payload_type for p in spurts] == [8] * 6
    assert [p.marker for p in spurts] == [True, False, False, False, True, False]
    assert [p.sequence for p in spurts] == list(range(10, 16)), "only packets sent are counted"
    steps = [(p.timestamp - 100) // 160 for p in spurts]
    assert steps == [5, 6, 7, 8, 15, 16], "the clock runs through the silence"
    assert set(always[0].payload) == {MU}


def test_alaw_silence_is_d5(ring):
    group = Group(ring, 20)
    _leg(group, 0, payload_type=8)
    line = Line(group)
    line.tick()
    assert set(line.octets(1)) == {A}


def test_cut_at_once_stops_at_the_next_tick_and_old_frames_die_at_the_door(ring, writer, speech):
    group, pen = Group(ring, 20), writer(0)
    i = _leg(group, 0)
    pen.adopt()
    pen.lay(speech(100))
    line = Line(group)
    line.tick(3)
    ring.cut(0)
    assert group.cut(i)
    assert ring.is_cut(0)
    assert ring.sent[0] == 6
    pen.lay(speech(20, seed=9))  # still of the old generation
    line.tick(3)
    assert set(line.octets(1)[6 * UNIT_OCTETS :]) == {MU}
    assert pen.adopt()
    fresh = speech(8, seed=5)
    pen.lay(fresh)
    line.tick(4)
    assert line.octets(1)[12 * UNIT_OCTETS :] == fresh
    assert ring.sent[0] == 14


def test_cut_at_a_position_plays_up_to_it(ring, writer, speech):
    group, pen = Group(ring, 20), writer(0)
    i = _leg(group, 0)
    pen.adopt()
    said = speech(40)
    pen.lay(said)
    line = Line(group)
    line.tick(2)
    ring.cut(0, at=10)
    for _ in range(6):
        done = group.cut(i)
        line.tick()
    assert done
    assert line.octets(1)[: 10 * UNIT_OCTETS] == said[: 10 * UNIT_OCTETS]
    assert set(line.octets(1)[10 * UNIT_OCTETS :]) == {MU}
    assert ring.sent[0] == 10


def test_a_nearer_cut_wins_over_one_under_way(ring, writer, speech):
    group, pen = Group(ring, 20), writer(0)
    i = _leg(group, 0)
    pen.adopt()
    pen.lay(speech(40))
    ring.cut(0, at=30)
    group.cut(i)
    line = Line(group)
    line.tick(2)
    ring.cut(0)
    assert group.cut(i)
    assert ring.sent[0] == 4


def test_a_cut_before_the_writer_is_back_is_acknowledged_at_once(ring, writer, speech):
    """Otherwise each would wait for the other: nothing may be sent, and nothing is let go."""
    group, pen = Group(ring, 20), writer(0)
    i = _leg(group, 0)
    pen.adopt()
    pen.lay(speech(40))
    ring.cut(0)
    assert group.cut(i)
    ring.cut(0, at=30)
    assert group.cut(i)
    assert pen.adopt()


def test_a_row_taken_back_in_the_middle_of_a_tick_sends_nothing_stale(ring, writer, speech, monkeypatch):
    """The writer's two stores fall between the pacer's two reads, whichever the pacer reads first."""
    group, pen = Group(ring, 20), writer(0)
    i = _leg(group, 0)
    pen.adopt()
    pen.lay(speech(40))
    line = Line(group)
    line.tick(2)
    ring.cut(0)
    assert group.cut(i)

    class Torn:
        def __init__(self, array):
            self.array = array

        def take(self, *arguments, **named):
            taken = self.array.take(*arguments, **named)
            pen.adopt()
            return taken

    for name in ("written", "written_generation"):
        monkeypatch.setattr(ring, name, Torn(getattr(ring, name)), raising=False)
    monkeypatch.setattr(type(pen), "adopt", lambda self: _adopt_into(ring))
    line.tick(1)
    assert ring.sent[0] == 4
    assert set(line.octets(1)[4 * UNIT_OCTETS :]) == {MU}


def _adopt_into(ring):
    """``RingBlock.adopt`` on the arrays behind the torn reads."""
    ring.written.array[0] = ring.sent[0]
    ring.written_generation.array[0] = ring.generation[0]


def test_pause_keeps_the_place_and_a_cut_while_paused_is_at_once(ring, writer, speech):
    group, pen = Group(ring, 20), writer(0)
    i = _leg(group, 0)
    pen.adopt()
    said = speech(20)
    pen.lay(said, unfinished=True)
    line = Line(group)
    line.tick(2)
    assert group.hold(i, 0, fade=False)
    line.tick(3)
    assert group.hold(i, NEVER)
    line.tick(1)
    octets = line.octets(1)
    assert octets[: 4 * 80] == said[: 4 * 80]
    assert set(octets[4 * 80 : 10 * 80]) == {MU}
    assert octets[10 * 80 :] == said[4 * 80 : 6 * 80]
    assert ring.underruns[0] == 0, "a pause is no underrun"
    assert group.hold(i, 0)
    ring.cut(0, at=20)
    assert group.cut(i)


def test_underrun_is_a_run_of_dry_ticks_inside_an_utterance(ring, writer, speech):
    group, pen = Group(ring, 20), writer(0)
    _leg(group, 0)
    pen.adopt()
    line = Line(group)
    line.tick(5)
    assert ring.underruns[0] == 0, "nothing said yet"
    pen.lay(speech(4), unfinished=True)
    line.tick(5)
    assert (ring.underruns[0], ring.dry_ticks[0]) == (1, 3)
    pen.lay(speech(4), unfinished=True)
    line.tick(3)
    pen.lay(speech(4), unfinished=False)
    line.tick(9)
    assert (ring.underruns[0], ring.dry_ticks[0]) == (2, 4)
    assert (group.underruns, group.dry_ticks) == (2, 4)


def test_skipped_packet_times_open_a_talkspurt_and_lose_no_speech(ring, writer, speech):
    group, pen = Group(ring, 20), writer(0)
    _leg(group, 0)
    pen.adopt()
    said = speech(8)
    pen.lay(said)
    assert group.stamp(0, 0) == 1
    first = parse_rtp(group.packet[0].tobytes())
    assert group.stamp(50, 1, stalled=True) == 1
    after = parse_rtp(group.packet[0].tobytes())
    assert after.sequence == first.sequence + 1
    assert after.timestamp == first.timestamp + 50 * 160
    assert after.marker
    assert first.payload + after.payload == said[: 4 * 80]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_members_come_and_go_and_each_keeps_its_own_stream(data):
    ring = RingBlock.create(200)
    group, legs, line = Group(ring, 20), [], None
    line = Line(group)
    told: dict[int, int] = {}
    for ssrc in range(1, data.draw(st.integers(2, 150))):
        row = ssrc - 1
        index = _leg(group, row, ssrc=ssrc, sequence=ssrc)
        legs.append([ssrc, index])
        assert ring.adopt(row, int(ring.generation[row]))
        ring.lay(row, memoryview(bytes([ssrc % 251]) * 480), unfinished=False)
        if len(legs) > 2 and data.draw(st.booleans()):
            leg = legs.pop(data.draw(st.integers(0, len(legs) - 1)))
            moved = group.remove(leg[1])
            for other in legs:
                if other[1] == moved:
                    other[1] = leg[1]
        if data.draw(st.integers(0, 3)) == 0:
            line.tick()
            for other, _ in legs:
                told[other] = told.get(other, 0) + 1
    line.tick(3)
    assert group.n == len(legs)
    for ssrc, _ in legs:
        packets = line.packets[ssrc]
        assert [p.sequence for p in packets] == [ssrc + i for i in range(len(packets))]
        assert line.octets(ssrc)[:480] == bytes([ssrc % 251]) * 480
        assert len(packets) == told.get(ssrc, 0) + 3
    ring.close()


STEPS = st.lists(
    st.sampled_from(["recode", "cut", "cut later", "tick", "look", "told", "write"]), max_size=60
)
SPEECH = {0: set(range(1, 100)), 8: set(range(100, 200))}
"""Octets that this test says in each law, by payload type."""


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_a_cut_with_a_change_waits_for_it_and_no_packet_mixes_laws(steps):
    """Control recodes and cuts, its messages come late, the writer lays whenever it may, the pacer paces."""
    ring = RingBlock.create(1)
    group = Group(ring, 20)
    _leg(group, 0)
    line, types, mail = Line(group), {0: 0}, []
    law = 0
    for step in [*steps, *["told"] * len(steps), *["tick"] * 4, "write", "tick"]:
        match step:
            case "recode":
                law = 8 - law
                ring.changes[0] += 1
                types[ring.cut(0)] = law
                mail.append(law)
            case "cut" | "cut later":
                types[ring.cut(0, int(ring.sent[0]) + 6 if step == "cut later" else 0)] = law
            case "told" if mail:
                group.changes[0] += 1
                group.code(0, mail[0], "PCMA" if mail.pop(0) else "PCMU")
            case "look" | "tick":
                let_go = group.cut(0)
                assert not (let_go and mail), "let go before every change was told"
                line.tick(step == "tick")
            case "write":
                generation = int(ring.generation[0])
                if ring.written_generation[0] == generation or ring.adopt(0, generation):
                    octets = bytes([min(SPEECH[types[generation]])]) * UNIT_OCTETS * 8
                    ring.lay(0, memoryview(octets), unfinished=False)
    packets = line.packets[1]
    for packet in packets:
        silence = {A if packet.payload_type else MU}
        assert set(packet.payload) in (silence, set(packet.payload) & SPEECH[packet.payload_type])
    assert packets[-1].payload_type == law
    assert set(packets[-1].payload) <= SPEECH[law], "it speaks again"
    ring.close()
