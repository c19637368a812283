from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Encoding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENCODING_UNSPECIFIED: _ClassVar[Encoding]
    PCM: _ClassVar[Encoding]
    MULAW: _ClassVar[Encoding]
    ALAW: _ClassVar[Encoding]
    WAV: _ClassVar[Encoding]
    MP3: _ClassVar[Encoding]
    OPUS: _ClassVar[Encoding]
    AAC: _ClassVar[Encoding]
    FLAC: _ClassVar[Encoding]
ENCODING_UNSPECIFIED: Encoding
PCM: Encoding
MULAW: Encoding
ALAW: Encoding
WAV: Encoding
MP3: Encoding
OPUS: Encoding
AAC: Encoding
FLAC: Encoding

class Manner(_message.Message):
    __slots__ = ("speaker_id", "language", "encoding", "sample_rate", "speed", "volume_db", "lexicons")
    SPEAKER_ID_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_FIELD_NUMBER: _ClassVar[int]
    SPEED_FIELD_NUMBER: _ClassVar[int]
    VOLUME_DB_FIELD_NUMBER: _ClassVar[int]
    LEXICONS_FIELD_NUMBER: _ClassVar[int]
    speaker_id: str
    language: str
    encoding: Encoding
    sample_rate: int
    speed: float
    volume_db: float
    lexicons: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, speaker_id: _Optional[str] = ..., language: _Optional[str] = ..., encoding: _Optional[_Union[Encoding, str]] = ..., sample_rate: _Optional[int] = ..., speed: _Optional[float] = ..., volume_db: _Optional[float] = ..., lexicons: _Optional[_Iterable[str]] = ...) -> None: ...

class SynthesizeRequest(_message.Message):
    __slots__ = ("text", "ssml", "manner")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SSML_FIELD_NUMBER: _ClassVar[int]
    MANNER_FIELD_NUMBER: _ClassVar[int]
    text: str
    ssml: str
    manner: Manner
    def __init__(self, text: _Optional[str] = ..., ssml: _Optional[str] = ..., manner: _Optional[_Union[Manner, _Mapping]] = ...) -> None: ...

class SynthesizeResponse(_message.Message):
    __slots__ = ("audio", "done")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    audio: bytes
    done: Done
    def __init__(self, audio: _Optional[bytes] = ..., done: _Optional[_Union[Done, _Mapping]] = ...) -> None: ...

class Word(_message.Message):
    __slots__ = ("word", "start_ms", "end_ms", "char_start", "char_end")
    WORD_FIELD_NUMBER: _ClassVar[int]
    START_MS_FIELD_NUMBER: _ClassVar[int]
    END_MS_FIELD_NUMBER: _ClassVar[int]
    CHAR_START_FIELD_NUMBER: _ClassVar[int]
    CHAR_END_FIELD_NUMBER: _ClassVar[int]
    word: str
    start_ms: int
    end_ms: int
    char_start: int
    char_end: int
    def __init__(self, word: _Optional[str] = ..., start_ms: _Optional[int] = ..., end_ms: _Optional[int] = ..., char_start: _Optional[int] = ..., char_end: _Optional[int] = ...) -> None: ...

class Mark(_message.Message):
    __slots__ = ("name", "at_ms")
    NAME_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    name: str
    at_ms: int
    def __init__(self, name: _Optional[str] = ..., at_ms: _Optional[int] = ...) -> None: ...

class Done(_message.Message):
    __slots__ = ("inference_time_ms", "first_audio_ms", "audio_duration_ms", "rtf", "model_version", "warnings")
    INFERENCE_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    FIRST_AUDIO_MS_FIELD_NUMBER: _ClassVar[int]
    AUDIO_DURATION_MS_FIELD_NUMBER: _ClassVar[int]
    RTF_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    inference_time_ms: float
    first_audio_ms: float
    audio_duration_ms: int
    rtf: float
    model_version: str
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, inference_time_ms: _Optional[float] = ..., first_audio_ms: _Optional[float] = ..., audio_duration_ms: _Optional[int] = ..., rtf: _Optional[float] = ..., model_version: _Optional[str] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class SpeechEvent(_message.Message):
    __slots__ = ("audio", "word", "mark", "done")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    WORD_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    audio: bytes
    word: Word
    mark: Mark
    done: Done
    def __init__(self, audio: _Optional[bytes] = ..., word: _Optional[_Union[Word, _Mapping]] = ..., mark: _Optional[_Union[Mark, _Mapping]] = ..., done: _Optional[_Union[Done, _Mapping]] = ...) -> None: ...

class WriteRequest(_message.Message):
    __slots__ = ("open", "text", "mark", "flush")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    FLUSH_FIELD_NUMBER: _ClassVar[int]
    open: Manner
    text: str
    mark: str
    flush: bool
    def __init__(self, open: _Optional[_Union[Manner, _Mapping]] = ..., text: _Optional[str] = ..., mark: _Optional[str] = ..., flush: _Optional[bool] = ...) -> None: ...

class ListVoicesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Voice(_message.Message):
    __slots__ = ("name", "language", "engine", "description", "gender", "version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    GENDER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    language: str
    engine: str
    description: str
    gender: str
    version: str
    def __init__(self, name: _Optional[str] = ..., language: _Optional[str] = ..., engine: _Optional[str] = ..., description: _Optional[str] = ..., gender: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class ListVoicesResponse(_message.Message):
    __slots__ = ("voices", "default_voice")
    VOICES_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_VOICE_FIELD_NUMBER: _ClassVar[int]
    voices: _containers.RepeatedCompositeFieldContainer[Voice]
    default_voice: str
    def __init__(self, voices: _Optional[_Iterable[_Union[Voice, _Mapping]]] = ..., default_voice: _Optional[str] = ...) -> None: ...
