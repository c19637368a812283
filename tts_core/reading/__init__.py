"""Text as a telephone should read it: numbers, dates, money, addresses and the like, in words.

    read("Call 911 at 10:30 am.", "en-us")     readings: which characters are said as which words
    speakable("It costs 5", "en-us")           how much of a text that still grows may be spoken now

Pure: no engine, no clock, no disk. A language is one module; one that is not here is left as it is written.
"""

from tts_core.reading.languages import known, language_of
from tts_core.reading.reading import Aloud, Reading, aloud, plain, said
from tts_core.reading.speakable import speakable

VERSION = 2
"""What is read otherwise than before gives this another number: caches that outlive a process mind it."""

__all__ = [
    "VERSION",
    "Aloud",
    "Reading",
    "aloud",
    "known",
    "language_of",
    "plain",
    "read",
    "said",
    "speakable",
]


def read(text: str, language: str) -> tuple[Reading, ...]:
    """What of `text` (cleaned) is not said as it is written, in order and disjoint; `language` a BCP 47 tag."""
    reader = language_of(language)
    return () if reader is None else tuple(reader.read(text))
