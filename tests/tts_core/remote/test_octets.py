"""Raw audio off the wire, in pieces of any size."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from tts_core.remote.octets import Octets

VOICE = (8000 * np.sin(np.arange(4000) * 2 * np.pi * 200 / 8000)).astype("<i2")


def wav(size: int, behind: bytes = b"") -> bytes:
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
    body = form + struct.pack("<4sI", b"data", size) + VOICE.tobytes() + behind
    return struct.pack("<4sI4s", b"RIFF", 4 + len(body), b"WAVE") + body


@pytest.mark.parametrize("step", [1, 7, 4096, 100_000])
@pytest.mark.parametrize(
    ("size", "behind"),
    [
        (2 * len(VOICE), b""),
        (2 * len(VOICE), b"LIST\x1a\x00\x00\x00INFOISFT\x0e\x00\x00\x00Lavf60.16.100\x00"),
        (0, b""),
        (0xFFFFFFFF, b""),
        (0x7FFFFFFF, b""),
    ],
)
def test_a_wav_file_is_its_audio_and_nothing_behind_it(size, behind, step):
    octets = Octets("pcm", 16000, lambda form, code: pytest.fail("no G.711"), {})
    file = wav(size, behind)
    heard = [octets.read(file[at : at + step]).pcm for at in range(0, len(file), step)]
    heard.append(octets.end().pcm)
    assert octets.rate == 8000
    assert np.array_equal(np.concatenate(heard), VOICE)
