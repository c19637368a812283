"""What was heard of a text, to the word."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.messages.synthesis import Word


def counts(word: Word, heard: int) -> bool:
    """Whether a word counts as heard: at least half of it was sent."""
    return heard > word.start_unit and 2 * heard >= word.start_unit + word.end_unit


def characters(text: str, words: Iterable[Word], heard: int) -> int:
    """Where in ``text`` the last word ends of which at least half was heard, with what touches it."""
    cut, limit = 0, len(text)
    behind = []
    for word in words:
        if counts(word, heard):
            cut = max(cut, word.char_end)
        else:
            behind.append(word.char_start)
    if cut == 0:
        return 0
    limit = min((start for start in behind if start >= cut), default=limit)
    while cut < limit and not text[cut].isspace():
        cut += 1
    return cut
