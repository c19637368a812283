"""The line's 8 kHz to a whole multiple of it, streamed: a polyphase FIR filter for those who want other rates.

The filter is a windowed-sinc (Kaiser) low-pass, flat to 3600 Hz and down by 72 dB from 4400 Hz, where the images
of the telephone band begin. Its right half, 2.9 ms, is held back before a flush. soxr, to 16 and 24 kHz
in chunks of 20 ms, was measured: MQ to VHQ hold back 73 to 153 ms, which a first word would wait for.
"""

from functools import lru_cache
from math import ceil

import numpy as np

from telephony_codecs.arrays import Float32, require
from telephony_codecs.filters import lowpass, lowpass_length
from telephony_codecs.resample import LINE_RATE

PASSBAND_HZ, STOPBAND_HZ = 3600.0, 4400.0
STOPBAND_DB = 72.0


@lru_cache(maxsize=8)
def _phases(factor: int) -> Float32:
    """float32[factor, 2 * half + 1]: the weights of the outputs that fall between two inputs."""
    rate = LINE_RATE * factor
    length = lowpass_length(STOPBAND_DB, (STOPBAND_HZ - PASSBAND_HZ) / (rate / 2))
    half = ceil(length / 2 / factor)
    prototype = np.zeros((2 * half + 1) * factor)
    prototype[: 2 * half * factor + 1] = factor * lowpass(
        2 * half * factor + 1, (PASSBAND_HZ + STOPBAND_HZ) / rate, STOPBAND_DB
    )
    phases: Float32 = prototype.reshape(2 * half + 1, factor).T.astype(np.float32)
    return phases


class Upsampler:
    """Streams float32 PCM at 8 kHz to ``rate`` Hz. One stream at a time; not thread-safe.

    Sample k of the output is the input at time k / rate s: no delay, no gap between chunks, nothing lost at its
    end. At most 2.9 ms are held back until more input or a flush. 8 kHz passes through untouched.
    ValueError when ``rate`` is no multiple of 8000 up to 48000.
    """

    def __init__(self, rate: int) -> None:
        if rate % LINE_RATE or not LINE_RATE <= rate <= 48000:
            raise ValueError(f"rate {rate}: a multiple of {LINE_RATE} up to 48000 can be made")
        self._factor = rate // LINE_RATE
        self._phases = _phases(self._factor) if self._factor > 1 else None
        self.reset()

    def reset(self) -> None:
        """Forget everything, as if nothing had been pushed."""
        half = 0 if self._phases is None else self._phases.shape[1] // 2
        self._half = half
        self._early = half
        """Outputs, in inputs' time, that come before the first sample and are thrown away."""
        self._held = np.zeros(2 * half, np.float32)

    def push(self, pcm: Float32) -> Float32:
        """float32[n] at 8 kHz; returns float32[m], all that can be said yet."""
        require(pcm, np.float32)
        if self._phases is None:
            return pcm
        if not len(pcm):
            return pcm
        window = np.concatenate((self._held, pcm))
        self._held = window[len(window) - 2 * self._half :]
        out = np.empty((len(pcm), self._factor), np.float32)
        for phase, weights in enumerate(self._phases):
            out[:, phase] = np.convolve(window, weights, "valid")
        early = min(self._early, len(pcm))
        self._early -= early
        return out[early:].reshape(-1)

    def flush(self) -> Float32:
        """What was held back; then as after ``reset``."""
        rest = self.push(np.zeros(self._half, np.float32))
        self.reset()
        return rest
