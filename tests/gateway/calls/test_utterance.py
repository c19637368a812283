"""The utterance's table of states and its arithmetic to the word."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calls.life import TERMINAL, TRANSITIONS, Happening, State
from gateway.calls.requests import Say
from gateway.calls.utterance import Utterance, order, shareable
from gateway.messages.synthesis import Described, Laying, MarkAt, Piece, Resume, Word
from gateway.ring import NEVER
from gateway.speech.recipe import recipe_of
from tts_core import Script


def utterance(text="", state="queued"):
    return Utterance("u", "c", 1, text, "v", "any", None, Say(requested_ns=0), state=state)


def described(units, complete, words=(), marks=()):
    return Described(0, 0, 1, units, complete, tuple(words), tuple(marks), False)


@pytest.mark.parametrize(
    ("state", "happening"), list(itertools.product(get_args(State), get_args(Happening)))
)
def test_the_table_is_all_there_is(state, happening):
    entry = utterance(state=state)
    if (state, happening) in TRANSITIONS:
        entry.apply(happening)
        assert entry.state == TRANSITIONS[state, happening]
    else:
        with pytest.raises(AssertionError):
            entry.apply(happening)
        assert entry.state == state


def test_terminal_states_have_no_way_out_and_all_others_have_one_to_each():
    assert not {state for state, _ in TRANSITIONS} & TERMINAL
    for state in set(get_args(State)) - TERMINAL:
        reached = {after for (before, _), after in TRANSITIONS.items() if before == state}
        assert reached >= TERMINAL


@pytest.mark.parametrize(("words", "stops"), [(True, [1, 13, 21, 40]), (False, [1, 40])])
def test_words_are_stops_where_somebody_is_told_of_them(words, stops):
    entry = utterance("Hello, wide world.")
    entry.say = Say(requested_ns=0, listener=lambda kind, data: None, words=words)
    entry.describe(described(40, True, [Word(0, 5, 0, 10), Word(7, 11, 12, 20), Word(12, 17, 20, 31)]))
    entry.laying = Laying(0, 0, 1, 1, 100, 0)
    found = []
    while not found or found[-1] < 40:
        found.append(entry.next_position() - 100)
        entry.hear(entry.laying, 100 + found[-1])
        assert all(word.start_unit < entry.heard for word in entry.due_words())
    assert found == stops
    assert entry.buffered_chars == 1, "told or not, it is known what was said"


def test_a_word_counts_when_half_of_it_was_sent():
    entry = utterance("Hello, wide world.")
    words = [Word(0, 5, 0, 10), Word(7, 11, 12, 20), Word(12, 17, 20, 31)]
    entry.describe(described(40, True, words))
    laying = Laying(0, 0, 1, 1, 100, 0)
    spoken = {}
    for sent in range(100, 141):
        entry.hear(laying, sent)
        spoken[sent - 100] = entry.spoken_text
        assert entry.spoken_text + entry.remaining_text == entry.text
    assert spoken[4] == ""
    assert spoken[5] == spoken[15] == "Hello,"
    assert spoken[16] == spoken[25] == "Hello, wide"
    assert spoken[26] == "Hello, wide world."
    assert spoken[40] == entry.text


def test_words_without_spaces_between_them():
    entry = utterance("你好世界。")
    entry.describe(described(40, False, [Word(0, 2, 0, 20), Word(2, 4, 20, 40)]))
    entry.heard = 20
    assert (entry.spoken_text, entry.remaining_text) == ("你好", "世界。")
    entry.heard = 40
    assert entry.spoken_text == "你好世界。"


@st.composite
def spoken_texts(draw):
    text = draw(st.text(max_size=60))
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))
    times = sorted(draw(st.lists(st.integers(0, 100), min_size=len(cuts), max_size=len(cuts))))
    edges = list(zip(cuts, times, strict=True))
    words = [Word(a[0], b[0], a[1], b[1]) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    return text, words


@given(spoken_texts())
def test_what_was_heard_only_grows_and_nothing_is_lost(made):
    text, words = made
    entry = utterance(text)
    entry.describe(described(100, True, words))
    before = ""
    for sent in range(101):
        entry.hear(Laying(0, 0, 1, 1, 0, 0), sent)
        assert entry.spoken_text + entry.remaining_text == text
        assert entry.spoken_text.startswith(before)
        before = entry.spoken_text
    assert entry.spoken_text == text


@given(
    st.integers(0, 300),
    st.integers(0, 100),
    st.integers(0, 100),
    st.lists(st.integers(0, 500), max_size=10),
)
def test_heard_is_what_lies_below_sent(at, offset, units, glances):
    entry = utterance()
    entry.describe(described(offset + units, True))
    entry.heard = offset
    for sent in glances:
        before = entry.heard
        entry.hear(Laying(0, 0, 1, 1, at, offset), sent)
        below = sum(1 for unit in range(offset, offset + units) if at - offset + unit < sent)
        assert entry.heard == max(before, offset + below)


def test_marks_are_passed_with_their_unit_and_the_last_with_the_end():
    entry = utterance()
    marks = [MarkAt("begin", 0), MarkAt("middle", 5), MarkAt("end", 10)]
    entry.describe(described(10, True, marks=marks))
    passed = {}
    for heard in range(11):
        entry.heard = heard
        passed[heard] = [mark.name for mark in entry.due_marks()]
    assert {heard: names for heard, names in passed.items() if names} == {
        1: ["begin"],
        6: ["middle"],
        10: ["end"],
    }
    assert entry.last_mark == "end"


def test_next_position_walks_over_start_marks_and_end():
    entry = utterance()
    entry.describe(described(10, True, marks=[MarkAt("m", 5)]))
    assert entry.next_position() == NEVER
    entry.laying = Laying(0, 0, 1, 1, 50, 0)
    positions = []
    while (position := entry.next_position()) != NEVER and not entry.done:
        positions.append(position)
        entry.hear(entry.laying, position)
        list(entry.due_marks())
    assert positions == [51, 56, 60]


def test_the_end_of_a_failed_one_is_where_its_audio_ends():
    entry = utterance()
    entry.describe(described(10, False))
    entry.laying = Laying(0, 0, 1, 1, 50, 0)
    entry.hear(entry.laying, 52)
    assert (entry.next_position(), entry.done) == (NEVER, None)
    entry.failed_at = 8
    assert (entry.next_position(), entry.done) == (58, None)
    entry.hear(entry.laying, 58)
    assert entry.done == "fail"


def test_an_ended_one_keeps_its_answers_and_drops_the_rest():
    entry = utterance("one two", state="speaking")
    entry.describe(described(20, True, [Word(0, 3, 0, 10), Word(4, 7, 10, 20)], [MarkAt("m", 0)]))
    entry.hear(Laying(0, 0, 1, 1, 0, 0), 12)
    list(entry.due_marks())
    entry.end("stop", "barge_in")
    assert (entry.words, entry.marks) == ([], [])
    assert (entry.spoken_text, entry.remaining_text, entry.spoken_ms) == ("one", " two", 120)
    assert entry.account() == {
        "cause": "barge_in",
        "duration_ms": 200,
        "spoken_ms": 120,
        "heard_ms": None,
        "last_word": {"word": "one", "start_ms": 0, "end_ms": 100, "char_start": 0, "char_end": 3},
        "last_mark": "m",
        "first_audio_ms": None,
        "underruns": 0,
        "spoken_text": "one",
        "remaining_text": " two",
    }


def test_who_may_share_speech_asks_for_one_recipe():
    script = Script.from_text("Hello.")
    plain = Say(requested_ns=0, script=script, text="Hello.")
    others = [
        replace(plain, **changed)
        for changed in (
            {"requested_ns": 5, "id": "mine", "mode": "replace", "client_state": "x", "words": False},
            {"text": "Goodbye."},
            {"rate": 1.2},
            {"volume_db": -3.0},
            {"lexicons": ("a.pls",)},
        )
    ]
    recipes = {}
    for say in (plain, *others):
        recipe = recipe_of(order(say, "v", 0, 0, 1), "PCMU", 20)
        assert recipes.setdefault(shareable(say), recipe) == recipe
    assert len(recipes) == len(set(recipes.values())) == 5
    for changed in (
        {"text": None, "ssml": "<speak>Hello.</speak>"},
        {"text": None, "prompt": "hello.wav"},
        {"pieces": (Piece(0, "Hello."),)},
        {"resume": Resume(3, None, 0, 0)},
        {"audio": (("a", "b"),)},
    ):
        assert shareable(replace(plain, **changed)) is None
