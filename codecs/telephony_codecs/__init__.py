"""8 kHz telephone audio: resampling, level, G.711 and packets. Start reading at `encoder`."""

from telephony_codecs.arrays import as_float, as_int16
from telephony_codecs.encoder import Encoder
from telephony_codecs.framing import PTIMES_MS, Framer
from telephony_codecs.g711 import Law, decode, encode, transcode
from telephony_codecs.level import DBM0_FULL_SCALE, ActiveLevel, active_speech_level, gain_to_dbm0
from telephony_codecs.limiter import CEILING, Limiter
from telephony_codecs.media_file import Audio, MediaFileError, read_audio, write_wav
from telephony_codecs.resample import LINE_RATE, MAX_RATE, MIN_RATE, Resampler, resample_recording
from telephony_codecs.upsample import Upsampler

__all__ = [
    "CEILING",
    "DBM0_FULL_SCALE",
    "LINE_RATE",
    "MAX_RATE",
    "MIN_RATE",
    "PTIMES_MS",
    "ActiveLevel",
    "Audio",
    "Encoder",
    "Framer",
    "Law",
    "Limiter",
    "MediaFileError",
    "Resampler",
    "Upsampler",
    "active_speech_level",
    "as_float",
    "as_int16",
    "decode",
    "encode",
    "gain_to_dbm0",
    "read_audio",
    "resample_recording",
    "transcode",
    "write_wav",
]
