"""What every runtime must do, and that all of them say the same.

Where torch is not installed ONNX Runtime alone is held to the contract. The GPU's runtimes run here as far as a
CPU goes: their pool, buckets and buffers are the real ones, a recorded step is computed instead of replayed,
and the TensorRT engine's part is done by ONNX Runtime on the very graph, at the addresses that TensorRT would
be given.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tts_core.neural.bindings import Bench, double
from tts_core.errors import EngineError
from tts_core.neural import package, shelf
from tts_core.neural.engine import SHIPPED
from tts_core.neural.frame import F0, FEATURES, HOP, VOICING
from tts_core.neural.frontend import PLACES, TONES, places
from tts_core.neural.runtime import OrtRuntime, Rows, Runtime

FRAMES = 48
TOLERANCE = 1e-5  # of full scale, between runtimes and between chunkings
REACH = 2 + 6 * 6 + 2  # frames: stem, six blocks of seven taps, three hops of overlap
SLOTS = 8
TORCH = find_spec("torch") is not None
IN_TORCH = ("torch-cpu", "torch-cudagraph", "tensorrt") if TORCH else ()
NEEDS_TORCH = pytest.mark.skipif(not TORCH, reason="torch is not installed")


class OrtContext:
    """An execution context whose engine is ONNX Runtime: reads and writes at the addresses that it was given."""

    def __init__(self, graph: Path) -> None:
        import onnxruntime

        self._session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._addresses: dict[str, int] = {}

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._shapes[name] = shape
        return True

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        made = self._session.run(
            None, {name: self._at(name, shape).copy() for name, shape in self._shapes.items()}
        )
        for output, value in zip(self._session.get_outputs(), made, strict=True):
            self._at(output.name, value.shape)[:] = value
        return True

    def _at(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        size = int(np.prod(shape))
        held = (ctypes.c_float * size).from_address(self._addresses[name])
        return np.frombuffer(held, np.float32).reshape(shape)


def opened(name: str, small: Path, folder: Path) -> Runtime:
    """The runtime `name` on this CPU."""
    if name == "ort-cpu":
        return OrtRuntime(package.read(small))
    if name == "torch-cpu":
        from tts_core.neural.learn.runtime import TorchRuntime

        return TorchRuntime(package.read(small))
    from tts_core.neural.runtimes.cudagraph import GraphRuntime, computed

    if name == "torch-cudagraph":
        return GraphRuntime(package.read(small), SLOTS, "cpu", computed)
    from tts_core.neural.learn.export import with_answer
    from tts_core.neural.runtimes.tensorrt import GRAPH, TensorRtRuntime

    bench = Bench()
    bench.context = lambda: OrtContext(folder / "voice" / GRAPH)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "tensorrt", double(bench))
        voice = with_answer(package.read(small), folder / "voice")
        return TensorRtRuntime(voice, SLOTS, "cpu", computed, folder / "plans")


@pytest.fixture(scope="module", params=["ort-cpu", *IN_TORCH])
def runtime(request: pytest.FixtureRequest, small: Path, tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    made = opened(request.param, small, tmp_path_factory.mktemp("runtime"))
    assert made.name == request.param
    return made


@pytest.fixture(scope="module")
def reference(small: Path) -> Any:
    pytest.importorskip("torch")
    return opened("torch-cpu", small, small)


def inputs(rows: int) -> tuple[np.ndarray, np.ndarray]:
    dice = np.random.default_rng(rows)
    features = dice.uniform(-1, 1, (rows, FRAMES, FEATURES)).astype(np.float32)
    features[:, :, VOICING] = features[:, :, VOICING] > -0.3
    return features, dice.standard_normal((rows, FRAMES, HOP)).astype(np.float32)


def streamed(
    runtime: Runtime, features: np.ndarray, noise: np.ndarray, lengths: int | list[int]
) -> np.ndarray:
    rows = runtime.fresh(len(features))
    pieces, at = [], 0
    for length in [lengths] * (FRAMES // lengths) if isinstance(lengths, int) else lengths:
        span = slice(at, at + length)
        chunk = np.ascontiguousarray(features[:, span]), np.ascontiguousarray(noise[:, span])
        audio, rows = runtime.step(*chunk, rows)
        pieces.append(audio)
        at += length
    assert at == FRAMES
    return np.concatenate(pieces, axis=1)


def whole(runtime: Runtime, features: np.ndarray, noise: np.ndarray) -> np.ndarray:
    return streamed(runtime, features, noise, [16] * (FRAMES // 16))


def chunking(seed: int) -> list[int]:
    dice = np.random.default_rng(seed)
    lengths: list[int] = []
    while (left := FRAMES - sum(lengths)) > 0:
        lengths.append(int(min(dice.integers(1, 17), left)))
    return lengths


def test_the_vocoder_is_the_reference(runtime: Runtime, reference: Runtime) -> None:
    features, noise = inputs(2)
    wanted = streamed(reference, features, noise, FRAMES)
    assert np.abs(wanted).max() > 0.01
    assert np.abs(whole(runtime, features, noise) - wanted).max() < TOLERANCE


@pytest.mark.parametrize("length", [1, 2, 3, 4, 8])
def test_any_chunk_length_gives_the_same(runtime: Runtime, length: int) -> None:
    features, noise = inputs(1)
    gap = streamed(runtime, features, noise, length) - whole(runtime, features, noise)
    assert np.abs(gap).max() < TOLERANCE


@pytest.mark.parametrize("seed", range(4))
def test_any_chunking_gives_the_same(runtime: Runtime, seed: int) -> None:
    features, noise = inputs(3)
    full = whole(runtime, features, noise)
    assert np.abs(full).max() > 0.01
    assert np.abs(streamed(runtime, features, noise, chunking(seed)) - full).max() < TOLERANCE


def test_receptive_field(runtime: Runtime) -> None:
    """A mel changed in frame 5 is heard from there on for REACH frames, and in no other frame."""
    features, noise = inputs(1)
    features[:, :, VOICING] = 1
    other = features.copy()
    other[:, 5, :F0] += 0.5
    gap = np.abs(whole(runtime, other, noise) - whole(runtime, features, noise)).max(axis=(0, 2))
    assert np.flatnonzero(gap)[[0, -1]].tolist() == [5, 5 + REACH]


@pytest.mark.parametrize("count", [1, 3, 4, 5, 8])
def test_every_row_of_a_batch_is_the_row_alone(runtime: Runtime, count: int) -> None:
    features, noise = inputs(count)
    together = streamed(runtime, features, noise, 8)
    for row in range(count):
        alone = streamed(runtime, features[row : row + 1], noise[row : row + 1], 8)
        assert np.abs(together[row] - alone[0]).max() < TOLERANCE


def test_streams_are_batched_as_they_come(runtime: Runtime) -> None:
    """A pool's rows stepped in other company and another order each time: as if each were alone."""
    features, noise = inputs(4)
    pool = runtime.fresh(4)
    dice = np.random.default_rng(1)
    at = [0] * 4
    made: list[list[np.ndarray]] = [[] for _ in range(4)]
    while ready := [row for row in range(4) if at[row] < FRAMES]:
        chosen = dice.permutation(ready)[: dice.integers(1, len(ready) + 1)]
        chunks = [
            np.stack([values[row, at[row] : at[row] + 8] for row in chosen]) for values in (features, noise)
        ]
        audio, _ = runtime.step(*chunks, pool[chosen])
        for row, piece in zip(chosen, audio, strict=True):
            made[row].append(piece)
            at[row] += 8
    wanted = streamed(runtime, features, noise, 8)
    for row in range(4):
        assert np.abs(np.concatenate(made[row]) - wanted[row]).max() < TOLERANCE


