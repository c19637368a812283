"""Payloads back to sound: int16 on the source's own timeline, and the digits among them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from gateway.listen.analysis import CLOCK_RATE, by_ssrc
from gateway.listen.events import HeardEvent, heard_events
from gateway.listen.packets import is_event
from gateway.listen.sequence import follow
from gateway.listen.store import Records
from gateway.listen.timing import media_time
from telephony_codecs import DBM0_FULL_SCALE, ActiveLevel, Law, active_speech_level, as_float, decode

LAW_OF: Final = {law.payload_type: law for law in Law}
"""Payload types that can be heard (RFC 3551 table 4)."""

LONGEST_S: Final = 4 * 3600
"""Audio placed later than this is left out: timestamps are the peer's word, and memory is ours."""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One SSRC's audio at CLOCK_RATE."""

    ssrc: int
    pcm: npt.NDArray[np.int16]
    """int16[n], from the first packet's timestamp on; 0 where no packet spoke."""
    filled: int
    """Samples of `pcm` that no packet spoke: lost, or silence not sent."""
    unheard: int
    """Packets left out: of another payload type, or beyond LONGEST_S."""
    events: tuple[HeardEvent, ...]

    @property
    def digits(self) -> str:
        """Keys pressed, in order."""
        return "".join(event.digit for event in self.events)

    def level(self) -> ActiveLevel:
        """Active speech level in dBov and activity (ITU-T P.56)."""
        return active_speech_level(as_float(self.pcm), CLOCK_RATE)


def to_dbm0(dbov: float) -> float:
    """dBm0 of a dBov figure; full scale is +6.15 dBm0 (ITU-T G.100.1)."""
    return dbov + DBM0_FULL_SCALE


def recordings(packets: Records, payloads: Records) -> tuple[Recording, ...]:
    """One recording per SSRC in PACKET[n], whose payloads lie in `payloads` u8[octets] (`Capture`).

    Ordered by first arrival. Repeats are dropped and order is mended by sequence number; a packet lies where
    its timestamp says, so that a gap is as long as it was.
    """
    groups = sorted(by_ssrc(packets), key=lambda group: int(group["t_ns"].min()))
    return tuple(_record(group, payloads) for group in groups)


def _record(packets: Records, payloads: Records) -> Recording:
    assert (packets["payload_start"] >= 0).all(), "the receiver was not asked to record"
    sequence = follow(packets["seq"])
    rows = np.flatnonzero(sequence.first)
    rows = rows[np.argsort(sequence.extended[rows], kind="stable")]
    ordered, extended = packets[rows], sequence.extended[rows]
    event = is_event(ordered)
    events = ordered[event]
    digits = heard_events(events, _gather(events["payload_start"], 4, payloads))
    spoken = np.isin(ordered["payload_type"], list(LAW_OF)) & (ordered["payload_length"] > 0)
    audio = ordered[spoken]
    positions = np.empty(0, np.int64)
    if len(audio):
        media = media_time(audio["t_ns"], audio["timestamp"], extended[spoken], CLOCK_RATE)
        positions = media.samples - media.samples.min()
    near = positions + audio["payload_length"] <= LONGEST_S * CLOCK_RATE
    pcm, filled = _place(audio[near], positions[near], payloads)
    unheard = int(len(ordered) - len(events) - np.count_nonzero(near))
    return Recording(int(packets["ssrc"][0]), pcm, filled, unheard, digits)


def _gather(starts: Records, length: int, payloads: Records) -> Records:
    """u8[n, length] out of the payload store."""
    rows: Records = payloads[starts[:, None] + np.arange(length)]
    return rows


def _place(audio: Records, positions: Records, payloads: Records) -> tuple[npt.NDArray[np.int16], int]:
    """Decode and lay out; returns int16[n] and how many of the n nothing covers."""
    lengths = audio["payload_length"].astype(np.int64)
    pcm = np.zeros(int((positions + lengths).max(initial=0)), np.int16)
    covered = np.zeros(len(pcm), np.bool_)
    kinds = np.stack([audio["payload_type"].astype(np.int64), lengths], axis=1)
    for payload_type, length in np.unique(kinds, axis=0).tolist():
        rows = (kinds == (payload_type, length)).all(axis=1)
        codes = _gather(audio["payload_start"][rows], length, payloads)
        at = positions[rows][:, None] + np.arange(length)
        pcm[at] = decode(LAW_OF[payload_type], codes.ravel()).reshape(codes.shape)
        covered[at] = True
    return pcm, int(len(pcm) - np.count_nonzero(covered))
