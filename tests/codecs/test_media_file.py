import tracemalloc
import wave
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telephony_codecs import MediaFileError, media_file, read_audio, write_wav

FORMATS = [
    ("a.wav", "pcm_s16le", 24000),
    ("a.flac", "flac", 24000),
    ("a.mp3", "libmp3lame", 24000),
    ("a.ogg", "libopus", 48000),
    ("a.m4a", "aac", 24000),
    ("a.webm", "libopus", 48000),
    ("a.aiff", "pcm_s16be", 24000),
    ("a.aac", "aac", 24000),
]


def write(path: Path, codec: str, channels, rate: int) -> Path:
    """Write float32[channels, n] with FFmpeg's own encoder for the format."""
    layout = "mono" if len(channels) == 1 else "stereo"
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(channels), format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        fit = av.AudioResampler(stream.format, layout, rate, stream.codec_context.frame_size or 0)
        for part in [*fit.resample(frame), *fit.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path


def loudest_hertz(pcm, rate: int) -> float:
    return float(np.abs(np.fft.rfft(pcm * np.hanning(len(pcm)))).argmax() * rate / len(pcm))


@pytest.mark.parametrize(("name", "codec", "rate"), FORMATS)
def test_mono_is_read_back(name: str, codec: str, rate: int, tone, tmp_path: Path) -> None:
    path = write(tmp_path / name, codec, tone(700, rate, amplitude=0.3)[None], rate)
    audio = read_audio(path, max_seconds=10)
    assert audio.rate == rate
    assert audio.pcm.dtype == np.float32
    assert audio.seconds == pytest.approx(1.0, abs=0.1)  # the lossy ones may keep their padding
    middle = audio.pcm[rate // 5 : -rate // 5]
    assert loudest_hertz(middle, rate) == pytest.approx(700, abs=3)
    assert middle.std() == pytest.approx(0.3 / 2**0.5, rel=0.06)  # LAME takes off 5 %


@pytest.mark.parametrize(("name", "codec", "rate"), FORMATS[:4])
def test_stereo_is_averaged(name: str, codec: str, rate: int, tone, tmp_path: Path) -> None:
    """A tone on the left alone comes out at half its level, whatever the sample format."""
    left = tone(700, rate, amplitude=0.4)
    path = write(tmp_path / name, codec, np.stack((left, np.zeros_like(left))), rate)
    middle = read_audio(path, max_seconds=10).pcm[rate // 5 : -rate // 5]
    assert middle.std() == pytest.approx(0.2 / 2**0.5, rel=0.06)


def test_channels_that_change_in_the_middle_are_averaged_on(tone, tmp_path: Path) -> None:
    """As where two files were put one behind the other."""
    left = tone(700, 24000, amplitude=0.4)
    mono = write(tmp_path / "mono.flac", "flac", left[None], 24000)
    stereo = write(tmp_path / "stereo.flac", "flac", np.stack((left, np.zeros_like(left))), 24000)
    (tmp_path / "a.flac").write_bytes(mono.read_bytes() + stereo.read_bytes())
    audio = read_audio(tmp_path / "a.flac", max_seconds=10)
    assert audio.seconds == pytest.approx(2.0, abs=0.01)
    assert audio.pcm[:24000].std() == pytest.approx(0.4 / 2**0.5, rel=0.02)
    assert audio.pcm[24000:].std() == pytest.approx(0.2 / 2**0.5, rel=0.02)


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_plain_wav_is_what_ffmpeg_reads(channels: int, tmp_path: Path, monkeypatch) -> None:
    """To the bit, whichever of the two reads it."""
    pcm = np.random.default_rng(channels).integers(-32768, 32768, (5000, channels)).astype("<i2")
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((channels, 2, 16000, 0, "NONE", ""))
        file.writeframes(pcm.tobytes())
    plain = media_file._plain_wav(BytesIO((tmp_path / "a.wav").read_bytes()), 10)
    assert plain is not None
    monkeypatch.setattr(media_file, "_plain_wav", lambda file, max_seconds: None)
    decoded = read_audio(tmp_path / "a.wav", max_seconds=10)
    np.testing.assert_array_equal(plain.pcm, decoded.pcm)
    assert plain.rate == decoded.rate == 16000


def test_wav_round_trips_bit_exact(tmp_path: Path) -> None:
    pcm = np.random.default_rng(1).integers(-32768, 32768, 5000).astype(np.int16)
    write_wav(tmp_path / "a.wav", pcm, 22050)
    audio = read_audio(tmp_path / "a.wav", max_seconds=1)
    assert audio.rate == 22050
    np.testing.assert_array_equal(audio.pcm * 32768, pcm)


def test_write_wav_takes_int16_alone(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="int16"):
        write_wav(tmp_path / "a.wav", np.zeros(10, np.float32), 8000)


@pytest.mark.parametrize(("name", "codec", "rate"), FORMATS)
def test_too_long_is_refused(name: str, codec: str, rate: int, tone, tmp_path: Path) -> None:
    path = write(tmp_path / name, codec, tone(700, rate)[None], rate)
    with pytest.raises(MediaFileError, match=rf"{name}: is longer than 0\.5 s"):
        read_audio(path, max_seconds=0.5)


def test_decoding_stops_soon_after_the_limit(tmp_path: Path) -> None:
    """Ten minutes of float32 at 8 kHz would be 19 MB; one second of it is 32 kB."""
    write_wav(tmp_path / "long.wav", np.zeros(8000 * 600, np.int16), 8000)
    tracemalloc.start()
    try:
        with pytest.raises(MediaFileError, match="longer"):
            read_audio(tmp_path / "long.wav", max_seconds=1)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("name", "codec", "rate"), [f for f in FORMATS if f[0] not in ("a.ogg", "a.aac")])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.8])
