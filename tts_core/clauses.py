"""Cut text into clauses, the unit in which every engine speaks.

A clause ends at sentence or clause punctuation of the common scripts. The first one is kept short, so
that the first audio comes soon; no clause is longer than 400 characters, so that the next does too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LIMIT = 200  # characters: without punctuation a clause is cut at a space before this
LONGEST = 2 * LIMIT  # …unless that would cut a word shorter than this
_SHORTEST = 16  # characters: a comma ends a clause only when there is this much of it
_FIRST = 60  # characters: a first clause longer than this is cut before a conjunction

WIDE_STOPS = "。！？｡।॥።፧።။༎។"  # sentence ends that need no space after them
WIDE_COMMAS = "、，；：､၊፣"
STOPS = ".!?…؟۔։" + WIDE_STOPS
COMMAS = ",;:،؛" + WIDE_COMMAS
_CLOSERS = "\"'”’»›)]}」』】》〉）"

# Bounded runs, so that a page of dots is many clauses and not one.
_BOUNDARY = re.compile(
    rf"(?P<stop>[{re.escape(STOPS)}]{{1,32}}[{re.escape(_CLOSERS)}]{{0,8}})"
    rf"|(?P<comma>[{re.escape(COMMAS)}]{{1,32}}[{re.escape(_CLOSERS)}]{{0,8}})"
    r"|(?P<dash> [–—]{1,8}(?= )|—)"
    r"|(?P<paragraph>\n[ \n]{0,64}\n)"
)
_CONJUNCTION = re.compile(
    r" (?=(?:and|but|or|because|so that|which|while|und|aber|oder|weil|et|mais|ou|y|pero|e|ma|mas|porque) )"
)
_GLUE = "\u00a0"
"""See `reading.reading.GLUE`; cleaned text has none of its own."""
_TITLES = re.compile(  # a name or a number follows: never the end
    r"dr|mr|mrs|ms|mx|prof|st|sr|jr|gen|col|capt|lt|sgt|rev|hon|rep|sen|gov|vs|fig|no|nr|str|hr|fr|frl|sra"
    r"|mme|mlle|z\.b|e\.g|i\.e|ca|cf|bzw"
)
_SHORTENED = re.compile(  # the end if a capital letter follows
    r"etc|inc|ltd|co|corp|approx|dept|est|ext|min|max|usw|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"
    r"|[ap]\.m|u\.s|u\.k"
)
_DOTTED = re.compile(r"(?:[^\W\d_]{1,2}\.)*[^\W\d_]")  # J, U.S, Ph.D
_COMBINING = re.compile(r"[\u0300-\u036f\u0900-\u0903\u093a-\u094f\u200c\u200d\u09bc-\u09cd\u0e31-\u0e4e]")


def split(text: str, start: int, end: int, first: bool = True) -> Iterator[tuple[int, int]]:
    """Yield the clauses of `text[start:end]` (cleaned text) as (start, end), in order and disjoint.

    No range begins or ends with white space, none is empty, and together they hold every other
    character. Lazy: a range costs a look at no more than about 400 characters. `first`: somebody waits for the
    first of them, which is kept short.
    """
    at = start
    while (at := _skip_space(text, at, end)) < end:
        cut = _cut(text, at, end, first)
        yield at, _trim(text, at, cut)
        at, first = cut, False


def _skip_space(text: str, at: int, end: int) -> int:
    while at < end and text[at].isspace():
        at += 1
    return at


def _trim(text: str, start: int, end: int) -> int:
    while end > start and text[end - 1].isspace():
        end -= 1
    return end


def _cut(text: str, start: int, end: int, first: bool) -> int:
    """Where the clause that begins at `start` ends: after its punctuation, or at a space."""
    reach = min(end, start + LIMIT)
    for match in _BOUNDARY.finditer(text, start, reach):
        # read the run again from the whole text: the window may have cut it short
        whole = _BOUNDARY.match(text, match.start(), end)
        if whole is not None and _ends(text, start, whole, end):
            return _before_conjunction(text, start, whole.end(), first)
    if end - start <= LIMIT:
        return _before_conjunction(text, start, end, first)
    return _before_conjunction(text, start, _at_space(text, start, end, first), first)


def _ends(text: str, start: int, match: re.Match[str], end: int) -> bool:
    if match["paragraph"]:
        return True
    if match["dash"]:
        return match.start() - start >= _SHORTEST
    mark, after = text[match.start()], match.end()
    followed = after == end or text[after].isspace()
    if match["comma"]:
        return (followed or mark in WIDE_COMMAS) and match.start() - start >= _SHORTEST
    if mark in WIDE_STOPS:
        return True
    return followed and (match.group() != "." or not _abbreviated(text, start, match.start(), end))


def _abbreviated(text: str, start: int, dot: int, end: int) -> bool:
    """Whether the full stop at `dot` belongs to the word before it and ends no sentence."""
    begin = dot
    while (
        begin > start and dot - begin < 12 and not (text[begin - 1].isspace() or text[begin - 1] in "([\"'“‘")
    ):
        begin -= 1
    if begin > start and text[begin - 1] == _GLUE:
        return False  # letters that were read already, as FAQ is: the full stop behind them is the sentence's
    word = text[begin:dot].lower()
    following = _skip_space(text, dot + 1, end)
    if following == end:
        return False
    if _TITLES.fullmatch(word):
        return True
    if word.isdecimal():
        return begin == start or text[following].islower()  # "1. Open the door", "am 3. des Monats"
    if _SHORTENED.fullmatch(word):
        return not text[following].isupper()
    return _DOTTED.fullmatch(word) is not None


def _at_space(text: str, start: int, end: int, first: bool) -> int:
    """A cut at the last space before LIMIT, else at the first before LONGEST, else through the word."""
    before = text.rfind(" ", start + LIMIT // 2, start + LIMIT + 1)
    if before >= 0:
        return before
    after = text.find(" ", start + LIMIT, min(end, start + LONGEST))
    if after >= 0:
        return after
    if end - start <= LONGEST:
        return end
    reach = _FIRST if first else LIMIT
    cut = start + reach
    while cut > start + reach // 2 and _COMBINING.match(text[cut]):
        cut -= 1
    return cut


def _before_conjunction(text: str, start: int, cut: int, first: bool) -> int:
    """A nearer cut when the first clause of an utterance is long."""
    if not first or cut - start <= _FIRST:
        return cut
    match = _CONJUNCTION.search(text, start + _SHORTEST, cut - _SHORTEST)
    return match.start() if match else cut
