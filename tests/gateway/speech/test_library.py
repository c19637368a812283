"""The cache: exactly the least recently used go, and growing tracks are shared and bounded."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.messages.synthesis import Speak
from gateway.speech.library import Library, cost
from gateway.speech.recipe import Origin, Recipe, recipe_of
from gateway.speech.track import Failure, Stretch, Track

PLAIN = Recipe("text", "hello", None, "espeak:de", 1.0, 0.0, "PCMU", 20)


def named(name: str) -> Recipe:
    return replace(PLAIN, source=name)


def say(library: Library, recipe: Recipe, packets: int = 10) -> Track:
    """Find a track, and make all of it if it is new."""
    track = library.find(recipe)
    if not track.complete:
        library.grow(track, Stretch(bytes(160 * packets), last=True))
    return track


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30)), max_size=60))
def test_the_cache_holds_the_most_recently_used_that_fit(uses: list[tuple[int, int]]) -> None:
    capacity = 200_000
    library = Library(capacity)
    model: OrderedDict[int, int] = OrderedDict()
    hits = 0
    for name, packets in uses:
        track = say(library, named(str(name)), packets)
        if name in model:
            hits += 1
            model.move_to_end(name)
            continue
        model[name] = cost(track)
        while sum(model.values()) > capacity:
            model.popitem(last=False)
    assert library.octets == sum(model.values()) <= capacity
    assert len(library) == len(model)
    assert (library.hits, library.misses) == (hits, len(uses) - hits)
    for name in model:
        assert library.find(named(str(name))).complete
    assert library.hits == hits + len(model)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "ssml"},
        {"source": "hello "},
        {"voice": "espeak:fr"},
        {"rate": 1.1},
        {"gain_db": -1.0},
        {"law": "PCMA"},
        {"ptime_ms": 30},
        {"stamp": (1, 2)},
    ],
)
def test_whatever_changes_the_audio_is_another_entry(change: dict[str, object]) -> None:
    library = Library(1 << 20)
    first = say(library, PLAIN)
    assert say(library, PLAIN) is first
    assert say(library, replace(PLAIN, **change)) is not first  # type: ignore[arg-type]


def test_a_changed_prompt_file_is_another_recipe(tmp_path: Path) -> None:
    file = tmp_path / "prompt.wav"
    speak = Speak(0, 0, 1, "espeak:de", 1.5, 0.0, prompt=str(file))
    missing = recipe_of(speak, "PCMU", 20)
    file.write_bytes(b"one")
    one = recipe_of(speak, "PCMU", 20)
    assert recipe_of(Speak(0, 7, 2, "espeak:fr", 1.0, 0.0, prompt=str(file)), "PCMU", 20) == one
    file.write_bytes(b"three")
    assert len({missing, one, recipe_of(speak, "PCMU", 20)}) == 3
    assert one.origin is Origin.FILE
    assert PLAIN.origin is Origin.VOICE


def test_growing_tracks_are_shared_until_they_are_let_go() -> None:
    library = Library(160 * 320)
    track = library.find(PLAIN)
    assert library.find(PLAIN) is track
    library.grow(track, Stretch(bytes(160 * 11)))  # more than a thirty-second of the cache
    assert not track.kept
    assert library.find(PLAIN) is not track
    library.grow(track, Stretch(b"", last=True))
    assert (len(library), library.octets) == (0, 0)


def test_growing_tracks_take_no_more_than_a_quarter_of_the_cache() -> None:
    library = Library(160 * 3200)
    tracks = [library.find(named(str(name))) for name in range(20)]
    for track in tracks:
        library.grow(track, Stretch(bytes(160 * 90)))
    kept = [track for track in tracks if track.kept]
    assert sum(track.octets for track in kept) <= library._capacity // 4
    assert len(kept) == 8
    for track in kept:
        library.grow(track, Stretch(b"", last=True))
    assert len(library) == 8


def test_failed_and_abandoned_tracks_are_made_anew() -> None:
    library = Library(1 << 20)
    for end in (lambda track: library.fail(track, Failure("engine_error", "")), library.abandon):
        track = library.find(PLAIN)
        library.grow(track, Stretch(bytes(160)))
        end(track)
        assert library.find(PLAIN) is not track
        library.abandon(library.find(PLAIN))
    assert library._growing_octets == 0


def test_no_cache_at_all() -> None:
    library = Library(0)
    say(library, PLAIN)
    assert not library.find(PLAIN).complete
    assert (library.hits, library.octets) == (0, 0)


def test_a_track_gives_what_follows_and_forgets_what_was_heard() -> None:
    track = Track(PLAIN, kept=False)
    blocks = [bytes([number]) * 160 * number for number in (1, 2, 3)]
    for block in blocks:
        track.grow(Stretch(block))
    whole = b"".join(blocks)
    for unit in range(track.units):
        rest = track.payload(unit)
        assert rest
        assert whole[unit * 80 :].startswith(rest)
    assert not track.payload(track.units)
    track.release(3)
    assert track._blocks == blocks[1:]
    assert track.payload(3) == whole[240:480]
    with pytest.raises(AssertionError, match="released"):
        track.payload(1)
