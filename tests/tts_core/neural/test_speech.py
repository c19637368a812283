"""From tokens to frames, with a runtime whose answers are known."""

import numpy as np
import pytest

from tts_core.neural import speech
from tts_core.neural.frame import F0, FEATURES, HOP, VOICING
from tts_core.neural.frontend import Tokens
from tts_core.neural.runtime import Rows


class Ruler:
    """A runtime that lasts four frames a token and says the number of each frame, two frames late."""

    name = "ruler"

    def encode(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shape = ids.shape[:2]
        return np.zeros((*shape, 1), np.float32), np.full(shape, np.log(5.0), np.float32)

    def decode(self, meaning: np.ndarray, token: np.ndarray, place: np.ndarray) -> np.ndarray:
        features = np.zeros((1, token.shape[1], FEATURES), np.float32)
        features[0, :, 0] = np.arange(token.shape[1])
        features[0, :, VOICING] = 3.0
        return features

    def fresh(self, rows: int) -> Rows:
        return Rows(np.full((rows, 2), -1, np.float32), np.zeros(rows))

    def step(self, features: np.ndarray, noise: np.ndarray, rows: Rows) -> tuple[np.ndarray, Rows]:
        numbers = np.concatenate((rows.state[0], features[0, :, 0]))
        audio = np.repeat(numbers[:-2, None], HOP, axis=1)[None]
        return audio, Rows(numbers[None, -2:], rows.phase)


def tokens(count: int, tone: int = 0) -> Tokens:
    ids = np.zeros((count, 3), np.int64)
    ids[:, 0] = 2
    ids[1:-1, 1] = 1
    ids[count - 2, 1] = 5  # the last phoneme is stressed and begins a word
    ids[:, 2] = tone
    return Tokens(ids, np.arange(count))


@pytest.mark.parametrize("count", [2, 3, 4, 9, 30])
def test_every_frame_is_heard_once_and_in_time(count: int) -> None:
    score = speech.compose(Ruler(), tokens(count), 1.0)
    assert len(score.features) == 4 * count
    chunks = list(speech.frames(Ruler(), score))
    whole = np.concatenate(chunks)
    assert np.array_equal(whole, np.repeat(np.arange(4 * count), HOP))
    assert len(chunks[0]) == 2 * HOP  # four frames, less the delay of two


@pytest.mark.parametrize("rate", [0.5, 1.0, 1.3, 2.0])
def test_what_rounding_takes_the_next_token_gets(rate: float) -> None:
    pace = np.log(np.random.default_rng(0).uniform(1, 12, 500)).astype(np.float32)
    lasting = speech.durations(pace, rate)
    assert (lasting >= 0).all()
    assert abs(lasting.sum() - np.expm1(pace).sum() / rate) <= 1
    assert np.abs(lasting - np.expm1(pace) / rate).max() <= 1


def test_a_network_gone_wrong_cannot_speak_for_ever() -> None:
    assert speech.durations(np.array([99.0], np.float32), 1.0).tolist() == [200]


def test_a_question_bends_upwards_from_its_last_stress() -> None:
    told = speech.compose(Ruler(), tokens(6), 1.0).features[:, F0]
    asked = speech.compose(Ruler(), tokens(6, tone=1), 1.0).features[:, F0]
    assert not told.any()
    assert not asked[:16].any()
    assert (np.diff(asked[16:]) >= 0).all()
    assert asked[-1] > 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_spoiled_state_is_begun_afresh_and_counted(bad: float) -> None:
    class Spoiler(Ruler):
        steps = 0

        def step(self, features: np.ndarray, noise: np.ndarray, rows: Rows) -> tuple[np.ndarray, Rows]:
            audio, after = super().step(features, noise, rows)
            self.steps += 1
            return audio, Rows(after.state * (bad if self.steps == 2 else 1), after.phase)

    seen: list[bool] = []
    score = speech.compose(Ruler(), tokens(12), 1.0)
    whole = np.concatenate(list(speech.frames(Spoiler(), score, (4,), lambda: seen.append(True))))
    assert len(seen) == 1
    assert len(whole) == 48 * HOP
    assert np.isfinite(whole).all()
    assert not whole[2 * HOP : 6 * HOP].any()
    assert np.array_equal(whole[8 * HOP :], np.repeat(np.arange(8, 48), HOP))
