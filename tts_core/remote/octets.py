"""Raw audio off the wire: G.711 or 16-bit PCM in pieces of any size, and what only pretends to be that."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping

import numpy as np

from tts_core.engine import Pcm
from tts_core.remote.asking import LINE_RATE, NOTHING, Expand, Heard, Unanswered

_HEAD = 12
"""Octets by which a container, a page or a message is told from audio."""
_STRANGERS = (
    (b"ID3", "MP3"),
    (b"OggS", "Ogg"),
    (b"fLaC", "FLAC"),
    (b"<!DOC", "HTML"),
    (b"<html", "HTML"),
    (b"<?xml", "XML"),
    (b'{"', "JSON"),
)
_WAVE = {(1, 16): "pcm", (6, 8): "alaw", (7, 8): "mulaw"}
_ENDLESS = (0, 0xFFFFFFFF)
"""What a WAV file that is written as it is made says of its length; others say 2 GB, which do as well."""
_LARGEST_HEADER = 4096
_JUDGED_MS = 100
_LOUD = 0.2
"""Of full scale, RMS. Speech that is brought to any usual level is below it."""
_NOISY = 0.35
"""Crossings of zero a sample, of the loudest sounds: voices are below 0.2, noise is at 0.5."""
_RATE = re.compile(r"rate=(\d+)")
_LEAST_RATE, _MOST_RATE = 8000, 48_000


class Octets:
    """Reads `form` ("mulaw", "alaw": 8 kHz; "pcm": s16le at `rate` Hz), or the WAV file that came instead.

    What tells another rate, by its header or its content type, is read at that. Raises Unanswered for other
    containers, for text, and for what sounds like no voice at all.
    """

    def __init__(self, form: str, rate: int, expand: Expand, headers: Mapping[str, str]) -> None:
        kind = headers.get("content-type", "")
        if kind.startswith(("text/", "application/json", "application/xml", "audio/mpeg", "audio/ogg")):
            raise Unanswered("garbage", f"it answered {kind.split(';')[0]} instead of audio")
        told = _RATE.search(kind)
        self.rate = int(told[1]) if told else rate
        self._check_rate()
        self._form, self._expand = form, expand
        self._head: bytes | None = b""
        self._odd = b""
        self._left: int | None = None
        """Octets of a WAV file's audio that are yet to come; None when nothing says how many."""
        self._judged: Pcm | None = NOTHING

    def read(self, octets: bytes) -> Heard:
        """See Answering."""
        if self._head is not None:
            self._head += octets
            if len(self._head) < _HEAD:
                return Heard(NOTHING)
            octets = self._behind_header(self._head)
            if self._head is not None:
                return Heard(NOTHING)
        if self._left is not None:
            octets = octets[: self._left]  # behind it there may be chunks of other things
            self._left -= len(octets)
        if self._form != "pcm":
            return Heard(self._judge(self._expand(self._form, octets)))
        octets = self._odd + octets
        whole = len(octets) & ~1
        self._odd = octets[whole:]
        return Heard(self._judge(np.frombuffer(octets[:whole], "<i2").astype(np.int16)))

    def end(self) -> Heard:
        """See Answering."""
        if self._head:
            raise Unanswered("broken", f"it answered {len(self._head)} octets, which is no speech")
        held, self._judged = self._judged, None
        return Heard(NOTHING if held is None else held)

    def _behind_header(self, head: bytes) -> bytes:
        """What of `head` is audio; leaves `_head` set while that is not known."""
        for begin, name in _STRANGERS:
            if head.startswith(begin):
                raise Unanswered("garbage", f"it answered {name} instead of audio")
        if not (head.startswith(b"RIFF") and head[8:12] == b"WAVE"):
            self._head = None
            return head
        data = head.find(b"data", 12)
        form = head.find(b"fmt ", 12)
        if data < 0 or len(head) < data + 8:
            if len(head) > _LARGEST_HEADER:
                raise Unanswered("garbage", "it answered a WAV file without data")
            return b""
        if not 0 < form < data - 20:
            raise Unanswered("garbage", "it answered a WAV file that does not tell its format")
        coding, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", head, form + 8)
        if (coding, bits) not in _WAVE or channels != 1:
            raise Unanswered(
                "garbage", f"it answered a WAV file of coding {coding}, {channels} x {bits} bits"
            )
        self._form, self.rate, self._head = _WAVE[coding, bits], rate, None
        self._check_rate()
        (size,) = struct.unpack_from("<I", head, data + 4)
        self._left = None if size in _ENDLESS else size
        return head[data + 8 :]

    def _check_rate(self) -> None:
        if not _LEAST_RATE <= self.rate <= _MOST_RATE:
            raise Unanswered("garbage", f"it answered audio at {self.rate} Hz")

    def _judge(self, pcm: Pcm) -> Pcm:
        """Hold back the first moments until they are known to be no noise."""
        if self._judged is None:
            return pcm
        held = np.concatenate((self._judged, pcm))
        if len(held) < self.rate * _JUDGED_MS // 1000:
            self._judged = held
            return NOTHING
        self._judged = None
        check(held)
        return held


def check(pcm: Pcm) -> None:
    """Raise Unanswered when int16[n] is what another coding, or none, sounds like as audio: loud white noise."""
    level = float(np.sqrt(np.mean(np.square(pcm / 32768)))) if len(pcm) else 0.0
    crossings = float(np.mean(np.diff(np.signbit(pcm)))) if len(pcm) > 1 else 0.0
    if level > _LOUD and crossings > _NOISY:
        raise Unanswered("garbage", "it answered noise: audio in another coding than was asked for")


def telephone(law: str, expand: Expand, headers: Mapping[str, str]) -> Octets:
    """A reader of G.711 at a telephone line's rate."""
    return Octets(law, LINE_RATE, expand, headers)
