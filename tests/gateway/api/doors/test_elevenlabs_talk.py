"""ElevenLabs' sockets without a socket: what the clients' own messages lead to."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.doors.elevenlabs_talk import (
    CONTEXT,
    MOST_CONTEXTS,
    BadMessage,
    Do,
    Leave,
    Open,
    State,
    Talk,
    Verb,
)


def test_the_table_knows_every_message_in_every_state() -> None:
    begins_another = ("closing", "text")
    every = {(state, verb) for state in get_args(State) for verb in get_args(Verb)}
    assert set(CONTEXT) == every - {begins_another}


def test_one_stream_is_ended_by_an_empty_text_and_its_socket_with_it() -> None:
    talk = Talk(many=False)
    assert talk.say(
        {"text": " ", "voice_settings": {"speed": 1.1, "stability": 0.5}, "generation_config": {}}
    ) == [Open(1, "", 1.1)]
    assert talk.say({"text": "Hello ", "try_trigger_generation": True}) == [Do("write", 1, "Hello ")]
    assert talk.say({"text": "there. ", "flush": True}) == [Do("write", 1, "there. "), Do("flush", 1)]
    assert talk.say({"text": " "}) == [Do("write", 1, " ")]
    assert talk.say({"text": ""}) == [Do("end", 1)]
    assert talk.say({"text": "Too late"}) == []
    assert talk.ended(1) == [Leave()]


def test_a_stream_that_said_nothing_ends_at_once() -> None:
    assert Talk(many=False).say({"text": ""}) == [Leave()]


def test_livekits_messages() -> None:
    """livekit-plugins-elevenlabs 1.8.9: sentences, each with a flush; then an empty flush and close_context."""
    talk = Talk(many=True, eager=True)
    assert talk.say({"text": " ", "voice_settings": {}, "context_id": "a"}) == [Open(1, "a", 1.0)]
    assert talk.say({"text": "Hello. ", "context_id": "a", "flush": True}) == [
        Do("write", 1, "Hello. "),
        Do("flush", 1),
    ]
    assert talk.say({"text": "", "context_id": "a", "flush": True}) == []
    assert talk.say({"context_id": "a", "close_context": True}) == [Do("end", 1)]
    assert talk.ended(1) == []


def test_pipecats_messages() -> None:
    """pipecat 1.14: sentences; flush at the end of the turn; keep-alives; close_socket at the end."""
    talk = Talk(many=True, eager=True)
    assert talk.say({"text": ""}) == []
    assert talk.say({"text": " ", "context_id": "a"}) == [Open(1, "a", 1.0)]
    assert talk.say({"text": "Hello.", "context_id": "a"}) == [Do("write", 1, "Hello."), Do("flush", 1)]
    assert talk.say({"text": "", "context_id": "a"}) == []
    assert talk.say({"context_id": "a", "flush": True}) == [Do("flush", 1)]
    assert talk.say({"context_id": "a", "close_context": True}) == [Do("end", 1)]
    assert talk.ended(1) == []
    assert talk.say({"close_socket": True}) == [Leave()]


def test_a_context_that_is_closed_unflushed_says_no_more() -> None:
    talk = Talk(many=True, eager=True)
    talk.say({"text": "A long answer", "context_id": "a"})
    assert talk.say({"context_id": "a", "close_context": True}) == [Do("drop", 1)]
    assert talk.say({"context_id": "a", "close_context": True}) == []


def test_a_name_may_be_used_again() -> None:
    talk = Talk(many=True)
    talk.say({"text": "One", "context_id": "a", "flush": True})
    talk.say({"context_id": "a", "close_context": True})
    assert talk.say({"text": "Two", "context_id": "a"}) == [Open(2, "a", 1.0), Do("write", 2, "Two")]
    assert talk.ended(1) == []
    assert talk.say({"close_socket": True}) == [Do("drop", 2)]
    assert talk.ended(2) == [Leave()]


def test_contexts_are_bounded() -> None:
    talk = Talk(many=True)
    for n in range(MOST_CONTEXTS):
        talk.say({"text": "One", "context_id": str(n)})
    with pytest.raises(BadMessage, match="5 contexts"):
        talk.say({"text": "One", "context_id": "more"})
    talk.ended(1)
    assert talk.say({"text": "One", "context_id": "more"})


@pytest.mark.parametrize(
    ("message", "wrong"),
    [
        ([], "JSON object"),
        ({}, "has a text"),
        ({"text": 5}, "text should be a string"),
        ({"text": "a", "flush": "yes"}, "flush should be"),
        ({"text": "a", "context_id": 5}, "context_id should be"),
        ({"text": "a", "voice_settings": 5}, "voice_settings should be"),
        ({"text": "a", "voice_settings": {"speed": "fast"}}, "speed should be a number"),
        ({"text": "a", "voice_settings": {"speed": 9}}, "speed should be 0.5 to 2"),
        ({"text": "a", "voice_settings": {"speed": float("inf")}}, "speed should be a number"),
    ],
)
def test_what_is_none_of_the_protocols_is_told(message: Any, wrong: str) -> None:
    with pytest.raises(BadMessage, match=wrong):
        Talk(many=True).say(message)


MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "text": st.sampled_from(["", " ", "a ", "b."]),
        "flush": st.booleans(),
        "context_id": st.sampled_from("xyz"),
        "close_context": st.booleans(),
        "close_socket": st.booleans(),
    },
)


@given(st.lists(st.tuples(MESSAGES, st.booleans()), max_size=30), st.booleans(), st.booleans())
def test_whatever_comes_contexts_are_begun_before_and_ended_after_all_else(
    happenings: list[tuple[dict[str, Any], bool]], many: bool, eager: bool
) -> None:
    talk, alive, closed = Talk(many=many, eager=eager), list[int](), set[int]()
    for message, ends in happenings:
        try:
            effects = talk.say(message)
        except BadMessage:
            continue
        if ends and alive:
            effects = [*effects, *talk.ended(alive.pop(0))]
        for effect in effects:
            match effect:
                case Open(context):
                    alive.append(context)
                case Do(deed, context):
                    assert context not in closed
                    if deed in {"end", "drop"}:
                        closed.add(context)
                case Leave():
                    assert not alive
        assert len(alive) <= MOST_CONTEXTS
