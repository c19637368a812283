"""What a language brings to reading: its words and marks as data, and the few things that it says its own way."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tts_core.reading import numbers


@dataclass(frozen=True)
class Currency:
    """`one` and `many` of it, `cent` and `cents` of its hundredth; `un`: how one is counted of it."""

    one: str
    many: str
    cent: str = ""
    cents: str = ""
    un: str = ""
    uncent: str = ""


@dataclass(frozen=True)
class Unit:
    """`one` and `many` of it; `un`: how one is counted of it, where that is not the number's own name."""

    one: str
    many: str
    un: str = ""


@dataclass(frozen=True)
class Instant:
    """A time of day. `half` is "am", "pm" or "" as it was written; `marked`: by a word such as Uhr."""

    hour: int
    minute: int
    second: int | None = None
    half: str = ""
    marked: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Language:
    """One language, or one country's way with it. `code` is num2words' name of it.

    Patterns are pieces of regular expressions, words in lower case unless they are spoken. `titles`: what
    follows these belongs to them, so that their full stop ends no sentence; `starters`: capital words that begin
    one, where another would not tell (`nouns_capital`: in this language none other does). `article`: one of
    what is counted, of the words before and after the number, empty where nothing is; `agreed`: a number with
    such an article in its place, as veintiuna has una. `postcode`: what stands before one.
    """

    tag: str
    code: str
    # numbers
    decimal: str = ","
    grouped: str = r"\d{1,3}(?:\.\d{3}){1,4}"
    point: str
    spell_decimals: bool = False
    minus: str
    plus: str
    to: str
    times: str
    over: str
    scales: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    fractions: Mapping[tuple[int, int], str] = field(default_factory=dict)
    ordinals: str = r"(?!)"
    ordinal: Callable[[Language, int, str, str], str]
    article: Callable[[str, str], str] | None = None
    agreed: Callable[[Language, int, str], str] | None = None
    digit_words: frozenset[str] = frozenset()
    year_words: frozenset[str] = frozenset()
    year: Callable[[Language, int], str] | None = None
    bare_years: bool = False
    years_after: frozenset[str] = frozenset()
    oblique_words: frozenset[str] = frozenset()
    decade: Callable[[Language, int], str] | None = None
    decades: str = ""
    paired: Callable[[Language, str], str] | None = None
    paired_words: frozenset[str] = frozenset()
    suffixed: bool = False
    # dates and times
    months: Mapping[str, int] = field(default_factory=dict)
    month_first: bool = False
    date_marks: str = "./-"
    dotted_dates: bool = False
    date: Callable[[Language, int, int, int | None, str], str]
    day: Callable[[Language, int, str, str], str]
    day_joint: str = ""
    month_name: Callable[[Language, int], str]
    weekdays: Mapping[str, str] = field(default_factory=dict)
    clock: Callable[[Language, Instant], str]
    clock_marks: str = ":"
    clock_words: frozenset[str] = frozenset()
    hour_words: str = ""
    halves: Mapping[str, str] = field(default_factory=dict)
    # money and measures
    currencies: Mapping[str, Currency] = field(default_factory=dict)
    cent_joint: str = " "
    of_many: Callable[[str], str] | None = None
    one_scale: str = ""
    units: Mapping[str, Unit] = field(default_factory=dict)
    per: str
    periods: Mapping[str, str] = field(default_factory=dict)
    percent: str
    one_percent: str = ""
    # telephones
    telephone: str = r"(?!)"
    pairs: bool = False
    emergency: frozenset[str] = frozenset()
    postcode: str = ""
    key_words: frozenset[str] = frozenset()
    # words
    shortened: Mapping[str, str] = field(default_factory=dict)
    before_capital: Mapping[str, str] = field(default_factory=dict)
    titles: frozenset[str] = frozenset()
    starters: frozenset[str] = frozenset()
    nouns_capital: bool = False
    endings: Mapping[str, str] = field(default_factory=dict)
    articles: frozenset[str] = frozenset()
    determiners: frozenset[str] = frozenset()
    placed: Mapping[str, str] = field(default_factory=dict)
    before_number: Mapping[str, str] = field(default_factory=dict)
    acronyms: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    shouts: bool = True
    vowels: str = "aeiouy"
    regnal: Callable[[Language, int], str] | None = None
    regnal_names: frozenset[str] = frozenset()
    counted_names: frozenset[str] = frozenset()
    century: Callable[[Language, int], str] | None = None
    century_words: frozenset[str] = frozenset()
    letters: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    def cardinal(self, number: int) -> str:
        """`number` in words; digit by digit when it is too long for that."""
        if abs(number) >= 10**numbers.LONGEST:
            return self.digits(str(number))
        words = numbers.cardinal(self.code, number)
        return words.replace(" and ", " ") if self.tag == "en-us" else words

    def counted(self, number: int, un: str = "") -> str:
        """`number` before what is counted; `un` for one of it, whose gender the number takes."""
        if number == 1 and un:
            return un
        return self.agreed(self, number, un) if self.agreed and un else self.cardinal(number)

    def digits(self, text: str) -> str:
        """The digits in `text` one by one."""
        return " ".join(self.cardinal(int(char)) for char in text if char.isdecimal())

    def fraction(self, digits: str) -> str:
        """What stands behind the decimal mark."""
        if self.spell_decimals or len(digits) > 2:
            return self.digits(digits)
        zeros = len(digits) - len(digits.lstrip("0০"))
        head = [self.cardinal(0)] * min(zeros, len(digits) - 1 if zeros == len(digits) else zeros)
        return " ".join([*head, self.cardinal(int(digits))])

    def amount(self, whole: str, digits: str = "", un: str = "") -> str:
        """A number as it was written, `digits` after its decimal mark."""
        number = int(self.bare(whole))
        if not digits:
            return self.counted(number, un)
        return f"{self.cardinal(number)} {self.point} {self.fraction(digits)}"

    def bare(self, whole: str) -> str:
        """The digits of a number without the marks between its thousands."""
        return "".join(char for char in whole if char.isdecimal())

    def said_year(self, number: int) -> str:
        """`number` as a year."""
        return self.year(self, number) if self.year else self.cardinal(number)

    def spelled(self, letters: str) -> str:
        """Letters and digits one by one."""
        return " ".join(self.letter(char) for char in letters if not char.isspace())

    def letter(self, char: str) -> str:
        """The name of one letter, digit or sign."""
        if char.isdecimal():
            return self.cardinal(int(char))
        upper = char.upper() if len(char.upper()) == 1 else char
        return self.names.get(char) or self.letters.get(upper, upper)

    @cached_property
    def number_pattern(self) -> str:
        """The whole part of a number as it is written here, no digit behind it."""
        return rf"(?:{self.grouped}|\d{{1,15}})(?!\d)"

    @cached_property
    def decimals(self) -> str:
        """A measure's decimal mark and the `part` behind it: a full stop, too, where it parts no thousands."""
        mark = re.escape(self.decimal) if self.decimal == "." else r"(?:,|\.(?!\d{3}(?!\d)))"
        return rf"(?:{mark}(?P<part>\d{{1,9}})(?!\d))?"

    @cached_property
    def abroad(self) -> str:
        """The whole part of an amount as it is written where comma and full stop change places."""
        group, mark = ("\\.", ",") if self.decimal == "." else (",", "\\.")
        return rf"\d{{1,3}}(?:{group}\d{{3}}){{1,4}}(?={mark}\d\d(?!\d))"

    @cached_property
    def open_words(self) -> frozenset[str]:
        """Words, in lower case and without a full stop, that may be read together with what follows."""
        words = {
            *self.months,
            *self.shortened,
            *self.before_capital,
            *self.before_number,
            *self.digit_words,
            *self.year_words,
            *self.scales,
            *self.weekdays,
            *self.counted_names,
            *self.paired_words,
            *self.key_words,
            *self.oblique_words,
            *self.articles,
            *self.determiners,
            *self.clock_words,
            *self.placed,
            *self.regnal_names,
            *self.century_words,
            *self.halves,
            *(code.lower() for code in self.currencies),
            *self.names.get("of", "").split(),
        }
        return frozenset(word.rstrip(".") for word in words if word) | frozenset(words)
