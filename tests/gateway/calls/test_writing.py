"""Text that is written while it is said: whatever happens, each character is told of once, and truly."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.calls.life import TERMINAL
from gateway.errors import Refusal
from gateway.messages.media import Quality

PICK = st.integers(0, 9)
OPERATION = st.one_of(
    st.tuples(st.just("open"), st.sampled_from(["append", "append", "interrupt", "replace"])),
    st.tuples(st.just("text"), PICK, st.integers(1, 40)),
    st.tuples(st.just("text"), PICK, st.integers(1, 12)),
    st.tuples(st.sampled_from(["flush", "end", "clear", "stop"]), PICK),
    st.tuples(st.just("say"), st.integers(1, 6)),
    st.tuples(st.just("run"), st.integers(1, 12)),
    st.tuples(st.sampled_from(["pace", "make"]), st.integers(1, 8)),
    st.tuples(st.sampled_from(["look", "hear", "write", "acknowledge", "read", "hurry", "kill", "hold"])),
)


def _operate(world: Any, accepted: dict[int, str], operation: tuple[Any, ...]) -> None:
    """Do one operation; what is refused changes nothing."""
    written = [entry for entry in world.said if entry.say.draft is not None]
    glance = world.glance()
    match operation:
        case "open", mode:
            accepted[world.open_text(mode).key] = ""
        case "say", words:
            world.say(words)
        case "text", pick, length if written:
            entry = written[pick % len(written)]
            whole = ", ".join(f"u{entry.key}w{word}" for word in range(60))
            piece = whole[len(accepted[entry.key]) :][:length]
            world.write_text(entry, piece)
            accepted[entry.key] += piece
        case "stop", pick if world.said:
            world.stop_one(world.said[pick % len(world.said)])
        case "clear", pick if written:
            world.call.stop_utterance(written[pick % len(written)].id, glance, "cleared")
        case "flush" | "end" as name, pick if written:
            getattr(world.call.writing, name)(written[pick % len(written)], glance)
        case "run", packets if world.writer:
            world.run(packets)
        case "pace", packets:
            world.pace(packets)
        case "make", words if world.writer:
            world.make(words)
        case ("write",) if world.writer:
            world.write(1)
        case ("hurry",):
            world.call.writing.hurry(glance)
        case ("kill",):
            if world.writer:
                world.kill_writer()
            else:
                world.start_writer()
        case ("hold",):
            (world.call.resume if world.call.paused else world.call.pause)(glance)
        case (("look" | "hear" | "acknowledge" | "read") as name,):
            getattr(world, name)()
    world.act()


def _spoken(entry: Any, units: int, words: list[Any]) -> str:
    """The text whose audio was sent, by the packets alone."""
    heard = [word for word in words if 2 * units >= word.start_unit + word.end_unit]
    if not heard:
        return ""
    end = heard[-1].char_end
    while end < len(entry.text) and not entry.text[end].isspace() and len(heard) < len(words):
        if end >= words[len(heard)].char_start:
            break
        end += 1
    return str(entry.text[:end])


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@example(
    ptime=10, operations=[("text", 0, 1), ("flush", 0), ("run", 3), ("text", 0, 1), ("open", "interrupt")]
)
@given(ptime=st.sampled_from([10, 20, 30]), operations=st.lists(OPERATION, min_size=5, max_size=60))
def test_every_character_is_spoken_or_told_as_not_spoken_once(
    new_world: Callable[..., Any],
    words_of_parts: Callable[..., Any],
    ptime: int,
    operations: list[tuple[Any, ...]],
) -> None:
    world = new_world(ptime)
    accepted: dict[int, str] = {}
    for operation in [("open", "append"), *operations]:
        with suppress(Refusal):
            _operate(world, accepted, operation)
        for entry in world.said:
            assert (
                entry.spoken_text + entry.remaining_text == entry.text == accepted.get(entry.key, entry.text)
            )
    if world.writer is None:
        world.start_writer()
    if world.call.paused:
        world.call.resume(world.glance())
    for entry in world.said:
        with suppress(Refusal):
            world.call.writing.end(entry, world.glance())
    world.act()
    world.finish()
    for entry in world.said:
        units = world.truly_heard(entry)
        assert entry.state in TERMINAL
        assert units == entry.heard, "no audio of what was cut after its frame"
        if entry.key not in accepted:
            continue
        kinds = [kind for kind, _ in world.told.get(entry.key, ())]
        assert kinds.count(f"utterance.{entry.state}") == 1
        assert kinds[-1] == f"utterance.{entry.state}"
        words = words_of_parts(entry.parts)
        told = [data["word"] for kind, data in world.told.get(entry.key, ()) if kind == "word"]
        begun = [word for word in words if word.start_unit < units]
        assert told == [entry.text[word.char_start : word.char_end] for word in begun]
        if entry.state == "finished":
            assert entry.spoken_text == accepted[entry.key]
            assert len(told) == len(words)
        else:
            spoken = entry.spoken_text
            assert spoken.rstrip(", ") == _spoken(entry, units, words).rstrip(", ")
        last = entry.account()["last_word"]
        counted = [
            word for word in words if word.start_unit < units and 2 * units >= word.start_unit + word.end_unit
        ]
        assert (None if last is None else last["char_end"]) == (counted[-1].char_end if counted else None)
    world.close()


def test_a_slow_writer_makes_a_pause_and_an_unfinished_clause_is_begun_in_it(world: Any) -> None:
    entry = world.open_text()
    world.write_text(entry, "u1w0, u1w1, u1w2, u1w3, u1w4, u1")
    world.run(40)
    assert entry.heard == entry.units > 0, "whole clauses are said, and silence is sent"
    assert world.ring.underruns[0] == 0
    begun = len(entry.parts)
    world.call.writing.hurry(world.glance())
    world.act()
    world.run(20)
    assert len(entry.parts) == begun + 1
    assert entry.text[: sum(len(part.text) for part in entry.parts)] == "u1w0, u1w1, u1w2, u1w3, u1w4, "
    assert world.call.writing.hurry_at(world.glance()) is None, "half a word waits, however long"
    world.write_text(entry, "w5")
    world.call.writing.end(entry, world.glance())
    world.act()
    world.finish()
    assert entry.state == "finished"
    assert entry.heard == 6 * 6
    assert world.ring.underruns[0] == 0


def test_a_writer_is_asked_to_pause_and_to_go_on(world: Any) -> None:
    entry = world.open_text()
    world.write_text(entry, ", ".join(f"u1w{word}" for word in range(12)) + ". ")
    assert [kind for kind, _ in world.told[1]] == ["paused"]
    world.call.writing.end(entry, world.glance())
    world.act()
    world.finish()
    kinds = [kind for kind, _ in world.told[1]]
    assert kinds.count("paused") == kinds.count("resumed") == 1
    assert kinds.index("resumed") > kinds.index("word")


def test_the_rest_is_what_was_not_heard(world: Any) -> None:
    entry = world.open_text()
    world.write_text(entry, "u1w0, u1w1, u1w2, u1w3, u1w4. ")
    world.run(8)
    world.call.stop_utterance(entry.id, world.glance(), "cleared")
    world.act()
    world.run(3)
    assert (entry.state, entry.cause) == ("stopped", "cleared")
    rest = world.call.rest_of(entry.id)
    assert rest.text == entry.text
    assert rest.resume is not None
    assert entry.text[rest.resume.char :] == entry.remaining_text


def test_what_has_reached_the_ear_is_estimated_by_the_peers_reports(world: Any) -> None:
    entry = world.say(6)
    world.run(6)
    assert entry.heard_ms is None
    world.call.report(Quality(0, 0.0, 0, jitter_ms=5.0, round_trip_ms=70.0), world.glance())
    world.run(6)
    assert entry.heard_ms == entry.spoken_ms - 40 > 0
    world.stop()
    world.run(3)
    (stopped,) = [event.data for event in world.events if event.type == "utterance.stopped"]
    assert stopped["heard_ms"] == stopped["spoken_ms"] - 40
    assert stopped["last_word"]["word"] == stopped["spoken_text"].rstrip(",").rpartition(" ")[2]
