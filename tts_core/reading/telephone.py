"""Telephone numbers, in the groups that they are written in: +1 415 555 0123, (415) 555-0123, 01 23 45 67 89."""

from __future__ import annotations

import re
from functools import lru_cache

from tts_core.reading.codes import one_by_one
from tts_core.reading.kind import Kind, kind
from tts_core.reading.language import Language
from tts_core.reading.reading import Reading

_GROUP = re.compile(r"\d+|[A-Za-z]+")


def figures(language: Language) -> list[Kind]:
    """Numbers that begin with a digit or a parenthesis."""
    return [kind(rf"(?:{language.telephone})(?![\w])(?![.,-]\d)", lambda match: grouped(language, match))]


def plus(language: Language) -> list[Kind]:
    """International numbers, which begin with a plus sign."""
    return [kind(r"\+\d(?:[ ]?[().\-/ ]{0,2}\d){5,17}(?!\w)", lambda match: grouped(language, match))]


def grouped(language: Language, match: re.Match[str]) -> list[Reading]:
    """The groups of a number as it is written, a pause after each; without any, those of its country."""
    return read(language, match.string, match.start(), match.end())


def read(language: Language, text: str, start: int, end: int) -> list[Reading]:
    """`text[start:end]` as a telephone number: its digits, letters and plus sign, a pause after each group."""
    found = [(start + each.start(), start + each.end()) for each in _GROUP.finditer(text[start:end])]
    if text[start : start + 1] == "+":  # who dials a country leaves out the (0) of its own calls
        found = [(begin, behind) for begin, behind in found if text[begin - 1 : behind + 1] != "(0)"]
    if len(found) == 1:
        found = _parted(text[start:end], *found[0], language.tag)
    readings: list[Reading] = []
    at = start
    if text[start : start + 1] == "+":
        readings.append(Reading(start, start + 1, language.plus))
        at = start + 1
    for index, (begin, behind) in enumerate(found):
        stop = found[index + 1][0] if index + 1 < len(found) else end
        group = text[begin:behind]
        if at < begin:
            readings.append(Reading(at, begin, ""))
        if not group.isdecimal():
            readings.append(
                Reading(begin, behind, group.lower() if len(group) > 2 else language.spelled(group))
            )
        elif language.pairs and len(group) == 2 and len(found) >= 4:
            readings.append(Reading(begin, behind, _pair(language, group)))
        elif language.tag.startswith("en") and len(group) == 3 and group in ("800", "900") and len(found) > 2:
            readings.append(Reading(begin, behind, language.cardinal(int(group))))
        else:
            readings += one_by_one(language, text, begin, behind)
        last = index + 1 == len(found)
        if not last:
            readings.append(Reading(behind, stop, ","))
        at = stop
    return readings


def _pair(language: Language, pair: str) -> str:
    """Two digits as one number, as French numbers are said."""
    return language.digits(pair) if pair.startswith("0") else language.cardinal(int(pair))


def _parted(number: str, start: int, end: int, tag: str) -> list[tuple[int, int]]:
    """Where the groups of an undivided number lie, by the custom of its country."""
    found = []
    at = start
    for length in _lengths(number, tag.rpartition("-")[2].upper() if "-" in tag else tag.upper()):
        found.append((at, at + length))
        at += length
    return found if at == end else [(start, end)]


@lru_cache(maxsize=1024)
def _lengths(number: str, region: str) -> tuple[int, ...]:
    """Digits in each group of `number`; in one when it is no telephone number."""
    import phonenumbers  # every country's customs: only who reads an undivided number loads them

    try:
        parsed = phonenumbers.parse(number, {"EN": "US", "BN": "BD"}.get(region, region))
    except phonenumbers.NumberParseException:
        return ()
    international = number.startswith("+")
    form = phonenumbers.PhoneNumberFormat
    shown = phonenumbers.format_number(parsed, form.INTERNATIONAL if international else form.NATIONAL)
    return tuple(len(group) for group in re.findall(r"\d+", shown))
