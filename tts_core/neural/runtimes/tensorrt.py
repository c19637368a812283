"""TensorRT on a GPU: the vocoder's network as an engine, inside the recorded step of `cudagraph`.

The engine takes the graph `answer.onnx` of an exported voice. TensorRT has no float64, so the source, whose phase
needs it, is computed by torch in the same recording; the acoustic model, which runs once a clause, by torch too.
Each recorded shape has an execution context of its own. Checked against the API of 11.4; not yet run.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tts_core.neural.frame import FEATURES, HOP
from tts_core.neural.learn.vocoder import Vocoder
from tts_core.neural.runtime import Unavailable
from tts_core.neural.runtimes import plans
from tts_core.neural.runtimes.cudagraph import SLOTS, GraphRuntime, Recorder, Vocode, recorded
from tts_core.neural.runtimes.plans import Range

if TYPE_CHECKING:
    from tts_core.neural.package import Package

GRAPH = "answer.onnx"
FLAGS = ("STRICT_NANS",)  # a state that is no number must be seen to be none
_BEST, _LONGEST = (256, 8), 16  # rows and frames


def profile(rows: int, width: int) -> dict[str, Range]:
    """The shapes of an engine's inputs for 1 to `rows` rows of 1 to 16 frames; a state row is `width` wide."""
    best, frames = min(rows, _BEST[0]), _BEST[1]
    found = {
        name: Range((1, 1, size), (best, frames, size), (rows, _LONGEST, size))
        for name, size in (("features", FEATURES), ("wave", HOP), ("noise", HOP))
    }
    return found | {"state": Range((1, width), (best, width), (rows, width))}


def cache() -> Path:
    """Where plans are kept: `voxtrunk/plans` in the user's cache folder (XDG_CACHE_HOME)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "voxtrunk" / "plans"


def open_engine(package: Package, rows: int, width: int, gpu: str, sm: str, folder: Path) -> Any:
    """The voice's engine for batches of up to `rows`, from the plans in `folder` or built. Raises Unavailable."""
    if GRAPH not in package.manifest.files:
        name = package.manifest.name
        raise Unavailable(f"{package.folder} holds no {GRAPH}: voxtrunk export {name} --format tensorrt")
    trt = plans.load()
    graph = (package.folder / GRAPH).read_bytes()
    recipe = plans.recipe(graph, trt, gpu, sm, profile(rows, width), FLAGS)
    return plans.engine(graph, recipe, folder, trt)


class Answer:
    """The vocoder of one shape: torch's source, TensorRT's network, into buffers that never move."""

    def __init__(self, engine: Any, vocoder: Vocoder, rows: int, frames: int) -> None:
        self._vocoder = vocoder
        state, _ = vocoder.fresh(rows)
        device = state.device
        wide = (rows, frames, HOP)
        self._given = {
            "features": torch.zeros(rows, frames, FEATURES, device=device),
            "wave": torch.zeros(wide, device=device),
            "noise": torch.zeros(wide, device=device),
            "state": state,
        }
        self._made = {"audio": torch.zeros(wide, device=device), "new_state": torch.zeros_like(state)}
        shapes = {name: tuple(tensor.shape) for name, tensor in self._given.items()}
        addresses = {name: tensor.data_ptr() for name, tensor in (self._given | self._made).items()}
        self._execution = plans.Execution(engine, shapes, addresses)

    def __call__(
        self, features: Tensor, noise: Tensor, state: Tensor, phase: Tensor, /
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See cudagraph.Vocode. Runs on torch's current stream, which is not the default one."""
        wave, phase = self._vocoder.excite(features, state, phase)
        for name, tensor in (("features", features), ("wave", wave), ("noise", noise), ("state", state)):
            self._given[name].copy_(tensor)
        self._execution.run(torch.cuda.current_stream().cuda_stream if features.is_cuda else 0)
        return self._made["audio"], self._made["new_state"], phase


class TensorRtRuntime(GraphRuntime):
    """See tts_core.neural.runtime.Runtime. Raises Unavailable where TensorRT, a GPU or the graph is missing."""

    name = "tensorrt"

    def __init__(
        self, package: Package, slots: int = SLOTS, device: str = "cuda", record: Recorder = recorded,
        folder: Path | None = None,
    ) -> None:  # fmt: skip
        super().__init__(package, slots, device, record)
        gpu, sm = "none", "0.0"
        if device == "cuda":
            gpu, sm = torch.cuda.get_device_name(), "{}.{}".format(*torch.cuda.get_device_capability())
        width = self._vocoder.state_size
        self._engine = open_engine(package, self._largest, width, gpu, sm, folder or cache())

    def _vocode(self, rows: int, frames: int) -> Vocode:
        if frames > _LONGEST:
            raise Unavailable(f"{frames} frames at once: this engine takes {_LONGEST} at most")
        return Answer(self._engine, self._vocoder, rows, frames)
