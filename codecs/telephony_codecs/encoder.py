"""The whole path from an engine's PCM to packets of G.711, in one place:

resample to 8 kHz -> gain -> limit -> round to 16 bit -> compand -> cut into packets
"""

from math import isfinite

import numpy as np

from telephony_codecs.arrays import Float32, Int16, Uint8, as_float, as_int16
from telephony_codecs.framing import Framer
from telephony_codecs.g711 import Law, encode
from telephony_codecs.limiter import Limiter
from telephony_codecs.resample import Resampler


class Encoder:
    """Streams PCM at `rate_in` (8000..96000 Hz) to packets of `ptime_ms`, amplified by the linear `gain`.

    Besides the open packet, the resampler holds back 2.4 ms and the limiter 5 ms until more input or a
    flush. The packets are the same however the input is cut. No dither: the companding noise is far above it.
    One stream at a time; not thread-safe. ValueError for a rate, ptime or gain that cannot be.
    """

    def __init__(self, rate_in: int, law: Law, ptime_ms: int, gain: float = 1.0) -> None:
        if not (isfinite(gain) and gain >= 0):
            raise ValueError(f"gain must be a finite factor, 0 or more, got {gain}")
        self._resampler = Resampler(rate_in)
        self._limiter = Limiter()
        self._framer = Framer(law, ptime_ms)
        self._law = law
        self._gain = np.float32(gain)

    def push(self, pcm: Int16 | Float32) -> bytes:
        """Take int16[n] or float32[n] (full scale 1.0), return the whole packets ready, each 8 * ptime_ms.

        ValueError when a sample is not finite; the stream is then spoilt and wants a `reset`.
        """
        line = self._resampler.push(as_float(pcm))
        return self._framer.push(self._compand(self._limiter.push(line * self._gain))).tobytes()

    def flush(self) -> bytes:
        """End the stream: return the rest, its last packet padded with silence. Ready for another stream."""
        line = self._limiter.push(self._resampler.flush() * self._gain)
        codes = self._compand(np.concatenate((line, self._limiter.flush())))
        return self._framer.push(codes).tobytes() + self._framer.flush().tobytes()

    def reset(self) -> None:
        """Forget the stream: nothing of it is heard in what comes next."""
        self._resampler.reset()
        self._limiter.reset()
        self._framer.reset()

    def _compand(self, line: Float32) -> Uint8:
        return encode(self._law, as_int16(line))
