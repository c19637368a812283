"""Make any string safe to speak, without moving a character.

Engines stall, spell out or crash on control characters, lone surrogates, private-use code points and
pictures. `clean` puts a space in the place of each, so every char offset still holds.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_KEPT_SYMBOLS = frozenset("°©®™№℃℉")  # the So that are words
_KEPT_FORMATS = frozenset("\u00ad\u200c\u200d")  # soft hyphen and joiners live inside words
_SPOKEN_SYMBOLS = frozenset("%&@#+=°℃℉")
_SILENT = frozenset(("Cc", "Cf", "Cn", "Co", "Cs", "Me", "So", "Zl", "Zp", "Zs"))
_ASCII = {code: " " for code in (*range(32), 127) if code != 10}


@lru_cache(maxsize=8192)
def _safe(char: str) -> str:
    if char == "\n" or char in _KEPT_SYMBOLS or char in _KEPT_FORMATS:
        return char
    category = unicodedata.category(char)
    if category in _SILENT or (category == "Sk" and char > "\x7f"):  # Sk: skin tones among them
        return " "
    if category == "Mn" and ("\ufe00" <= char <= "\ufe0f" or char >= "\U000e0100"):  # variation selectors
        return " "
    return char


def clean(text: str) -> str:
    """`text` with everything unspeakable made a space; as many code points as before.

    Newlines stay (two of them end a paragraph), as does right-to-left text; bidi controls go.
    """
    if text.isascii():
        return text.translate(_ASCII)
    return "".join(map(_safe, text))


@lru_cache(maxsize=8192)
def is_spoken(char: str) -> bool:
    """Whether a voice may say this character: letters, digits, their combining marks, some symbols."""
    return char in _SPOKEN_SYMBOLS or unicodedata.category(char)[0] in "LMN" or is_currency(char)


def is_currency(char: str) -> bool:
    """Whether `char` is a currency sign (category Sc)."""
    return unicodedata.category(char) == "Sc"


def speaks(text: str) -> bool:
    """Whether there is anything in `text` to say: a letter, a digit or a symbol that is a word."""
    return any(c.isalnum() or c in _SPOKEN_SYMBOLS or is_currency(c) for c in text)
