"""An utterance's audio without a call: what the line would carry, octet for octet, all at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gateway.messages.base import Law as LawName
from gateway.settings import Settings
from gateway.speech.abroad import open_door
from gateway.speech.lexicons import at_start
from gateway.speech.recipe import Recipe
from gateway.speech.voice import VoiceSource
from telephony_codecs import LINE_RATE, Law, decode, write_wav


def encode_text(text: str, voice: str | None, law: LawName, settings: Settings, ptime_ms: int = 20) -> bytes:
    """The G.711 octets of ``text``, whole packets. Raises ``tts_core`` errors."""
    door, abroad = open_door(settings)
    source = VoiceSource(
        door, settings.level_dbm0, settings.default_voice, at_start(settings.lexicons_folder)
    )
    name = voice or settings.default_voice
    recipe = Recipe("text", text, None, name, 1.0, 0.0, law, ptime_ms)
    try:
        return b"".join(stretch.payload for stretch in source(recipe))
    finally:
        if abroad is not None:
            abroad.close()


def write_line_audio(path: Path, text: str, voice: str | None, law: LawName, settings: Settings) -> None:
    """Write ``text`` as a telephone would hear it to a WAV file at 8 kHz. Raises OSError."""
    octets = encode_text(text, voice, law, settings)
    write_wav(path, decode(Law(law), np.frombuffer(octets, np.uint8)), LINE_RATE)
