"""The receiving end: UDP sockets read in batches by `recvmmsg`, with the kernel's own arrival times.

The sole owner of the listener's sockets. Drive it by `poll` in a loop of your own, or `run` it in a thread;
`gateway.listen.process` gives it a process. 64-bit Linux only: the structures are those of its ABI.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from gateway.listen.clock import StepFreeClock, sample_clocks
from gateway.listen.packets import PACKET, SLOT, Headers, Ints, parse_headers
from gateway.listen.stamping import SO_TIMESTAMPNS, until_stamping
from gateway.listen.store import GrowingArray, Records

BATCH: Final = 512
"""Datagrams taken by one `recvmmsg`."""

GATHER_S: Final = 0.010
"""What `run` sleeps between drains: the kernel keeps the times, so waking for each packet buys nothing."""

MOST_BATCHES: Final = 16
"""Batches that `poll` takes from one socket before it looks at the others: a flood starves nobody."""

RECEIVE_BUFFER: Final = 64 << 20
"""Octets asked of the kernel for each socket; without CAP_NET_ADMIN it grants net.core.rmem_max."""

_SO_RCVBUFFORCE = 33
_SO_MEMINFO = 55
_MEMINFO = struct.Struct("=9I")
_MEMINFO_DROPS = 8  # SK_MEMINFO_DROPS, linux/sock_diag.h

_MMSGHDR = np.dtype(
    {
        "names": ["name", "namelen", "iov", "iovlen", "control", "controllen", "flags", "length"],
        "formats": ["u8", "u4", "u8", "u8", "u8", "u8", "i4", "u4"],
        "offsets": [0, 8, 16, 24, 32, 40, 48, 56],
        "itemsize": 64,
    }
)
_IOVEC = np.dtype([("base", "u8"), ("len", "u8")])
_CONTROL = np.dtype(
    [("len", "u8"), ("level", "i4"), ("type", "i4"), ("seconds", "i8"), ("nanoseconds", "i8")]
)
_NAME_SLOT = 32  # sockaddr_in6 is 28

_libc = ctypes.CDLL(None, use_errno=True)
_recvmmsg = _libc.recvmmsg
_recvmmsg.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p]
_recvmmsg.restype = ctypes.c_int


class StopSignal(Protocol):
    """What `run` asks whether to go on: a threading or multiprocessing Event."""

    def is_set(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class ControlDatagram:
    """An RTCP compound packet as it came."""

    t_ns: int
    port_index: int
    source: tuple[str, int]
    data: bytes


@dataclass(frozen=True, slots=True)
class Capture:
    """Everything a receiver heard, and what it failed to hear."""

    packets: Records
    """PACKET[n], in order of arrival at each port."""
    payloads: Records
    """u8[octets]; empty unless recorded. A packet's payload starts at its `payload_start`."""
    kernel_drops: int
    """Datagrams that the kernel threw away because this receiver was too slow: not the sender's loss."""
    malformed: int
    """Datagrams that are neither RTP nor RTCP, or longer than SLOT."""
    clock_steps: int
    cpu_s: float
    """CPU time of the receiving thread."""


