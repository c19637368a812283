"""One kind of thing that is read in its own way: how it looks, and how it is said."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tts_core.reading.reading import Reading

Said = str | list[Reading] | None
"""Words for all of it; or readings of its parts, in order; None: it is something else."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`pattern` matches where it begins, and is bounded in length; `say` says it."""

    pattern: re.Pattern[str]
    say: Callable[[re.Match[str]], Said]


def kind(pattern: str, say: Callable[[re.Match[str]], Said]) -> Kind:
    """A kind whose pattern ignores white space and, but for what says otherwise, minds case."""
    return Kind(re.compile(pattern), say)


LETTER = r"(?:[^\W\d_]|[\u0300-\u036f\u0900-\u0903\u093a-\u094f\u0981-\u0983\u09bc-\u09cd\u09d7\u200c\u200d])"
"""A letter, or a mark that belongs to one."""

_BEFORE = re.compile(rf"({LETTER}{{1,24}})[.]?\s{{0,2}}[:#]?\s{{0,2}}$")
_LINKS = re.compile(
    r"\s(?:is|ist|lautet|est|es|è|sono|number|no\.?|ending in|ends in)\s{0,2}[:#]?\s{0,2}$", re.IGNORECASE
)
_AFTER = re.compile(rf"[ ]({LETTER}{{1,24}})")


def word_before(text: str, at: int) -> str:
    """The word that stands before `at`, in lower case; an `is` between is passed over."""
    near = text[max(0, at - 40) : at]
    near = _LINKS.sub(" ", near)
    match = _BEFORE.search(near)
    return match[1].lower() if match else ""


def cased_before(text: str, at: int) -> str:
    """The word that stands right before `at`, as it is written."""
    match = _BEFORE.search(text[max(0, at - 30) : at])
    return match[1] if match else ""


def word_after(text: str, at: int) -> str:
    """The word that follows at `at` after one space, as it is written."""
    match = _AFTER.match(text, at)
    return match[1] if match else ""


_ENDS = re.compile(r"[\"'”’»)\]]?(?:\s+(?=[\"'“‘«¿¡(]?[^\W\d_a-zà-öø-ÿ])|\s*$)")
_NEXT = re.compile(rf"[\"'”’»)\]]?\s+[\"'“‘«¿¡(]?({LETTER}+)")


def ends_sentence(text: str, at: int, starters: frozenset[str] = frozenset()) -> bool:
    """Whether the sentence ends at `at`, behind a full stop that also belongs to what it shortens.

    A capital letter tells that the next one begins; with `starters`, one of these words does, in lower case.
    """
    if _ENDS.match(text, at) is None:
        return False
    word = _NEXT.match(text, at) if starters else None
    return word is None or word[1].lower() in starters


_DASH = re.compile(  # one with spaces leads to another time or amount alone
    r"[-–](?=[$€£৳₹]?\d)|[ ][-–][ ](?=[$€£৳₹]\d|\d\d?[:.h]\d\d(?!\d)|\d\d?[ ]?(?:h|[ap]\.?m)\b)"
)


def ranged(match: re.Match[str], words: str, to: str) -> Said:
    """`words` for all of `match`, and `to` for the dash that leads from it to another."""
    dash = _DASH.match(match.string, match.end())
    if dash is None:
        return words
    return [Reading(*match.span(), words), Reading(*dash.span(), to)]


def longest_first(words: Iterable[str]) -> str:
    """An alternation of literal `words`, the longest first, behind a look at their first characters."""
    ordered = sorted(words, key=lambda word: (-len(word), word))
    if not ordered:
        return "(?!)"
    firsts = "".join(sorted({re.escape(word[0]) for word in ordered}))
    return f"(?=[{firsts}])(?:{'|'.join(map(re.escape, ordered))})"
