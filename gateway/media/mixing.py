"""What is mixed into packets on their way out, for legs that ask: the call's volume, and sound behind speech.

A packet of such a leg is expanded by table, amplified, laid over its part of the bed (the sound behind) and
companded again, all legs of a group at once. No other leg pays for it. Every change of level is a ramp.
"""

from __future__ import annotations

import mmap
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gateway.messages.media import BED_REPEATED
from gateway.ring import UNIT_MS, UNIT_OCTETS
from telephony_codecs import Law, decode, encode

Samples = npt.NDArray[np.int16]

LEVELS: Final = np.dtype(
    [
        ("gain", "f4"),
        ("gain_now", "f4"),
        ("bed", "f4"),
        ("bed_now", "f4"),
        ("bed_own", "f4"),
        ("duck", "f4"),
        ("asks", "?"),
    ]
)
"""A leg's levels as linear factors: its own ``gain``; that of its ``bed`` while nobody speaks; what that is
multiplied by under speech (``duck``). ``_now``: on their way there. ``bed_own``: what ramps are part of."""
_FALL_MS: Final = 120
_RISE_MS: Final = 600
"""How long a bed takes from its own level to nothing, and back."""
FADE_NS: Final = 2 * _FALL_MS * 1_000_000
"""By then a bed that was asked to end has."""

_EXPAND: Final = np.concatenate(
    [decode(law, np.arange(256, dtype=np.uint8)).astype(np.float32) for law in (Law.PCMU, Law.PCMA)]
)
_COMPAND: Final = np.concatenate(
    [encode(law, np.arange(-32768, 32768).astype(np.int16)) for law in (Law.PCMU, Law.PCMA)]
)


class Bed:
    """A leg's place in the sound behind its speech, int16 [n + BED_REPEATED].

    ``follows``: what is to take its place, and at which level, as soon as it has faded out.
    """

    __slots__ = ("_at", "_samples", "follows", "pcm")

    def __init__(self, pcm: Samples) -> None:
        self.play(pcm)

    def play(self, pcm: Samples) -> None:
        """Begin at the beginning of this."""
        self.pcm = pcm
        self.follows: tuple[Samples, float] | None = None
        self._samples = len(pcm) - BED_REPEATED
        self._at = 0

    def read(self, out: npt.NDArray[np.float32]) -> None:
        """The next packet's part."""
        end = self._at + len(out)
        out[:] = self.pcm[self._at : end]
        self._at = end % self._samples


def open_bed(memory: str) -> Samples:
    """The sound at ``memory``, see ``MixLeg``; nothing of it is read yet. Raises OSError."""
    with open(memory, "rb") as file:
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.int16)


class Mixing:
    """The legs of a group that ask for it. ``octets``: of a packet's payload."""

    def __init__(self, octets: int) -> None:
        self._octets = octets
        ms = octets // UNIT_OCTETS * UNIT_MS
        self._fall, self._rise = np.float32(ms / _FALL_MS), np.float32(ms / _RISE_MS)
        self._ramp = ((np.arange(octets) + 1) / octets).astype(np.float32)
        self.lay_out(np.zeros(0, np.int64), [])

    def __len__(self) -> int:
        return len(self._which)

    def lay_out(self, which: npt.NDArray[np.int64], beds: list[Bed | None]) -> None:
        """From now on these legs ask, int64 [m], with these beds [m]."""
        m, octets = len(which), self._octets
        self._which = which
        self._beds = [(k, bed) for k, bed in enumerate(beds) if bed is not None]
        self._codes = np.zeros((m, octets), np.uint8)
        self._place = np.zeros((m, octets), np.intp)
        self._pcm = np.zeros((m, octets), np.float32)
        self._behind = np.zeros((m, octets), np.float32)
        self._level = np.zeros((m, octets), np.float32)

    def mix(
        self,
        payloads: npt.NDArray[np.uint8],
        levels: npt.NDArray[Any],
        alaw: npt.NDArray[np.bool_],
        speaking: npt.NDArray[np.bool_],
    ) -> None:
        """Shape the payloads, u8 [n, octets], of the legs that ask; the others are LEVELS and flags [n]."""
        which, codes, place, pcm = self._which, self._codes, self._place, self._pcm
        mine, law = levels[which], alaw[which].astype(np.intp)[:, None]
        payloads.take(which, axis=0, out=codes, mode="clip")
        np.add(codes, law << 8, out=place)
        _EXPAND.take(place, out=pcm, mode="clip")
        pcm *= self._ramped(mine["gain_now"], mine["gain"])
        mine["gain_now"] = mine["gain"]
        if self._beds:
            self._lay_beds(mine, speaking[which])
        np.rint(pcm, out=pcm)
        np.clip(pcm, -32768, 32767, out=pcm)
        np.add(pcm, (law << 16) + 32768, out=place, casting="unsafe")
        _COMPAND.take(place, out=codes, mode="clip")
        payloads[which] = codes
        levels[which] = mine

    def _lay_beds(self, mine: npt.NDArray[Any], speaking: npt.NDArray[np.bool_]) -> None:
        """Add each leg's bed, at its way from the level that it has to the one that it should have."""
        behind, now = self._behind, mine["bed_now"]
        for k, bed in self._beds:
            if bed.follows is not None and not now[k]:
                pcm, mine["bed"][k] = bed.follows
                mine["bed_own"][k] = mine["bed"][k]
                bed.play(pcm)
            bed.read(behind[k])
        wanted = mine["bed"] * np.where(speaking, mine["duck"], np.float32(1))
        step = np.clip(wanted - now, -self._fall * mine["bed_own"], self._rise * mine["bed_own"])
        behind *= self._ramped(now, now + step)
        mine["bed_now"] = now + step
        self._pcm += behind

    def _ramped(
        self, begin: npt.NDArray[np.float32], end: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        """float32 [m, octets]: from one level to the other over the packet; [m, 1] where none changes."""
        change = end - begin
        if not change.any():
            return end[:, None]
        np.multiply(change[:, None], self._ramp, out=self._level)
        self._level += begin[:, None]
        return self._level

    @staticmethod
    def idle(levels: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Which legs ask for nothing any more, and have come to rest."""
        still = (levels["gain"] == 1) & (levels["gain_now"] == 1)
        done: npt.NDArray[np.bool_] = levels["asks"] & still & (levels["bed"] == 0) & (levels["bed_now"] == 0)
        return done
