"""G.711: 16-bit PCM to 8-bit companded code words and back, both laws, by table.

The tables are built at import by the arithmetic of the ITU-T G.191 Software Tool Library (`ulaw_compress`,
`ulaw_expand`, `alaw_compress`, `alaw_expand`), applied to the whole domain at once, so that every code
equals the reference's, bit for bit. Mu-law keeps the upper 14 bits of a sample, A-law the upper 12; the
STL truncates in one's complement, which is what makes -1 and 0 symmetric.
"""

from enum import StrEnum

import numpy as np
import numpy.typing as npt

from telephony_codecs.arrays import Int16, Uint8, require


class Law(StrEnum):
    """The two companding laws, by their RTP encoding names (RFC 3551 section 6)."""

    PCMU = "PCMU"
    PCMA = "PCMA"

    @property
    def silence(self) -> int:
        """The code word that decodes nearest to zero and is sent as silence."""
        return 0xFF if self is Law.PCMU else 0xD5

    @property
    def payload_type(self) -> int:
        """The static RTP payload type (RFC 3551 table 4)."""
        return 0 if self is Law.PCMU else 8


def encode(law: Law, pcm: Int16) -> Uint8:
    """Compress `pcm` int16[n] to code words uint8[n]. TypeError on any other array."""
    require(pcm, np.int16)
    return _ENCODE[law].take(pcm.view(np.uint16))


def decode(law: Law, codes: Uint8) -> Int16:
    """Expand code words uint8[n] to PCM int16[n]. TypeError on any other array."""
    require(codes, np.uint8)
    return _DECODE[law].take(codes)


def transcode(codes: bytes, source: str, target: str) -> bytes:
    """Code words of one law in the other: decoded and compressed again, octet by octet (G.711 section 3.2)."""
    return codes.translate(_TRANSCODE[source, target])


def _bit_length(value: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    return np.frexp(value)[1]  # exact: frexp's exponent of a positive integer is its bit length


def _mu_compress() -> Uint8:
    """uint8[65536], indexed by the sample's two's complement bits."""
    pcm = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.minimum((np.where(pcm < 0, ~pcm, pcm) >> 2) + 33, 0x1FFF)
    segment = _bit_length(magnitude) - 5  # 1..8
    step = (magnitude >> segment) & 0xF
    sign = np.where(pcm < 0, 0x00, 0x80)
    code: npt.NDArray[np.int32] = sign | (8 - segment) << 4 | (15 - step)
    return code.astype(np.uint8)


def _mu_expand() -> Int16:
    """int16[256]; the bias of 33 that compression added comes off again (132 on the 16-bit scale)."""
    code = np.arange(256, dtype=np.int32)
    exponent, step = (~code >> 4) & 7, ~code & 0xF
    magnitude = ((2 * step + 33) << (exponent + 2)) - 132
    return np.where(code < 0x80, -magnitude, magnitude).astype(np.int16)


def _a_compress() -> Uint8:
    """uint8[65536], indexed by the sample's two's complement bits; even bits are inverted (XOR 0x55)."""
    pcm = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.where(pcm < 0, ~pcm, pcm) >> 4
    segment = np.maximum(_bit_length(magnitude) - 4, 0)  # 0..7; the first two share a step size
    step = (magnitude >> np.maximum(segment - 1, 0)) & 0xF
    sign = np.where(pcm < 0, 0x00, 0x80)
    code: npt.NDArray[np.int32] = (sign | segment << 4 | step) ^ 0x55
    return code.astype(np.uint8)


def _a_expand() -> Int16:
    """int16[256]."""
    code = np.arange(256, dtype=np.int32)
    exponent, step = ((code ^ 0x55) >> 4) & 7, (code ^ 0x55) & 0xF
    magnitude = np.where(exponent == 0, 2 * step + 1, (2 * step + 33) << np.maximum(exponent - 1, 0)) << 3
    return np.where(code < 0x80, -magnitude, magnitude).astype(np.int16)


_ENCODE = {Law.PCMU: _mu_compress(), Law.PCMA: _a_compress()}
_DECODE = {Law.PCMU: _mu_expand(), Law.PCMA: _a_expand()}
_TRANSCODE = {
    (str(source), str(target)): encode(target, _DECODE[source]).tobytes() for source in Law for target in Law
}
