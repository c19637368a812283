"""Whether a stream said what it was to say: holes in speech, frames that never came, another leg's words. Pure.

What arrives is cut into frames of 20 ms in the order of sequence and walked along the frames that should come.
Silence that the source has too is speech like any other; silence that it has not is a hole, be it sent, or time
in which nothing was sent.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from gateway.listen.analysis import CLOCK_RATE
from gateway.listen.packets import Bools, Ints
from gateway.listen.recording import LAW_OF
from gateway.listen.sequence import follow
from gateway.listen.store import Records
from gateway.listen.timing import media_time
from telephony_codecs import Law, decode

FRAME: Final = 160
"""Octets of G.711 in 20 ms."""

QUIET: Final = 8
"""A frame whose samples are all within this of zero is silence: the two smallest steps of mu-law."""

AHEAD: Final = 100
"""How many frames may be missing in a row (2 s) before what follows is taken for something else."""

Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Content:
    """One stream's audio, in frames of 20 ms."""

    frames: int
    """Heard."""
    right: int
    """Heard when due: the next of what was to be said."""
    holes: int
    """Silence inside an utterance that its source does not have, sent or in time without packets."""
    missing: int
    """Of what was to be said: never heard, though what follows was."""
    unsaid: int
    """Of what was to be said: after the last that was heard."""
    wrong_leg: int
    """Audible, not due, and somebody else's."""
    wrong: int
    """Audible, not due, nobody's."""

    @property
    def clean(self) -> bool:
        """All of it, in order, and nothing else."""
        return not (self.holes or self.missing or self.unsaid or self.wrong_leg or self.wrong)


def cut(octets: bytes) -> Frames:
    """u8[n, FRAME] of G.711 octets; what is left over at the end is not a frame."""
    whole = len(octets) // FRAME * FRAME
    return np.frombuffer(octets, np.uint8, whole).reshape(-1, FRAME)


def audible(frames: Frames, law: Law = Law.PCMU) -> frozenset[bytes]:
    """What `compare` wants to know of others: their frames u8[n, FRAME] that are not silence."""
    ones = _one_zero(frames) if law is Law.PCMU else frames
    return frozenset(frame.tobytes() for frame in ones[~_silent(law, ones)])


def compare(
    packets: Records, payloads: Records, said: Sequence[Frames], others: Container[bytes] = frozenset()
) -> Content:
    """Hold one SSRC's PACKET[n], payloads in `payloads` (`Capture`), against what it was to say, piece by piece.

    Between two pieces there may be any silence. `others` has everybody's frames (`audible`).
    Packets of other payload types than PCMU and PCMA are left out.
    """
    law, heard, at = _frames(packets, payloads)
    due = np.concatenate([np.empty((0, FRAME), np.uint8), *said])
    starts = set(np.cumsum([0, *(len(piece) for piece in said)]).tolist())
    if law is Law.PCMU:
        heard, due = _one_zero(heard), _one_zero(due)
    return _Walk(heard, at, _silent(law, heard), due, _silent(law, due), starts, others).content()


def _frames(packets: Records, payloads: Records) -> tuple[Law, Frames, Ints]:
    """Law, frames u8[n, FRAME] in order of sequence, and when each begins in samples i64[n]."""
    if not len(packets):
        return Law.PCMU, np.empty((0, FRAME), np.uint8), np.empty(0, np.int64)
    sequence = follow(packets["seq"])
    rows = np.flatnonzero(sequence.first & np.isin(packets["payload_type"], list(LAW_OF)))
    rows = rows[np.argsort(sequence.extended[rows], kind="stable")]
    audio, extended = packets[rows], sequence.extended[rows]
    if not len(audio):
        return Law.PCMU, np.empty((0, FRAME), np.uint8), np.empty(0, np.int64)
    media = media_time(audio["t_ns"], audio["timestamp"], extended, CLOCK_RATE)
    lengths = audio["payload_length"].astype(np.int64)
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    octets = payloads[np.repeat(audio["payload_start"], lengths) + within]
    times = np.repeat(media.samples, lengths) + within
    whole = len(octets) // FRAME * FRAME
    return LAW_OF[int(audio["payload_type"][0])], octets[:whole].reshape(-1, FRAME), times[:whole:FRAME]


def _one_zero(frames: Frames) -> Frames:
    """Mu-law has two zeros; encoders differ in which they send."""
    return np.where(frames == 0x7F, np.uint8(0xFF), frames)


@cache
def _quiet_codes(law: Law) -> Bools:
    steps = np.abs(decode(law, np.arange(256, dtype=np.uint8)).astype(np.int32))
    quiet = np.zeros(256, np.bool_)
    quiet[steps <= QUIET] = True
    return quiet


def _silent(law: Law, frames: Frames) -> Bools:
    return np.asarray(_quiet_codes(law)[frames].all(axis=1), np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class _Walk:
    heard: Frames
    at: Ints
    silent: Bools
    due: Frames
    due_silent: Bools
    starts: set[int]
    """Where in `due` a piece begins."""
    others: Container[bytes]

    def content(self) -> Content:
        heard = [frame.tobytes() for frame in self.heard]
        due = [frame.tobytes() for frame in self.due]
        own: frozenset[bytes] | None = None
        right = holes = missing = wrong_leg = wrong = 0
        following = 0  # the next of `due`
        last_at = 0
        idle = 0  # silent frames since the last that was due
        for index, frame in enumerate(heard):
            found = self._find(frame, bool(self.silent[index]), due, following)
            if found is None and self.silent[index]:
                idle += 1
                continue
            if found is None:
                own = frozenset(due) if own is None else own
                alien = frame in self.others and frame not in own
                wrong_leg += alien
                wrong += not alien
                continue
            skipped = found - following
            inside = not self.starts.intersection(range(following, found + 1))
            replaced = min(idle, skipped)
            missing += skipped - replaced
            holes += replaced
            if inside:
                late = int(self.at[index] - last_at) // FRAME - (skipped + 1)
                holes += max(0, late)
            right += 1
            following, last_at, idle = found + 1, int(self.at[index]), 0
        return Content(
            len(heard), right, holes, missing, len(due) - following, wrong_leg, wrong
        )  # fmt: skip

    def _find(self, frame: bytes, silent: bool, due: list[bytes], following: int) -> int | None:
        if following < len(due) and (due[following] == frame or (silent and self.due_silent[following])):
            return following
        if silent:
            return None
        for index in range(following, min(following + AHEAD, len(due))):
            if due[index] == frame:
                return index
        return None
