"""The plain way to pace RTP, for comparison: one asyncio task a leg, ``sleep(0.02)`` after each packet.

Run as a process of its own: python -m bench.plain ADDRESS PORT LEGS SECONDS
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import sys
import time


async def leg(address: tuple[str, int], until: float) -> None:
    """Send 160 octets, sleep 20 ms, again."""
    loop = asyncio.get_running_loop()
    ssrc, sequence, timestamp = random.getrandbits(32), 0, 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect(address)
        await asyncio.sleep(random.random() * 0.02)
        while time.monotonic() < until:
            packet = struct.pack("!BBHII", 0x80, 0, sequence, timestamp, ssrc) + bytes(160)
            await loop.sock_sendall(sock, packet)
            sequence, timestamp = (sequence + 1) & 0xFFFF, (timestamp + 160) & 0xFFFFFFFF
            await asyncio.sleep(0.02)


async def main() -> None:
    """All legs at once."""
    host, port, legs, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    until = time.monotonic() + seconds
    await asyncio.gather(*(leg((host, port), until) for _ in range(legs)))


if __name__ == "__main__":
    asyncio.run(main())
