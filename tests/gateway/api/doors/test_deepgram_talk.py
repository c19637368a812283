"""Deepgram's socket without a socket: what each message leads to, in any order."""

from __future__ import annotations

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from gateway.api.doors.deepgram_talk import TALK, Drop, End, Leave, Open, State, Talk, Tell, Verb, Write


def flushed(n: int) -> Tell:
    return Tell({"type": "Flushed", "sequence_id": n})


def cleared(n: int) -> Tell:
    return Tell({"type": "Cleared", "sequence_id": n})


def test_the_table_knows_every_message_in_every_state() -> None:
    assert set(TALK) == {(state, verb) for state in get_args(State) for verb in get_args(Verb)}


def test_text_up_to_a_flush_is_one_passage_and_flushed_is_told_at_its_end() -> None:
    talk = Talk()
    assert talk.say("Speak", "One ") == [Open(1), Write(1, "One ")]
    assert talk.say("Speak", "two.") == [Write(1, "two.")]
    assert talk.say("Flush") == [End(1)]
    assert talk.say("Speak", "Three.") == [Open(2), Write(2, "Three.")]
    assert talk.say("Flush") == [End(2)]
    assert talk.ended(1) == [flushed(0)]
    assert talk.ended(2) == [flushed(1)]


def test_a_flush_of_nothing_is_answered_in_its_turn() -> None:
    talk = Talk()
    assert talk.say("Flush") == [flushed(0)]
    talk.say("Speak", "One.")
    talk.say("Flush")
    assert talk.say("Flush") == []
    assert talk.ended(1) == [flushed(1), flushed(2)]


def test_what_is_cleared_is_dropped_and_its_flush_is_never_told() -> None:
    talk = Talk()
    talk.say("Speak", "One.")
    talk.say("Flush")
    talk.say("Speak", "Two.")
    assert talk.is_wanted(1)
    assert talk.say("Clear") == [Drop((2, 1)), cleared(0)]
    assert not talk.is_wanted(1)
    assert talk.ended(1) == talk.ended(2) == []
    assert talk.say("Speak", "Three.") == [Open(3), Write(3, "Three.")]
    assert talk.say("Flush") == [End(3)]
    assert talk.ended(3) == [flushed(1)]


def test_close_waits_for_what_is_written() -> None:
    talk = Talk()
    talk.say("Speak", "One.")
    talk.say("Flush")
    talk.say("Speak", "Two.")
    assert talk.say("Close") == [End(2)]
    assert talk.say("Speak", "Too late") == []
    assert talk.ended(1) == [flushed(0)]
    assert talk.ended(2) == [Leave()]
    assert Talk().say("Close") == [Leave()]


def test_a_passage_that_ends_by_itself_takes_no_more_text() -> None:
    talk = Talk()
    talk.say("Speak", "One.")
    assert talk.ended(1) == []
    assert talk.say("Speak", "Two.") == [Open(2), Write(2, "Two.")]


@given(st.lists(st.tuples(st.sampled_from([*get_args(Verb), "end"]), st.integers(0, 3)), max_size=40))
def test_whatever_is_said_passages_are_opened_before_they_are_used_and_told_of_in_order(
    happenings: list[tuple[str, int]],
) -> None:
    talk, opened, closed, alive = Talk(), set[int](), set[int](), list[int]()
    numbers = []
    left = 0
    for happening, which in happenings:
        if happening == "end":
            if which >= len(alive):
                continue
            effects = talk.ended(alive.pop(which))
        else:
            effects = talk.say(happening, "x")  # type: ignore[arg-type]
        for effect in effects:
            match effect:
                case Open(passage):
                    assert passage not in opened
                    opened.add(passage)
                    alive.append(passage)
                case Write(passage) | End(passage):
                    assert passage in opened - closed
                    if isinstance(effect, End):
                        closed.add(passage)
                case Drop(passages):
                    assert set(passages) <= opened
                    closed |= set(passages)
                    alive = [passage for passage in alive if passage not in passages]
                case Tell(message):
                    numbers.append(message["sequence_id"])
                case Leave():
                    left += 1
    assert numbers == list(range(len(numbers)))
    if left:
        assert not any(talk.is_wanted(passage) for passage in opened)
