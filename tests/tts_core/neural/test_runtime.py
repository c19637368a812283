"""What every runtime must do, and that all of them say the same."""

from pathlib import Path

import numpy as np
import pytest

from tts_core.neural import package
from tts_core.neural.frame import FEATURES, HOP, VOICING
from tts_core.neural.frontend import PLACES, TONES, places
from tts_core.neural.runtime import OrtRuntime, Rows, Runtime

pytest.importorskip("torch")

from tts_core.neural.learn.runtime import TorchRuntime

FRAMES = 48
TOLERANCE = 1e-5  # of full scale, between runtimes and between chunkings


@pytest.fixture(scope="module", params=[OrtRuntime, TorchRuntime])
def runtime(request: pytest.FixtureRequest, small: Path) -> Runtime:
    made: Runtime = request.param(package.read(small))
    return made


@pytest.fixture(scope="module")
def reference(small: Path) -> TorchRuntime:
    return TorchRuntime(package.read(small))


def inputs(rows: int) -> tuple[np.ndarray, np.ndarray]:
    dice = np.random.default_rng(rows)
    features = dice.uniform(-1, 1, (rows, FRAMES, FEATURES)).astype(np.float32)
    features[:, :, VOICING] = features[:, :, VOICING] > -0.3
    return features, dice.standard_normal((rows, FRAMES, HOP)).astype(np.float32)


def streamed(runtime: Runtime, features: np.ndarray, noise: np.ndarray, length: int) -> np.ndarray:
    rows = runtime.fresh(len(features))
    pieces = []
    for at in range(0, FRAMES, length):
        span = slice(at, at + length)
        chunk = np.ascontiguousarray(features[:, span]), np.ascontiguousarray(noise[:, span])
        audio, rows = runtime.step(*chunk, rows)
        pieces.append(audio)
    return np.concatenate(pieces, axis=1)


def test_the_vocoder_is_the_reference(runtime: Runtime, reference: TorchRuntime) -> None:
    features, noise = inputs(2)
    wanted = streamed(reference, features, noise, FRAMES)
    assert np.abs(wanted).max() > 0.01
    assert np.abs(streamed(runtime, features, noise, FRAMES) - wanted).max() < TOLERANCE


@pytest.mark.parametrize("length", [1, 2, 3, 4, 8, 16])
def test_any_chunk_length_gives_the_same(runtime: Runtime, length: int) -> None:
    features, noise = inputs(1)
    gap = streamed(runtime, features, noise, length) - streamed(runtime, features, noise, FRAMES)
    assert np.abs(gap).max() < TOLERANCE


def test_rows_never_touch(runtime: Runtime) -> None:
    features, noise = inputs(4)
    together = streamed(runtime, features, noise, 8)
    for row in range(4):
        alone = streamed(runtime, features[row : row + 1], noise[row : row + 1], 8)
        assert np.abs(together[row] - alone[0]).max() < TOLERANCE


@pytest.mark.parametrize("spoiled", [np.nan, np.inf])
def test_a_spoiled_row_is_seen_and_stays_alone(runtime: Runtime, spoiled: float) -> None:
    features, noise = (np.ascontiguousarray(each[:, :8]) for each in inputs(4))
    sound, _ = runtime.step(features, noise, runtime.fresh(4))
    fresh = runtime.fresh(4)
    fresh.state[2] = spoiled
    audio, rows = runtime.step(features, noise, Rows(fresh.state, fresh.phase))
    assert rows.finite().tolist() == [True, True, False, True]
    assert np.array_equal(audio[[0, 1, 3]], sound[[0, 1, 3]])


@pytest.mark.parametrize("tokens", [1, 2, 13, 200])
def test_the_acoustic_model_is_the_reference(
    runtime: Runtime, reference: TorchRuntime, small: Path, tokens: int
) -> None:
    dice = np.random.default_rng(tokens)
    phonemes = len(package.read(small).manifest.phonemes)
    drawn = [
        dice.integers(low, top, (1, tokens)) for low, top in ((1, phonemes + 1), (0, PLACES), (0, len(TONES)))
    ]
    ids = np.stack(drawn, axis=2)
    token, place = places(dice.integers(1, 9, tokens))
    results = []
    for each in (runtime, reference):
        meaning, pace = each.encode(ids)
        results.append((pace, each.decode(meaning, token[None], place[None])))
    for one, other in zip(*results, strict=True):
        assert np.abs(one - other).max() < 1e-4
