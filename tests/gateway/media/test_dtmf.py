"""RFC 4733 both ways: what we send is what a receiver understands, and losing packets loses no digit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.dtmf import END_PACKETS, Digit, DigitReceiver, DigitSender
from gateway.media.packet import DIGITS, TelephoneEvent

digits = st.text(DIGITS, min_size=1, max_size=6)


def _run(text: str, duration_ms: int, ptime: int) -> list:
    sender, sent, timestamp = DigitSender(ptime, -10), [], 2**32 - 4000
    sender.add(text, duration_ms)
    while sender.active:
        sent.append((timestamp, sender.tick(timestamp)))
        timestamp = (timestamp + 8 * ptime) % 2**32
    return sent


@given(digits, st.integers(40, 5000), st.sampled_from([10, 20, 30, 40, 60]))
def test_events_follow_the_rfc(text, duration_ms, ptime):
    sent = _run(text, duration_ms, ptime)
    events = {}
    for timestamp, packet in sent:
        if packet is not None:
            events.setdefault(packet.timestamp, []).append((timestamp, packet))
    assert len(events) == len(text)
    for start, packets in events.items():
        durations = [p.event.duration for _, p in packets]
        assert packets[0][0] == start, "the timestamp is that of the event's start"
        assert [p.marker for _, p in packets] == [True] + [False] * (len(packets) - 1)
        assert durations == sorted(durations)
        assert durations[-1] == 8 * duration_ms
        assert [p.event.end for _, p in packets].count(True) == END_PACKETS
        assert all(p.event.end for _, p in packets[-END_PACKETS:])


@given(digits, st.integers(40, 500), st.data())
def test_receiver_hears_each_digit_once_through_loss_and_reordering(text, duration_ms, data):
    packets = [p for _, p in _run(text, duration_ms, 20) if p is not None]
    starts = sorted({p.timestamp for p in packets}, key=lambda t: (t + 4000) % 2**32)
    kept = []
    for start in starts:
        event = [p for p in packets if p.timestamp == start]
        lost = data.draw(st.sets(st.integers(0, len(event) - 1), max_size=len(event) - 1))
        kept += [p for i, p in enumerate(event) if i not in lost]
    for i in range(0, len(kept) - 1, 3):  # neighbours swapped
        if kept[i].timestamp == kept[i + 1].timestamp:
            kept[i], kept[i + 1] = kept[i + 1], kept[i]
    receiver = DigitReceiver()
    heard = [d for p in kept for d in receiver.receive(p.timestamp, p.event)]
    assert "".join(d.digit for d in heard if d.duration_ms is None) == text


def test_duplicates_after_the_end_are_not_a_new_digit():
    packets = [p for _, p in _run("5", 100, 20) if p is not None]
    receiver = DigitReceiver()
    heard = [d for p in packets * 3 for d in receiver.receive(p.timestamp, p.event)]
    assert [(d.digit, d.duration_ms) for d in heard] == [("5", None), ("5", 100)]


@pytest.mark.parametrize("longest", [0xFFFF, 0xFFFF // 160 * 160])
@pytest.mark.parametrize("lost", [0, 30])
def test_a_key_held_for_twenty_seconds_is_one_digit(longest, lost):
    """Segments of RFC 4733 2.5.1.3, the last packets of each lost or not, and another digit behind them."""
    receiver, heard, begin = DigitReceiver(), [], 2**32 - 100_000
    for segment in (longest, longest, 160_000 - 2 * longest):
        durations = list(range(160, segment, 160))
        for duration in durations[: len(durations) - lost]:
            heard += receiver.receive(begin, TelephoneEvent(5, False, 10, duration))
        begin = (begin + segment) % 2**32
    heard += receiver.receive((begin - segment) % 2**32, TelephoneEvent(5, True, 10, segment))
    heard += receiver.receive(begin, TelephoneEvent(5, False, 10, 160))
    assert heard == [Digit("5", None), Digit("5", 20_000), Digit("5", None)]


def test_the_same_key_pressed_again_is_another_digit_though_its_end_was_lost():
    receiver, heard = DigitReceiver(), []
    for begin in (0, 1600, 1600 + 0xFFFF + 160):
        heard += receiver.receive(begin, TelephoneEvent(5, False, 10, 160))
    assert heard == [Digit("5", None), Digit("5", 20), Digit("5", None), Digit("5", 20), Digit("5", None)]
