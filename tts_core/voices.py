"""A voice, as callers choose it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from tts_core.script import Manner


@dataclass(frozen=True, slots=True)
class Voice:
    """`name` is `engine:voice`, such as `espeak:en-us`; `language` is a BCP 47 tag in lower case.

    `gender` is "male", "female" or "" where the engine does not say. `licence` is an SPDX expression, `teacher`
    whose speech a voice learned; both are empty where there is none to name.
    """

    name: str
    language: str
    engine: str
    description: str
    gender: str
    version: str = ""
    licence: str = ""
    teacher: str = ""


class Offered(Protocol):
    """What of a voice matters when one is chosen."""

    @property
    def name(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def engine(self) -> str: ...


def chosen(offered: Mapping[str, Offered], manner: Manner, current: str) -> str | None:
    """The voice, of those `offered` by name, that speaks in `manner` within an utterance of the voice `current`.

    A voice that is named; else `current` when it speaks the language; else one that does: of its own engine
    rather than of another, of the very country rather than of the language at large, then by order of name.
    None when there is no such voice.
    """
    if manner.voice:
        return manner.voice if manner.voice in offered else None
    tag = manner.language.lower().replace("_", "-")
    if not tag:
        return current
    own = offered[current]
    if _speaks(own.language, tag):
        return current
    able = [voice for voice in offered.values() if voice.language.partition("-")[0] == tag.partition("-")[0]]
    if not able:
        return None
    return min(
        able,
        key=lambda voice: (
            voice.engine != own.engine,
            voice.language != tag,
            voice.language != tag.partition("-")[0],
            voice.name,
        ),
    ).name


def _speaks(language: str, tag: str) -> bool:
    """Whether a voice of `language` speaks what `tag` asks for: any English will do for "en"."""
    return language == tag or language.partition("-")[0] == tag or language == tag.partition("-")[0]
