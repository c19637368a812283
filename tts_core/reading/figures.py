"""All other numbers: ranges, fractions, ordinals, years, decimals, cardinals."""

from __future__ import annotations

import re

from tts_core.reading.codes import in_groups
from tts_core.reading.kind import Kind, kind, longest_first, word_after, word_before
from tts_core.reading.language import Language
from tts_core.reading.reading import Reading

_FIRST_YEAR, _LAST_YEAR = 1100, 2099
_GLYPHS = {"½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅛": (1, 8)}


def digits(language: Language) -> list[Kind]:
    """Numbers that begin with a digit."""
    number = language.number_pattern
    behind = "(?![A-Za-z])" if language.suffixed else r"(?![^\W_])"
    decimal = re.escape(language.decimal)

    grouped = re.compile(language.grouped)

    def numbered(match: re.Match[str]) -> str | None:
        return None if grouped.fullmatch(match[0]) else version(language, match[0])

    def ordinal(match: re.Match[str]) -> list[Reading]:
        value = int(language.bare(match[1]))
        words = language.ordinal(language, value, match[2], word_before(match.string, match.start()))
        return [Reading(*match.span(), words)]

    def span(match: re.Match[str]) -> str | list[Reading] | None:
        first, second = match["first"], match["second"]
        if _is_year(first) and _is_year(second):
            return f"{language.said_year(int(first))} {language.to} {language.said_year(int(second))}"
        if len(first) > 4 or len(second) > 4 or first[0] in "0০" or second[0] in "0০":
            return None
        return [
            Reading(*match.span("first"), language.cardinal(int(first))),
            Reading(match.end("first"), match.start("second"), language.to),
        ]

    def fraction(match: re.Match[str]) -> str | None:
        words = language.fractions.get((int(match["over"]), int(match["under"])))
        if words is None and match["over"] == match["under"] and not match["whole"]:
            return f"{language.cardinal(int(match['over']))} {language.cardinal(int(match['over']))}"
        if words is None:
            if match["whole"]:
                return None
            return f"{language.cardinal(int(match['over']))} {language.over} {language.cardinal(int(match['under']))}"
        if match["whole"]:
            return f"{language.cardinal(int(match['whole']))} {language.names['and']} {words}"
        return words

    def ratio(match: re.Match[str]) -> str:
        return f"{language.cardinal(int(match[1]))} {language.to} {language.cardinal(int(match[2]))}"

    def glyph(match: re.Match[str]) -> str | None:
        words = language.fractions.get(_GLYPHS[match[2]])
        return f"{language.cardinal(int(match[1]))} {language.names['and']} {words}" if words else None

    def product(match: re.Match[str]) -> str:
        return f"{language.cardinal(int(match[1]))} {language.times} {language.cardinal(int(match[2]))}"

    def scaled(match: re.Match[str]) -> str:
        whole, part, scale = match["whole"], match["part"] or "", match["scale"]
        one, many = language.scales[scale.lower()]
        single = int(language.bare(whole)) == 1 and not part
        return f"{language.amount(whole, part, language.one_scale)} {one if single else many}"

    def year(match: re.Match[str]) -> str | None:
        written = match[0]
        if not _is_year(written):
            return None
        told = word_before(match.string, match.start()) in language.year_words
        after = word_after(match.string, match.end())
        told = told or after.lower() in language.years_after
        counted = _counts(language, after)
        return language.said_year(int(written)) if told or (language.bare_years and not counted) else None

    def plain(match: re.Match[str]) -> str | list[Reading]:
        whole = language.bare(match["whole"])
        if len(whole) > 15:
            return in_groups(language, match.string, *match.span())
        if language.paired and len(whole) in (3, 4) and not match["part"] and _is_place(language, match):
            return language.paired(language, whole)
        un = ""
        if language.article is not None:
            un = language.article(
                word_before(match.string, match.start()), word_after(match.string, match.end())
            )
        return language.amount(whole, match["part"] or "", un)

    pointed = kind(r"(\d{1,9})\.(\d{1,9})(?!\w)(?!\.\d)", numbered)
    return [
        kind(r"\d{1,5}(?:\.\d{1,5}){2,5}(?![\w])", numbered),
        kind(rf"(\d{{1,9}}|(?=[^a-z]{{1,11}}){language.grouped})({language.ordinals})(?!\w)", ordinal),
        kind(r"(?P<first>\d{1,4})(?P<dash>[ ]?[-–][ ]?)(?P<second>\d{1,4})(?![\w-])(?![.,:]\d)", span),
        kind(r"(?:(?P<whole>\d{1,4})[ ])?(?P<over>\d{1,3})/(?P<under>\d{1,3})(?![\w/])", fraction),
        kind(r"(\d{1,4})[ ]?([½⅓⅔¼¾⅛])", glyph),
        kind(r"(\d{1,3}):(\d{1,3})(?![\w:])(?!\.\d)", ratio),
        kind(r"(\d{1,4})[ ]?[x×][ ]?(\d{1,4})(?!\w)", product),
        kind(
            rf"(?P<whole>{number})(?:{decimal}(?P<part>\d{{1,9}}))?"
            rf"[ ]?(?P<scale>(?i:{longest_first(name for name in language.scales if len(name) > 2)}))(?!\w)",
            scaled,
        ),
        kind(r"\d{4}(?![\w%])(?![.,:/-]\d)", year),
        *([] if language.decimal == "." else [pointed]),
        kind(rf"(?P<whole>{number}){decimal}(?P<part>\d{{1,9}})(?=[^\W\d_]{{1,3}}(?!\w))", plain),  # 98.6F
        kind(rf"(?P<whole>{number})(?:{decimal}(?P<part>\d{{1,9}})(?!\d))?{behind}", plain),
    ]


