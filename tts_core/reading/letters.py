"""Words that are no words: acronyms, Roman numerals, codes of letters and digits."""

from __future__ import annotations

import re

from tts_core.reading.figures import version
from tts_core.reading.kind import Kind, cased_before, ends_sentence, kind
from tts_core.reading.language import Language
from tts_core.reading.reading import Reading

_ROMAN = re.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_LARGEST = 39  # beyond that they are letters more often than numbers
_SHOUTED = re.compile(r"\s*[^\W\d_a-zß-ÿ]{2,}(?![^\W_])")
_SHOUTED_BEFORE = re.compile(r"(?<![^\W_])[^\W\d_a-zß-ÿ]{2,24}[,.!]?\s{1,2}$")
_RUN = re.compile(r"\d+|[^\W\d_]+|[-_/]")


def roman(letters: str) -> int | None:
    """What a Roman numeral is worth, None when it is none."""
    if not letters or _ROMAN.fullmatch(letters) is None:
        return None
    values = [_VALUES[letter] for letter in letters]
    return sum(-one if one < other else one for one, other in zip(values, [*values[1:], 0], strict=True))


def words(language: Language) -> list[Kind]:
    """Those that begin with a letter."""

    def numeral(match: re.Match[str]) -> str | None:
        value = roman(match[1])
        if value is None:
            return None
        before = cased_before(match.string, match.start())
        if language.century and before.lower() in language.century_words:
            return language.century(language, value)
        if match["after"] and language.century:
            return language.century(language, value)
        if before.lower() in language.counted_names:
            return language.cardinal(value)
        if not before or value > _LARGEST or before.lower() in language.determiners:
            return None
        if (
            len(match[1]) == 1
            and not match["e"]
            and (match[1] not in "VX" or before.lower() not in language.regnal_names)
        ):
            return None
        named = before.lower() in language.regnal_names or _named(language, match)
        if named and language.regnal:
            return language.regnal(language, value)
        return language.cardinal(value) if before[0].isupper() and len(before) > 2 and value > 1 else None

    def acronym(match: re.Match[str]) -> list[Reading] | None:
        letters = match["letters"]
        if not _is_spelled(language, letters, match):
            return None
        readings = [
            Reading(at, at + 1, language.letter(match.string[at]))
            for at in range(match.start(), match.end("letters"))
        ]
        if match["s"]:
            last = readings[-1]
            readings[-1] = Reading(last.start, match.end("s"), last.spoken + "s")
        return readings

    def dotted(match: re.Match[str]) -> list[Reading]:
        ends = match[0].endswith(".") and ends_sentence(match.string, match.end(), language.starters)
        spelled = language.spelled(match[0].replace(".", ""))
        return [Reading(*match.span(), spelled + "." if ends else spelled)]  # the U.S. Army

    def joined(match: re.Match[str]) -> str:
        return f"{language.spelled(match[1])} {language.names['and']} {language.spelled(match[2])}"

    found = []
    after = (
        rf"(?P<after>[ ]?(?:{language.names['century']}))?"
        if "century" in language.names
        else "(?P<after>(?!))?"
    )
    found.append(kind(rf"([IVXL]{{1,7}})(?P<e>(?:e|er|ème)(?=[ ]))?\.?(?![\w])(?={after})", numeral))

    def versioned(match: re.Match[str]) -> str:
        return f"{language.letter(match[1])} {version(language, match[2])}"

    return [
        *found,
        kind(r"([vV])(\d{1,5}(?:\.\d{1,5}){1,5})(?!\w)(?!\.\d)", versioned),
        kind(r"(?:[A-ZÄÖÜ]\.){2,6}(?!\w)|[A-ZÄÖÜ](?:\.[A-ZÄÖÜ]){1,5}(?![\w.])", dotted),
        kind(r"([A-Z]{1,4})&([A-Z]{1,4})(?![\w&])", joined),
        kind(r"(?P<letters>[A-ZÄÖÜ]{2,5})(?P<s>s)?(?![^\W_])(?!['’][a-zA-Z]{2})", acronym),
        code(language),
    ]


def code(language: Language) -> Kind:
    """Letters and digits mixed, such as A4, 4G, B2B, COVID-19, AB12CD: letters by name, short numbers whole."""

    def said(match: re.Match[str]) -> list[Reading] | None:
        if len(match[0]) > 24:
            return None
        readings: list[Reading] = []
        runs = [run for run in _RUN.finditer(match[0]) if run[0] not in "-_/"]
        many = sum(run[0].isdecimal() for run in runs) > 1 or len(runs) > 2
        for run in runs:
            start, end = match.start() + run.start(), match.start() + run.end()
            piece = run[0]
            if not piece.isdecimal():
                if len(piece) > 3 and not (piece.isupper() and many):
                    readings.append(Reading(start, end, piece))
                else:
                    readings += [
                        Reading(at, at + 1, language.letter(match.string[at])) for at in range(start, end)
                    ]
            elif piece[0] in "0০" or len(piece) > 3 or (many and len(piece) > 2):
                readings += [
                    Reading(at, at + 1, language.cardinal(int(match.string[at]))) for at in range(start, end)
                ]
            elif language.paired and len(piece) == 3:
                readings.append(Reading(start, end, language.paired(language, piece)))
            else:
                readings.append(Reading(start, end, language.cardinal(int(piece))))
        return readings

    return kind(r"(?=[^\W_]{0,23}\d)(?=[^\W_]{0,23}[^\W\d_])[^\W_]{2,24}(?![^\W_])", said)


_FIRST_NAME = re.compile(r"([^\W\d_]{2,24})\s[^\W\d_]{2,24}\s$")


def _named(language: Language, match: re.Match[str]) -> bool:
    """Whether a first name and another stand before."""
    near = _FIRST_NAME.search(match.string[max(0, match.start() - 52) : match.start()])
    return near is not None and near[1].lower() in language.regnal_names


def _is_spelled(language: Language, letters: str, match: re.Match[str]) -> bool:
    if letters in language.words or not language.shouts:
        return False
    if letters in language.acronyms:
        return True
    vowels = sum(letter.lower() in language.vowels for letter in letters)
    if not vowels:
        return True
    if len(letters) > 3:
        return False
    text = match.string
    loud = _SHOUTED.match(text, match.end()) or _SHOUTED_BEFORE.search(
        text[max(0, match.start() - 28) : match.start()]
    )
    return loud is None