def test_a_truncated_file_is_refused(
    name: str, codec: str, rate: int, share: float, tone, tmp_path: Path
) -> None:
    path = write(tmp_path / name, codec, tone(700, rate, seconds=2)[None], rate)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(MediaFileError, match=name):
        read_audio(path, max_seconds=10)


def test_an_mp3_without_a_xing_header_is_read(tone, tmp_path: Path) -> None:
    """Its length is FFmpeg's guess, which must not make a good file a truncated one."""
    loud, quiet = tone(700, 24000, seconds=2), np.zeros(96000, np.float32)
    path = write(tmp_path / "a.mp3", "libmp3lame", np.concatenate((quiet, loud))[None], 24000)
    data = path.read_bytes()
    tag = max(data.find(b"Info"), data.find(b"Xing"))
    assert tag > 0
    path.write_bytes(data[data.find(b"\xff\xf3", tag) :])
    assert read_audio(path, max_seconds=10).seconds == pytest.approx(6.0, abs=0.1)


@pytest.mark.parametrize("size", [0x7FFFF024, 0xFFFFFFFF])
def test_a_wav_written_to_a_pipe_is_read(size: int, tmp_path: Path) -> None:
    path = tmp_path / "piped.wav"
    write_wav(path, np.ones(4000, np.int16), 8000)
    data = bytearray(path.read_bytes())
    data[4:8] = size.to_bytes(4, "little")
    data[40:44] = (size - 36 if size < 0xFFFFFFFF else size).to_bytes(4, "little")
    path.write_bytes(data)
    assert read_audio(path, max_seconds=1).seconds == 0.5


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello, world\n" * 100,
        bytes(10_000),
        np.random.default_rng(5).bytes(20_000),
        b"RIFF",
        b"ID3\x04",
    ],
    ids=["empty", "text", "zeros", "noise", "riff", "id3"],
)
def test_what_is_not_audio_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "odd.wav").write_bytes(content)
    with pytest.raises(MediaFileError, match=r"odd\.wav"):
        read_audio(tmp_path / "odd.wav", max_seconds=10)


