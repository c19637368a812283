"""The plain way to pace RTP: one asyncio task a leg, ``sleep(0.02)`` after each packet.

The sender is a process of its own: python -m bench.peers.plain ADDRESS PORT LEGS FILE
"""

from __future__ import annotations

import asyncio
import platform
import random
import socket
import struct
import sys
from pathlib import Path

from bench.peers.peer import Peer, Work


class Plain(Peer):
    """What most people start with."""

    name = "asyncio, a task a leg, sleep(0.02)"
    command = "python -m bench.peers.plain 127.0.0.1 PORT LEGS speech.ul"

    def version(self) -> str:
        return f"Python {platform.python_version()}"

    def start(self, work: Work) -> None:
        where = [work.address, str(work.port), str(work.legs), str(work.recording.ulaw)]
        root = str(Path(__file__).parents[2])
        self.launch([sys.executable, "-m", "bench.peers.plain", *where], work.folder, PYTHONPATH=root)


async def leg(address: tuple[str, int], audio: bytes) -> None:
    """Send 160 octets, sleep 20 ms, again."""
    loop = asyncio.get_running_loop()
    ssrc, sequence, timestamp = random.getrandbits(32), 0, 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect(address)
        await asyncio.sleep(random.random() * 0.02)
        while True:
            at = timestamp % len(audio)
            packet = struct.pack("!BBHII", 0x80, 0, sequence, timestamp, ssrc) + audio[at : at + 160]
            await loop.sock_sendall(sock, packet)
            sequence, timestamp = (sequence + 1) & 0xFFFF, (timestamp + 160) & 0xFFFFFFFF
            await asyncio.sleep(0.02)


async def main() -> None:
    """All legs at once."""
    host, port, legs, file = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    audio = Path(file).read_bytes()  # noqa: ASYNC240 - nothing runs yet
    await asyncio.gather(*(leg((host, port), audio) for _ in range(legs)))


if __name__ == "__main__":
    asyncio.run(main())
