"""From a clause to frames: tokens, durations, features, and the vocoder in chunks of a few frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tts_core.neural.frame import F0, F0_SCALE, HOP, VOICING, Floats
from tts_core.neural.frontend import PLACES, Tokens, places
from tts_core.neural.runtime import Rows, Runtime

DELAY = 2  # frames that the vocoder is late
RAMP = (4, 8, 16)  # frames of the first chunks; the last length stays
_LONGEST = 200  # frames of one phoneme
_QUESTION = 1  # of frontend.TONES
_RISE = np.log(1.6)  # how far a question's end rises, natural log
_STRESSED = PLACES - 2  # places from here on carry the primary stress


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """What is to be sung: `features` float32[T, 42], and the frame in which each token ends, int64[P]."""

    features: Floats
    ends: NDArray[np.int64]


def durations(pace: Floats, rate: float) -> NDArray[np.int64]:
    """Frames of each token int64[P], of ln(frames + 1) [P] at `rate`; what rounding takes, the next one gets."""
    frames = np.clip(np.expm1(pace.astype(np.float64)), 0, _LONGEST) / rate
    ends = np.round(np.cumsum(frames)).astype(np.int64)
    return np.diff(ends, prepend=0)


def compose(runtime: Runtime, tokens: Tokens, rate: float) -> Score:
    """The score of one clause. `rate` 0.5 to 2.0 times the voice's own pace."""
    meaning, pace = runtime.encode(tokens.ids[None])
    lasting = durations(pace[0], rate)
    lasting[-1] = max(lasting[-1], 1)  # at least one frame
    token, place = places(lasting)
    features = np.array(runtime.decode(meaning, token[None], place[None])[0])
    features[:, VOICING] = features[:, VOICING] > 0
    ends = np.cumsum(lasting)
    if tokens.ids[0, 2] == _QUESTION:
        _raise(features, tokens, ends)
    return Score(features, ends)


def _raise(features: Floats, tokens: Tokens, ends: NDArray[np.int64]) -> None:
    """Bend F0 upwards from the last stressed syllable on, as the end of a question."""
    stressed = np.flatnonzero(tokens.ids[:, 1] >= _STRESSED)
    if not len(stressed):
        return
    begin = int(ends[stressed[-1] - 1])
    voiced = np.flatnonzero(features[begin:, VOICING])
    if len(voiced) < 2:
        return
    stop = begin + int(voiced[-1]) + 1
    features[begin:stop, F0] += np.linspace(0, _RISE / F0_SCALE, stop - begin, dtype=np.float32)
    features[stop:, F0] += np.float32(_RISE / F0_SCALE)


def _ignored() -> None:
    """For callers who do not count."""


def frames(
    runtime: Runtime, score: Score, ramp: Sequence[int] = RAMP, spoiled: Callable[[], None] = _ignored
) -> Iterator[Floats]:
    """Audio of `score` in chunks float32[80 n], full scale 1: 80 samples for every frame in all.

    `ramp` are the lengths in frames of the first chunks as the vocoder makes them; its last one stays.
    A state that is no longer finite is begun afresh, its chunk is silence, and `spoiled` is called.
    The delay is inside: the first chunk is shorter by it, and what is still under way is fetched at the end.
    """
    count = len(score.features)
    wanted = np.concatenate((score.features, np.repeat(score.features[-1:], DELAY, axis=0)))
    dice = np.random.default_rng(0)  # the same noise for every clause: speech is the same every time
    rows: Rows = runtime.fresh(1)
    at = 0
    for index in range(len(wanted)):
        length = ramp[min(index, len(ramp) - 1)]
        chunk = wanted[None, at : at + length]
        noise = dice.standard_normal((1, chunk.shape[1], HOP), np.float32)
        audio, rows = runtime.step(np.ascontiguousarray(chunk), noise, rows)
        if not rows.finite().all() or not np.isfinite(audio).all():
            audio, rows = np.zeros_like(audio), runtime.fresh(1)
            spoiled()
        skip = max(DELAY - at, 0)
        at += length
        yield audio[0, skip:].reshape(-1)
        if at >= count + DELAY:
            return
