"""Dates: 2024-03-05, 3/5/2024, 3.10.24, March 5th, 2024, 5 mars 2024."""

from __future__ import annotations

import re

from tts_core.reading.kind import Kind, Said, kind, longest_first, ranged, word_before
from tts_core.reading.language import Instant, Language
from tts_core.reading.reading import Reading

_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_EARLIEST, _LATEST = 1000, 2999  # what four digits must be to be a year

_VERBS = frozenset(("may", "march", "mar"))  # as English has them, in lower case


def is_day(day: int, month: int) -> bool:
    """Whether there is such a day in some year."""
    return 1 <= month <= 12 and 1 <= day <= _DAYS[month - 1]


def full_year(digits: str) -> int:
    """24 as 2024, 85 as 1985; four digits as they are."""
    number = int(digits)
    return number if len(digits) > 2 else number + (2000 if number < 50 else 1900)


def say(language: Language, day: int, month: int, year: int | None, before: str = "") -> str | None:
    """A date in words; None for one that there is not."""
    if not is_day(day, month) or (year is not None and not _EARLIEST <= year <= _LATEST):
        return None
    return language.date(language, day, month, year, before)


def ordered(language: Language, first: int, second: int) -> tuple[int, int]:
    """(day, month) of two numbers in the language's order, or in the only one that there can be."""
    day, month = (second, first) if language.month_first else (first, second)
    return (month, day) if not is_day(day, month) and is_day(month, day) else (day, month)


def figures(language: Language) -> list[Kind]:
    """Dates that begin with a digit."""
    marks = re.escape(language.date_marks)

    verbs = _VERBS if language.tag.startswith("en") else frozenset[str]()

    def before(match: re.Match[str]) -> str:
        if match.string[max(0, match.start() - 1) : match.start()] in ("-", "–"):
            return language.to  # another date stands there
        return word_before(match.string, match.start())

    def iso(match: re.Match[str]) -> str | None:
        return say(language, int(match[4]), int(match[3]), int(match[1]), before(match))

    def stamp(match: re.Match[str]) -> str | None:
        date = iso(match)
        hour, minute, second = int(match[5]), int(match[6]), int(match[7] or 0)
        if date is None or hour > 23 or minute > 59 or second > 59:
            return None
        zone = f" {language.spelled('UTC')}" if match[8] else ""
        return f"{date}, {language.clock(language, Instant(hour, minute, second))}{zone}"

    def full(match: re.Match[str]) -> Said:
        day, month = ordered(language, int(match[1]), int(match[3]))
        words = say(language, day, month, full_year(match[4]), before(match))
        return words and ranged(match, words, language.to)

    def slashed(match: re.Match[str]) -> str | None:
        first, second = int(match[1]), int(match[2])
        told = (
            "0" in (match[1][0], match[2][0]) or before(match) in language.year_words | language.oblique_words
        )
        if not told and (first, second) in language.fractions:
            return None
        day, month = (second, first) if language.month_first else (first, second)
        return say(language, day, month, None, before(match))

    def month_of(match: re.Match[str]) -> str | None:
        if not 1 <= int(match[1]) <= 12:
            return None
        return f"{language.month_name(language, int(match[1]))} {language.said_year(int(match[2]))}"

    def dotted(match: re.Match[str]) -> Said:
        words = say(language, int(match[1]), int(match[2]), None, before(match))
        return words and ranged(match, words, language.to)

    def alone(match: re.Match[str]) -> str | None:
        told = before(match) in language.oblique_words - language.year_words and is_day(int(match[1]), 1)
        return language.day(language, int(match[1]), before(match), "") if told else None

    def days(match: re.Match[str]) -> list[Reading] | None:
        first, last = int(match["day"]), int(match["last"].rstrip("."))
        if not (is_day(first, 1) and is_day(last, 1)):
            return None
        joint = match["joint"].strip(" -–")
        readings = [
            Reading(
                match.start("day"), match.start("joint"), language.day(language, first, before(match), "")
            ),
            Reading(*match.span("joint"), joint or language.to),
            Reading(*match.span("last"), language.day(language, last, before(match), "")),
        ]
        if not match["number"]:
            return readings
        if not 1 <= int(match["number"]) <= 12:
            return None
        readings.append(
            Reading(
                match.start("number"), match.end("stop"), language.month_name(language, int(match["number"]))
            )
        )
        return [*readings, *_year(language, match)]

    def named(match: re.Match[str]) -> list[Reading] | None:
        day, month = int(match["day"]), language.months[match["month"].lower()]
        if not is_day(day, month) or match["month"] in verbs:
            return None
        joint = f"{language.day_joint} " if language.day_joint and not match["joint"] else ""
        the = "the " if language.tag.startswith("en") and before(match) != "the" else ""
        return [
            Reading(match.start("day"), match.end("mark") if match["mark"] else match.end("day"),
                    the + language.day(language, day, before(match), match["mark"] or "")),
            Reading(match.start("month"), _dot(match), joint + language.month_name(language, month)),
            *_year(language, match),
        ]  # fmt: skip

    found = [
        kind(
            r"(\d{4})(-)(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,9})?)?(Z|[+-]00:?00)?(?![\w:+-])",
            stamp,
        ),
        kind(r"(\d{4})([-/])(\d\d?)\2(\d\d?)(?![\w/-])", iso),
        kind(rf"(\d\d?)([{marks}])(\d\d?)\2(\d{{4}}|\d\d)(?!\w)(?!\2\d)", full),
        kind(r"(\d\d?)/(\d\d?)(?![\w/])(?![.,:-]\d)", slashed),
        kind(r"(\d\d?)/([12]\d{3})(?![\w/])(?![.,:-]\d)", month_of),
        kind(
            rf"(?P<day>\d\d?)(?P<mark>{language.ordinals})?(?P<joint>[ ](?:of|de|di))?"
            rf"[ ](?:the[ ])?{_month_pattern(language)}{_year_pattern(language)}",
            named,
        ),
    ]
    if language.dotted_dates:
        months = longest_first(language.months)
        month = rf"(?=[ ](?i:{months})(?!\w))|[ ]?(?P<number>\d\d?)(?P<stop>\.)(?:[ ]?(?P<year>[12]\d{{3}})(?!\w))?"
        another = rf"(?P<last>\d\d?\.)(?:{month})"
        found.insert(
            0, kind(rf"(?P<day>\d\d?)\.(?P<joint>[ ]?[-–][ ]?|[ ](?:bis|und|oder)[ ]){another}", days)
        )
        found.insert(2, kind(r"(\d\d?)\.[ ]?(\d\d?)\.(?![\w])", dotted))
        found.append(kind(r"(\d\d?)\.(?!\w)(?![ ]?\d)", alone))
    return found


