"""Many streams' steps taken in one: each is as if it were alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from tests.tts_core.neural.test_engine import TEXTS, VOICE
from tts_core import Chunk, EngineError, Script
from tts_core.neural import package
from tts_core.neural.engine import SHIPPED, NeuralEngine
from tts_core.neural.frame import FEATURES, HOP, Floats
from tts_core.neural.runtime import OrtRuntime, Rows
from tts_core.neural.turn import Turn

SAYS = (*TEXTS, "Goodbye.", "Your balance is forty two dollars.", "Nine, nine, nine.")


@pytest.fixture(scope="module")
def engine() -> NeuralEngine:
    made = NeuralEngine()
    made.load(VOICE)
    return made


def alone(engine: NeuralEngine, text: str) -> np.ndarray:
    return np.concatenate([chunk.pcm for chunk in engine.speak(Script.from_text(text), VOICE, 1.0)])


def together(engine: NeuralEngine, texts: Sequence[str], seed: int, cut: float = 0.0) -> list[np.ndarray]:
    """All texts at once, a random company in each step; with the chance `cut` one is dropped in mid-speech."""
    dice = np.random.default_rng(seed)
    live = {index: engine.speak(Script.from_text(text), VOICE, 1.0) for index, text in enumerate(texts)}
    made: list[list[np.ndarray]] = [[] for _ in texts]
    while live:
        chosen = dice.permutation(list(live))[: dice.integers(1, 5)]
        turns = []
        for index in map(int, chosen):
            if dice.random() < cut:
                live.pop(index)
                continue
            try:
                part = next(live[index].parts)
            except StopIteration:
                del live[index]
                continue
            if isinstance(part, Chunk):
                made[index].append(part.pcm)
            else:
                turns.append(part)
        Turn.together(turns)
    return [np.concatenate(pieces) if pieces else np.zeros(0, np.int16) for pieces in made]


@pytest.mark.parametrize("seed", range(3))
def test_in_any_company_it_says_what_it_says_alone(engine: NeuralEngine, seed: int) -> None:
    for text, pcm in zip(SAYS, together(engine, SAYS, seed), strict=True):
        wanted = alone(engine, text)
        assert pcm.shape == wanted.shape
        assert np.abs(pcm.astype(int) - wanted).max() <= 1, "as exact as 16 bits are"


def test_what_is_cut_leaves_nothing_behind(engine: NeuralEngine) -> None:
    """Every state is begun afresh: those who speak after hundreds were cut say only their own."""
    texts = list(itertools.islice(itertools.cycle(SAYS), 48))
    for text, pcm in zip(texts, together(engine, texts, 7, cut=0.05), strict=True):
        wanted = alone(engine, text)[: len(pcm)]
        assert np.abs(pcm.astype(int) - wanted).max(initial=0) <= 1


def test_one_length_is_one_step_and_a_row_that_is_spoiled_is_its_own_trouble() -> None:
    seen: list[tuple[int, ...]] = []

    class Spy(OrtRuntime):
        def step(self, features: Floats, noise: Floats, rows: Rows) -> tuple[Floats, Rows]:
            seen.append(features.shape[:2])
            return super().step(features, noise, rows)

    runtime = Spy(package.read(SHIPPED / "en-us-slt"))
    turns = [
        Turn(runtime, np.zeros((length, FEATURES), np.float32), np.ones((length, HOP), np.float32), rows)
        for length, rows in ((8, runtime.fresh(1)), (4, runtime.fresh(1)), (8, runtime.fresh(1)))
    ]
    turns[0].features[3] = np.nan
    Turn.together(turns)
    assert sorted(seen) == [(1, 4), (2, 8)]
    assert [bool(turn.rows.finite().all()) for turn in turns] == [False, True, True]
    assert not turns[0].result().any()
    assert not turns[0].rows.state.any()
    assert turns[2].result().any()
    assert turns[2].rows.state.any()


def test_a_step_that_fails_fails_those_who_took_it_and_no_other() -> None:
    class Broken(OrtRuntime):
        def step(self, features: Floats, noise: Floats, rows: Rows) -> tuple[Floats, Rows]:
            if len(features) > 1:
                raise EngineError("out of memory")
            return super().step(features, noise, rows)

    runtime = Broken(package.read(SHIPPED / "en-us-slt"))
    turns = [
        Turn(runtime, np.zeros((length, FEATURES), np.float32), np.zeros((length, HOP), np.float32), rows)
        for length, rows in ((8, runtime.fresh(1)), (4, runtime.fresh(1)), (8, runtime.fresh(1)))
    ]
    Turn.together(turns)
    assert turns[1].result().shape == (4, HOP)
    for turn in turns[::2]:
        with pytest.raises(EngineError, match="out of memory"):
            turn.result()
