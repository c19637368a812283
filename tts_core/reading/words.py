"""Abbreviations (Dr., St., No. 5, e.g., z. B.) and the signs that are words."""

from __future__ import annotations

import re

from tts_core.reading.kind import Kind, Said, cased_before, ends_sentence, kind, longest_first
from tts_core.reading.language import Language
from tts_core.reading.reading import Reading

_PLACE = re.compile(  # a house number or a name stands before: it is a street, and no saint
    r"(?:\d[\w-]{0,5}[ ](?:[^\W\d_a-z][\w'.-]{0,20}[ ]){1,4}|[a-z,;][ ](?:[A-Z][\w'-]{0,20}[ ]){1,3})$"
)
_NUMBERED = re.compile(r"\d(?:st|nd|rd|th)[ ]$")


def words(language: Language) -> list[Kind]:
    """Abbreviations, which begin with a letter."""

    def shortened(match: re.Match[str]) -> Said:
        written = match[0].lower()
        spoken = language.shortened[written]
        if (
            written in language.placed
            and written in language.before_capital
            and spoken != language.placed[written]
        ):
            before = cased_before(match.string, match.start())
            named = before[:1].isupper() and before.lower() not in language.determiners
            spoken = language.placed[written] if named else language.shortened[written]
        spoken = _cased(spoken, match[0])
        # a name follows a title, and never a new sentence
        return (
            [Reading(*match.span(), spoken)] if written in language.titles or not language.shouts else spoken
        )

    def capital(match: re.Match[str]) -> Said:
        written = match[1].lower()
        spoken = language.before_capital[written]
        if written in language.placed and _PLACE.search(
            match.string[max(0, match.start() - 60) : match.start()]
        ):
            spoken = language.placed[written]
        return [Reading(*match.span(1), spoken)]

    def days(match: re.Match[str]) -> list[Reading] | None:
        first, last = match["first"], match["last"]
        if language.nouns_capital and not (first[0].isupper() and last[0].isupper()):
            return None
        return [
            Reading(*match.span("first"), language.weekdays[first.lower()]),
            Reading(match.end("first"), match.start("last"), language.to),
            Reading(match.start("last"), match.end(), language.weekdays[last.lower()]),
        ]

    def ending(match: re.Match[str]) -> list[Reading]:
        ends = ends_sentence(match.string, match.end(), language.starters)
        return [Reading(*match.span(), f"{match[1]}{language.endings[match[2]]}{'.' if ends else ''}")]

    def day(match: re.Match[str]) -> list[Reading] | None:
        if not match[1][0].isupper() and (language.nouns_capital or language.month_first):
            return None
        return [Reading(*match.span(), _cased(language.weekdays[match[1].lower()], match[0]))]

    def place(match: re.Match[str]) -> list[Reading] | None:
        near = match.string[max(0, match.start() - 60) : match.start()]
        if not match[0][0].isupper() or not (_PLACE.search(near) or _NUMBERED.search(near)):
            return None
        return [Reading(*match.span(), _cased(language.placed[match[0].lower()], match[0]))]

    weekday = longest_first(language.weekdays)
    month = longest_first(language.months)
    bare = longest_first(each for each in language.placed if "." not in each)
    stopped = "|\\.(?!\\w)" if not (language.nouns_capital or language.month_first) else ""
    return [
        kind(rf"(?i:{bare})(?![\w.])(?=[,;)!?]|[ ][^A-Z]|\s*$)", place),
        kind(
            rf"(?P<first>(?i:{weekday}))\.?[ ]?[-–][ ]?(?P<last>(?i:{weekday}))(?!\w)(?:\.(?=[ ]?[\d:,]))?",
            days,
        ),
        kind(
            rf"((?i:{weekday}))(?:\.?(?=,?[ ](?:\d\d?[.]?[ ])?(?:(?i:{month})(?!\w)|\d\d?(?:[:.–-]\d|[ ]?Uhr)))"
            rf"{stopped})",
            day,
        ),
        *(
            [kind(rf"([^\W\d_]{{2,30}}?)({longest_first(language.endings)})(?!\w)", ending)]
            if language.endings
            else []
        ),
        kind(
            rf"((?i:{longest_first(language.before_number)}))(?=[ ]?\d)",
            lambda match: language.before_number[match[1].lower()],
        ),
        kind(
            rf"((?i:{longest_first(language.before_capital)}))(?=[ ][^\W\d_a-zß-ÿ])",
            capital,
        ),
        kind(rf"(?i:{longest_first(language.shortened)})(?!\w)", shortened),
    ]


def signs(language: Language) -> list[Kind]:
    """Signs that are words."""
    names = {"&": language.names["and"], "=": language.names["="], "%": language.percent}
    names |= {each: language.names[each] for each in ("§", "°") if each in language.names}
    return [kind(rf"(?<![&=])({longest_first(names)})(?![&=])", lambda match: names[match[1]])]


def _cased(spoken: str, written: str) -> str:
    return spoken[:1].upper() + spoken[1:] if written[:1].isupper() and written[1:2].islower() else spoken
