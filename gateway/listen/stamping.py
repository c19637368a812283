"""Arrival times by the kernel (SO_TIMESTAMPNS, socket(7)), which begin some time after they were asked for."""

from __future__ import annotations

import socket
import struct
import time
from typing import Final

SO_TIMESTAMPNS: Final = 35
"""The socket option, and the type of the control message that it brings."""

_TIMESPEC = struct.Struct("=qq")
_UNREAD_S: Final = 0.001
_LATE_NS: Final = 500_000
_MOST_S: Final = 5.0


def until_stamping() -> None:
    """Returns when datagrams are stamped as they arrive. A socket with the option must be open, and stay so.

    The first such socket of a machine turns stamping on by a work queue (net_enable_timestamp in net/core/dev.c);
    until then a datagram is stamped when it is read. So one lies unread for a while, and its stamp is looked at.
    Raises TimeoutError after 5 s.
    """
    deadline = time.monotonic() + _MOST_S
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        probe.settimeout(_MOST_S)
        probe.bind(("127.0.0.1", 0))
        while time.monotonic() < deadline:
            sent_ns = time.time_ns()
            probe.sendto(b"", probe.getsockname())
            time.sleep(_UNREAD_S)
            _, control, _, _ = probe.recvmsg(1, socket.CMSG_SPACE(_TIMESPEC.size))
            seconds, nanoseconds = _TIMESPEC.unpack(control[0][2])
            if seconds * 1_000_000_000 + nanoseconds - sent_ns < _LATE_NS:
                return
    raise TimeoutError("the kernel does not stamp datagrams as they arrive")
