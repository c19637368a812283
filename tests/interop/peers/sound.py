"""WAV files that peers play and record: mono, int16, 8 kHz."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from telephony_codecs import LINE_RATE, write_wav

_HEADER: Final = 44
"""RIFF, fmt and data headers, as libsndfile and mediastreamer write them."""
_TAIL_S: Final = 180
"""Silence after what is played: baresip ends a call whose file has ended."""


def write_played(path: Path, speech: npt.NDArray[np.int16] | None) -> None:
    """Writes int16[n] at 8 kHz with a long silence after it; silence alone for None."""
    tail = np.zeros(_TAIL_S * LINE_RATE, np.int16)
    write_wav(path, tail if speech is None else np.concatenate([speech, tail]), LINE_RATE)


def read_open_wav(path: Path) -> npt.NDArray[np.int16]:
    """int16[n] of a file that may still be written to, so that its header knows less than is there.

    Raises AssertionError when it is not mono PCM at 8 kHz.
    """
    octets = path.read_bytes()
    if len(octets) < _HEADER:
        return np.empty(0, np.int16)
    header = octets[:_HEADER]
    # mediastreamer writes its own when it closes the file
    if any(header):
        assert struct.unpack_from("<HHI", header, 20) == (1, 1, LINE_RATE), header
        assert header[36:40] == b"data", header
    return np.frombuffer(octets, "<i2", (len(octets) - _HEADER) // 2, _HEADER).astype(np.int16)
