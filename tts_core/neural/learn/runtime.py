"""Runs a voice's networks in torch on the CPU: the reference that other runtimes are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from tts_core.neural.frame import Floats
from tts_core.neural.learn.acoustic import Acoustic, AcousticSize
from tts_core.neural.learn.vocoder import Vocoder
from tts_core.neural.runtime import Rows, Unavailable

if TYPE_CHECKING:
    from tts_core.neural.package import Package

WEIGHTS = "weights.safetensors"


def restore(package: Package) -> tuple[Acoustic, Vocoder]:
    """The networks of a package, in float32. Raises Unavailable when it holds no weights for these networks."""
    if not (package.folder / WEIGHTS).is_file():
        raise Unavailable(f"{package.folder} holds no {WEIGHTS}: it speaks with ONNX Runtime only")
    try:
        return _networks(load_file(package.folder / WEIGHTS), len(package.manifest.phonemes))
    except (RuntimeError, SafetensorError) as error:
        reason = str(error).split("\n", 1)[0]
        raise Unavailable(
            f"{package.folder}: {WEIGHTS} is not of the networks of this version: {reason}"
        ) from error


def _networks(held: dict[str, Tensor], phonemes: int) -> tuple[Acoustic, Vocoder]:
    model, vocoder = Acoustic(AcousticSize(phonemes)), Vocoder()
    for prefix, network in (("acoustic.", model), ("vocoder.", vocoder)):
        own = {
            name.removeprefix(prefix): value.float()
            for name, value in held.items()
            if name.startswith(prefix)
        }
        network.load_state_dict(own)
        network.eval()
    return model, vocoder


class TorchRuntime:
    """See tts_core.neural.runtime.Runtime."""

    name = "torch-cpu"
    most = 8

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
        features: Floats = self._model.decode(means, belongs, where, mask).numpy()
        return features

    def fresh(self, rows: int) -> Rows:
        """See Runtime."""
        state, phase = self._vocoder.fresh(rows)
        return Rows(state.numpy(), phase.numpy())

    @torch.no_grad()
    def step(self, features: Floats, noise: Floats, rows: Rows) -> tuple[Floats, Rows]:
        """See Runtime."""
        where = slice(None) if rows.slots is None else rows.slots
        given = (torch.from_numpy(each) for each in (features, noise, rows.state[where], rows.phase[where]))
        audio, state, phase = (made.numpy() for made in self._vocoder(*given))
        rows.settle(audio, state, phase)
        return audio, rows
