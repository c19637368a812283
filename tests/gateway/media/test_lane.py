"""Every packet of a lane leaves at its leg's port, for its leg's address, whoever came, went or moved."""

import ctypes
import errno
from contextlib import closing
from types import SimpleNamespace
from unittest import mock

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.media.batch import MESSAGE, VECTOR, socket_address
from gateway.media.lane import Lane
from gateway.media.leg import Leg
from gateway.media.packet import parse_rtp
from gateway.messages.media import OpenLeg
from gateway.ring import RingBlock

ROWS = 200
PORTS = 5
TARGETS = [("127.0.0.1", 4000), ("127.0.0.2", 4000), ("10.255.0.1", 65535), ("::1", 4000), ("2001:db8::7", 9)]
DEED = st.tuples(st.sampled_from(["come", "go", "go", "aim", "share", "tick"]), st.integers(0, 999))
DEEDS = st.lists(DEED, min_size=40, max_size=120)


def leg_of(row):
    address, port = TARGETS[row % len(TARGETS)]
    return Leg(OpenLeg(row, address, port, 0, "PCMU", 20, None, row % 7 == 0), address, port, "", 0)


class Wire:
    """What left, as (descriptor, sockaddr of a shared port's packet, SSRC)."""

    def __init__(self):
        self.left = []

    def port(self, number):
        def send(packet):
            self.left.append((number, None, parse_rtp(bytes(packet)).ssrc))

        return SimpleNamespace(connected=False, rtp=SimpleNamespace(fileno=lambda: number, send=send))

    def send_messages(self, fd, messages, begin, end):
        for at in range(begin, end):
            raw = ctypes.string_at(messages + at * MESSAGE.itemsize, MESSAGE.itemsize)
            message = np.frombuffer(raw, MESSAGE)[0]
            vector = np.frombuffer(ctypes.string_at(int(message["vector"]), VECTOR.itemsize), VECTOR)[0]
            name = ctypes.string_at(int(message["name"]), int(message["name_octets"]))
            packet = ctypes.string_at(int(vector["base"]), int(vector["octets"]))
            self.left.append((fd, name, parse_rtp(packet).ssrc))
        return [(begin, errno.EPERM)]


@settings(max_examples=60)
@given(DEEDS)
def test_whoever_comes_goes_or_moves_every_packet_leaves_where_it_should(deeds):
    ring, wire = RingBlock.create(ROWS), Wire()
    with mock.patch("gateway.media.lane.send_messages", wire.send_messages), closing(ring):
        run(deeds, wire, Lane(ring, 20))


def run(deeds, wire, lane):
    shared = [wire.port(100 + n) for n in range(PORTS)]
    here, free, k = {}, list(range(ROWS)), 0
    for deed, number in [("come", 39), ("come", 38), *deeds, ("tick", 0)]:
        some = sorted(here)[number % len(here)] if here else None
        if deed == "come":
            for _ in range(1 + number % 40):
                if free:
                    leg = leg_of(free.pop(0))
                    port = wire.port(1000 + leg.row) if number % 3 == 0 else shared[leg.row % PORTS]
                    port.connected = number % 3 == 0
                    here[leg.row] = leg, port
                    lane.add(leg, port, 0, 0, None, 0)
        elif some is None:
            continue
        elif deed == "go":
            lane.remove(here.pop(some)[0])
            free.append(some)
        elif deed == "aim":
            here[some][0].aim(*TARGETS[number % len(TARGETS)])
            lane.changed(here[some][0])
        elif deed == "share":
            here[some][1].connected = False
            lane.changed(here[some][0])
        else:
            tick(lane, k, wire, here)
            k += 1


def tick(lane, k, wire, here):
    """Legs that suppress silence say nothing, all others send one packet."""
    wire.left, refused = [], []
    lane.lay_out()
    lane.send(lane.group.stamp(k, 0), lambda leg, error: refused.append((leg, error)))
    expected = [
        (
            port.rtp.fileno(),
            None if port.connected else socket_address(leg.address, leg.remote_port),
            leg.ssrc,
        )
        for leg, port in here.values()
        if not leg.suppresses
    ]
    assert sorted(wire.left, key=str) == sorted(expected, key=str)
    used = {fd: ssrc for fd, name, ssrc in reversed(wire.left) if name is not None}
    assert {leg.ssrc for leg, _ in refused} == set(used.values()), (
        "the leg whose packet was not taken is named"
    )
