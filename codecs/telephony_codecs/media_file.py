"""Audio files: any common format in through PyAV, plain WAV in and out through the standard library."""

from __future__ import annotations

import struct
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from io import SEEK_END
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from telephony_codecs.arrays import Float32, Int16, require
from telephony_codecs.resample import MAX_RATE, MIN_RATE

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

# Containers of plain audio. A playlist format (HLS, concat, DASH) would make FFmpeg open what it names.
FORMATS = "aac,aiff,amr,au,caf,flac,matroska,mov,mp3,ogg,w64,wav"
_MAX_CHANNELS = 8  # 7.1; past FFmpeg's eight plane pointers PyAV reads memory that is not the frame's
_PCM = 1  # WAVE_FORMAT_PCM
_MOST_CHUNKS = 16  # before the samples
_RIFF_UNKNOWN = 0x7FFF0000  # sizes from here on are what a writer to a pipe puts, not knowing its own
_SHORTFALL_S = 0.1  # how much less than the header says may be there: a codec's padding, a rounded header


class MediaFileError(Exception):
    """The file is not audio that can be used; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """Mono float32[n] PCM, full scale 1.0, at `rate` Hz."""

    pcm: Float32
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.pcm) / self.rate


def read_audio(path: Path, *, max_seconds: float) -> Audio:
    """Decode the first audio stream of `path`, its channels averaged, at its own rate.

    MediaFileError when it is no audio, empty, broken, shorter than its header says, not 8000..96000 Hz, or
    longer than `max_seconds`; decoding stops one packet past that. A file that states no length (Ogg, MP3
    without a Xing header, ADTS) can be cut between frames unnoticed. OSError when it cannot be opened.
    """
    with path.open("rb") as file:
        if (plain := _plain_wav(file, max_seconds)) is not None:
            return plain
        import av  # all of FFmpeg, 20 MB: most recordings are plain

        try:
            _check_riff_size(file)
            xing = _has_xing_header(file)
            file.seek(0)
            # through the file object: a name given to FFmpeg could be a URL or a protocol of its own
            with av.open(
                file, "r", options={"format_whitelist": FORMATS}, metadata_errors="replace"
            ) as container:
                return _decode(container, max_seconds, xing)
        except (av.FFmpegError, OSError) as error:  # OSError: a seek to where no file reaches
            raise MediaFileError(f"{path.name}: cannot be decoded: {error.strerror}") from error
        except MediaFileError as error:
            raise MediaFileError(f"{path.name}: {error}") from error


def write_wav(path: Path, pcm: Int16, rate: int) -> None:
    """Write int16[n] at `rate` Hz as a mono 16-bit WAV file. OSError when it cannot be written."""
    require(pcm, np.int16)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm.astype("<i2").tobytes())


def _plain_wav(file: BinaryIO, max_seconds: float) -> Audio | None:
    """A whole WAV file of 16-bit PCM, as most are. None for all else: FFmpeg reads it, or says what is wrong."""
    left = file.seek(0, SEEK_END) - 12
    file.seek(0)
    head, form = file.read(12), b""
    if head[:4] != b"RIFF" or head[8:] != b"WAVE" or int.from_bytes(head[4:8], "little") > left + 12:
        return None
    for _ in range(_MOST_CHUNKS):
        chunk = file.read(8)
        name, length = chunk[:4], int.from_bytes(chunk[4:], "little")
        left -= 8 + length
        if left < 0:
            return None
        if name == b"data":
            break
        content = file.read(length + length % 2)
        left -= length % 2
        form = content if name == b"fmt " else form
    else:
        return None
    if len(form) < 16:
        return None
    tag, channels, rate, _, block, bits = struct.unpack("<HHIIHH", form[:16])
    plain = tag == _PCM and bits == 16 and 0 < channels <= _MAX_CHANNELS and block == 2 * channels
    if not plain or not MIN_RATE <= rate <= MAX_RATE or not 0 < length <= block * rate * max_seconds:
        return None
    octets = file.read(length - length % block)
    planes = np.frombuffer(octets, "<i2").reshape(-1, channels).T * np.float32(1 / 32768)
    return Audio(planes.mean(axis=0, dtype=np.float32), rate) if len(octets) else None


def _decode(container: InputContainer, max_seconds: float, xing: bool) -> Audio:
    if not container.streams.audio:
        raise MediaFileError("holds no audio stream")
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise MediaFileError("is in a codec that FFmpeg has no decoder for")
    rate = stream.rate
    if not MIN_RATE <= rate <= MAX_RATE:
        raise MediaFileError(f"sample rate must be {MIN_RATE}..{MAX_RATE} Hz, is {rate}")
    parts: list[Float32] = []
    samples = 0
    for part in _mono_parts(container, stream, rate):
        parts.append(part)
        samples += len(part)
        if samples > max_seconds * rate:
            raise MediaFileError(f"is longer than {max_seconds:g} s")
    if not samples:
        raise MediaFileError("holds no samples")
    stated = _stated_seconds(container, stream, xing)
    if samples / rate < stated - _SHORTFALL_S:
        raise MediaFileError(f"is truncated: {samples / rate:.2f} s of {stated:.2f} s")
    pcm = np.concatenate(parts)
    if not np.isfinite(pcm).all():
        raise MediaFileError("holds samples that are not numbers")
    return Audio(pcm, rate)


def _mono_parts(container: InputContainer, stream: AudioStream, rate: int) -> Iterator[Float32]:
    """Each decoded frame as float32[n], its channels averaged."""
    from av import AudioResampler

    kind = None
    for frame in container.decode(stream):
        if frame.sample_rate != rate:
            raise MediaFileError(f"changes its sample rate from {rate} to {frame.sample_rate} Hz")
        if frame.layout.nb_channels > _MAX_CHANNELS:
            raise MediaFileError(
                f"has {frame.layout.nb_channels} channels, at most {_MAX_CHANNELS} can be mixed"
            )
        if kind != (kind := (frame.format.name, frame.layout.name)):
            to_float = AudioResampler(format="fltp")  # takes frames of one kind alone
        for planes in to_float.resample(frame):
            yield planes.to_ndarray().mean(axis=0, dtype=np.float32)


def _stated_seconds(container: InputContainer, stream: AudioStream, xing: bool) -> float:
    """The length that the file's header states; 0.0 where FFmpeg's figure is a guess from the bit rate."""
    if container.format.name in ("aac", "amr") or (container.format.name == "mp3" and not xing):
        return 0.0
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    # Matroska states one length for all streams
    if container.duration is not None and len(container.streams) == 1:
        return container.duration / 1_000_000  # FFmpeg's AV_TIME_BASE
    return 0.0


def _check_riff_size(file: BinaryIO) -> None:
    """FFmpeg reads a WAV file cut short without a word, so compare the RIFF size with the file's."""
    file.seek(0)
    head = file.read(12)
    size = int.from_bytes(head[4:8], "little")
    if head[:4] != b"RIFF" or head[8:] != b"WAVE" or size >= _RIFF_UNKNOWN:
        return
    actual = file.seek(0, SEEK_END)
    if size > actual:  # not size + 8: some writers count the first eight bytes too
        raise MediaFileError(f"is truncated: {actual} bytes of {size + 8}")


def _has_xing_header(file: BinaryIO) -> bool:
    """Whether an MP3 file's first frame, past its ID3v2 tag, says how many follow."""
    file.seek(0)
    head = file.read(10)
    if head[:3] == b"ID3" and len(head) == 10:
        file.seek(10 + sum(byte << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True)))
    else:
        file.seek(0)
    first_frame = file.read(256)
    return any(name in first_frame for name in (b"Xing", b"Info", b"VBRI"))
