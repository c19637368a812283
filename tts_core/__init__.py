"""Text to streamed speech with word and mark times. Start at `open_default`."""

from tts_core.door import Synthesiser, open_default
from tts_core.engine import Chunk, Engine, MarkTime, WordTime
from tts_core.errors import BadRate, CallerError, EngineError, ScriptError, TtsError, UnknownVoice
from tts_core.espeak import EspeakEngine
from tts_core.script import Mark, Pause, Piece, Say, Script
from tts_core.voices import Voice

__all__ = [
    "BadRate",
    "CallerError",
    "Chunk",
    "Engine",
    "EngineError",
    "EspeakEngine",
    "Mark",
    "MarkTime",
    "Pause",
    "Piece",
    "Say",
    "Script",
    "ScriptError",
    "Synthesiser",
    "TtsError",
    "UnknownVoice",
    "Voice",
    "WordTime",
    "open_default",
]
