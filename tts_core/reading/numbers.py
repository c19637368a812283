"""Numbers in words, by num2words: cardinals, ordinals, digits one by one."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

LONGEST = 15
"""Digits: a longer number is read digit by digit."""


@lru_cache(maxsize=1024)  # what is said again and again: a miss costs 0.1 to 0.3 ms, an entry 0.3 kB
def cardinal(code: str, number: int) -> str:
    """`number` in words of the language that num2words calls `code`, without commas."""
    words = _clean(_words(number, lang=code))
    return _UNO_MIL.sub(lambda match: "veintiún" if match[1] else "un", words) if code == "es" else words


@lru_cache(maxsize=512)
def ordinal(code: str, number: int) -> str:
    """The same as an ordinal, masculine where there are genders."""
    return _clean(_words(number, lang=code, to="ordinal"))


@lru_cache(maxsize=512)
def year(code: str, number: int) -> str:
    """`number` as the year of a date."""
    return _clean(_words(number, lang=code, to="year"))


def groups(count: int) -> list[int]:
    """How many digits of a number of `count` digits are said in one breath: threes and fours, as people do."""
    if count <= 5:
        return [count] if count else []
    if count % 4 == 0:
        return [4] * (count // 4)
    if count % 3 == 1:
        return [3] * (count // 3 - 1) + [4]
    return [3] * (count // 3) + ([2] if count % 3 else [])


def _words(number: int, **how: Any) -> str:
    from num2words import num2words  # all its languages: only who reads numbers loads them

    return str(num2words(number, **how))


_UNO_MIL = re.compile(r"\b(veinti)?uno(?= mil)")  # num2words has veintiuno mil
_COMMAS = re.compile(r"\s*,\s*|\s+")


def _clean(words: str) -> str:
    return _COMMAS.sub(" ", words.strip())
