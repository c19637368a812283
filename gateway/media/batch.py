"""Handing packets to the kernel: ``sendmmsg`` on arrays that are laid out once and live in numpy.

The structures of sendmmsg(2) for 64-bit Linux, as numpy records, so that a tick changes nothing but packet
contents. Addresses in these arrays point into other arrays: whoever moves those must lay them out anew.
"""

from __future__ import annotations

import ctypes
import ipaddress
import socket
import struct
from typing import Final

import numpy as np

MESSAGE: Final = np.dtype(
    [
        ("name", "u8"),
        ("name_octets", "u4"),
        ("_1", "u4"),
        ("vector", "u8"),
        ("vectors", "u8"),
        ("control", "u8"),
        ("control_octets", "u8"),
        ("flags", "i4"),
        ("_2", "u4"),
        ("sent", "u4"),
        ("_3", "u4"),
    ]
)
"""``struct mmsghdr``, 64 octets."""
VECTOR: Final = np.dtype([("base", "u8"), ("octets", "u8")])
"""``struct iovec``."""
ADDRESS_OCTETS: Final = 28
"""Room for a ``sockaddr_in6``; a ``sockaddr_in`` takes 16 of it."""
AT_ONCE: Final = 1024
"""UIO_MAXIOV: sendmmsg takes no more messages in one call."""

_libc = ctypes.CDLL(None, use_errno=True)
_sendmmsg = _libc.sendmmsg
_sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
_sendmmsg.restype = ctypes.c_int


def socket_address(address: str, port: int) -> bytes:
    """``struct sockaddr_in`` or ``sockaddr_in6`` of a literal address."""
    ip = ipaddress.ip_address(address)
    if ip.version == 4:
        return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + ip.packed + bytes(8)
    return struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", port, 0) + ip.packed + bytes(4)


def send_messages(fd: int, messages: int, begin: int, end: int) -> list[tuple[int, int]]:
    """Send ``begin`` to ``end`` of the MESSAGE array at address ``messages`` on one socket.

    Returns (index, errno) of those that failed. A failure is tried once more: the error that the kernel reports
    on a shared socket may be the answer to another leg's earlier packet (ICMP), and the packet at hand was then
    not sent.
    """
    failed: list[tuple[int, int]] = []
    done, retried = begin, -1
    while done < end:
        n = _sendmmsg(fd, messages + done * MESSAGE.itemsize, min(AT_ONCE, end - done), 0)
        if n > 0:
            done += n
        elif retried != done:
            retried = done
        else:
            failed.append((done, ctypes.get_errno()))
            done += 1
    return failed
