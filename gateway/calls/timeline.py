"""Where each generation of a leg's ring ended: the arithmetic that makes ``sent`` the truth about what was heard.

Control cuts (``cut``), the pacer lets go (``begun``), and only then is anything laid for the new generation.
In between, control may see ``sent`` before it sees the messages that explain it, so nothing here relies on
the order in which the two arrive.
"""

from __future__ import annotations

from typing import Final

_KEPT: Final = 16
"""Generations remembered: messages are late by milliseconds, cuts are not that frequent."""


class Timeline:
    """The generations of one leg, oldest first; a leg opens with the generation and position given."""

    def __init__(self, generation: int, position: int) -> None:
        self._begins = {generation: position}
        self._asked: dict[int, int] = {}
        self.begun_generation = generation

    def cut(self, generation: int, at: int) -> None:
        """Control has cut: older generations end at ``at``, as far as is known before the pacer says."""
        self._asked[generation] = at

    def begun(self, generation: int, position: int) -> None:
        """``generation`` began at ``position``: what older ones had beyond it was never sent."""
        self._begins[generation] = min(position, self._begins.get(generation, position))
        self.begun_generation = max(generation, self.begun_generation)
        self._asked = {newer: at for newer, at in self._asked.items() if newer > self.begun_generation}
        while len(self._begins) > _KEPT:
            del self._begins[min(self._begins)]

    def limit(self, generation: int, sent: int) -> int:
        """The position below which ``sent`` counts for what was laid for ``generation``."""
        begins = [position for newer, position in self._begins.items() if newer > generation]
        asked = [at for newer, at in self._asked.items() if newer > generation]
        return min([sent, *begins, *asked])
