"""When a synthesis worker dies, what it laid goes on being sent up to the first word that is not whole.

The next worker says the rest from there (a handover). It was told where to begin, so when something cuts what was
laid before that, it is let go, and the leg is given out anew from what was heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.calls.utterance import Utterance

_MARGIN: Final = 10
"""Units that lie before a handover at least: the pacer may send some of them before it sees the cut."""


@dataclass(slots=True)
class Handover:
    """What an earlier worker laid is sent up to ring position ``at``, where ``generation`` begins."""

    generation: int
    at: int


@dataclass(frozen=True, slots=True)
class Seam:
    """Where the next worker is to begin: at ring position ``at``, in the midst of ``broken`` if there is one."""

    at: int
    broken: Utterance | None

    @classmethod
    def find(cls, speaking: Sequence[Utterance], end: int, sent: int, packet_units: int) -> Seam:
        """The seam of a ring that is laid up to ``end`` with these utterances, in order."""
        for utterance in speaking:
            if utterance.begin is not None and not (utterance.settled and utterance.known_to <= end):
                return cls(_cut_in(utterance, end, sent, packet_units), utterance)
        return cls(end, None)

    def sew(self, speaking: Sequence[Utterance]) -> None:
        """Note where each of these utterances goes on."""
        for utterance in speaking:
            if utterance is self.broken:
                assert utterance.begin is not None
                utterance.go_on_at(max(0, self.at - utterance.begin))
            elif utterance.laying is None:
                utterance.go_on_at(utterance.heard)


def _cut_in(utterance: Utterance, end: int, sent: int, packet_units: int) -> int:
    """Where to cut the utterance that the ring holds up to ``end``: before a word that is not whole.

    At ``end`` when there is no such word, or its beginning is as good as sent.
    """
    assert utterance.begin is not None
    word = utterance.word_from(end - utterance.begin)
    if word is None:
        return end
    at = utterance.begin + word
    at -= at % packet_units
    return at if sent + _MARGIN <= at < end else end
