"""Numbers that are no quantity, read digit by digit in groups: accounts, cards, PINs, emergency calls."""

from __future__ import annotations

import re
from itertools import accumulate

from tts_core.reading.kind import Kind, kind, word_before
from tts_core.reading.language import Language
from tts_core.reading.numbers import groups
from tts_core.reading.reading import Reading

_LONG = 7  # digits without a mark between them: nobody says millions that are written so
_CODE = 3  # digits, behind a word that calls them a code


def one_by_one(language: Language, text: str, start: int, end: int) -> list[Reading]:
    """A reading for each digit of `text[start:end]`."""
    return [Reading(at, at + 1, language.cardinal(int(text[at]))) for at in range(start, end)]


def in_groups(language: Language, text: str, start: int, end: int) -> list[Reading]:
    """The same with a pause after each group of three or four."""
    readings = one_by_one(language, text, start, end)
    for behind in [*accumulate(groups(end - start))][:-1]:
        last = readings[behind - 1]
        readings[behind - 1] = Reading(last.start, last.end, last.spoken + ",")
    return readings


def figures(language: Language) -> list[Kind]:
    """Codes that begin with a digit."""

    def card(match: re.Match[str]) -> list[Reading]:
        readings: list[Reading] = []
        for each in re.finditer(r"\d+|[ -]", match[0]):
            start, end = match.start() + each.start(), match.start() + each.end()
            if each[0].isdecimal():
                readings += one_by_one(language, match.string, start, end)
            else:
                readings.append(Reading(start, end, ","))
        return readings

    def run(match: re.Match[str]) -> list[Reading] | None:
        digits = match[0]
        known = digits in language.emergency
        code = len(digits) >= _CODE and word_before(match.string, match.start()) in language.digit_words
        leads = len(digits) > 1 and int(digits[0]) == 0
        if known or code or leads or len(digits) >= _LONG:
            return in_groups(language, match.string, *match.span())
        return None

    before = re.compile(rf"(?:{language.postcode})$")

    def postcode(match: re.Match[str]) -> list[Reading] | None:
        return (
            card(match) if before.search(match.string[max(0, match.start() - 12) : match.start()]) else None
        )

    return [
        *([kind(r"\d{5}(?:-\d{4})?(?![\w-])(?![.,:/]\d)", postcode)] if language.postcode else []),
        kind(r"\d{1,4}(?:-\d{1,4}){3,8}(?![\w-])(?![.,:/]\d)", card),
        kind(r"\d{4}(?:[ -]\d{4}){2,4}(?![\w])(?!-\d)", card),
        kind(r"\d{3}[ -]\d{4}[ -]\d{4}(?![\w])(?!-\d)", card),
        kind(r"\d{3}-\d{2}-\d{4}(?![\w-])", card),
        kind(r"\d{2}-\d{2}-\d{2}(?![\w-])", card),
        kind(r"\d{1,256}(?![^\W\d_])(?![.,:/]\d)", run),
    ]
