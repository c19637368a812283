"""A voice, as callers choose it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Voice:
    """`name` is `engine:voice`, such as `espeak:en-us`; `language` is a BCP 47 tag in lower case.

    `gender` is "male", "female" or "" where the engine does not say.
    """

    name: str
    language: str
    engine: str
    description: str
    gender: str