def words(language: Language) -> list[Kind]:
    """Dates that begin with the name of a month, and a month with its year."""
    verbs = _VERBS if language.tag.startswith("en") else frozenset[str]()

    def named(match: re.Match[str]) -> list[Reading] | None:
        month, day = language.months[match["month"].lower()], int(match["day"])
        if not is_day(day, month) or (match["month"] in verbs and not match["mark"]):
            return None
        if match["until"] and not is_day(int(language.bare(match["until"])), month):
            return None
        return [
            Reading(match.start("month"), _dot(match), language.month_name(language, month)),
            Reading(match.start("day"), match.end("mark") if match["mark"] else match.end("day"),
                    language.day(language, day, "", match["mark"] or "")),
            *_until(language, match),
            *_year(language, match),
        ]  # fmt: skip

    def month_year(match: re.Match[str]) -> list[Reading] | None:
        if match["month"].islower() and language.tag.startswith("en"):
            return None  # "may 2000 people come"
        month = language.month_name(language, language.months[match["month"].lower()])
        return [Reading(match.start("month"), _dot(match), month), *_year(language, match)]

    found = [
        kind(
            rf"{_month_pattern(language)}[ ](?:de[ ]|del[ ])?(?P<year>[12]\d{{3}})(?![\w/:-])(?![.,]\d)",
            month_year,
        )
    ]
    if language.tag.startswith("en"):
        pattern = (
            rf"{_month_pattern(language)}[ ](?:the[ ])?(?P<day>\d\d?)(?P<mark>{language.ordinals})?"
            rf"(?:(?P<dash>[ ]?[-–][ ]?)(?P<until>\d\d?(?:{language.ordinals})?)(?![\w:/%]))?"
            rf"(?![\d:%])(?!\.\d)(?!,\d{{3}}(?!\d)){_year_pattern(language)}"
        )
        found.insert(0, kind(pattern, named))
    return found


def _month_pattern(language: Language) -> str:
    return rf"(?P<month>(?i:{longest_first(language.months)}))(?!\w)(?P<dot>\.(?=[ ](?:del?[ ])?\d|[,;)]))?"


def _year_pattern(language: Language) -> str:
    joint = r"(?:[ ](?:de|del))?" if language.day_joint == "de" else ""
    return rf"(?:,?{joint}[ ](?P<year>[12]\d{{3}})(?![\w/:-])(?![.,]\d))?"


def _until(language: Language, match: re.Match[str]) -> list[Reading]:
    """The last of some days, as in May 3-5."""
    if not match["until"]:
        return []
    last = language.day(language, int(language.bare(match["until"])), "", "")
    return [Reading(*match.span("dash"), language.to), Reading(*match.span("until"), last)]


def _year(language: Language, match: re.Match[str]) -> list[Reading]:
    if not match["year"]:
        return []
    return [Reading(*match.span("year"), language.said_year(int(match["year"])))]


def _dot(match: re.Match[str]) -> int:
    """Where the month ends, with the full stop that shortens it."""
    return match.end("dot") if match["dot"] else match.end("month")
