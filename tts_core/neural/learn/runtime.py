"""Runs a voice's networks in torch on the CPU: the reference that other runtimes are compared with."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from tts_core.neural.frame import Floats
from tts_core.neural.learn.export import restore
from tts_core.neural.package import Package
from tts_core.neural.runtime import Rows


class TorchRuntime:
    """See tts_core.neural.runtime.Runtime."""

    name = "torch-cpu"

    def __init__(self, package: Package) -> None:
        self._model, self._vocoder = restore(package)

    @torch.no_grad()
    def encode(self, ids: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """See Runtime."""
        meaning, pace = self._model.encode(torch.from_numpy(ids))
        return meaning.numpy(), pace.numpy()

    @torch.no_grad()
    def decode(self, meaning: Floats, token: NDArray[np.int64], place: Floats) -> Floats:
        """See Runtime."""
        mask = torch.ones(*token.shape, 1)
        means, belongs, where = (torch.from_numpy(each) for each in (meaning, token, place))
        made = self._model.decode(means, belongs, where, mask)
        features: Floats = made.numpy()
        return features

    def fresh(self, rows: int) -> Rows:
        """See Runtime."""
        state, phase = self._vocoder.fresh(rows)
        return Rows(state.numpy(), phase.numpy())

    @torch.no_grad()
    def step(self, features: Floats, noise: Floats, rows: Rows) -> tuple[Floats, Rows]:
        """See Runtime."""
        given = (torch.from_numpy(each) for each in (features, noise, rows.state, rows.phase))
        audio, state, phase = self._vocoder(*given)
        return audio.numpy(), Rows(state.numpy(), phase.numpy())
