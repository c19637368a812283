"""Audio formats of the speech APIs: G.711 as it comes from a take, into what a client asked for, while it comes.

    sound = sound_of("mp3", 24000)                    Refusal ``invalid`` when there is no such format, or rate
    async with studio.take(…, codec=sound.codec) as take:
        async for piece in encoded(take, sound.encoder()):
            …                                          never empty; the container's head first, its tail last

An encoder is ``feed``, ``feed``, …, ``end``; each returns the octets that are ready. ``wav`` says in its head how
long it is when that is known (``octets``), else it says that it is not (0xFFFFFFFF, as writers to a pipe do).
8 kHz come out as they are, octet for octet in ``mulaw`` and ``alaw``; other rates by ``Upsampler``, with nothing
in them above the telephone band.
"""

from __future__ import annotations

import asyncio
import struct
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gateway.api.tempo import Tempo
from gateway.calls.requests import Codec
from gateway.errors import Refusal
from telephony_codecs import LINE_RATE, Law, Upsampler, decode, encode
from telephony_codecs.arrays import Int16

if TYPE_CHECKING:
    from av import AudioResampler
    from av.audio.stream import AudioStream
    from av.container import OutputContainer

_PIECE: Final = 4000
"""Octets of G.711 that are encoded at once, half a second: the loop has others to serve. Resampling as much in
pieces of 20 ms would take two and a half times as long."""
_UNKNOWN: Final = 0xFFFFFFFF
_PCM_RATES: Final = (8000, 16000, 24000, 48000)


@dataclass(frozen=True, slots=True)
class Format:
    """``rates``: in Hz, the default first. ``packed``: FFmpeg's muxer, its options, the encoder, the bit rate;
    ``most_bits``: the highest that the encoder takes of one channel, where it refuses more."""

    media_type: str
    rates: tuple[int, ...]
    packed: tuple[str, Mapping[str, str], str, int] | None = None
    most_bits: int | None = None


FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        "wav": Format("audio/wav", _PCM_RATES),
        "pcm": Format("audio/x-pcm", _PCM_RATES),
        "mulaw": Format("audio/basic", _PCM_RATES),
        "alaw": Format("audio/x-alaw-basic", _PCM_RATES),
        "mp3": Format(
            "audio/mpeg",
            (24000, 16000, 8000),
            ("mp3", {"write_xing": "0", "id3v2_version": "0"}, "libmp3lame", 64_000),
        ),
        "opus": Format(
            "audio/ogg",
            (24000, 16000, 8000, 48000),
            ("ogg", {"page_duration": "20000"}, "libopus", 32_000),
            most_bits=256_000,
        ),
        "aac": Format("audio/aac", (24000, 16000, 8000, 48000), ("adts", {}, "aac", 64_000)),
        "flac": Format("audio/flac", (24000, 16000, 8000, 48000), ("flac", {}, "flac", 0)),
    }
)


@dataclass(frozen=True, slots=True)
class Sound:
    """A format at a rate. ``codec``: the law that a take should be opened with.

    ``bits``: its bit rate, where there is a choice, or the nearest that there is; None: the format's own.
    ``tempo``: how fast what was said is played, 0.5 to 2.0.
    """

    name: str
    rate: int
    bits: int | None = None
    tempo: float = 1.0

    @property
    def media_type(self) -> str:
        """Of an answer that is this."""
        kind = FORMATS[self.name].media_type
        if self.name in {"pcm", "mulaw", "alaw"} and self.rate != LINE_RATE:
            return f"{kind};rate={self.rate}"
        return kind

    @property
    def codec(self) -> Codec:
        """What a take should speak."""
        return "PCMA" if self.name == "alaw" else "PCMU"

    def encoder(self, octets: int | None = None) -> Encoder:
        """A fresh one. ``octets``: of G.711 that will come, where that is known."""
        packed = FORMATS[self.name].packed
        if packed is not None:
            return _Packed(self, *packed)
        if self.name in {"mulaw", "alaw"}:
            return _Companded(self)
        return _Linear(self, octets)


def sound_of(name: str, rate: int | None = None, *, field: str = "format") -> Sound:
    """The format ``name`` at ``rate`` Hz (None: its default). Refusal ``invalid``; ``field`` is the request's."""
    kind = FORMATS.get(name)
    if kind is None:
        raise Refusal("invalid", f"There is no format {name!r}; one of {', '.join(FORMATS)}", field=field)
    if rate is not None and rate not in kind.rates:
        rates = ", ".join(str(each) for each in sorted(kind.rates))
        raise Refusal("invalid", f"{name} comes at {rates} Hz", field="sample_rate")
    return Sound(name, rate or kind.rates[0])


async def encoded(octets: AsyncIterable[bytes], encoder: Encoder) -> AsyncIterator[bytes]:
    """A stream of G.711 in the encoder's format, each piece as soon as it is whole."""
    async for part in octets:
        for begin in range(0, len(part), _PIECE):
            piece = part[begin : begin + _PIECE]
            if out := await fed(encoder, piece):
                yield out
    if rest := await ended(encoder):
        yield rest


async def fed(encoder: Encoder, octets: bytes) -> bytes:
    """What an encoder makes of more G.711; in a thread, where that takes long."""
    return await asyncio.to_thread(encoder.feed, octets) if encoder.slow else encoder.feed(octets)


async def ended(encoder: Encoder) -> bytes:
    """Its rest, likewise."""
    return await asyncio.to_thread(encoder.end) if encoder.slow else encoder.end()