def test_a_chunk_that_would_end_beyond_any_file_is_refused(tmp_path: Path) -> None:
    """FFmpeg seeks there, which is an error of the file object's and none of FFmpeg's."""
    form = np.array(8000, ">f8").tobytes() + b"lpcm" + np.array([0, 2, 1, 1, 16], ">u4").tobytes()
    chunks = b"desc" + (32).to_bytes(8, "big") + form + b"free" + (2**62).to_bytes(8, "big")
    (tmp_path / "a.caf").write_bytes(b"caff\0\1\0\0" + chunks + bytes(4000))
    with pytest.raises(MediaFileError, match=r"a\.caf: cannot be decoded"):
        read_audio(tmp_path / "a.caf", max_seconds=1)


def test_no_samples_is_refused(tmp_path: Path) -> None:
    write_wav(tmp_path / "none.wav", np.zeros(0, np.int16), 8000)
    with pytest.raises(MediaFileError, match="no samples"):
        read_audio(tmp_path / "none.wav", max_seconds=1)


@pytest.mark.parametrize("rate", [4000, 192000])
def test_a_rate_that_cannot_be_resampled_is_refused(rate: int, tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", np.zeros(100, np.int16), rate)
    with pytest.raises(MediaFileError, match="sample rate"):
        read_audio(tmp_path / "a.wav", max_seconds=1)


def test_more_channels_than_a_cinema_has_are_refused(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((40, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(40 * 2 * 800))
    with pytest.raises(MediaFileError, match="40 channels"):
        read_audio(tmp_path / "a.wav", max_seconds=1)


def test_samples_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", "pcm_f32le", np.full((1, 800), np.nan, np.float32), 8000)
    with pytest.raises(MediaFileError, match="not numbers"):
        read_audio(path, max_seconds=1)


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{}'\n",
    ],
    ids=["hls", "concat"],
)
def test_a_playlist_opens_nothing(playlist: str, tmp_path: Path) -> None:
    write_wav(tmp_path / "secret.wav", np.ones(8000, np.int16), 8000)
    (tmp_path / "list").write_text(playlist.format(tmp_path / "secret.wav"))
    with pytest.raises(MediaFileError, match="list"):
        read_audio(tmp_path / "list", max_seconds=10)


def test_a_file_name_is_never_a_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_wav(tmp_path / "a.wav", np.ones(8000, np.int16), 8000)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_audio(Path("concat:a.wav|a.wav"), max_seconds=10)


def test_tags_in_an_old_character_set_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "tagged.wav"
    write_wav(path, np.ones(800, np.int16), 8000)
    tag = b"LIST" + (16).to_bytes(4, "little") + b"INFOINAM" + (4).to_bytes(4, "little") + b"\xe9\xe8\xff\x00"
    data = path.read_bytes() + tag
    path.write_bytes(data[:4] + (len(data) - 8).to_bytes(4, "little") + data[8:])
    assert read_audio(path, max_seconds=1).seconds == 0.1


@pytest.fixture(scope="module")
def good_file(tone, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], bytes]:
    folder = tmp_path_factory.mktemp("good")
    contents = [
        write(folder / name, codec, tone(700, rate, seconds=0.2)[None], rate).read_bytes()
        for name, codec, rate in FORMATS
    ]
    return lambda which: contents[which]


@given(which=st.integers(0, len(FORMATS) - 1), seed=st.integers(0, 10**9), hits=st.integers(1, 30))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_gives_audio_or_the_one_error(
    which: int, seed: int, hits: int, good_file: Callable[[int], bytes], tmp_path: Path
) -> None:
    random = np.random.default_rng(seed)
    data = np.frombuffer(good_file(which), np.uint8).copy()
    data[random.integers(0, min(len(data), random.choice([64, 4096, len(data)])), hits)] = random.integers(
        0, 256, hits
    )
    path = tmp_path / "damaged"
    path.write_bytes(data[: random.integers(1, len(data) + 1)].tobytes())
    try:
        audio = read_audio(path, max_seconds=5)
    except MediaFileError:
        return
    assert 0 < audio.seconds <= 5
    assert np.isfinite(audio.pcm).all()