def version(language: Language, text: str) -> str:
    """Numbers with dots between them, as versions and addresses have."""
    parts = text.split(".")
    dot = language.point if language.tag.startswith("en") and len(parts) < 4 else language.names["."]
    return f" {dot} ".join(
        language.cardinal(int(part)) if len(part) < 4 else language.digits(part) for part in parts
    )


def signs(language: Language) -> list[Kind]:
    """Numbers that begin with a sign."""
    decimal = re.escape(language.decimal)

    def signed(match: re.Match[str]) -> list[Reading] | None:
        before = match.string[max(0, match.start() - 1) : match.start()]
        if before and not before.isspace() and before not in "([":
            return None
        word = language.plus if match[0] == "+" else language.minus
        return [Reading(*match.span(), word)]

    def sum_of(match: re.Match[str]) -> str | None:
        return (
            language.plus if match.string[max(0, match.start() - 2) : match.start() - 1].isdecimal() else None
        )

    def key(match: re.Match[str]) -> str | None:
        return (
            language.names[f"key {match[0]}"]
            if word_before(match.string, match.start()) in language.key_words
            else None
        )

    def numbered(match: re.Match[str]) -> list[Reading]:
        return [Reading(*match.span(), language.names["#"])]

    def point(match: re.Match[str]) -> str:
        return f"{language.cardinal(0)} {language.point} {language.fraction(match[1])}"

    def glyph(match: re.Match[str]) -> str | None:
        return language.fractions.get(_GLYPHS[match[0]])

    short_year = kind(r"['’](\d\d)(?!\w)", lambda match: language.cardinal(int(match[1])))
    return [
        *([short_year] if language.decade else []),
        kind(r"[-−+](?=\d)", signed),
        kind(r"[#№][ ]?(?=\d)", numbered),
        kind(r"[+](?=[ ]\d)", sum_of),
        kind(r"[#*](?![\w#*])|\*(?=\d{1,4}(?!\w))", key),
        kind(rf"{decimal}(\d{{1,9}})(?!\w)", point),
        kind(r"[½⅓⅔¼¾⅛]", glyph),
    ]


def decades(language: Language) -> list[Kind]:
    """The 1990s, the 80s, 100s of people, die 90er."""
    decade = language.decade
    if decade is None:
        return []
    return [
        kind(
            rf"({language.decades})(?!\w)",
            lambda match: (
                decade(language, int(language.bare(match[1]))) + ("n" if match[1][-1] == "n" else "")
            ),
        )
    ]


_STREET = re.compile(r"(?:[ ][^\W\d_a-z][\w'.-]{0,20}){1,4}")
_STREETS = frozenset(
    [
        "st",
        "street",
        "ave",
        "avenue",
        "rd",
        "road",
        "dr",
        "drive",
        "ln",
        "lane",
        "blvd",
        "boulevard",
        "way",
        "ct",
        "court",
        "pl",
        "place",
        "hwy",
        "highway",
    ]
)


def _is_place(language: Language, match: re.Match[str]) -> bool:
    """Whether a number is one of a room, a flight, a house: said in pairs."""
    if word_before(match.string, match.start()) in language.paired_words:
        return True
    street = _STREET.match(match.string, match.end())
    return street is not None and any(word.strip(".").lower() in _STREETS for word in street[0].split())


def _is_year(written: str) -> bool:
    return len(written) == 4 and _FIRST_YEAR <= int(written) <= _LAST_YEAR


def _counts(language: Language, word: str) -> bool:
    """Whether `word`, behind four digits, looks like what is counted by them."""
    if word in _MANY:
        return True
    return (
        len(word) > 3 and word.islower() and word.endswith("s") and word not in language.year_words | _VERBS
    )


_MANY = frozenset(("people", "men", "women", "children"))
_VERBS = frozenset(("was", "is", "has", "does", "this", "thus", "always", "perhaps"))
