"""Characters get the times of their words, whatever is said and however it comes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.api.doors.alignment import Alignment, Piece, Said

TEXT = "“Hello, my friend!” $5 … "
WORDS = [Said(100, 400, 1, 6), Said(450, 600, 8, 10), Said(600, 900, 11, 17), Said(1000, 1500, 20, 22)]


def joined(pieces: list[Piece | None]) -> tuple[str, list[int], list[int]]:
    there = [piece for piece in pieces if piece is not None]
    return (
        "".join(char for piece in there for char in piece.chars),
        [start for piece in there for start in piece.starts_ms],
        [length for piece in there for length in piece.durations_ms],
    )


def test_a_word_shares_its_time_evenly_and_what_is_between_takes_none() -> None:
    piece = Alignment(absolute=True).say(TEXT, WORDS[:1])
    assert piece == Piece(
        tuple("“Hello, "), (0, 100, 160, 220, 280, 340, 400, 400), (0, 60, 60, 60, 60, 60, 0, 0)
    )


def test_times_count_from_the_beginning_or_from_where_the_clients_clock_is() -> None:
    absolute, relative = Alignment(absolute=True), Alignment(absolute=False)
    chars, starts, _ = joined([*(absolute.say(TEXT, [word]) for word in WORDS), absolute.rest(TEXT, 1600)])
    assert chars == TEXT
    assert [starts[at] for at in (1, 8, 11, 20)] == [100, 450, 600, 1000]
    assert starts == sorted(starts)
    clock, at = 0, 0
    for piece in [*(relative.say(TEXT, [word]) for word in WORDS), relative.rest(TEXT, 1600)]:
        assert piece is not None
        assert [clock + start for start in piece.starts_ms] == starts[at : at + len(piece.starts_ms)]
        clock += piece.starts_ms[-1] + piece.durations_ms[-1]  # as pipecat 1.14 does it
        at += len(piece.chars)


def test_over_http_there_are_ends_and_seconds() -> None:
    piece = Piece(("a", "b"), (0, 250), (250, 500))
    assert piece.over_http() == {
        "characters": ["a", "b"],
        "character_start_times_seconds": [0.0, 0.25],
        "character_end_times_seconds": [0.25, 0.75],
    }
    assert piece.over_websocket() == {
        "chars": ["a", "b"],
        "charStartTimesMs": [0, 250],
        "charDurationsMs": [250, 500],
    }


@st.composite
def said(draw: st.DrawFn) -> tuple[str, list[list[Said]]]:
    text, now = "", 0.0
    batches: list[list[Said]] = []
    for _ in range(draw(st.integers(0, 6))):
        batch = []
        for _ in range(draw(st.integers(1, 3))):
            text += draw(st.text(" .,“", max_size=3))
            begin = len(text)
            text += draw(st.text("abé1", min_size=1, max_size=5))
            now += draw(st.floats(-20, 200))
            length = draw(st.floats(0, 500))
            batch.append(Said(max(0.0, now), max(0.0, now) + length, begin, len(text)))
            now += length
        batches.append(batch)
    return text + draw(st.text(" .", max_size=2)), batches


@given(said(), st.booleans())
def test_every_character_once_in_order_and_time_never_runs_back(
    made: tuple[str, list[list[Said]]], absolute: bool
) -> None:
    text, batches = made
    alignment = Alignment(absolute=absolute)
    pieces = [alignment.say(text, batch) for batch in batches]
    end = batches[-1][-1].end_ms if batches else 0
    chars, starts, lengths = joined([*pieces, alignment.rest(text, end)])
    assert chars == text
    assert all(start >= 0 for start in starts)
    assert all(length >= 0 for length in lengths)
    if absolute:
        assert starts == sorted(starts)
