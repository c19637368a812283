"""What no SIP port should mind: RFC 4475's torture messages, those with octets changed, and random octets."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from pathlib import Path
from typing import Final

_MESSAGES: Final = Path(__file__).parents[1] / "tests" / "sip_glue" / "rfc4475"
_EVERY_SECONDS: Final = 0.005


async def sip_noise(place: tuple[str, int], until: float) -> int:
    """200 datagrams a second to ``place`` until ``until`` on CLOCK_MONOTONIC, in seconds. Returns how many.

    Raises FileNotFoundError outside a checkout of the project, whose tests hold the messages.
    """
    messages = [path.read_bytes() for path in sorted(_MESSAGES.glob("*.dat"))]
    if not messages:
        raise FileNotFoundError(f"{_MESSAGES} has no messages: run this bench in a checkout")
    dice = random.Random(4475)
    sent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        while time.monotonic() < until:
            message = bytearray(messages[sent // 3 % len(messages)])
            if sent % 3 == 1:
                for _ in range(dice.randrange(1, 20)):
                    message[dice.randrange(len(message))] = dice.randrange(256)
            elif sent % 3 == 2:
                message = bytearray(dice.randbytes(dice.randrange(1400)))
            wire.sendto(message, place)
            sent += 1
            await asyncio.sleep(_EVERY_SECONDS)
    return sent
