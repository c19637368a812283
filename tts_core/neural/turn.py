"""One stream's next step of the vocoder, and many of them taken in one step of the network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tts_core.errors import EngineError
from tts_core.neural.frame import Floats
from tts_core.neural.runtime import Rows, Runtime


@dataclass(slots=True, eq=False)
class Turn:
    """What one row is given: `features` float32[T, 42] and `noise` float32[T, 80] for the stream in `rows`.

    Once it is taken, `audio` float32[T, 80] is what the vocoder made of it, and `rows` have moved on.
    """

    runtime: Runtime
    features: Floats
    noise: Floats
    rows: Rows
    audio: Floats | None = None
    error: Exception | None = None

    @staticmethod
    def together(turns: Iterable[Turn]) -> None:
        """Take all of them: those of one voice and one length in one step. What fails is raised by `result`."""
        steps: dict[tuple[int, int], list[Turn]] = {}
        for turn in turns:
            steps.setdefault((id(turn.runtime), len(turn.features)), []).append(turn)
        for step in steps.values():
            _take(step)

    def result(self) -> Floats:
        """The audio; the step is taken alone if it was not taken with others. Raises what it met."""
        if self.audio is None and self.error is None:
            _take([self])
        if self.error is not None:
            raise self.error
        assert self.audio is not None
        return self.audio


def _take(turns: Sequence[Turn]) -> None:
    runtime = turns[0].runtime
    if len(turns) == 1:  # nothing is copied
        features, noise = turns[0].features[None], turns[0].noise[None]
    else:
        features, noise = (
            np.stack([turn.features for turn in turns]),
            np.stack([turn.noise for turn in turns]),
        )
    rows = Rows.joined([turn.rows for turn in turns])
    try:
        audio, rows = runtime.step(features, noise, rows)
        if audio.shape != noise.shape:
            raise EngineError(
                f"the voice's network answers audio {audio.shape} where {noise.shape} is wanted"
            )
    except Exception as error:  # a runtime's errors have no common class of their own
        for turn in turns:
            turn.error = error
        return
    for turn, made, row in zip(turns, audio, rows.parted([turn.rows for turn in turns]), strict=True):
        turn.audio, turn.rows = made, row
