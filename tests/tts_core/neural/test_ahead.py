"""The text runs ahead of the audio by one clause, in a thread of its own, and stops when nobody listens."""

import gc
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from tts_core import EngineError, Pause, Say, Script
from tts_core.neural.ahead import Reader
from tts_core.neural.engine import NeuralEngine
from tts_core.neural.frontend import Tokens
from tts_core.neural.speaker import Speaker
from tts_core.plan import Clause, Rest

VOICE = "neural:en-us-slt"
TEXT = "One is here. Two is there. Three is gone. Four is back."
NOTHING = Tokens(np.zeros((2, 3), np.int64), np.zeros(2, np.int64))


def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """(text, thread) of every clause that a speaker reads from now on; a clause with "bad" in it fails."""
    found: list[tuple[str, int]] = []
    real = Speaker.read

    def noted(self: Speaker, clause: Clause) -> Tokens:
        found.append((clause.text, threading.get_ident()))
        if "bad" in clause.text:
            raise EngineError("cannot read this")
        return real(self, clause)

    monkeypatch.setattr(Speaker, "read", noted)
    return found


@pytest.fixture
def engine() -> NeuralEngine:
    engine = NeuralEngine()
    engine.load(VOICE)
    return engine


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("phonemes")}


def test_the_next_clause_is_read_while_this_one_sounds_and_no_more(
    engine: NeuralEngine, read: list[tuple[str, int]]
) -> None:
    stream = engine.speak(Script.from_text(TEXT), VOICE, 1.0)
    assert read == [], "nothing is done before audio is asked for"
    chunk = next(stream)
    assert len(read) == 1, "the first sound waits for no second clause"
    next(stream)
    until(lambda: len(read) == 2)
    while not chunk.words or chunk.words[0].char_start < TEXT.index("Three"):
        assert len(read) <= 3
        chunk = next(stream)
    assert [text for text, _ in read] == ["One is here.", "Two is there.", "Three is gone."]
    list(stream)
    assert len(read) == 4
    assert threading.get_ident() not in {thread for _, thread in read}
    assert len({thread for _, thread in read}) == 1


def test_an_error_is_raised_where_its_clause_would_sound_and_nowhere_else(
    engine: NeuralEngine, read: list[tuple[str, int]]
) -> None:
    whole = [chunk.pcm.tobytes() for chunk in engine.speak(Script.from_text("One is here."), VOICE, 1.0)]
    wrong = engine.speak(Script.from_text("One is here. Two is bad. Three is gone."), VOICE, 1.0)
    right = engine.speak(Script.from_text(TEXT), VOICE, 1.0)
    heard = []

    def listen() -> None:
        for chunk in wrong:
            heard.append(chunk)
            next(right)

    with pytest.raises(EngineError, match="cannot read this"):
        listen()
    assert b"".join(chunk.pcm.tobytes() for chunk in heard).startswith(b"".join(whole))
    assert [word.char_start for chunk in heard for word in chunk.words] == [0, 4, 7]
    assert next(wrong, None) is None
    assert len(list(right)) > 5


def test_cut_it_reads_no_further_and_leaves_nothing(
    engine: NeuralEngine, read: list[tuple[str, int]]
) -> None:
    others = threads()
    for taken in (0, 1, 2, 3):
        stream = engine.speak(Script.from_text(TEXT), VOICE, 1.0)
        for _ in range(taken):
            next(stream)
        stream.close()
    until(lambda: engine._reader._pool._work_queue.empty())
    assert len(read) <= 1 + 2 + 2
    count = len(read)
    assert len(threads() - others) == 1, "one thread for all utterances of an engine"
    time.sleep(0.05)
    assert len(read) == count


def test_its_thread_goes_with_the_engine() -> None:
    others = threads()
    engine = NeuralEngine()
    stream = engine.speak(Script.from_text(TEXT), VOICE, 1.0)
    next(stream)
    assert len(threads() - others) == 1
    del engine, stream
    gc.collect()
    until(lambda: not threads() - others)


def test_what_waits_for_the_thread_is_cancelled_with_its_utterance() -> None:
    """Hundreds of utterances that are cut leave no queue of clauses that nobody will hear."""
    held, found = threading.Event(), []

    def slow(clause: Clause) -> Tokens:
        found.append(clause.text)
        held.wait(20)
        return NOTHING

    reader = Reader()
    first = reader.open(Script.from_text("Wait."), slow)
    first.begin()
    until(lambda: found == ["Wait."])
    cut = [reader.open(Script.from_text(f"Number {n}."), slow) for n in range(300)]
    for one in cut:
        one.begin()
        one.close()
    last = reader.open(Script.from_text("Last."), slow)
    last.begin()
    held.set()
    assert last.next() is not None
    assert found == ["Wait.", "Last."]


def test_rests_come_in_their_place_without_tokens() -> None:
    text = "One. Two."
    ahead = Reader().open(Script(text, (Say(0, 4), Pause(7), Say(5, 9))), lambda clause: NOTHING)
    steps = []
    while (read := ahead.next()) is not None:
        steps.append(read)
    assert [(type(step), tokens is NOTHING) for step, tokens in steps] == [
        (Clause, True), (Rest, False), (Clause, True),
    ]  # fmt: skip
