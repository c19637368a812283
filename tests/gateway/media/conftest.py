"""In one process: a ring block and what a synthesis worker does to it, and an engine over real sockets."""

import os
import socket
import time
from contextlib import ExitStack

import numpy as np
import pytest

from gateway.media.engine import Engine
from gateway.media.inbound import Inbound
from gateway.media.packet import parse_rtp
from gateway.messages.media import ChangeLeg, OpenLeg
from gateway.ring import CAPACITY, UNIT_OCTETS, RingBlock
from gateway.settings import Settings
from gateway.told import Told

S = 1_000_000_000
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
PORT = 12000 + 300 * _WORKER
"""The first of 300 that no test of another process uses."""
PEERS = range(13000 + 1000 * _WORKER, 14000 + 1000 * _WORKER, 2)
"""Nor do the engines of another process send there."""


def ports(count):
    """A range of so many."""
    return f"{PORT}-{PORT + count - 1}"


class Writer:
    """Lays octets for a row as the synthesis worker would."""

    def __init__(self, ring: RingBlock, row: int) -> None:
        self.ring, self.row = ring, row

    def adopt(self) -> bool:
        return self.ring.adopt(self.row, int(self.ring.generation[self.row]))

    def lay(self, octets: bytes, *, unfinished: bool = False) -> int:
        return self.ring.lay(self.row, memoryview(octets), unfinished=unfinished)


@pytest.fixture
def ring():
    block = RingBlock.create(64)
    yield block
    block.close()


@pytest.fixture
def writer(ring):
    return lambda row: Writer(ring, row)


@pytest.fixture
def speech():
    """Octets that tell where they are from: ``speech(units, seed)``."""

    def make(units: int, seed: int = 0) -> bytes:
        noise = np.random.default_rng(seed).integers(0, 256, units * UNIT_OCTETS, np.uint8)
        return noise.tobytes()

    assert CAPACITY % 12 == 0
    return make


class Peer:
    """The far end: an RTP socket and an RTCP socket next to it."""

    def __init__(self, family=socket.AF_INET, host="127.0.0.1"):
        for port in PEERS:
            self.rtp = socket.socket(family, socket.SOCK_DGRAM)
            self.rtcp = socket.socket(family, socket.SOCK_DGRAM)
            try:
                self.rtp.bind((host, port))
                self.rtcp.bind((host, port + 1))
                break
            except OSError:
                self.close()
        self.host, self.port = host, port
        self.rtp.setblocking(False)
        self.rtcp.setblocking(False)

    @staticmethod
    def drain(sock):
        data = []
        while True:
            try:
                data.append(sock.recv(2048))
            except BlockingIOError:
                return data

    def packets(self):
        return [parse_rtp(d) for d in self.drain(self.rtp)]

    def close(self):
        self.rtp.close()
        self.rtcp.close()


class Rig:
    """An engine with its ring, its inbound side, and a hand on the clock."""

    def __init__(self, legs=64, **overrides):
        given = {"rtp_ports": ports(200), "port_drain_seconds": 0} | overrides
        self.settings = Told.of(Settings(**given))
        self.ring = RingBlock.create(legs)
        self.told = []
        self.now = S
        self.engine = Engine(self.ring, self.settings, self.settings.rtp_ports, S, self.told.append)
        self.inbound = Inbound(self.engine, self.told.append, lambda address: address.startswith("127."))
        self.next_tick = 0

    def open(self, row, peer, **more):
        order = {
            "payload_type": 0,
            "law": "PCMU",
            "ptime_ms": 20,
            "dtmf_payload_type": 101,
            "suppress_silence": False,
        }
        self.ring.cut(row)
        return self.engine.open(OpenLeg(row, peer.host, peer.port, **(order | more)), self.now)

    def change(self, row, peer=None, **more):
        """A ChangeLeg: what is not named stays as it was ordered last."""
        old = self.engine.legs[row].order
        order = {
            "remote_address": peer.host if peer else self.engine.legs[row].address,
            "remote_port": peer.port if peer else self.engine.legs[row].remote_port,
            "remote_rtcp_port": None,
            "payload_type": old.payload_type,
            "law": old.law,
            "ptime_ms": old.ptime_ms,
            "dtmf_payload_type": old.dtmf_payload_type,
            "held": old.held,
            "with_cut": False,
        }
        self.engine.change(ChangeLeg(row, **(order | more)), self.now)

    def run(self, ms):
        for _ in range(int(ms / 2.5)):
            self.engine.tick(self.next_tick, self.now)
            self.next_tick += 1
            self.now += 2_500_000

    def read(self):
        time.sleep(0.01)
        for _ in range(20):
            self.inbound.read(self.now)

    def close(self):
        for row in list(self.engine.legs):
            self.engine.close(row, self.now)
        self.inbound.close()
        self.ring.close()


@pytest.fixture
def rig():
    with ExitStack() as stack:

        def make(**overrides):
            made = Rig(**overrides)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def peer():
    with ExitStack() as stack:

        def make(*args):
            made = Peer(*args)
            stack.callback(made.close)
            return made

        yield make