@pytest.mark.parametrize("spoiled", [np.nan, np.inf, -np.inf])
def test_a_spoiled_row_begins_afresh_and_no_other(runtime: Runtime, spoiled: float) -> None:
    features, noise = inputs(4)
    features, noise = features[:, :24], noise[:, :24]
    hurt = features.copy()
    hurt[2, 12, 7] = spoiled
    results = []
    for each in (features, hurt):
        rows, pieces, sound = runtime.fresh(4), [], []
        for at in (0, 8, 16):
            chunk = np.ascontiguousarray(each[:, at : at + 8]), np.ascontiguousarray(noise[:, at : at + 8])
            audio, rows = runtime.step(*chunk, rows)
            pieces.append(audio)
            sound.append(rows.finite().tolist())
        results.append((np.concatenate(pieces, axis=1), sound))
    (wanted, _), (audio, sound) = results
    assert sound == [[True] * 4, [True, True, False, True], [True] * 4]
    assert np.array_equal(audio[[0, 1, 3]], wanted[[0, 1, 3]])
    assert not audio[2, 8:16].any()
    afresh, _ = runtime.step(
        np.ascontiguousarray(features[2:3, 16:]), np.ascontiguousarray(noise[2:3, 16:]), runtime.fresh(1)
    )
    assert np.abs(audio[2, 16:] - afresh[0]).max() < TOLERANCE


