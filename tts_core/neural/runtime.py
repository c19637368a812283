"""Runs a voice's three graphs: the contract of every runtime, and ONNX Runtime on the CPU, the default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tts_core.errors import EngineError
from tts_core.neural.frame import HOP, Floats
from tts_core.neural.package import Package


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Vocoder state of B streams: `state` float32[B, S] and `phase` float64[B], in cycles."""

    state: Floats
    phase: NDArray[np.float64]

    def finite(self) -> NDArray[np.bool_]:
        """Which rows are sound: bool[B]."""
        sound: NDArray[np.bool_] = np.isfinite(self.state).all(axis=1) & np.isfinite(self.phase)
        return sound


class Runtime(Protocol):
    """The networks of one voice. Every array is C-contiguous; rows never touch one another."""

    @property
    def name(self) -> str:
        """Such as `ort-cpu`."""
        ...

    def encode(self, ids: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """`ids` int64[B, P, 3] to meaning [B, P, C] and ln(frames + 1) of each token [B, P]."""
        ...

    def decode(self, meaning: Floats, token: NDArray[np.int64], place: Floats) -> Floats:
        """`meaning` [B, P, C], `token` int64[B, T], `place` [B, T, 4] to features [B, T, 42], voicing a logit."""
        ...

    def fresh(self, rows: int) -> Rows:
        """The state of `rows` streams before anything is said."""
        ...

    def step(self, features: Floats, noise: Floats, rows: Rows) -> tuple[Floats, Rows]:
        """The next T frames of B streams: `features` [B, T, 42], `noise` [B, T, 80].

        Returns audio [B, T, 80], full scale 1, two frames late, and the rows as they are then.
        """
        ...


class OrtRuntime:
    """ONNX Runtime on one CPU core. Raises EngineError when it is not installed or refuses a graph."""

    name = "ort-cpu"

    def __init__(self, package: Package, threads: int = 1) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise EngineError("neural voices need onnxruntime: pip install onnxruntime") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._encoder, self._decoder, self._vocoder = (
                onnxruntime.InferenceSession(
                    str(package.folder / graph), options, providers=["CPUExecutionProvider"]
                )
                for graph in ("encoder.onnx", "decoder.onnx", "vocoder.onnx")
            )
        except Exception as error:  # its errors have no common class of their own
            raise EngineError(f"{package.folder}: ONNX Runtime refuses it: {error}") from error
        self._width = int(self._vocoder.get_inputs()[2].shape[1])

    def encode(self, ids: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """See Runtime."""
        meaning, pace = self._encoder.run(None, {"ids": ids})
        return meaning, pace

    def decode(self, meaning: Floats, token: NDArray[np.int64], place: Floats) -> Floats:
        """See Runtime."""
        features: Floats = self._decoder.run(None, {"meaning": meaning, "token": token, "place": place})[0]
        return features

    def fresh(self, rows: int) -> Rows:
        """See Runtime."""
        return Rows(np.zeros((rows, self._width), np.float32), np.zeros(rows))

    def step(self, features: Floats, noise: Floats, rows: Rows) -> tuple[Floats, Rows]:
        """See Runtime."""
        assert noise.shape == (*features.shape[:2], HOP)
        audio, state, phase = self._vocoder.run(
            None, {"features": features, "noise": noise, "state": rows.state, "phase": rows.phase}
        )
        return audio, Rows(state, phase)
