"""A long text read a block at a time, so that its first words do not wait for its last."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tts_core.reading.reading import Aloud, Reading, aloud

_FIRST, _NEXT = 400, 2000  # characters; a block ends at the first sentence's end behind them
_REACH = 2000  # characters searched for one
_CUT = re.compile(
    r"[.!?…][\"'”’»)\]]{0,2}[ \n]{1,64}(?=[\"'“‘«¿¡(]{0,2}[^\W_])(?![a-zà-öø-ÿ])|[।॥。！？][ \n]{0,64}|\n[ \n]{0,64}\n[ \n]{0,64}"
)


def blocks(text: str, start: int, end: int, readings: Iterable[Reading]) -> Iterator[Aloud]:
    """`text[start:end]` with its readings, in blocks that end where a sentence does and no reading is cut."""
    coming = iter(readings)
    held = next(coming, None)
    at, least = start, _FIRST
    while at < end:
        mine: list[Reading] = []
        stop = _cut(text, at + least, end)
        while held is not None and held.start < stop:
            # what is read at the end of a block may be an abbreviation: the block goes on
            while held.end > stop or (held.end < stop and not text[held.end : stop].strip(" \n")):
                if stop == end:
                    break
                stop = _cut(text, max(held.end, stop) + 1, end)
            mine.append(held)
            held = next(coming, None)
        yield aloud(text, at, stop, mine)
        at, least = stop, _NEXT


def _cut(text: str, begin: int, end: int) -> int:
    """The end of the sentence that ends behind `begin`, or else of a word."""
    if begin >= end:
        return end
    match = _CUT.search(text, begin, min(end, begin + _REACH))
    if match is not None:
        return match.end()
    space = text.find(" ", min(end, begin + _REACH), min(end, begin + 2 * _REACH))
    return space + 1 if space >= 0 else min(end, begin + 2 * _REACH)
