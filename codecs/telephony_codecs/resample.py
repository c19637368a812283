"""Any rate to the 8 kHz of the line: whole recordings by soxr, streams by a polyphase FIR filter.

The filter is a windowed-sinc (Kaiser) low-pass, flat to 3400 Hz and down by 70 dB from 4400 Hz, so that what
folds back lands above 3600 Hz, outside the telephone band. It is short on purpose: only its right half, 2.3 ms,
is held back before a flush, and what is held back delays every first packet. soxr was measured at 16 to 48 kHz
in chunks of 20 ms: MQ and HQ work in FFT blocks and hold back up to 73 to 157 ms, the variable-rate mode 15 to
30 ms, and LQ (40 to 61 ms) is 4 dB down at 3300 Hz. The structure is that of Crochiere and Rabiner, Multirate
Digital Signal Processing (1983), chapter 3.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, gcd

import numpy as np

from telephony_codecs.arrays import Float32, require
from telephony_codecs.filters import lowpass, lowpass_length

LINE_RATE = 8000
MIN_RATE, MAX_RATE = 8000, 96000

PASSBAND_HZ, STOPBAND_HZ = 3400.0, 4400.0
STOPBAND_DB = 72.0
_BLOCK = 256  # outputs computed at once; their windows and weights fit the L2 cache


@dataclass(frozen=True, slots=True)
class _Kernel:
    """The filter for one rate, rate = 8000 * down / up, as one row of weights for each output.

    Output k is `weights[k % up] . x[k * down // up - half : ... + half + 1]`. `weights` is
    float32[up + _BLOCK, 2 * half + 1], its rows repeating, so that a block of rows is always one slice.
    """

    up: int
    down: int
    half: int
    weights: Float32


@lru_cache(maxsize=16)
def _kernel(rate: int) -> _Kernel:
    common = gcd(rate, LINE_RATE)
    up, down = LINE_RATE // common, rate // common
    fine_rate = rate * up
    length = lowpass_length(STOPBAND_DB, (STOPBAND_HZ - PASSBAND_HZ) / (fine_rate / 2))
    half = ceil(length / 2 / up)
    taps = 2 * half + 1
    prototype = np.zeros(taps * up)
    prototype[: 2 * half * up + 1] = up * lowpass(
        2 * half * up + 1, (PASSBAND_HZ + STOPBAND_HZ) / fine_rate, STOPBAND_DB
    )
    phases = prototype.reshape(taps, up).T[:, ::-1].astype(np.float32)
    rows = np.arange(up + _BLOCK) * down % up
    weights = np.broadcast_to(phases, (1 + _BLOCK, taps)) if up == 1 else phases[rows]
    return _Kernel(up, down, half, weights)


def resample_recording(pcm: Float32, rate: int) -> Float32:
    """A whole recording float32[n] at `rate` Hz to float32[m] at 8 kHz, by soxr's best quality.

    Nothing waits for its first packet, so the filter may be as long as it likes. Raises ValueError for a rate
    outside 8 to 96 kHz.
    """
    if not MIN_RATE <= rate <= MAX_RATE:
        raise ValueError(f"rate {rate}: {MIN_RATE} to {MAX_RATE} Hz can be resampled")
    if rate == LINE_RATE:
        return pcm
    import soxr  # only who reads recordings of other rates loads it

    line: Float32 = soxr.resample(pcm, rate, LINE_RATE, quality="VHQ")
    return line


class Resampler:
    """Streams float32 PCM at `rate_in` to 8 kHz. One stream at a time; not thread-safe.

    Sample k of the output is the input at time k / 8000 s: no delay, no gap between chunks, and the same
    samples however the input is cut. At most 2.4 ms of output are held back until more input or a flush.
    8 kHz input passes through untouched. ValueError when `rate_in` is not within 8000..96000 Hz.
    """

    _held: Float32  # the input that later outputs still need
    _origin: int  # the input sample whose window starts at _held[0]
    _taken: int  # input samples so far
    _given: int  # output samples so far

    def __init__(self, rate_in: int) -> None:
        if not MIN_RATE <= rate_in <= MAX_RATE:
            raise ValueError(f"sample rate must be {MIN_RATE}..{MAX_RATE} Hz, got {rate_in}")
        self._rate = rate_in
        self._kernel = None if rate_in == LINE_RATE else _kernel(rate_in)
        self.reset()

    def push(self, pcm: Float32) -> Float32:
        """Take float32[n] at `rate_in`, return the float32[m] at 8 kHz that it completes."""
        require(pcm, np.float32)
        if (kernel := self._kernel) is None:
            return pcm
        self._held = np.concatenate((self._held, pcm))
        self._taken += len(pcm)
        return self._emit(kernel, -(-(self._taken - kernel.half) * kernel.up // kernel.down))

    def flush(self) -> Float32:
        """End the stream: return the rest, float32[m], so that round(n * 8000 / rate_in) came out in all.

        The resampler is then ready for another stream.
        """
        if (kernel := self._kernel) is None:
            return np.zeros(0, np.float32)
        self._held = np.concatenate((self._held, np.zeros(kernel.half, np.float32)))
        rest = self._emit(kernel, round(self._taken * LINE_RATE / self._rate))
        self.reset()
        return rest

    def reset(self) -> None:
        """Forget the stream; what was held back is dropped."""
        before = self._kernel.half if self._kernel else 0
        self._held = np.zeros(before, np.float32)  # the stream starts out of silence
        self._taken = 0
        self._given = 0
        self._origin = 0

    def _emit(self, kernel: _Kernel, stop: int) -> Float32:
        """Compute outputs `_given` up to `stop` and drop the input that no later one needs."""
        start, up, down = self._given, kernel.up, kernel.down
        if stop <= start:
            return np.zeros(0, np.float32)
        taps = 2 * kernel.half + 1
        # sliding_window_view, whose argument checks cost more than the filter does
        windows: Float32 = np.ndarray(
            (len(self._held) - taps + 1, taps), np.float32, self._held, strides=(4, 4)
        )
        out = np.empty(stop - start, np.float32)
        for first in range(start, stop, _BLOCK):
            last = min(first + _BLOCK, stop)
            if up == 1:
                picked = windows[first * down - self._origin : last * down - self._origin : down]
            else:
                picked = windows[np.arange(first, last) * down // up - self._origin]
            rows = kernel.weights[first % up : first % up + last - first]
            # row by row, never BLAS: the sum must not depend on how many rows a chunk happens to fill
            np.einsum("ij,ij->i", picked, rows, out=out[first - start : last - start])
        keep = stop * down // up - self._origin
        self._held = self._held[keep:].copy()
        self._given = stop
        self._origin += keep
        return out
