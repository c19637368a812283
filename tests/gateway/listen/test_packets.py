import ipaddress
import random

import numpy as np
import pytest
from aiortc.rtp import RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from gateway.listen.packets import PACKET, SLOT, is_event, parse_headers, source_text


def _lay_out(datagrams: list[bytes], background: int = 0xFF):
    """As the kernel does: the rest of each slot holds what an earlier datagram left there."""
    data = np.full((len(datagrams), SLOT), background, np.uint8)
    for row, datagram in enumerate(datagrams):
        data[row, : len(datagram)] = np.frombuffer(datagram, np.uint8)
    return data, np.array([len(d) for d in datagrams], np.int64)


def _agrees_with_aiortc(datagrams: list[bytes]) -> int:
    data, lengths = _lay_out(datagrams)
    headers = parse_headers(data, lengths)
    valid = 0
    for row, datagram in enumerate(datagrams):
        if len(datagram) > 1 and 192 <= datagram[1] <= 223:
            assert not headers.rtp[row]
            assert headers.rtcp[row] == (len(datagram) >= 4 and datagram[0] >> 6 == 2)
            continue
        assert not headers.rtcp[row]
        try:
            packet = RtpPacket.parse(datagram)
        except ValueError:
            assert not headers.rtp[row], datagram.hex()
            continue
        assert headers.rtp[row], datagram.hex()
        start, length = int(headers.payload_start[row]), int(headers.payload_length[row])
        assert datagram[start : start + length] == packet.payload
        assert headers.ssrc[row] == packet.ssrc
        assert headers.seq[row] == packet.sequence_number
        assert headers.timestamp[row] == packet.timestamp
        assert headers.payload_type[row] == packet.payload_type
        assert headers.marker[row] == packet.marker
        valid += 1
    return valid


def test_every_first_octet_at_every_length_agrees_with_aiortc():
    source = random.Random(7)
    datagrams = []
    for first in range(256):
        for length in range(100):
            tail = bytearray(source.randbytes(length))
            if length > 1:
                tail[0], tail[1] = first, source.choice((0, 8, 0x80, 0x88, 101, 229))
            cc = first & 0x0F
            if first & 0x10 and length > 12 + 4 * cc + 4:
                # a profile that aiortc does not look into, and a length that is sometimes right
                tail[12 + 4 * cc : 16 + 4 * cc] = bytes((1, 2, 0, source.randrange(5)))
            if first & 0x20 and length:
                tail[-1] = source.randrange(8)
            datagrams.append(bytes(tail))
    assert _agrees_with_aiortc(datagrams) > 1000


@pytest.mark.parametrize("background", [0x00, 0x80, 0xFF])
def test_what_an_earlier_datagram_left_is_never_read(background):
    datagrams = [bytes([first, 0]) + bytes(n) for first in (0x80, 0xBF, 0x90, 0xA0, 0x8F) for n in range(40)]
    data, lengths = _lay_out(datagrams, background)
    clean, _ = _lay_out(datagrams, 0)
    ours, clear = parse_headers(data, lengths), parse_headers(clean, lengths)
    assert (ours.rtp == clear.rtp).all()
    assert (ours.payload_length[ours.rtp] == clear.payload_length[ours.rtp]).all()
    ends = ours.payload_start + ours.payload_length
    assert (ends[ours.rtp] <= lengths[ours.rtp]).all()


@given(st.lists(st.binary(max_size=SLOT), min_size=1, max_size=20))
def test_no_bytes_make_it_raise_or_reach_outside(datagrams):
    data, lengths = _lay_out(datagrams)
    headers = parse_headers(data, lengths)
    assert not (headers.rtp & headers.rtcp).any()
    assert (headers.payload_length[headers.rtp] >= 0).all()
    assert ((headers.payload_start + headers.payload_length)[headers.rtp] <= lengths[headers.rtp]).all()


def test_an_event_is_four_octets_of_a_dynamic_type(ideal):
    packets = ideal(4)
    packets["payload_type"] = (101, 101, 0, 127)
    packets["payload_length"] = (4, 160, 4, 4)
    assert is_event(packets).tolist() == [True, False, False, True]


@pytest.mark.parametrize(
    ("address", "text"), [("10.1.2.3", "10.1.2.3:9"), ("2001:db8::1", "[2001:db8::1]:9")]
)
def test_sources_are_told_as_people_write_them(address, text):
    packet = np.zeros(1, PACKET)
    ip = ipaddress.ip_address(address)
    packed = bytes(10) + b"\xff\xff" + ip.packed if ip.version == 4 else ip.packed
    packet["source_ip"][0] = np.frombuffer(packed, np.uint8)
    packet["source_port"] = 9
    assert source_text(packet[0]) == text
