"""Web and mail addresses, file paths of the web, @names and #tags, as one reads them to somebody who writes them down."""

from __future__ import annotations

import re

from tts_core.reading.codes import one_by_one
from tts_core.reading.kind import Kind, kind
from tts_core.reading.language import Language
from tts_core.reading.reading import Reading

_TOP = (
    r"com|org|net|edu|gov|mil|int|info|biz|io|ai|app|dev|eu|de|at|ch|fr|be|es|it|uk|us|ca|mx|bd|in|nl|pt|pl|se|dk|no"
    r"|fi|cz|ie|au|nz|jp|cn|br|ru|tv|me|co"
)
_SAID_TOPS = frozenset(("com", "org", "net", "info", "biz", "gov", "app"))
_LABEL = r"[^\W_](?:[\w-]{0,62}[^\W_])?"
_HOST = rf"(?:{_LABEL}\.){{1,6}}(?:{_TOP})(?![\w-])"
_PATH = r"(?::\d{1,5})?(?:[/?#][\w\-./?=&%#+~:@]{0,200}[\w/])?/?"
_PART = re.compile(r"\d+|[^\W\d_]+|.", re.DOTALL)
_SYLLABLE = re.compile(r"[^aeiouyäöüáéíóúàèìòùâêîôûœæ]*[aeiouyäöüáéíóúàèìòùâêîôûœæ]", re.IGNORECASE)


def kinds(language: Language) -> list[Kind]:
    """Addresses, which begin with a letter or a digit."""

    def address(match: re.Match[str]) -> list[Reading]:
        scheme = match["scheme"]
        start = match.start() + len(scheme or "")
        readings = [Reading(match.start(), start, "")] if scheme else []
        return readings + _parts(language, match.string, start, match.end())

    def mail(match: re.Match[str]) -> list[Reading]:
        start = match.end("scheme") if match["scheme"] else match.start()
        readings = [Reading(match.start(), start, "")] if match["scheme"] else []
        return readings + _parts(language, match.string, start, match.end())

    return [
        kind(rf"(?P<scheme>mailto:)?[\w.+%-]{{1,64}}@(?:{_LABEL}\.){{1,6}}[^\W\d_]{{2,24}}(?![\w-])", mail),
        kind(rf"(?P<scheme>(?i:https?|ftp|sips?|tel)://?)[\w.:@-]{{0,119}}\w{_PATH}", address),
        kind(
            rf"(?P<scheme>(?!))?(?:[wW]{{3}}\.(?:{_LABEL}\.){{1,6}}[^\W\d_]{{2,24}}|{_HOST}){_PATH}", address
        ),
    ]


def signs(language: Language) -> list[Kind]:
    """@names and #tags."""

    def name(match: re.Match[str]) -> list[Reading]:
        sign = Reading(
            match.start(), match.start() + 1, language.names[match[0][0]] if match[0][0] == "@" else "hashtag"
        )
        return [sign, *_parts(language, match.string, match.start() + 1, match.end())]

    return [kind(r"@\w{1,64}(?!\w)", name), kind(r"#[^\W\d_]\w{0,63}", name)]


def _parts(language: Language, text: str, start: int, end: int) -> list[Reading]:
    readings = []
    for each in _PART.finditer(text[start:end]):
        at = start + each.start()
        part = each[0]
        if part.isdecimal():
            readings += one_by_one(language, text, at, at + len(part))
        elif part.isalpha():
            if _is_word(part, text, at):
                readings.append(Reading(at, at + len(part), part))
            else:
                readings += [
                    Reading(at + char, at + char + 1, language.letter(part[char]))
                    for char in range(len(part))
                ]
        else:
            readings.append(Reading(at, at + 1, language.names.get(part, "")))
    return readings


def _is_word(part: str, text: str, at: int) -> bool:
    """Whether letters of an address are said as a word."""
    if not part.isascii():
        return True
    if at and text[at - 1] == "." and re.match(rf"(?:{_TOP})$", part):
        return part in _SAID_TOPS
    return len(part) >= 3 and _SYLLABLE.match(part) is not None and not re.search(r"[^aeiouyAEIOUY]{5}", part)
