"""A voice, as callers choose it."""

from __future__ import annotations

from dataclasses import dataclass


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
