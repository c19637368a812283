"""What a client says that a piece of text is: SSML's say-as, sub and phoneme. It wins over what it looks like.

The formats are those of https://www.w3.org/TR/ssml-sayas/ ("date" with mdy, dmy, ymd, md, dm, ym, my, y, m, d;
"time" with hms12 and hms24), and the kinds those that other engines take.
"""

from __future__ import annotations

import re

from tts_core.reading import clock, codes, dates, figures, letters, money, telephone
from tts_core.reading.kind import Kind
from tts_core.reading.language import Language
from tts_core.reading.reading import GLUE, Reading, aloud
from tts_core.reading.scan import Reader
from tts_core.script import Alias, How, Phonemes, SayAs
from tts_core.text import clean

SPELLED = frozenset(("characters", "spell-out", "verbatim", "letters"))
KINDS = SPELLED | {"digits", "telephone", "date", "time", "cardinal", "number", "ordinal", "currency"}
OPEN, SHUT = "\ue000", "\ue001"
"""What phonemes stand between in a clause's text: characters that no client's text holds once it is clean."""

_ORDERS = re.compile(r"[dmy]{1,3}")
_EIGHT = re.compile(r"\d{8}")
_GROUP = re.compile(r"\d+|[^\W\d_]+|\+")


def explicit(how: How, text: str, start: int, end: int, reader: Reader | None) -> list[Reading]:
    """The readings of `text[start:end]`, which is to be said as `how` says; as any text where it cannot be."""
    if isinstance(how, Alias):
        return [Reading(start, end, _read(clean(how.text), reader))]
    if isinstance(how, Phonemes):
        return [Reading(start, end, f"{OPEN}{clean(how.ipa)}{SHUT}")]
    first, last = start, end
    while first < last and text[first].isspace():
        first += 1
    while last > first and text[last - 1].isspace():
        last -= 1
    if reader is None:
        return _without_language(how, text, first, last)
    found = _said_as(how, text, first, last, reader)
    return found if found is not None else list(reader.read(text, first, last))


def _read(text: str, reader: Reader | None) -> str:
    """`text` as it is read, in one piece."""
    if reader is None:
        return text
    return aloud(text, 0, len(text), reader.read(text)).text.replace(GLUE, " ")


def _said_as(how: SayAs, text: str, start: int, end: int, reader: Reader) -> list[Reading] | None:
    language = reader.language
    if how.kind in SPELLED:
        return _spelled(language, text, start, end)
    if how.kind == "digits":
        return _digits(language, text, start, end)
    if how.kind == "telephone":
        return telephone.read(language, text, start, end)
    if how.kind in ("cardinal", "number"):
        return _cardinal(language, text, start, end)
    if how.kind == "ordinal":
        return _ordinal(language, text, start, end)
    if how.kind == "currency":
        return _whole(reader, [*money.signs(language), *money.figures(language)], text, start, end)
    if how.kind == "time":
        return _whole(reader, clock.figures(language), text, start, end)
    return _date(reader, how.detail, text, start, end)


def _whole(reader: Reader, kinds: list[Kind], text: str, start: int, end: int) -> list[Reading] | None:
    """What one of `kinds` says of all of it."""
    found = reader.first(kinds, text, start, end)
    return found if found and found[-1].end == end else None


def _spelled(language: Language, text: str, start: int, end: int) -> list[Reading]:
    places = [at for at in range(start, end) if not text[at].isspace()]
    return [
        Reading(at, at + 1, language.letter(text[at]) + ("," if at != places[-1] else ""))
        for at in places
    ]  # fmt: skip


def _digits(language: Language, text: str, start: int, end: int) -> list[Reading]:
    readings: list[Reading] = []
    found = [(match.start(), match.end()) for match in _GROUP.finditer(text, start, end)]
    for index, (begin, behind) in enumerate(found):
        if not text[begin:behind].isdecimal():
            readings += [Reading(at, at + 1, language.letter(text[at])) for at in range(begin, behind)]
        elif len(found) == 1:
            readings += codes.in_groups(language, text, begin, behind)
        else:
            readings += codes.one_by_one(language, text, begin, behind)
        if index + 1 < len(found):
            readings.append(Reading(behind, found[index + 1][0], ","))
    if found and found[-1][1] < end:
        readings.append(Reading(found[-1][1], end, ""))
    return readings


def _cardinal(language: Language, text: str, start: int, end: int) -> list[Reading] | None:
    value = letters.roman(text[start:end])
    if value is not None:
        return [Reading(start, end, language.cardinal(value))]
    decimal = re.escape(language.decimal)
    pattern = rf"([-−+])?(?P<whole>{language.number_pattern})(?:{decimal}(?P<part>\d{{1,9}}))?"
    match = re.compile(pattern).fullmatch(text, start, end)
    if match is None:
        return None
    sign = {"+": f"{language.plus} ", None: ""}.get(match[1], f"{language.minus} ")
    return [Reading(start, end, sign + language.amount(match["whole"], match["part"] or ""))]


def _ordinal(language: Language, text: str, start: int, end: int) -> list[Reading] | None:
    match = re.compile(rf"(\d{{1,9}})({language.ordinals}|\.)?").fullmatch(text, start, end)
    value = int(match[1]) if match else letters.roman(text[start:end])
    if not value:
        return None
    return [Reading(start, end, language.ordinal(language, value, (match[2] or "") if match else "", ""))]


def _date(reader: Reader, order: str, text: str, start: int, end: int) -> list[Reading] | None:
    language = reader.language
    order = re.sub(r"(.)\1+", r"\1", order.lower())  # yyyymmdd, too
    parts = re.compile(r"\d{1,4}").findall(text, start, end)
    if len(order) == 3 and _EIGHT.fullmatch(text, start, end):
        at = start
        parts = []
        for key in order:
            parts.append(text[at : at + (4 if key == "y" else 2)])
            at += len(parts[-1])
    if not order or _ORDERS.fullmatch(order) is None or len(order) != len(parts):
        joined = [*dates.figures(language), *dates.words(language), *figures.digits(language)]
        return _whole(reader, joined, text, start, end)
    found = {key: int(part) for key, part in zip(order, parts, strict=True)}
    year = dates.full_year(parts[order.index("y")]) if "y" in found else None
    words: str | None
    if "d" in found and "m" in found:
        words = dates.say(language, found["d"], found["m"], year)
    elif "m" in found and 1 <= found["m"] <= 12:
        words = language.month_name(language, found["m"])
        words = words if year is None else f"{words} {language.said_year(year)}"
    elif "d" in found:
        words = language.day(language, found["d"], "", "")
    else:
        words = language.said_year(year) if year is not None else None
    return None if words is None else [Reading(start, end, words)]


def _without_language(how: SayAs, text: str, start: int, end: int) -> list[Reading]:
    """Spelling and digits, for a voice whose language is not read here: it knows the names itself."""
    if how.kind in SPELLED:
        return [
            Reading(at, at + 1, text[at] if at + 1 == end else f"{text[at]},")
            for at in range(start, end)
            if not text[at].isspace()
        ]
    if how.kind not in ("digits", "telephone"):
        return []
    readings = []
    groups = list(_GROUP.finditer(text, start, end))
    for index, group in enumerate(groups):
        stop = groups[index + 1].start() if index + 1 < len(groups) else end
        words = " ".join(group[0]) if group[0].isdecimal() else group[0]
        readings.append(Reading(group.start(), stop, words + ("," if index + 1 < len(groups) else "")))
    return readings
