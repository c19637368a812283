"""A leg's sockets: the one place of the media worker that opens, binds, connects and filters them."""

from __future__ import annotations

import ctypes
import socket
from typing import TYPE_CHECKING, Final

from gateway.media import filter as bpf

if TYPE_CHECKING:
    from gateway.media.leg import Leg

_IP_MTU_DISCOVER: Final = 10
_IP_PMTUDISC_DO: Final = 2
_IP_RECVERR: Final = 11
_IPV6_RECVERR: Final = 25
_libc = ctypes.CDLL(None, use_errno=True)


def family_of(address: str) -> socket.AddressFamily:
    """AF_INET6 for an address with a colon in it."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Port:
    """An RTP socket and, unless muxed (RFC 5761), the RTCP socket on the next port.

    A port with one leg is ``connected`` to it: sends are cheapest, ICMP errors come back by themselves, and
    the kernel drops what others send there. A port that several legs share, or one that has yet to learn where
    its peer is, is not.
    """

    def __init__(self, address: str, port: int, *, mux: bool) -> None:
        """Bind both sockets, with filters in place first. Raises OSError and leaves nothing open."""
        self.address = address
        self.number = port
        self.legs: list[Leg] = []
        self.connected = False
        self.muted = False
        self.heard = 0
        self.heard_second = 0
        self.rtcp: socket.socket | None = None
        self._program = bpf.rtp_program(None, sample_audio=False)
        self.rtp = _bound(address, port, self._program)
        if not mux:
            try:
                self.rtcp = _bound(address, port + 1, bpf.rtcp_program())
            except OSError:
                self.rtp.close()
                raise

    @property
    def sockets(self) -> list[socket.socket]:
        """The open sockets, one or two."""
        return [self.rtp] if self.rtcp is None else [self.rtp, self.rtcp]

    def connect(self, address: str, port: int) -> None:
        """Make it the port of one leg alone. Raises OSError when nothing can be sent there."""
        self.rtp.connect((address, port))
        self.connected = True

    def send(self, datagram: bytes, target: tuple[str, int]) -> None:
        """One packet to the leg at ``target``. Raises OSError.

        An error on a shared socket may be about another leg's packet (ICMP); this one was then not sent, and is
        tried once more.
        """
        if self.connected:
            self.rtp.send(datagram)
            return
        try:
            self.rtp.sendto(datagram, target)
        except OSError:
            self.rtp.sendto(datagram, target)

    def share(self) -> None:
        """Undo ``connect`` and have ICMP errors queued with the address that they are about."""
        if self.connected:
            unspecified = (ctypes.c_char * 16)()  # AF_UNSPEC dissolves the association, connect(2)
            if _libc.connect(self.rtp.fileno(), unspecified, 16):
                raise OSError(ctypes.get_errno(), "dissolving a UDP association")
            self.connected = False
        if self.rtp.family == socket.AF_INET:
            self.rtp.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        else:
            self.rtp.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)

    def listen_for(self, event_type: int | None, *, everything: bool, sample_audio: bool) -> None:
        """Set what the kernel lets through: see ``gateway.media.filter``."""
        program = (
            bpf.pass_all_program() if everything else bpf.rtp_program(event_type, sample_audio=sample_audio)
        )
        if program != self._program:
            bpf.attach(self.rtp, program)
            self._program = program

    def close(self) -> None:
        """Close the sockets."""
        for sock in self.sockets:
            sock.close()


def _bound(address: str, port: int, program: list[bpf.Instruction]) -> socket.socket:
    sock = socket.socket(family_of(address), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        else:
            # no packet of ours is near an MTU, and one that may not be fragmented needs no IP identification,
            # whose making is a twentieth of the kernel's work on a packet
            sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_DO)
        bpf.attach(sock, program)
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    return sock


def refused_targets(sock: socket.socket) -> list[tuple[str, int]]:
    """Where the packets went that ICMP errors on a shared socket are about (MSG_ERRQUEUE, ip(7))."""
    targets: list[tuple[str, int]] = []
    while len(targets) < 64:
        try:
            _, _, _, address = sock.recvmsg(0, 0, socket.MSG_ERRQUEUE)
        except BlockingIOError:
            break
        targets.append(address[:2])
    return targets
