"""Inbound audio that nobody wants is dropped in the kernel: a classic BPF program on the socket.

Attaching one needs no privilege (SO_ATTACH_FILTER, socket(7)). A caller's fifty packets a second then cost
this process nothing. The filter sees the UDP header first, so an RTP packet's marker and payload type are in
octet 9; for RTCP that octet is the packet type, 192 to 223 (RFC 5761 4).
"""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import Final

_SO_ATTACH_FILTER: Final = 26
_LOAD_OCTET: Final = 0x30  # BPF_LD | BPF_B | BPF_ABS
_LOAD_WORD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_AND: Final = 0x54  # BPF_ALU | BPF_AND | BPF_K
_JUMP_EQUAL: Final = 0x15
_JUMP_AT_LEAST: Final = 0x35
_JUMP_ABOVE: Final = 0x25
_RETURN: Final = 0x06
_TYPE_OCTET: Final = 9
_RANDOM: Final = 0xFFFFF000 + 56  # SKF_AD_OFF + SKF_AD_RANDOM
_FIRST_RTCP, _LAST_RTCP = 192, 223
_FIRST_DYNAMIC: Final = 96
_ALL, _NONE = 0xFFFF, 0
_SAMPLE: Final = 1 << 26
"""Of 2^32: one audio packet in 64 passes where a silent peer must be noticed, about one a second."""

Instruction = tuple[int, int, int, int]


def rtp_program(event_type: int | None, *, sample_audio: bool) -> list[Instruction]:
    """Passes RTCP (muxed) and payload type ``event_type`` (None: any dynamic type), drops the rest.

    ``sample_audio``: a few of the other packets pass too, so that the peer is known to be alive.
    """
    is_event = (
        (_JUMP_AT_LEAST, 0, 1, _FIRST_DYNAMIC) if event_type is None else (_JUMP_EQUAL, 0, 1, event_type)
    )
    program: list[Instruction] = [
        (_LOAD_OCTET, 0, 0, _TYPE_OCTET),
        (_JUMP_AT_LEAST, 0, 2, _FIRST_RTCP),
        (_JUMP_ABOVE, 1, 0, _LAST_RTCP),
        (_RETURN, 0, 0, _ALL),
        (_AND, 0, 0, 0x7F),
        is_event,
        (_RETURN, 0, 0, _ALL),
    ]
    if sample_audio:
        program += [(_LOAD_WORD, 0, 0, _RANDOM), (_JUMP_AT_LEAST, 1, 0, _SAMPLE), (_RETURN, 0, 0, _ALL)]
    return [*program, (_RETURN, 0, 0, _NONE)]


def rtcp_program() -> list[Instruction]:
    """Passes RTCP packet types only."""
    return [
        (_LOAD_OCTET, 0, 0, _TYPE_OCTET),
        (_JUMP_AT_LEAST, 0, 2, _FIRST_RTCP),
        (_JUMP_ABOVE, 1, 0, _LAST_RTCP),
        (_RETURN, 0, 0, _ALL),
        (_RETURN, 0, 0, _NONE),
    ]


def pass_all_program() -> list[Instruction]:
    """Passes everything: for a leg that has yet to learn where its peer sends from."""
    return [(_RETURN, 0, 0, _ALL)]


def attach(sock: socket.socket, program: list[Instruction]) -> None:
    """Put the program on the socket, in place of any other. Raises OSError."""
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *i) for i in program))
    sock.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program), ctypes.addressof(code))
    )
