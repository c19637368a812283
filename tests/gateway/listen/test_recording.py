import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.listen.events import DIGITS
from gateway.listen.packets import PACKET
from gateway.listen.receiver import Receiver
from gateway.listen.recording import LONGEST_S, recordings, to_dbm0
from telephony_codecs import Law, decode, encode

RATE = 8000


def _tone(hertz: float, samples: int, amplitude: float = 8000) -> np.ndarray:
    return np.round(amplitude * np.sin(2 * np.pi * hertz * np.arange(samples) / RATE)).astype(np.int16)


def _with_payloads(packets: np.ndarray, payloads: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    lengths = [len(payload) for payload in payloads]
    packets["payload_length"] = lengths
    packets["payload_start"] = np.cumsum(lengths) - lengths
    return packets, np.frombuffer(b"".join(payloads), np.uint8)


def _frames(codes: np.ndarray, size: int = 160) -> list[bytes]:
    return [codes[at : at + size].tobytes() for at in range(0, len(codes), size)]


@pytest.mark.parametrize("law", list(Law))
@pytest.mark.parametrize("hertz", [300, 1004, 3400])
def test_a_tone_sent_is_the_tone_heard(law, hertz, rtp, sender, hear):
    pcm = _tone(hertz, RATE)
    with Receiver("127.0.0.1", [0], record=True) as receiver:
        for k, payload in enumerate(_frames(encode(law, pcm))):
            datagram = rtp(
                seq=65530 + k,
                timestamp=(1 << 32) - 1000 + 160 * k,
                payload=payload,
                payload_type=law.payload_type,
            )
            sender.sendto(datagram, ("127.0.0.1", receiver.local_ports[0]))
        hear(receiver, 50)
        capture = receiver.capture()
    (heard,) = recordings(capture.packets, capture.payloads)
    assert (heard.pcm == decode(law, encode(law, pcm))).all()
    assert (heard.filled, heard.unheard, heard.events) == (0, 0, ())
    spectrum = np.abs(np.fft.rfft(heard.pcm.astype(np.float64))) ** 2
    assert np.argmax(spectrum) == hertz  # one second: a bin is a hertz
    noise = spectrum.sum() - spectrum[hertz]
    assert 10 * np.log10(spectrum[hertz] / noise) > 33
    level = heard.level()
    expected = 20 * np.log10(8000 / np.sqrt(2) / 32768)
    assert level.dbov == pytest.approx(expected, abs=0.3)
    assert to_dbm0(level.dbov) == pytest.approx(expected + 6.15, abs=0.3)


def test_order_is_mended_repeats_dropped_and_gaps_are_silence(ideal):
    codes = encode(Law.PCMU, _tone(700, 20 * 160))
    packets, payloads = _with_payloads(ideal(20, seq=65530), _frames(codes))
    order = np.array([0, 1, 3, 2, 4, 5, 5, 6, 9, 10, 8, *range(11, 20), 11])
    (heard,) = recordings(packets[order], payloads)
    expected = decode(Law.PCMU, codes)
    expected[7 * 160 : 8 * 160] = 0
    assert (heard.pcm == expected).all()
    assert heard.filled == 160


def test_silence_that_was_not_sent_takes_its_time(ideal):
    codes = encode(Law.PCMA, _tone(700, 1600))
    packets, payloads = _with_payloads(ideal(10), _frames(codes))
    packets["payload_type"] = 8
    packets["timestamp"][5:] += 4800
    packets["t_ns"][5:] += 600_000_000
    (heard,) = recordings(packets, payloads)
    speech = decode(Law.PCMA, codes)
    assert (heard.pcm == np.concatenate([speech[:800], np.zeros(4800, np.int16), speech[800:]])).all()
    assert heard.filled == 4800


def test_packets_of_different_lengths_and_laws_fit_together(ideal):
    pcm = _tone(440, 720)
    sizes, laws = [80, 160, 240, 240], [Law.PCMU, Law.PCMA, Law.PCMU, Law.PCMA]
    starts = np.cumsum(sizes) - sizes
    payloads = [encode(law, pcm[s : s + n]).tobytes() for law, s, n in zip(laws, starts, sizes, strict=True)]
    packets, store = _with_payloads(ideal(4), payloads)
    packets["timestamp"] = starts
    packets["payload_type"] = [law.payload_type for law in laws]
    (heard,) = recordings(packets, store)
    whole = [decode(law, encode(law, pcm[s : s + n])) for law, s, n in zip(laws, starts, sizes, strict=True)]
    assert (heard.pcm == np.concatenate(whole)).all()


def test_other_payload_types_are_left_out_and_counted(ideal):
    packets, payloads = _with_payloads(ideal(4), [b"\xff" * 160, b"\x40", b"\xff" * 160, b"x" * 50])
    packets["payload_type"] = (0, 13, 0, 96)
    (heard,) = recordings(packets, payloads)
    assert len(heard.pcm) == 480
    assert (heard.unheard, heard.filled) == (2, 160)


def test_timestamps_that_run_wild_do_not_take_the_memory(ideal):
    n = 300
    packets, payloads = _with_payloads(ideal(n), [b"\xff" * 160] * n)
    packets["seq"] *= 2999
    packets["timestamp"] = np.arange(n, dtype=np.uint32) * 2999 * 4000
    packets["t_ns"] = np.arange(n) * int(2999 * 0.5e9)
    (heard,) = recordings(packets, payloads)
    assert len(heard.pcm) <= LONGEST_S * RATE
    assert heard.unheard > 0


def _press(digit: str, timestamp: int, length_ms: int, ends: int = 3) -> list[tuple[int, bytes]]:
    """(timestamp, payload) of one event's packets, one each 20 ms."""
    code = DIGITS.index(digit)
    total = length_ms * 8
    updates = [(timestamp, struct.pack("!BBH", code, 10, d)) for d in range(160, total, 160)]
    return updates + [(timestamp, struct.pack("!BBH", code, 0x80 | 10, total))] * ends


def _events(ideal, presses, payload_type=101):
    told = [packet for press in presses for packet in press]
    packets, payloads = _with_payloads(ideal(len(told)), [payload for _, payload in told])
    packets["timestamp"] = [timestamp & 0xFFFFFFFF for timestamp, _ in told]
    packets["payload_type"] = payload_type
    return packets, payloads


def test_every_digit_with_its_duration(ideal):
    presses = [_press(d, 5000 + 2000 * k, 60 + 10 * k) for k, d in enumerate(DIGITS)]
    (heard,) = recordings(*_events(ideal, presses))
    assert heard.digits == DIGITS
    assert [event.duration for event in heard.events] == [8 * (60 + 10 * k) for k in range(16)]
    assert all(event.ended and event.volume_dbm0 == -10 for event in heard.events)
    assert len(heard.pcm) == 0
    assert heard.level().activity == 0


def test_the_same_digit_twice_is_two_and_lost_ends_do_no_harm(ideal):
    packets, payloads = _events(
        ideal, [_press("5", 0xFFFFFF00, 100), _press("5", 0xFFFFFF00 + 1600, 100, ends=0)], 96
    )
    (heard,) = recordings(packets, payloads)
    assert heard.digits == "55"
    assert [(event.ended, event.duration) for event in heard.events] == [(True, 800), (False, 640)]


def test_digits_are_told_in_the_order_they_were_sent(ideal):
    packets, payloads = _events(ideal, [_press("1", 0, 60, ends=1), _press("2", 800, 60, ends=1)])
    order = np.array([3, 4, 5, 0, 1, 2])
    (heard,) = recordings(packets[order], payloads)
    assert heard.digits == "12"


def test_segments_of_a_long_event_are_one(ideal):
    first = [(1000, struct.pack("!BBH", 7, 10, d)) for d in (0x7FFF, 0xFFFF)]
    second = [(1000 + 0xFFFF, struct.pack("!BBH", 7, 10, 0xFFFF))]
    third = [(1000 + 2 * 0xFFFF, struct.pack("!BBH", 7, 0x8A, 800))]
    (heard,) = recordings(*_events(ideal, [first, second, third]))
    assert [(e.digit, e.duration, e.ended) for e in heard.events] == [("7", 2 * 0xFFFF + 800, True)]


def test_an_event_that_is_no_key_shows_its_code(ideal):
    (heard,) = recordings(*_events(ideal, [[(0, struct.pack("!BBH", 16, 0x80, 800))]]))
    assert heard.digits == "[16]"


def test_digits_in_speech_leave_speech_where_it_was(ideal):
    codes = encode(Law.PCMU, _tone(500, 1600))
    press = _press("9", 800, 60)
    payloads = [*_frames(codes)[:5], *(payload for _, payload in press), *_frames(codes)[5:]]
    packets, store = _with_payloads(ideal(len(payloads)), payloads)
    kind = [0] * 5 + [101] * len(press) + [0] * 5
    packets["payload_type"] = kind
    packets["timestamp"] = [*range(0, 800, 160), *[800] * len(press), *range(1280, 2080, 160)]
    (heard,) = recordings(packets, store)
    speech = decode(Law.PCMU, codes)
    assert heard.digits == "9"
    assert (heard.pcm == np.concatenate([speech[:800], np.zeros(480, np.int16), speech[800:]])).all()


def test_each_stream_hears_its_own(ideal):
    parts = []
    for k in range(5):
        part = ideal(20, ssrc=1000 - k)
        part["t_ns"] += k
        parts.append(part)
    frames = [f for k in range(5) for f in _frames(encode(Law.PCMU, _tone(400 + 200 * k, 3200)))]
    packets, payloads = _with_payloads(np.concatenate(parts), frames)
    mixed = packets[np.argsort(packets["t_ns"], kind="stable")]
    for k, heard in enumerate(recordings(mixed, payloads)):
        assert heard.ssrc == 1000 - k
        peak = np.argmax(np.abs(np.fft.rfft(heard.pcm.astype(np.float64)))) * RATE / 3200
        assert peak == 400 + 200 * k


@given(st.data())
def test_no_packets_make_it_fail(data):
    n = data.draw(st.integers(1, 30))
    packets = np.zeros(n, PACKET)
    payloads = []
    for row in range(n):
        payload = data.draw(st.binary(max_size=12))
        payloads.append(payload)
        packets["seq"][row] = data.draw(st.integers(0, 65535))
        packets["timestamp"][row] = data.draw(st.integers(0, (1 << 32) - 1))
        packets["payload_type"][row] = data.draw(st.sampled_from([0, 8, 13, 96, 101]))
        packets["ssrc"][row] = data.draw(st.integers(0, 2))
    packets["t_ns"] = np.arange(n) * 20_000_000
    packets, store = _with_payloads(packets, payloads)
    for heard in recordings(packets, store):
        assert len(heard.pcm) <= (n * 0.52 + 1) * RATE
