"""What these tests hear: crafted datagrams, and columns of packets with a perfect clock to spoil."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from gateway.listen.packets import PACKET
from gateway.listen.receiver import Receiver


@pytest.fixture
def rtp() -> Callable[..., bytes]:
    def build(
        seq: int = 0,
        timestamp: int = 0,
        ssrc: int = 1,
        payload: bytes = b"\xff" * 160,
        payload_type: int = 0,
        marker: bool = False,
    ) -> bytes:
        return (
            struct.pack(
                "!BBHLL",
                0x80,
                marker << 7 | payload_type,
                seq & 0xFFFF,
                timestamp & 0xFFFFFFFF,
                ssrc,
            )
            + payload
        )

    return build


@pytest.fixture
def ideal() -> Callable[..., np.ndarray]:
    """PACKET[n] of one perfect 20 ms stream."""

    def build(n: int, ssrc: int = 1, seq: int = 0, timestamp: int = 0) -> np.ndarray:
        packets = np.zeros(n, PACKET)
        k = np.arange(n)
        packets["ssrc"] = ssrc
        packets["seq"] = (seq + k) & 0xFFFF
        packets["timestamp"] = (timestamp + 160 * k) & 0xFFFFFFFF
        packets["t_ns"] = 1_000_000_000 + 20_000_000 * k
        packets["payload_length"] = 160
        packets["payload_start"] = -1
        packets["source_ip"][:, 10:12] = 0xFF
        packets["source_ip"][:, 12:] = (127, 0, 0, 1)
        packets["source_port"] = 4000
        return packets

    return build


@pytest.fixture
def sender() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)
        yield sock


@pytest.fixture
def hear() -> Callable[..., None]:
    """Poll until as many RTP packets (and RTCP, malformed) have come, or fail."""

    def wait(receiver: Receiver, packets: int, malformed: int = 0) -> None:
        deadline = time.monotonic() + 20
        while len(receiver) < packets or receiver.malformed < malformed:
            assert time.monotonic() < deadline, (
                f"{len(receiver)} of {packets}, {receiver.malformed} malformed"
            )
            receiver.poll(0.1)

    return wait
