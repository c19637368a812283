"""From a clause to frames: tokens, durations, features, and the vocoder in chunks of a few frames."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tts_core.errors import EngineError
from tts_core.neural.frame import F0, F0_SCALE, FEATURES, HOP, VOICING, Floats
from tts_core.neural.frontend import PLACES, Tokens, places
from tts_core.neural.runtime import Rows, Runtime
from tts_core.neural.turn import Turn

DELAY = 2  # frames that the vocoder is late
RAMP = (4, 8, 16, 32)  # frames of the first chunks; the last length stays
_HEAD = 32  # frames of a long clause that are decoded before the rest
_REACH = 64  # frames: the decoder's receptive field to either side is 33
_LONG = 4 * (_HEAD + _REACH)  # frames: decoding the head twice costs a quarter more at most
_LONGEST = 200  # frames of one phoneme
_QUESTION = 1  # of frontend.TONES
_RISE = np.log(1.6)  # how far a question's end rises, natural log
_STRESSED = PLACES - 2  # places from here on carry the primary stress
_HISS = 1024  # frames after which a clause's noise begins anew


class Score:
    """What is to be sung: features float32[T, 42], decoded when they are asked for.

    `ends` int64[P] is the frame before which each token ends. A long clause's first frames are decoded without
    the rest, so that its first sound need not wait: they are the same to the bit, for the decoder sees no
    further than `_REACH` frames. Raises EngineError, from every method, when a network answers in another shape.
    """

    def __init__(
        self,
        runtime: Runtime,
        tokens: Tokens,
        meaning: Floats,
        durations: NDArray[np.int64],
        pitch: float = 1.0,
    ) -> None:
        self.ends = np.cumsum(durations)
        self.length = int(self.ends[-1])
        self._runtime, self._meaning = runtime, meaning
        self._token, self._place = places(durations)
        self._bends = _bend(tokens, self.ends) if tokens.ids[0, 2] == _QUESTION else self.length
        self._higher = np.float32(np.log(pitch) / F0_SCALE)
        self._begun: Floats | None = None

    @functools.cached_property
    def features(self) -> Floats:
        """All of them."""
        features = self._decoded(self.length)
        _raise(features[self._bends :])
        return features

    def first(self, count: int) -> Floats:
        """The first `count` rows, and as many more as cost nothing."""
        worth_it = self.length > _LONG and self._bends >= _HEAD
        if count > _HEAD or not worth_it or "features" in self.__dict__:
            return self.features
        if self._begun is None:
            self._begun = self._decoded(_HEAD + _REACH)[:_HEAD]
        return self._begun

    def _decoded(self, count: int) -> Floats:
        token, place = self._token[None, :count], np.ascontiguousarray(self._place[None, :count])
        made = self._runtime.decode(self._meaning, token, place)
        _expect("features", made, (1, count, FEATURES))
        features = np.array(made[0])
        features[:, VOICING] = features[:, VOICING] > 0
        features[:, F0] += self._higher
        return features


def durations(pace: Floats, rate: float) -> NDArray[np.int64]:
    """Frames of each token int64[P], of ln(frames + 1) [P] at `rate`; what rounding takes, the next one gets.

    Raises EngineError when one of them is not a number.
    """
    frames = np.clip(np.expm1(pace.astype(np.float64)), 0, _LONGEST) / rate
    if np.isnan(frames).any():
        raise EngineError("the voice's network says that a phoneme lasts no number of frames")
    ends = np.round(np.cumsum(frames)).astype(np.int64)
    return np.diff(ends, prepend=0)


def compose(runtime: Runtime, tokens: Tokens, rate: float, pitch: float = 1.0) -> Score:
    """The score of one clause, `rate` 0.5 to 2.0 times the voice's own pace, F0 `pitch` times as high.

    Raises EngineError.
    """
    meaning, pace = runtime.encode(tokens.ids[None])
    _expect("pace", pace, (1, len(tokens.ids)))
    lasting = durations(pace[0], rate)
    lasting[-1] = max(lasting[-1], 1)  # at least one frame
    return Score(runtime, tokens, meaning, lasting, pitch)


def _expect(name: str, array: Floats, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise EngineError(f"the voice's network answers {name} {array.shape} where {shape} is wanted")


def _bend(tokens: Tokens, ends: NDArray[np.int64]) -> int:
    """The frame from which a question bends upwards: where its last stressed syllable begins."""
    stressed = np.flatnonzero(tokens.ids[:, 1] >= _STRESSED)
    return int(ends[stressed[-1] - 1]) if len(stressed) else int(ends[-1])


def _raise(features: Floats) -> None:
    """Bend F0 of `features` upwards up to the last voiced frame, in place."""
    voiced = np.flatnonzero(features[:, VOICING])
    if len(voiced) < 2:
        return
    stop = int(voiced[-1]) + 1
    features[:stop, F0] += np.linspace(0, _RISE / F0_SCALE, stop, dtype=np.float32)
    features[stop:, F0] += np.float32(_RISE / F0_SCALE)


@functools.cache
def _noise() -> Floats:
    """White noise float32[1024, 80], the same for every clause: speech is the same every time."""
    return np.random.default_rng(0).standard_normal((_HISS, HOP), np.float32)


def _ignored() -> None:
    """For callers who do not count."""


def parts(
    runtime: Runtime, score: Score, ramp: Sequence[int] = RAMP, spoiled: Callable[[], None] = _ignored
) -> Iterator[Turn | Floats]:
    """Audio of `score` in chunks float32[80 n], full scale 1: 80 samples for every frame in all.

    Before each chunk comes the turn of the vocoder that makes it, for whoever has others to take with it; one
    that was not taken is taken alone. `ramp` are the lengths in frames of the first chunks as the vocoder makes
    them; its last one stays. A state that is no longer finite is begun afresh, its chunk is silence, and
    `spoiled` is called. The delay is inside: the first chunk is shorter by it, and what is still under way is
    fetched at the end.
    """
    count = score.length
    noise = _noise()
    rows: Rows = runtime.fresh(1)
    at = 0
    for index in itertools.count():
        end = min(at + ramp[min(index, len(ramp) - 1)], count + DELAY)
        size = next(
            (length for length in RAMP if length >= end - at), end - at
        )  # the clause's last is filled up
        features = score.first(min(end, count))[at : at + size]
        if len(features) < size:  # the last one goes on
            features = score.features[np.minimum(np.arange(at, at + size), count - 1)]
        begin = at % _HISS
        hiss = noise[begin : begin + size]
        if len(hiss) < size:
            hiss = noise.take(range(begin, begin + size), axis=0, mode="wrap")
        turn = Turn(runtime, features, hiss, rows)
        yield turn
        audio, rows = turn.result(), turn.rows
        if not rows.finite().all():
            audio, rows = np.zeros_like(audio), runtime.fresh(1)
            spoiled()
        skip = max(DELAY - at, 0)
        yield audio[skip : end - at].reshape(-1)
        at = end
        if at == count + DELAY:
            return


def frames(
    runtime: Runtime, score: Score, ramp: Sequence[int] = RAMP, spoiled: Callable[[], None] = _ignored
) -> Iterator[Floats]:
    """The chunks of `parts` alone."""
    for part in parts(runtime, score, ramp, spoiled):
        if not isinstance(part, Turn):
            yield part
