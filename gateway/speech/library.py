"""Every track of this process: those that grow, and an LRU cache of those that are complete."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Collection
from typing import Final

from gateway.speech.recipe import Origin, Recipe
from gateway.speech.track import Failure, Stretch, Track
from tts_core.elsewhere import ROUTE

_ENTRY_SHARE: Final = 32
"""No entry takes more than this part of the cache: one long text must not push out hundreds of short ones."""

_GROWING_SHARE: Final = 4
"""Tracks that grow in order to be cached take no more than this part of the cache on top of it."""

_BOOKKEEPING: Final = 1024
"""Octets that an entry costs beside its audio and its text, so that empty utterances are not free."""


class Library:
    """Finds tracks by recipe. ``capacity`` is in octets (see ``cost``); 0 caches nothing.

    Two utterances with the same recipe share a track while it grows; the second finds all its audio so far.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._complete: OrderedDict[Recipe, Track] = OrderedDict()  # least recently used first
        self._growing: dict[Recipe, Track] = {}
        self._growing_octets = 0  # of the tracks in _growing
        self.octets = 0
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        """Complete tracks in the cache."""
        return len(self._complete)

    def find(self, recipe: Recipe) -> Track:
        """The cached track, one that grows, or a new one. Only a complete one is counted as a hit."""
        track = self._complete.get(recipe)
        if track is not None:
            self.hits += 1
            self._complete.move_to_end(recipe)
            return track
        self.misses += 1
        track = self._growing.get(recipe)
        if track is None:
            track = Track(recipe, kept=self._capacity > 0 and recipe.cacheable)
            if track.kept:
                self._growing[recipe] = track
        return track

    def holds(self, recipe: Recipe) -> bool:
        """Whether its audio is made, or being made for somebody."""
        return recipe in self._complete or recipe in self._growing

    def grow(self, track: Track, stretch: Stretch) -> None:
        """Append what was made; a kept track enters the cache with its last stretch."""
        before = track.octets
        track.grow(stretch)
        if not track.kept:
            return
        self._growing_octets += track.octets - before
        if (
            stretch.passing
            or track.octets * _ENTRY_SHARE > self._capacity
            or self._growing_octets * _GROWING_SHARE > self._capacity
        ):
            self._leave(track)
            track.let_go()
        elif track.complete:
            self._leave(track)
            self._store(track)

    def fail(self, track: Track, failure: Failure) -> None:
        """No more comes of this track. It is not cached: the next one to ask has another try."""
        self._leave(track)
        track.fail(failure)

    def abandon(self, track: Track) -> None:
        """Nobody listens to this growing track any more."""
        self._leave(track)
        track.let_go()

    def forget(self, voices: Collection[str] | None) -> None:
        """Cache nothing that these voices said, None: any: they are gone, or say it otherwise now."""
        for recipe in [recipe for recipe in self._complete if _said_by(recipe, voices)]:
            self.octets -= cost(self._complete.pop(recipe))
        for track in [track for recipe, track in self._growing.items() if _said_by(recipe, voices)]:
            self.abandon(track)

    def _leave(self, track: Track) -> None:
        if self._growing.get(track.recipe) is track:
            del self._growing[track.recipe]
            self._growing_octets -= track.octets

    def _store(self, track: Track) -> None:
        self._complete[track.recipe] = track
        self.octets += cost(track)
        while self.octets > self._capacity:
            _, oldest = self._complete.popitem(last=False)
            self.octets -= cost(oldest)


def _said_by(recipe: Recipe, voices: Collection[str] | None) -> bool:
    """Whether one of `voices` may speak in it: SSML can name any, and so can a route."""
    if voices is None:
        return recipe.origin is Origin.VOICE
    if recipe.kind == "ssml" or recipe.voice.partition(":")[0] == ROUTE:
        return bool(voices)
    return recipe.voice in voices


def cost(track: Track) -> int:
    """Octets of memory that a complete track takes in the cache."""
    return track.octets + sys.getsizeof(track.recipe.source) + _BOOKKEEPING
