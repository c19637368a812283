"""Code words into packets of one ptime."""

import numpy as np

from telephony_codecs.arrays import Uint8, require
from telephony_codecs.g711 import Law

PTIMES_MS = (10, 20, 30, 40, 60)
CODES_PER_MS = 8


class Framer:
    """Cuts a stream of code words into packets of `ptime_ms` (8 * ptime_ms octets, RFC 3551 section 4.2).

    ValueError when `ptime_ms` is not one of PTIMES_MS.
    """

    _held: Uint8

    def __init__(self, law: Law, ptime_ms: int) -> None:
        if ptime_ms not in PTIMES_MS:
            raise ValueError(f"ptime must be one of {PTIMES_MS} ms, got {ptime_ms}")
        self._silence = law.silence
        self._octets = CODES_PER_MS * ptime_ms
        self.reset()

    def push(self, codes: Uint8) -> Uint8:
        """Take uint8[n], return the whole packets that are now ready, uint8[k * 8 * ptime_ms]."""
        require(codes, np.uint8)
        stream = np.concatenate((self._held, codes))
        whole = len(stream) - len(stream) % self._octets
        self._held = stream[whole:].copy()
        return stream[:whole]

    def flush(self) -> Uint8:
        """End the stream: return its tail as one packet padded with silence, or nothing if there is none."""
        missing = -len(self._held) % self._octets
        tail = np.concatenate((self._held, np.full(missing, self._silence, np.uint8)))
        self.reset()
        return tail

    def reset(self) -> None:
        """Forget the stream; a tail shorter than a packet is dropped."""
        self._held = np.zeros(0, np.uint8)
