"""Who speaks for a voice that only another speech API has: the one table of names, and how it is asked.

A name is looked up among the voices that there are, then in VOXTRUNK_VOICE_ALIASES, then here. ``default`` is
VOXTRUNK_DEFAULT_VOICE, or when that does not speak the language that is asked for, one that does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from gateway.errors import Refusal
from tts_core.script import Manner
from tts_core.voices import chosen

if TYPE_CHECKING:
    from gateway.messages.synthesis import VoiceInfo
    from gateway.settings import Settings

DEFAULT: Final = "default"
OPENAI: Final = (
    "alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer",
    "verse",
)  # fmt: skip
"""The voices of OpenAI's API: its clients send no others."""
ELEVENLABS: Final = ("21m00Tcm4TlvDq8ikWAM", "JBFqnCBsd6RMkjVDRZzb", "hpp4J3VqNfWAUOO0d1Us")
"""Those that ElevenLabs' documents and LiveKit's plug-in name where nobody chose one."""
ALIASES: Final = MappingProxyType(
    {DEFAULT: DEFAULT} | dict.fromkeys((*OPENAI, *ELEVENLABS), DEFAULT) | {"aura-*": DEFAULT}
)
"""Names or patterns, and our voice for them."""


def language_of_model(model: str) -> str:
    """The language of one of Deepgram's models (``aura-2-thalia-en``); empty for any other name."""
    family, _, rest = model.partition("-")
    tail = rest.rpartition("-")[2]
    return tail if family == "aura" and len(tail) == 2 and tail.isalpha() else ""


def speaker(name: str, settings: Settings, voices: Iterable[VoiceInfo], language: str = "") -> str:
    """Our voice for ``name``. ``language``: a BCP 47 tag, where the client names one.

    Refusal ``unknown_voice``: nobody speaks for that name, or nobody speaks that language.
    """
    offered = {voice.name: voice for voice in voices}
    if name in offered:
        return name
    found = _alias(name, settings.voice_aliases) or _alias(name, ALIASES)
    if found is None:
        detail = (
            f"No voice has the name {name[:64]!r}: take one of GET /v1/voices, or say who is to speak for it "
            f"(VOXTRUNK_VOICE_ALIASES, for example {name[:64]}={settings.default_voice})"
        )
        raise Refusal("unknown_voice", detail, field="voice")
    voice = settings.default_voice if found == DEFAULT else found
    if voice not in offered:
        raise Refusal(
            "unknown_voice", f"{name[:64]!r} is to be spoken by {voice}, which is not there", field="voice"
        )
    if found != DEFAULT:
        return voice
    able = chosen(offered, Manner(language=language), voice)
    if able is None:
        raise Refusal("unknown_voice", f"No voice speaks the language {language[:16]!r}", field="voice")
    return able


def _alias(name: str, aliases: Mapping[str, str]) -> str | None:
    """What stands for ``name`` itself, or else for the first pattern that it fits."""
    if name in aliases:
        return aliases[name]
    return next((voice for pattern, voice in aliases.items() if fnmatchcase(name, pattern)), None)
