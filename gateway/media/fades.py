"""How speech that is cut or held dies away, and comes back: 10 ms of raised cosine, mixed into what is sent.

A step to silence is heard as a click. What falls is the unit that would have come next, under whatever is sent
in its place, silence or other speech; nothing waits for it. Only legs that are cut or held cost anything.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from gateway.ring import UNIT_OCTETS
from telephony_codecs import Law, decode, encode

_PHASE = np.pi * (np.arange(UNIT_OCTETS) + 0.5) / UNIT_OCTETS
RISE: Final = ((1 - np.cos(_PHASE)) / 2).astype(np.float32)
"""float32 [80], from 0 to 1. Its half lies at 5 ms."""
FALL: Final = RISE[::-1].copy()


class Fades:
    """The legs of a group that fall silent or come back with their next packet, by index.

    ``falling``: float32 [80] each, the unit that dies away. ``rising``: whose next speech comes up from nothing.
    """

    __slots__ = ("falling", "rising")

    def __init__(self) -> None:
        self.falling: dict[int, npt.NDArray[np.float32]] = {}
        self.rising: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self.falling or self.rising)

    def fall(self, i: int, unit: npt.NDArray[np.uint8], *, alaw: bool) -> None:
        """Let ``unit``, u8 [80], die away under the leg's next packet."""
        self.falling[i] = decode(_law(alaw), unit) * FALL

    def move(self, source: int, target: int) -> None:
        """The leg at ``target`` is gone, and that at ``source`` takes its place (the same one: nobody does)."""
        self.falling.pop(target, None)
        self.rising.discard(target)
        if source in self.falling:
            self.falling[target] = self.falling.pop(source)
        if source in self.rising:
            self.rising.remove(source)
            self.rising.add(target)

    def mix(
        self, payloads: npt.NDArray[np.uint8], alaw: npt.NDArray[np.bool_], speaking: npt.NDArray[np.bool_]
    ) -> None:
        """Shape the first unit of the packets concerned: ``payloads`` u8 [n, octets], the others [n] at least."""
        for i in [i for i in self.rising if speaking[i]]:
            self.rising.remove(i)
            unit, law = payloads[i, :UNIT_OCTETS], _law(bool(alaw[i]))
            unit[:] = _encoded(law, decode(law, unit) * RISE)
        for i, falling in self.falling.items():
            unit, law = payloads[i, :UNIT_OCTETS], _law(bool(alaw[i]))
            unit[:] = _encoded(law, decode(law, unit) + falling)
        self.falling.clear()


def _law(alaw: bool) -> Law:
    return Law.PCMA if alaw else Law.PCMU


def _encoded(law: Law, pcm: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    return encode(law, np.clip(np.rint(pcm), -32768, 32767).astype(np.int16))
