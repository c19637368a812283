"""Arrival times, from the first datagram on."""

import socket
import struct
import time

from gateway.listen.stamping import SO_TIMESTAMPNS, until_stamping


def test_what_lies_unread_keeps_the_time_of_its_arrival():
    for _ in range(20):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
            ear.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            ear.bind(("127.0.0.1", 0))
            until_stamping()
            sent_ns = time.time_ns()
            ear.sendto(b"", ear.getsockname())
            read_ns = time.time_ns()
            time.sleep(0.005)
            _, control, _, _ = ear.recvmsg(1, socket.CMSG_SPACE(16))
        seconds, nanoseconds = struct.unpack("=qq", control[0][2])
        assert sent_ns <= seconds * 1_000_000_000 + nanoseconds <= read_ns
