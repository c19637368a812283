"""Text to streamed speech with word and mark times. Start at `open_default`."""

import importlib
from typing import TYPE_CHECKING, Any

from tts_core.engine import Arrival, Chunk, Engine, MarkTime, Speech, Turn, WordTime
from tts_core.errors import (
    BadRate,
    CallerError,
    EngineError,
    LexiconError,
    ScriptError,
    TtsError,
    UnknownVoice,
)
from tts_core.lexicon import Lexicon, follow
from tts_core.script import Mark, Pause, Piece, Recording, Say, Script
from tts_core.voices import Voice

if TYPE_CHECKING:
    from tts_core.door import Synthesiser, open_default
    from tts_core.espeak import EspeakEngine

__all__ = [
    "Arrival",
    "BadRate",
    "CallerError",
    "Chunk",
    "Engine",
    "EngineError",
    "EspeakEngine",
    "Lexicon",
    "LexiconError",
    "Mark",
    "MarkTime",
    "Pause",
    "Piece",
    "Recording",
    "Say",
    "Script",
    "ScriptError",
    "Speech",
    "Synthesiser",
    "TtsError",
    "Turn",
    "UnknownVoice",
    "Voice",
    "WordTime",
    "follow",
    "open_default",
]

_SPEAKS = {"EspeakEngine": "tts_core.espeak", "Synthesiser": "tts_core.door", "open_default": "tts_core.door"}


def __getattr__(name: str) -> Any:
    """What speaks is loaded by whoever asks for it (PEP 562): 3 MB for who only reads scripts."""
    if name not in _SPEAKS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_SPEAKS[name]), name)
