"""Times of day: 10:30 am, 14:30 Uhr, 14h30, 10 p.m."""

from __future__ import annotations

import re

from tts_core.reading.kind import Kind, Said, kind, longest_first, ranged, word_before
from tts_core.reading.language import Instant, Language


def figures(language: Language) -> list[Kind]:
    """Times, all of which begin with a digit."""
    halves = longest_first(language.halves)
    half = rf"(?:[ ]?(?P<half>(?i:{halves}))(?!\w))" if language.halves else r"(?P<half>(?!))"
    word = rf"(?:[ ]?(?P<word>{language.hour_words})(?!\w))" if language.hour_words else r"(?P<word>(?!))"

    def said(match: re.Match[str]) -> Said:
        found = match.groupdict()
        hour, minute = int(match["hour"]), int(found.get("minute") or 0)
        second = int(found["second"]) if found.get("second") else None
        name = language.halves.get((match["half"] or "").lower(), "")
        if hour > 24 or minute > 59 or (second or 0) > 59 or (name and not 1 <= hour <= 12):
            return None
        instant = Instant(hour, minute, second, name, bool(match["word"]))
        return ranged(match, language.clock(language, instant), language.to)

    def dotted(match: re.Match[str]) -> Said:
        return said(match) if word_before(match.string, match.start()) in language.clock_words else None

    until = rf"(?=(?:[ ]?[-–][ ]?|[ ]{language.to}[ ])\d\d?\.\d\d[ ](?:{language.hour_words})(?!\w))"
    found = [
        kind(
            rf"(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d))?(?![\d:])(?!\.\d)(?:{half}|{word})?(?!\w)",
            said,
        ),
        kind(rf"(?P<hour>\d\d?)(?:[.](?P<minute>\d\d))?(?!\d)(?:{half}|{word})", said),
    ]
    if "." in language.clock_marks:
        found.append(kind(rf"(?P<hour>\d\d?)\.(?P<minute>\d\d)(?P<half>(?!))?(?P<word>){until}", said))
        found.append(
            kind(r"(?P<hour>\d\d?)\.(?P<minute>\d\d)(?P<half>(?!))?(?P<word>(?!))?(?![\d.])", dotted)
        )
    if "h" in language.clock_marks:
        found.append(
            kind(r"(?P<hour>\d\d?)[ ]?h(?:[ ]?(?P<minute>\d\d))?(?P<half>(?!))?(?P<word>)(?!\w)", said)
        )
    return found
