"""Text to streamed speech with word and mark times. Start at `open_default`."""

from tts_core.door import Synthesiser, open_default
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
from tts_core.espeak import EspeakEngine
from tts_core.lexicon import Lexicon, follow
from tts_core.script import Mark, Pause, Piece, Recording, Say, Script
from tts_core.voices import Voice

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
