"""What lies beside a Piper voice as `NAME.onnx.json`, checked; and what of it a split voice keeps.

Fields and defaults are those of Piper's own reader (`piper.config`).
"""

from __future__ import annotations

import math
import re
from typing import Literal

import msgspec

PAD, BEGIN, END = "_", "^", "$"
LARGEST = 2**20  # bytes
RATES = range(8000, 48_001)
_MOST_IDS = 4096
MOST_SPEAKERS = 2048
LONGEST = 64  # characters of a name
_MOST_AT_ONCE = 8  # ids of one phoneme
_SPEAKER = re.compile(r"[^\w.+-]+")

PhonemeType = Literal["espeak", "text"]


class BadSettings(Exception):
    """Settings that are no voice's, or one's that cannot speak here."""


class Scales(msgspec.Struct, frozen=True):
    """How much noise a voice is given, and how slowly it speaks."""

    noise_scale: float = 0.667
    length_scale: float = 1.0
    noise_w: float = 0.8


class _Audio(msgspec.Struct):
    sample_rate: int
    quality: str = ""


class _Espeak(msgspec.Struct):
    voice: str = ""


class _Language(msgspec.Struct):
    code: str = ""


class Settings(msgspec.Struct, frozen=True):
    """The JSON. What Piper has and is not named here is not needed."""

    audio: _Audio
    phoneme_id_map: dict[str, list[int]]
    num_symbols: int
    num_speakers: int = 1
    espeak: _Espeak = msgspec.field(default_factory=_Espeak)
    language: _Language = msgspec.field(default_factory=_Language)
    inference: Scales = msgspec.field(default_factory=Scales)
    phoneme_type: str = "espeak"
    speaker_id_map: dict[str, int] = msgspec.field(default_factory=dict)
    vowel_clusters: list[list[str]] | None = None
    dataset: str = ""
    piper_version: str | None = ""


def read(raw: bytes) -> Settings:
    """The settings in `raw`. Raises BadSettings with the reason, in one line."""
    try:
        found = msgspec.json.decode(raw, type=Settings)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadSettings(f"it cannot be read: {error}") from error
    if found.phoneme_type not in ("espeak", "text"):
        raise BadSettings(
            f"its phoneme type is {found.phoneme_type[:LONGEST]!r}; espeak and text are spoken here"
        )
    if found.phoneme_type == "espeak" and not found.espeak.voice:
        raise BadSettings("it names no espeak voice (espeak.voice)")
    check_sound(found.audio.sample_rate, found.inference)
    check_ids(found.phoneme_id_map, found.num_symbols)
    check_speakers(found.num_speakers, found.speaker_id_map)
    return found


def check_sound(sample_rate: int, scales: Scales) -> None:
    """Raise BadSettings unless these are within what a voice may have."""
    if sample_rate not in RATES:
        raise BadSettings(f"its sample rate is {sample_rate} Hz; {RATES[0]} to {RATES[-1]} are spoken here")
    for name, low, high in (("noise_scale", 0, 5), ("noise_w", 0, 5), ("length_scale", 0.1, 10)):
        value = getattr(scales, name)
        if not (math.isfinite(value) and low <= value <= high):
            raise BadSettings(f"its {name} is {value}; {low} to {high} is what a voice has")


def check_ids(ids: dict[str, list[int]], symbols: int) -> None:
    """Raise BadSettings unless `ids` are of a network that knows `symbols`."""
    if not 1 <= symbols <= _MOST_IDS or len(ids) > _MOST_IDS:
        raise BadSettings(
            f"it has {symbols} symbols and {len(ids)} phonemes; 1 to {_MOST_IDS} are known here"
        )
    missing = [mark for mark in (PAD, BEGIN, END) if mark not in ids]
    if missing:
        raise BadSettings(f"its phoneme_id_map lacks {' '.join(missing)}")
    for phoneme, held in ids.items():
        if not 1 <= len(held) <= _MOST_AT_ONCE or not all(0 <= each < symbols for each in held):
            raise BadSettings(
                f"the ids of {phoneme[:LONGEST]!r} are not 1 to {_MOST_AT_ONCE} of 0 to {symbols - 1}"
            )


def check_speakers(count: int, named: dict[str, int]) -> None:
    """Raise BadSettings unless `named` are ids among `count` speakers."""
    if not 1 <= count <= MOST_SPEAKERS:
        raise BadSettings(f"it has {count} speakers; 1 to {MOST_SPEAKERS} are known here")
    for name, speaker in named.items():
        if not 0 <= speaker < count:
            raise BadSettings(f"speaker {name[:LONGEST]!r} has the id {speaker}, of {count}")


def speakers(found: Settings) -> dict[str, int]:
    """Names to ids, one name for every speaker: as the voice has them, without spaces, or their numbers."""
    if found.num_speakers == 1:
        return {}
    said = {
        speaker: _SPEAKER.sub("-", name)[:LONGEST].strip("-")
        for name, speaker in found.speaker_id_map.items()
    }
    names: dict[str, int] = {}
    for speaker in range(found.num_speakers):
        name = said.get(speaker) or str(speaker)
        names[name if name not in names else f"{name}-{speaker}"] = speaker
    if len(names) != found.num_speakers:
        raise BadSettings("two of its speakers have the same name")
    return names
