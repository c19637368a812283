"""Whether the caller speaks: voice activity on a leg's inbound G.711, packet by packet. No clock, no socket.

A frame counts as voice when it stands out from the line's noise, WebRTC's detector (a Gaussian mixture over six
bands; the library webrtcvad) takes it for speech, and, until somebody speaks, when it has a pitch: hiss, wind and
breath have none. Speech has begun once 60 ms of the last 160 are voice, and has stopped 300 ms after the last.

The dearer a question, the later it is asked: on a quiet line a packet costs a table look-up and a sum.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

import _webrtcvad  # webrtcvad itself, around it, asks for its own version: 2 MB in a media worker
import numpy as np
import numpy.typing as npt

from telephony_codecs import LINE_RATE, Law, decode, encode

BEGIN_MS: Final = 60
_WITHIN_MS: Final = 160
STOP_MS: Final = 300
_STRICTEST: Final = 3
_MS_OCTETS: Final = 8
_LATE: Final = 8000
"""Samples: no packet is a second late."""
_MOST_AHEAD_NS: Final = 1_000_000_000
"""Of time, by what comes: as much as a network holds back and then lets go at once."""
_FRAMES_MS: Final = (30, 20, 10)
"""What WebRTC's detector takes."""
_LOUD_ENOUGH: Final = 16
"""Mean companded magnitude, 0 to 127, 16 for 6 dB: about -45 dBm0."""
_ABOVE_NOISE: Final = 14
_NOISE_RISES: Final = 1 / 1000
"""How fast the noise floor is believed to rise, in magnitude a millisecond; it falls at once."""
_PITCH_LAGS: Final = (20, 134)
"""Samples: 400 to 60 Hz."""
_PITCHED: Final = 0.5
_APART: Final = 0.2
_PITCH_SAMPLES: Final = 320

Kind = Literal["started", "confirmed", "stopped"]


@dataclass(frozen=True, slots=True)
class Heard:
    """The caller has begun to speak, has spoken for as long as was asked for, or has stopped.

    ``voice_ms``: how much of it was voice so far.
    """

    kind: Kind
    voice_ms: int


def _magnitudes(law: Law) -> bytes:
    """A table from code words to mu-law magnitudes, 0 to 127: nearly the logarithm of the amplitude."""
    codes = encode(Law.PCMU, decode(law, np.arange(256, dtype=np.uint8)))
    return (~codes & 0x7F).astype(np.uint8).tobytes()


_MAGNITUDES: Final = {law: _magnitudes(law) for law in Law}


