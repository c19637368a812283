"""When each character of a text is said, from when its words are: ElevenLabs' ``alignment``. Pure.

Characters share the time of their word evenly. What stands between two words takes none: it is told with the word
before it, at that word's end. Each character is told once, in the order of the text.

A client that is told times in pieces adds them up by itself, and by one of two rules. Without ``sync_alignment``
each piece begins at 0 and its clock goes on by the end of the piece's last character (pipecat 1.14); with it, all
times count from the beginning of the speech (livekit-plugins-elevenlabs 1.8).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any


@dataclass(frozen=True, slots=True)
class Said:
    """A word: ``text[char_start:char_end]``, and when it is said, in ms from the beginning of the speech."""

    start_ms: float
    end_ms: float
    char_start: int
    char_end: int

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Said:
        """As an utterance tells of a word."""
        return cls(told["start_ms"], told["end_ms"], told["char_start"], told["char_end"])


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters and when each begins and how long it lasts, all in ms."""

    chars: tuple[str, ...]
    starts_ms: tuple[int, ...]
    durations_ms: tuple[int, ...]

    def over_websocket(self) -> dict[str, list[Any]]:
        """As ``stream-input`` has it."""
        return {
            "chars": [*self.chars],
            "charStartTimesMs": [*self.starts_ms],
            "charDurationsMs": [*self.durations_ms],
        }

    def over_http(self) -> dict[str, list[Any]]:
        """As ``stream/with-timestamps`` has it: in seconds, with ends."""
        ends = (start + length for start, length in zip(self.starts_ms, self.durations_ms, strict=True))
        return {
            "characters": [*self.chars],
            "character_start_times_seconds": [start / 1000 for start in self.starts_ms],
            "character_end_times_seconds": [end / 1000 for end in ends],
        }


class Alignment:
    """Turns words, as they are said, into pieces. ``absolute``: times are never set back to 0."""

    def __init__(self, *, absolute: bool) -> None:
        self._absolute = absolute
        self._told = 0  # characters
        self._clock_ms = 0  # the end of the last of them, and so how far the client's clock has come

    def say(self, text: str, words: list[Said]) -> Piece | None:
        """The piece that these words make, ``text`` being all that is known of it. None when there is none."""
        chars: list[str] = []
        times: list[tuple[int, int]] = []
        for index, word in enumerate(words):
            if word.char_end <= self._told:
                continue  # an engine told one part of a word after another
            begin = max(round(word.start_ms), self._now(times))
            end = max(round(word.end_ms), begin)
            gap, spoken = text[self._told : max(word.char_start, self._told)], word.char_end
            own = text[max(word.char_start, self._told) : spoken]
            chars += [*gap, *own]
            times += [(self._now(times), self._now(times))] * len(gap)
            edges = [begin + round((end - begin) * part / len(own)) for part in range(len(own) + 1)]
            times += pairwise(edges)
            follows = words[index + 1].char_start if index + 1 < len(words) else self._gap_end(text, spoken)
            between = text[spoken : max(follows, spoken)]
            chars += between
            times += [(end, end)] * len(between)
            self._told = spoken + len(between)
        return self._piece(chars, times)

    def rest(self, text: str, end_ms: float) -> Piece | None:
        """What no word has told of ``text``, at its end."""
        begin = max(self._clock_ms, round(end_ms))
        chars = [*text[self._told :]]
        self._told = len(text)
        return self._piece(chars, [(begin, begin)] * len(chars))

    def _now(self, times: list[tuple[int, int]]) -> int:
        return times[-1][1] if times else self._clock_ms

    @staticmethod
    def _gap_end(text: str, at: int) -> int:
        """Where the next word may begin, so far as the text is written."""
        while at < len(text) and not text[at].isalnum() and not text[at].isspace():
            at += 1
        while at < len(text) and text[at].isspace():
            at += 1
        return at

    def _piece(self, chars: list[str], times: list[tuple[int, int]]) -> Piece | None:
        if not chars:
            return None
        zero = 0 if self._absolute else self._clock_ms
        self._clock_ms = times[-1][1]
        return Piece(
            tuple(chars),
            tuple(start - zero for start, _ in times),
            tuple(end - start for start, end in times),
        )
