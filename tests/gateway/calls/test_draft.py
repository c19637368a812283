"""What of a text that is being written may be spoken: whole clauses, and never half of anything."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calls.draft import Bounds, Draft
from tts_core.reading import speakable

BOUNDS = Bounds(limit=20_000, high=100, low=50, wait_ns=0)


def draft():
    return Draft(partial(speakable, language="en-us"), BOUNDS)


def released(text):
    """The parts of a text that comes letter by letter, without its end."""
    made = draft()
    return [part.text for letter in text if (part := made.write(letter, None, 0)) is not None]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Hello there, my friend. How are you", ["Hello there, my friend. "]),
        ("Hello there, my friend. ", []),  # "friend." and "friend. com" are not the same
        ("It costs $5.0", []),
        ("It costs $5. That is ", ["It costs $5. "]),
        ("It costs $5. 20", []),
        ("It was on Tuesday, May 5, 2026", ["It was on Tuesday, "]),
        ("Ask Dr. Smith about it. ", []),
        ("Ask Dr. Smith about it. Then we ", ["Ask Dr. Smith about it. "]),
        ("I have seen it all, because I was there", ["I have seen it all, "]),
        ("Yes! No", ["Yes! "]),
    ],
)
def test_a_clause_is_released_once_nothing_can_change_it(text, parts):
    assert released(text) == parts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Please wait loo", "Please wait "),
        ("Please wait looking", "Please wait "),
        ("One moment please.", "One moment please."),
        ("The total is $1,23", "The total is "),
        ("We meet on May", "We meet "),
        ("We meet on 5 ", "We meet "),
        ("I know Dr.", "I know "),
        ("Doct", None),
        ("", None),
    ],
)
def test_a_hurry_takes_whole_words_and_no_number_date_or_abbreviation(text, said):
    made = draft()
    made.write(text, None, 5)
    part = made.hurry(7)
    assert (part.text if part else None) == said
    assert made.waits_since_ns is None, "the same text is not tried twice"


def test_flush_and_end_release_all_there_is_and_marks_stay_in_place():
    made = draft()
    assert made.write("One ", "a", 0) is None
    assert made.write("two", None, 0) is None
    part = made.flush(0)
    assert (part.text, part.marks) == ("One two", (("a", 4),))
    assert made.write("", "b", 0) is None or made.text == "One two"
    assert made.write(" three", "c", 0) is None
    part = made.end(0)
    assert part.text == " three"
    assert [name for name, _ in part.marks][-1] == "c"
    assert made.ended
    assert made.end(0) is None


@given(st.lists(st.text(alphabet="ab1., $\n:Dr!", max_size=12)), st.lists(st.integers(0, 20), max_size=4))
def test_the_parts_together_are_the_text(pieces, hurries):
    made, parts = draft(), []
    for index, piece in enumerate(pieces):
        parts.append(made.write(piece, None, index))
        if index in hurries:
            parts.append(made.hurry(index))
    parts.append(made.end(0))
    assert "".join(part.text for part in parts if part) == "".join(pieces) == made.text
    assert made.released == len(made.text)


def test_a_writer_is_asked_to_pause_once_and_to_go_on_once():
    made = draft()
    assert [made.swells(n) for n in (100, 101, 500)] == [False, True, False]
    assert [made.eases(n) for n in (51, 50, 10)] == [False, True, False]