class _Batch:
    """The arrays that one `recvmmsg` fills: laid out once, pointing at each other."""

    def __init__(self) -> None:
        self.data = np.zeros((BATCH, SLOT), np.uint8)
        self.names = np.zeros((BATCH, _NAME_SLOT), np.uint8)
        self.control = np.zeros(BATCH, _CONTROL)
        self._iov = np.zeros(BATCH, _IOVEC)
        self.headers = np.zeros(BATCH, _MMSGHDR)
        rows = np.arange(BATCH, dtype=np.uint64)
        self._iov["base"] = self.data.ctypes.data + rows * np.uint64(SLOT)
        self._iov["len"] = SLOT
        self.headers["name"] = self.names.ctypes.data + rows * np.uint64(_NAME_SLOT)
        self.headers["iov"] = self._iov.ctypes.data + rows * np.uint64(_IOVEC.itemsize)
        self.headers["iovlen"] = 1
        self.headers["control"] = self.control.ctypes.data + rows * np.uint64(_CONTROL.itemsize)
        self._address = self.headers.ctypes.data

    def receive(self, fd: int) -> int:
        """Take what waits on `fd`, at most BATCH; 0 when nothing does."""
        # the kernel overwrites both with what it used
        self.headers["namelen"] = _NAME_SLOT
        self.headers["controllen"] = _CONTROL.itemsize
        while True:
            count: int = _recvmmsg(fd, self._address, BATCH, socket.MSG_DONTWAIT, None)
            if count >= 0:
                return count
            code = ctypes.get_errno()
            if code == errno.EAGAIN:
                return 0
            if code != errno.EINTR:
                raise OSError(code, os.strerror(code))

    def realtime_ns(self, count: int) -> Ints:
        """CLOCK_REALTIME arrival i64[count] from the control messages."""
        control = self.control[:count]
        assert (control["type"] == SO_TIMESTAMPNS).all(), "the kernel did not stamp a datagram"
        stamps: Ints = control["seconds"] * 1_000_000_000 + control["nanoseconds"]
        return stamps

    def source_ips(self, count: int, family: socket.AddressFamily) -> Records:
        """Source addresses u8[count, 16], IPv4 mapped."""
        if family == socket.AF_INET6:
            return self.names[:count, 8:24]
        mapped = np.zeros((count, 16), np.uint8)
        mapped[:, 10:12] = 0xFF
        mapped[:, 12:] = self.names[:count, 4:8]
        return mapped

    def source_ports(self, count: int) -> Records:
        """Source ports [count]."""
        return self.names[:, 2:4].copy().view(">u2")[:count, 0]

    def source(self, row: int, family: socket.AddressFamily) -> tuple[str, int]:
        """Source of one datagram, as `sendto` wants it."""
        name = self.names[row].tobytes()
        host = name[8:24] if family == socket.AF_INET6 else name[4:8]
        return socket.inet_ntop(family, host), int.from_bytes(name[2:4], "big")


