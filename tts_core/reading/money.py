"""Money: $1,234.50, 5 €, EUR 20, £3m, 50¢."""

from __future__ import annotations

import re

from tts_core.reading.kind import Kind, Said, kind, longest_first, ranged, word_after, word_before
from tts_core.reading.language import Currency, Language

_PLAIN = frozenset(
    ("mille", "mil", "mila")
)  # thousands are numbers, millions are nouns: mil euros, un millón de euros


def say(
    language: Language, currency: Currency, whole: str, part: str = "", scale: str = "", single: bool = False
) -> str:
    """So much of `currency`: `part` behind the decimal mark, `scale` a word such as million.

    `single`: it stands before what it is the price of, as in a ten dollar bill.
    """
    many = currency.one if single else currency.many
    number = int(language.bare(whole))
    if scale:
        one, more = language.scales[scale.lower()]
        name = one if number == 1 and not part else more
        counted = language.amount(whole, part, language.one_scale)
        joint = language.of_many(many) if language.of_many and name not in _PLAIN else " "
        return f"{counted} {name}{joint}{many}"
    cents = int((part + "0")[:2]) if part else 0
    if len(part) > 2 or (cents and not currency.cent):
        return f"{language.amount(whole, part)} {many}"
    pounds = f"{language.counted(number, currency.un)} {currency.one if number == 1 else many}"
    if not cents:
        return pounds
    pence = f"{language.counted(cents, currency.uncent)} {currency.cent if cents == 1 else currency.cents}"
    return pence if number == 0 else f"{pounds}{language.cent_joint}{pence}"


def figures(language: Language) -> list[Kind]:
    """Amounts that begin with the number."""
    signs = longest_first(language.currencies)

    def after(match: re.Match[str]) -> str | None:
        currency = language.currencies.get(match["sign"])
        if currency is None:
            return None
        part = match["part"] or match["other"] or ""
        return say(language, currency, match["whole"], part, match["scale"] or "") + _each(language, match)

    def cents(match: re.Match[str]) -> str:
        dollar = language.currencies["$"]
        number = int(match[1])
        return f"{language.counted(number, dollar.uncent)} {dollar.cent if number == 1 else dollar.cents}"

    return [
        kind(rf"{_amount(language)}[ ]?(?P<sign>{signs})(?!\w){_per(language)}", after),
        kind(r"(\d{1,3})[ ]?¢", cents),
    ]


def signs(language: Language) -> list[Kind]:
    """Amounts that begin with a sign or the letters of a currency."""
    signs = longest_first(language.currencies)

    def before(match: re.Match[str]) -> Said:
        currency = language.currencies[match["again"] or match["sign"]]
        text, end = match.string, match.end()
        bill = word_before(text, match.start()) in language.articles and word_after(text, end) != ""
        part = match["part"] or match["other"] or ""
        words = say(language, currency, match["whole"], part, match["scale"] or "", bill) + _each(
            language, match
        )
        return ranged(
            match, f"{language.minus} {words}" if match["minus"] or match["less"] else words, language.to
        )

    codes = longest_first(name for name in language.currencies if len(name) == 3 and name.isupper())
    again = rf"(?:[ ](?P<again>{codes})(?!\w))?"  # $5 USD
    pattern = rf"(?P<minus>[-−])?(?P<sign>{signs})[ ]?(?P<less>[-−])?{_amount(language)}(?!\w){again}{_per(language)}"
    point = rf"(?P<sign>{signs}){re.escape(language.decimal)}(?P<part>\d\d)(?!\d)"  # $.99
    return [
        kind(pattern, before),
        kind(point, lambda match: say(language, language.currencies[match["sign"]], "0", match["part"])),
    ]


def _per(language: Language) -> str:
    return rf"(?:[ ]?/[ ]?(?P<period>{longest_first(language.periods)})(?!\w))?"  # $5/month


def _each(language: Language, match: re.Match[str]) -> str:
    return f" {language.per} {language.periods[match['period']]}" if match["period"] else ""


def _amount(language: Language) -> str:
    scales = longest_first(language.scales)
    decimal = re.escape(language.decimal)
    part = rf"(?:{decimal}(?P<part>\d{{1,4}})(?!\d)|[.,][-–—](?!\w)|[.,](?P<other>\d\d)(?![\d.,]\d|\d))?"
    scale = rf"(?:[ ]?(?P<scale>(?i:{scales}))(?!\w))?"
    return rf"(?P<whole>{language.abroad}|{language.number_pattern}){part}{scale}"