class Hearing:
    """One leg's ear. ``confirm_ms``: tell when the caller has spoken for so long; 0: never."""

    def __init__(self, confirm_ms: int) -> None:
        self.confirm_ms = confirm_ms
        self.speaking = False
        self.heard_ns = 0
        """When the newest packet came, on CLOCK_MONOTONIC."""
        self._detector = _webrtcvad.create()
        _webrtcvad.init(self._detector)
        _webrtcvad.set_mode(self._detector, _STRICTEST)
        self._noise: float | None = None
        self._ssrc: int | None = None
        self._next = 0
        self._heard_to_ns = 0  # when all that has come would have been said, had it begun as early as it came
        self._recent: deque[tuple[int, bool]] = deque()
        self._recent_ms = 0
        self._voice_ms = 0
        self._quiet_ms = 0
        self._confirmed = False
        self._before: npt.NDArray[np.int16] = np.zeros(0, np.int16)

    def hear(self, ssrc: int, timestamp: int, codes: bytes, law: Law, now_ns: int) -> list[Heard]:
        """The next packet. One that is late is left out; what was not sent, or lost, is silence.

        Another SSRC has a clock of its own, and so has a source whose clock goes back by more than ``_LATE``.
        What comes faster than anybody speaks is left out, too, lest it keep the pacer from its ticks.
        """
        self.heard_ns = now_ns
        told: list[Heard] = []
        ahead_ns = max(self._heard_to_ns - now_ns, 0)
        if ahead_ns > _MOST_AHEAD_NS:
            return told
        self._heard_to_ns = now_ns + ahead_ns + len(codes) // _MS_OCTETS * 1_000_000
        if ssrc == self._ssrc:
            gap = (timestamp - self._next) & 0xFFFFFFFF
            if gap >= (1 << 32) - _LATE:
                return told
            if 0 < gap < 1 << 31:
                told += self._pass(min(gap, _LATE) // _MS_OCTETS, voice=False)
        self._ssrc, self._next = ssrc, (timestamp + len(codes)) & 0xFFFFFFFF
        at = 0
        while (left := (len(codes) - at) // _MS_OCTETS) >= _FRAMES_MS[-1]:
            ms = next(length for length in _FRAMES_MS if length <= left)
            frame = codes[at : at + ms * _MS_OCTETS]
            at += len(frame)
            told += self._pass(ms, voice=self._is_voice(frame, ms, law))
        return told

    def miss(self) -> list[Heard]:
        """Nothing has come for ``STOP_MS`` and more."""
        return self._pass(STOP_MS, voice=False)

    def _pass(self, ms: int, *, voice: bool) -> list[Heard]:
        """So many milliseconds have passed, of voice or not."""
        if not self.speaking:
            self._recent.append((ms, voice))
            self._recent_ms += ms
            while self._recent_ms - self._recent[0][0] >= _WITHIN_MS:
                self._recent_ms -= self._recent.popleft()[0]
            voiced = sum(length for length, was_voice in self._recent if was_voice)
            if voiced < BEGIN_MS:
                return []
            self.speaking, self._confirmed = True, False
            self._voice_ms, self._quiet_ms = voiced, 0
            return [Heard("started", voiced), *self._confirm()]
        if voice:
            self._voice_ms, self._quiet_ms = self._voice_ms + ms, 0
            return self._confirm()
        self._quiet_ms += ms
        if self._quiet_ms < STOP_MS:
            return []
        self.speaking = False
        self._recent.clear()
        self._recent_ms = 0
        return [Heard("stopped", self._voice_ms)]

    def _confirm(self) -> list[Heard]:
        if self._confirmed or not self.confirm_ms or self._voice_ms < self.confirm_ms:
            return []
        self._confirmed = True
        return [Heard("confirmed", self._voice_ms)]

    def _is_voice(self, frame: bytes, ms: int, law: Law) -> bool:
        level = sum(frame.translate(_MAGNITUDES[law])) / len(frame)
        noise = level if self._noise is None else min(level, self._noise + ms * _NOISE_RISES)
        self._noise = noise
        if level < max(_LOUD_ENOUGH, noise + _ABOVE_NOISE):
            self._before = self._before[:0]
            return False
        pcm = decode(law, np.frombuffer(frame, np.uint8))
        recent = np.concatenate((self._before, pcm))[-_PITCH_SAMPLES:]
        self._before = recent
        if not _webrtcvad.process(self._detector, LINE_RATE, pcm.tobytes(), len(pcm)):
            return False
        return self.speaking or _has_pitch(recent)


def _has_pitch(pcm: npt.NDArray[np.int16]) -> bool:
    """Whether int16[n] repeats itself at a voice's pitch: its normalised autocorrelation has a peak there."""
    wave = pcm.astype(np.float32)
    wave -= wave.mean()
    spectrum = np.fft.rfft(wave, 2 * _PITCH_SAMPLES)
    likeness = np.fft.irfft(spectrum.real**2 + spectrum.imag**2)[: len(wave)]
    longest = min(_PITCH_LAGS[1], len(wave) // 2)
    # what is compared grows shorter with the lag
    likeness = likeness[:longest] * (len(wave) / np.arange(len(wave), len(wave) - longest, -1))
    apart = np.flatnonzero(likeness < _APART * likeness[0])  # before that a slow wave is merely like itself
    if not len(apart):
        return False
    peaks = likeness[max(_PITCH_LAGS[0], int(apart[0])) :]
    return bool(len(peaks) and peaks.max() > _PITCHED * likeness[0])