class Receiver:
    """Listens on `ports` of a literal `address`; RTP is stored, RTCP handed over, the rest counted.

    Times are CLOCK_MONOTONIC of arrival at the kernel (see `gateway.listen.clock`), so they compare with
    `time.monotonic_ns()` of any process on the machine. Port 0 takes a free one: see `local_ports`.
    Not thread-safe, except that `len(receiver)` may be read from anywhere. Raises OSError when a port
    cannot be bound, TimeoutError when the kernel gives no times.
    """

    def __init__(self, address: str, ports: Sequence[int], record: bool = False) -> None:
        self._family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._sockets: list[socket.socket] = []
        # not epoll, which costs the sender a callback for each packet while nobody waits
        self._waiting = select.poll()
        self._clock = StepFreeClock(sample_clocks())
        self._batch = _Batch()
        self._packets = GrowingArray(PACKET, 1 << 18)
        self._payloads = GrowingArray(np.uint8, 1 << 22) if record else None
        self._control: list[ControlDatagram] = []
        self._polled_ns = time.monotonic_ns()
        self._cpu_ns = 0
        self.malformed = 0
        try:
            for index, port in enumerate(ports):
                self._open(address, port, index)
            until_stamping()
        except BaseException:
            self.close()
            raise

    def _open(self, address: str, port: int, index: int) -> None:
        sock = socket.socket(self._family, socket.SOCK_DGRAM)
        self._sockets.append(sock)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        try:
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
        except PermissionError:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        sock.bind((address, port))
        self._waiting.register(sock.fileno(), select.POLLIN)
        self._index_of_fd = {s.fileno(): i for i, s in enumerate(self._sockets)}

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the sockets; what was heard stays readable, `kernel_drops` does not."""
        for sock in self._sockets:
            sock.close()

    def __len__(self) -> int:
        """RTP packets heard so far."""
        return len(self._packets)

    @property
    def local_ports(self) -> tuple[int, ...]:
        """The ports really bound, in the order asked for."""
        return tuple(sock.getsockname()[1] for sock in self._sockets)

    @property
    def packets(self) -> Records:
        """PACKET[n] heard so far (a copy)."""
        return self._packets.since(0)

    def packets_since(self, index: int) -> Records:
        """PACKET[m] from the `index`-th on (a copy)."""
        return self._packets.since(index)

    @property
    def kernel_drops(self) -> int:
        """Datagrams dropped for want of buffer, over all sockets, since they were opened."""
        return sum(
            _MEMINFO.unpack(sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))[_MEMINFO_DROPS]
            for sock in self._sockets
        )

    @property
    def receive_buffer(self) -> int:
        """Octets the kernel granted to each socket, its own overhead included (the least of them)."""
        return min(sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) for sock in self._sockets)

    @property
    def realtime_offset_ns(self) -> int:
        """What to add to a packet's `t_ns` for wall clock time, as of the last poll."""
        return self._clock.offset_ns

    def capture(self) -> Capture:
        """All that was heard, to take away."""
        payloads = np.empty(0, np.uint8) if self._payloads is None else self._payloads.since(0)
        return Capture(
            packets=self.packets,
            payloads=payloads,
            kernel_drops=self.kernel_drops,
            malformed=self.malformed,
            clock_steps=self._clock.steps,
            cpu_s=self._cpu_ns / 1e9,
        )

    def take_control(self) -> list[ControlDatagram]:
        """RTCP datagrams that came since the last call."""
        taken, self._control = self._control, []
        return taken

    def send(self, port_index: int, data: bytes, destination: tuple[str, int]) -> None:
        """Send a datagram from a listening port (RTCP reports). Raises OSError."""
        self._sockets[port_index].sendto(data, destination)

    def poll(self, timeout: float) -> int:
        """Wait up to `timeout` s for a first datagram, then take what waits; returns how many.

        At most MOST_BATCHES batches of each socket; the rest is there for the next call.
        """
        cpu_ns = time.thread_time_ns()
        ready = self._waiting.poll(timeout * 1000)
        began_ns = time.monotonic_ns()
        total = 0
        for fd, _ in ready:
            index = self._index_of_fd[fd]
            for _ in range(MOST_BATCHES):
                count = self._batch.receive(fd)
                if count:
                    self._take(count, index)
                    total += count
                if count < BATCH:
                    break
        self._polled_ns = began_ns
        self._cpu_ns += time.thread_time_ns() - cpu_ns
        return total

    def run(self, stop: StopSignal) -> None:
        """Poll until `stop` is set, then take what is queued."""
        while not stop.is_set():
            self.poll(0.05)
            time.sleep(GATHER_S)
        self.drain()

    def drain(self, seconds: float = 1.0) -> None:
        """Take all that is queued, but give up on a queue that is still filled after `seconds`."""
        give_up = time.monotonic() + seconds
        while self.poll(0) and time.monotonic() < give_up:
            pass

    def _take(self, count: int, port_index: int) -> None:
        batch = self._batch
        sample = sample_clocks()
        arrivals = self._clock.to_monotonic(batch.realtime_ns(count), self._polled_ns, sample)
        headers = batch.headers[:count]
        data = batch.data[:count]
        parsed = parse_headers(data, headers["length"].astype(np.int64))
        whole = (headers["flags"] & socket.MSG_TRUNC) == 0
        for row in np.flatnonzero(parsed.rtcp & whole).tolist():
            octets = data[row, : headers["length"][row]].tobytes()
            source = batch.source(row, self._family)
            self._control.append(ControlDatagram(int(arrivals[row]), port_index, source, octets))
        rtp = parsed.rtp & whole
        self.malformed += count - int(np.count_nonzero(rtp | (parsed.rtcp & whole)))
        block = np.empty(count, PACKET)
        block["t_ns"] = arrivals
        block["ssrc"] = parsed.ssrc
        block["timestamp"] = parsed.timestamp
        block["seq"] = parsed.seq
        block["payload_type"] = parsed.payload_type
        block["marker"] = parsed.marker
        block["payload_length"] = parsed.payload_length
        block["port_index"] = port_index
        block["source_ip"] = batch.source_ips(count, self._family)
        block["source_port"] = batch.source_ports(count)
        block["payload_start"] = -1
        if self._payloads is not None:
            self._keep_payloads(block, parsed, rtp)
        self._packets.append(block if rtp.all() else block[rtp])

    def _keep_payloads(self, block: Records, parsed: Headers, rtp: Records) -> None:
        assert self._payloads is not None
        starts = np.where(rtp, parsed.payload_start, 0)
        lengths = np.where(rtp, parsed.payload_length, 0)
        column = np.arange(int((starts + lengths).max(initial=0)))
        inside = (column >= starts[:, None]) & (column < (starts + lengths)[:, None])
        block["payload_start"] = len(self._payloads) + np.cumsum(lengths) - lengths
        self._payloads.append(self._batch.data[: len(block), : len(column)][inside])