def wav_head(rate: int, octets: int | None) -> bytes:
    """A WAV file's head for mono s16le; ``octets`` of samples follow, None: nobody knows how many."""
    size, whole = (_UNKNOWN, _UNKNOWN) if octets is None else (octets, octets + 36)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", whole, b"WAVE") + form + struct.pack("<4sI", b"data", size)


class Encoder(ABC):
    """One stream. ``slow``: it takes a thread's time, which loads FFmpeg when it is first fed (20 MB, 0.1 s)."""

    def __init__(self, sound: Sound) -> None:
        self._law = Law(sound.codec)
        self._sound = sound
        self._whole_rate = _whole_rate(sound.rate)
        self.slow = sound.tempo != 1 or self._whole_rate != sound.rate
        self._upsampler = Upsampler(self._whole_rate)

    @cached_property
    def _tempo(self) -> Tempo | None:
        return None if self._sound.tempo == 1 else Tempo(self._sound.tempo)

    @cached_property
    def _last(self) -> AudioResampler | None:
        """The rates of compact discs and their kin are no multiple of the line's."""
        if self._whole_rate == self._sound.rate:
            return None
        from av import AudioResampler

        return AudioResampler("s16", "mono", self._sound.rate)

    @abstractmethod
    def feed(self, octets: bytes) -> bytes:
        """G.711 in, octets of the format out, as far as they are ready."""

    @abstractmethod
    def end(self) -> bytes:
        """The rest."""

    def _pcm(self, octets: bytes) -> Int16:
        """int16[m] at the sound's rate."""
        line = decode(self._law, np.frombuffer(octets, np.uint8))
        return self._raised(line if self._tempo is None else self._tempo.push(line))

    def _rest(self) -> Int16:
        last = [] if self._tempo is None else [self._raised(self._tempo.flush())]
        last.append(self._resampled(_rounded(self._upsampler.flush())))
        if self._last is not None:
            last += (frame.to_ndarray()[0] for frame in self._last.resample(None))
        return np.concatenate(last)

    def _raised(self, line: Int16) -> Int16:
        """int16[n] at 8 kHz to int16[m] at the sound's rate."""
        if self._sound.rate == LINE_RATE:
            return line
        return self._resampled(_rounded(self._upsampler.push(line.astype(np.float32))))

    def _resampled(self, pcm: Int16) -> Int16:
        if self._last is None or not len(pcm):
            return pcm
        from av import AudioFrame

        frame = AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = self._whole_rate
        parts = [made.to_ndarray()[0] for made in self._last.resample(frame)]
        return np.concatenate(parts) if parts else np.empty(0, np.int16)


class _Linear(Encoder):
    """``pcm`` and ``wav``."""

    def __init__(self, sound: Sound, octets: int | None) -> None:
        super().__init__(sound)
        known = None if octets is None else octets * 2 * sound.rate // LINE_RATE
        self._head = wav_head(sound.rate, known) if sound.name == "wav" else b""

    def feed(self, octets: bytes) -> bytes:
        head, self._head = self._head, b""
        return head + self._pcm(octets).astype("<i2").tobytes()

    def end(self) -> bytes:
        head, self._head = self._head, b""
        return head + self._rest().astype("<i2").tobytes()


class _Companded(Encoder):
    """``mulaw`` and ``alaw``."""

    def feed(self, octets: bytes) -> bytes:
        if self._sound.rate == LINE_RATE and self._tempo is None:
            return octets
        return encode(self._law, self._pcm(octets)).tobytes()

    def end(self) -> bytes:
        return encode(self._law, self._rest()).tobytes()


class _Pipe:
    """Where FFmpeg writes, and what was read of it is gone: nothing can be put right later."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, octets: bytes) -> int:
        self._written += octets
        return len(octets)

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


class _Packed(Encoder):
    """What FFmpeg packs."""

    def __init__(self, sound: Sound, muxer: str, options: Mapping[str, str], codec: str, bits: int) -> None:
        super().__init__(sound)
        self.slow = True
        self._pipe = _Pipe()
        self._muxer, self._options = muxer, {"flush_packets": "1", **options}
        self._codec, self._bits = codec, bits
        self._at = 0

    @cached_property
    def _opened(self) -> tuple[OutputContainer, AudioStream]:
        import av
        from av.audio.stream import AudioStream

        options: dict[str, Any] = self._options
        container = av.open(self._pipe, "w", format=self._muxer, options=options)
        stream = container.add_stream(self._codec, rate=self._sound.rate, layout="mono")
        assert isinstance(stream, AudioStream)
        if self._bits:
            asked, most = self._sound.bits or self._bits, FORMATS[self._sound.name].most_bits
            stream.bit_rate = asked if most is None else min(asked, most)
        return container, stream

    def feed(self, octets: bytes) -> bytes:
        self._pack(self._pcm(octets))
        return self._pipe.take()

    def end(self) -> bytes:
        container, stream = self._opened
        self._pack(self._rest())
        for packet in stream.encode(None):
            container.mux(packet)
        container.close()
        return self._pipe.take()

    def _pack(self, pcm: Int16) -> None:
        if not len(pcm):
            return
        from av import AudioFrame

        container, stream = self._opened
        frame = AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = self._sound.rate
        frame.time_base = Fraction(1, self._sound.rate)
        frame.pts = self._at
        self._at += len(pcm)
        for packet in stream.encode(frame):
            container.mux(packet)


def _whole_rate(rate: int) -> int:
    """The multiple of the line's rate that a sound at ``rate`` Hz is made by way of."""
    return rate if rate % LINE_RATE == 0 else 24_000 if rate < 24_000 else 48_000


def _rounded(pcm: np.typing.NDArray[np.float32]) -> Int16:
    return np.clip(np.rint(pcm), -32768, 32767).astype(np.int16)
