"""Numbers with a unit: 3.5 kg, 20 °C, 100 km/h, 50 %, 5'10"."""

from __future__ import annotations

import re

from tts_core.reading.kind import Kind, kind, longest_first, word_after, word_before
from tts_core.reading.language import Language, Unit

_HIGHEST_FLOOR = 12  # of what is counted by a degree sign: more are degrees


def figures(language: Language) -> list[Kind]:
    """Measures, all of which begin with a digit."""
    units = longest_first(language.units)
    number = rf"(?P<whole>{language.number_pattern}){language.decimals}"

    def measure(match: re.Match[str]) -> str | None:
        unit = language.units[match["unit"]]
        whole, part = match["whole"], match["part"] or ""
        text, end = match.string, match.end()
        floor = match["unit"] == "°" and "°" in language.ordinals and not part and word_after(text, end)
        if floor and int(language.bare(whole)) <= _HIGHEST_FLOOR:
            return None  # 3° piano
        before = word_before(text, match.start()) in language.articles and word_after(text, end) != ""
        name = unit.one if before else _name(language, unit, whole, part)
        words = f"{language.amount(whole, part, unit.un)} {name}"
        if match["per"]:
            words += f" {language.per} {language.units[match['per']].one}"
        return words

    def percent(match: re.Match[str]) -> str:
        return (
            f"{language.amount(match['whole'], match['part'] or '', language.one_percent)} {language.percent}"
        )

    def height(match: re.Match[str]) -> str:
        return f"{language.cardinal(int(match[1]))} {language.units['ft'].one} {language.cardinal(int(match[2]))}"

    found = [kind(r"(\d)['’′](\d\d?)(?:[\"”″]|''|(?=[ ,.]))", height)] if "ft" in language.units else []
    return [
        *found,
        kind(rf"{number}[ ]?%(?!\w)", percent),
        kind(rf"{number}[ ]?-?(?P<unit>{units})(?:/(?P<per>{units}))?(?![\w/])", measure),
    ]


def _name(language: Language, unit: Unit, whole: str, part: str) -> str:
    return unit.one if int(language.bare(whole)) == 1 and not part else unit.many