def test_the_same_twice(runtime: Runtime) -> None:
    features, noise = inputs(2)
    assert np.array_equal(streamed(runtime, features, noise, 8), streamed(runtime, features, noise, 8))


def test_audio_stays_what_it_was(runtime: Runtime) -> None:
    features, noise = (each[:, :8].copy() for each in inputs(1))
    first, rows = runtime.step(features, noise, runtime.fresh(1))
    kept = first.copy()
    runtime.step(features, noise, rows)
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("tokens", [1, 2, 13, 200])
def test_the_acoustic_model_is_the_reference(
    runtime: Runtime, reference: Runtime, small: Path, tokens: int
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


@NEEDS_TORCH
class TestPool:
    """What only the GPU's runtimes have: slots, sizes that are filled up, shapes recorded once."""

    @pytest.fixture
    def made(self, small: Path, tmp_path: Path) -> Any:
        return opened("torch-cudagraph", small, tmp_path)

    def test_slots_are_free_again_when_nobody_holds_them(self, made: Any) -> None:
        rows = made.fresh(SLOTS)
        with pytest.raises(EngineError, match="0 of 8 slots are free"):
            made.fresh(1)
        part = rows[np.array([1])]
        del rows
        with pytest.raises(EngineError, match="slots"):
            made.fresh(1)  # the part still holds them
        del part
        assert len(made.fresh(SLOTS)) == SLOTS

    def test_a_slot_used_again_is_fresh(self, made: Any) -> None:
        features, noise = inputs(1)
        once = streamed(made, features, noise, 8)
        for _ in range(2 * SLOTS):
            assert np.array_equal(streamed(made, features, noise, 8), once)

    def test_batches_are_filled_up_to_powers_of_two(self) -> None:
        from tts_core.neural.runtimes.cudagraph import bucket

        sizes = [bucket(rows, 1024) for rows in (1, 2, 3, 4, 5, 1000, 1024, 4096)]
        assert sizes == [1, 2, 4, 4, 8, 1024, 1024, 1024]

    def test_a_shape_is_recorded_once_and_replayed(self, small: Path) -> None:
        from tts_core.neural.runtimes.cudagraph import GraphRuntime

        recordings: list[int] = []

        def record(step: Any) -> Any:
            recordings.append(0)
            index = len(recordings) - 1
            for _ in range(3):
                step()  # as before a capture: nobody's state may move

            def replay() -> None:
                recordings[index] += 1
                step()

            return replay

        made = GraphRuntime(package.read(small), SLOTS, "cpu", record)
        rows = made.fresh(3)
        made.prepare(1, 8)
        made.prepare(3, 8)
        assert not rows.state[rows.slots].any()
        features, noise = (each[:, :8].copy() for each in inputs(3))
        for _ in range(5):
            made.step(features, noise, rows)
        made.step(features[:1], noise[:1], rows[np.array([2])])
        assert recordings == [1, 5]

    def test_a_batch_beyond_the_largest_size_goes_in_pieces(self, small: Path) -> None:
        from tts_core.neural.runtimes.cudagraph import GraphRuntime, computed

        made = GraphRuntime(package.read(small), 7, "cpu", computed)  # the largest size is 4
        features, noise = inputs(7)
        together = streamed(made, features, noise, 8)
        alone = streamed(made, features[6:], noise[6:], 8)
        assert np.abs(together[6] - alone[0]).max() < TOLERANCE


@pytest.mark.parametrize("voice", shelf.folders(SHIPPED), ids=lambda folder: folder.name)
def test_every_voice_that_ships_streams_exactly(voice: Path) -> None:
    runtime = OrtRuntime(package.read(voice))
    features, noise = inputs(2)
    full = streamed(runtime, features, noise, FRAMES)
    for seed in range(10, 16):
        assert np.abs(streamed(runtime, features, noise, chunking(seed)) - full).max() < TOLERANCE


def test_rows_made_by_hand_are_looked_at() -> None:
    rows = Rows(np.array([[1.0, np.nan], [1.0, 2.0]], np.float32), np.zeros(2))
    assert rows.finite().tolist() == [False, True]


def test_choosing_a_runtime_imports_no_torch() -> None:
    code = "import sys, tts_core.neural.runtimes, tts_core.neural.engine; print('torch' in sys.modules)"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == "False"
