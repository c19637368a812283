"""A look-ahead peak limiter for the 8 kHz line: what is too loud gets quieter, never clipped or wrapped."""

from math import isfinite

import numpy as np
import numpy.typing as npt

from telephony_codecs.arrays import Float32, require

_Int64 = npt.NDArray[np.int64]
_Float64 = npt.NDArray[np.float64]

CEILING = 32124 / 32768  # the largest value that mu-law can say; A-law's is 32256
_CEILING32 = np.float32(CEILING)  # exact

LOOK_AHEAD = 40  # samples at 8 kHz: 5 ms
_RELEASE = 7500  # microdecibel a sample: 60 dB/s, slow against a pitch period
_MICRODECIBEL = 20e6

# A triangle over the look-ahead. Attenuation is kept in whole microdecibels and smoothed with whole weights:
# integer sums are exact, so the gain cannot depend on how the stream was cut into chunks.
_WEIGHTS = np.minimum(np.arange(1, LOOK_AHEAD + 2), np.arange(LOOK_AHEAD + 1, 0, -1))
_WEIGHT_SUM = int(_WEIGHTS.sum())


class Limiter:
    """Keeps a float32 stream at 8 kHz within +-CEILING. One stream at a time; not thread-safe.

    The gain falls smoothly during the LOOK_AHEAD before a peak and recovers at 60 dB/s; where it is 1 the
    samples pass bit-exact. Output is time-aligned: the last LOOK_AHEAD samples come with `flush`. The result
    is the same however the input is cut.
    """

    _delayed: Float32  # the look-ahead: taken, not given yet
    _wanted: _Int64  # attenuation after release, and after hold, of the last LOOK_AHEAD samples
    _held: _Int64
    _limiting: bool  # whether any of that is not 0

    def __init__(self) -> None:
        self.reset()

    def push(self, pcm: Float32) -> Float32:
        """Take float32[n], return the float32[m] that the look-ahead allows.

        ValueError when a sample is not finite; the stream is then spoilt and wants a `reset`.
        """
        require(pcm, np.float32)
        if not len(pcm):
            return pcm
        peak = max(float(pcm.max()), -float(pcm.min()))
        if not isfinite(peak):
            raise ValueError("samples must be finite")
        joined = np.concatenate((self._delayed, pcm))
        ready = max(len(joined) - LOOK_AHEAD, 0)
        self._delayed = joined[ready:].copy()
        if peak <= CEILING and not self._limiting:
            return joined[:ready]
        attenuation = self._attenuation(pcm)[len(pcm) - ready :]
        gain = 10.0 ** (-attenuation / _MICRODECIBEL)
        # the clip takes off no more than the last bit of rounding
        return np.clip((joined[:ready] * gain).astype(np.float32), -_CEILING32, _CEILING32)

    def flush(self) -> Float32:
        """End the stream: return the rest, float32[m]. The limiter is then ready for another stream."""
        rest = self.push(np.zeros(LOOK_AHEAD, np.float32))
        self.reset()
        return rest

    def reset(self) -> None:
        """Forget the stream; what was held back is dropped and the gain is 1."""
        self._delayed = np.zeros(0, np.float32)
        self._wanted = np.zeros(LOOK_AHEAD, np.int64)
        self._held = np.zeros(LOOK_AHEAD, np.int64)
        self._limiting = False

    def _attenuation(self, pcm: Float32) -> _Float64:
        """Microdecibels float64[n] for the n samples that lie LOOK_AHEAD before those of `pcm`.

        Three steps, each at least what sample i wants over all of i .. i + LOOK_AHEAD, hence so is their
        smoothed mean: release (a running maximum that falls at a constant rate), hold, smooth.
        """
        excess = np.maximum(np.abs(pcm, dtype=np.float64) / CEILING, 1.0)
        instant = np.ceil(_MICRODECIBEL * np.log10(excess)).astype(np.int64)
        fall = _RELEASE * np.arange(1, len(pcm) + 1)
        released = np.maximum.accumulate(np.concatenate((self._wanted[-1:], instant + fall)))[1:] - fall
        wanted = np.concatenate((self._wanted, released))
        hold = np.lib.stride_tricks.sliding_window_view(wanted, LOOK_AHEAD + 1).max(axis=1)
        held = np.concatenate((self._held, hold))
        self._wanted = wanted[-LOOK_AHEAD:]
        self._held = held[-LOOK_AHEAD:]
        self._limiting = bool(self._held.any())
        return np.convolve(held, _WEIGHTS, mode="valid") / _WEIGHT_SUM
