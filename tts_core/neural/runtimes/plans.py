"""TensorRT plans: built from a graph, kept in a folder, built again when what they depend on has changed.

Written against TensorRT 11.4, where networks are strongly typed: a plan's precision is its graph's. What is
called here is looked up in the real bindings by test_tensorrt.py; that is an API check, not a run.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tts_core.neural.runtime import Unavailable

_log = logging.getLogger(__name__)
_WORKSPACE = 2**30  # bytes that a tactic may use


@dataclass(frozen=True, slots=True)
class Range:
    """Shapes that one input may have: the least, the one to be fastest at, the greatest."""

    least: tuple[int, ...]
    best: tuple[int, ...]
    most: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that a plan depends on. `sm` is the GPU's architecture, such as 9.0; `flags` are of BuilderFlag."""

    graph_sha256: str
    tensorrt: str
    gpu: str
    sm: str
    profile: dict[str, Range]
    flags: tuple[str, ...]

    @property
    def key(self) -> str:
        """The name of its plan: the sha256 of everything above."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def recipe(
    graph: bytes, trt: Any, gpu: str, sm: str, profile: dict[str, Range], flags: tuple[str, ...]
) -> Recipe:
    """What a plan of `graph` depends on; `trt` is the tensorrt module."""
    return Recipe(hashlib.sha256(graph).hexdigest(), trt.__version__, gpu, sm, profile, flags)


def build(graph: bytes, recipe: Recipe, trt: Any) -> bytes:
    """A plan of the ONNX `graph`; takes a minute or more. Raises Unavailable with TensorRT's reasons."""
    logger = trt.Logger(trt.Logger.WARNING)
    builder = _made(trt.Builder, logger)
    network = builder.create_network()
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(graph):
        reasons = "; ".join(parser.get_error(index).desc() for index in range(parser.num_errors))
        raise Unavailable(f"TensorRT {trt.__version__} does not take the graph: {reasons}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, _WORKSPACE)
    for flag in recipe.flags:
        config.set_flag(getattr(trt.BuilderFlag, flag))
    profile = builder.create_optimization_profile()
    for name, shapes in recipe.profile.items():
        profile.set_shape(name, shapes.least, shapes.best, shapes.most)
    config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise Unavailable(f"TensorRT {trt.__version__} could not build a plan; its log has the reason")
    return bytes(plan)


def engine(graph: bytes, recipe: Recipe, folder: Path, trt: Any) -> Any:
    """The engine of `graph`: its plan from `folder`, or built and kept there. Raises Unavailable.

    A plan that TensorRT does not read (None: made by another version, for another GPU, or damaged) is built
    again, once.
    """
    runtime = _made(trt.Runtime, trt.Logger(trt.Logger.WARNING))
    kept = folder / f"{recipe.key}.plan"
    if kept.is_file():
        found = runtime.deserialize_cuda_engine(kept.read_bytes())
        if found is not None:
            return found
        _log.warning("%s is not read by TensorRT %s: it is built again", kept, recipe.tensorrt)
    plan = build(graph, recipe, trt)
    found = runtime.deserialize_cuda_engine(plan)
    if found is None:
        raise Unavailable(f"TensorRT {recipe.tensorrt} does not read the plan that it has just built")
    _keep(plan, kept)
    return found


class Execution:
    """One execution context for one set of shapes, its tensors at addresses that stay.

    `shapes` are of the inputs, `addresses` (on the device) of every input and output. Raises Unavailable.
    """

    def __init__(self, engine: Any, shapes: dict[str, tuple[int, ...]], addresses: dict[str, int]) -> None:
        self._context = engine.create_execution_context()
        if self._context is None:
            raise Unavailable("TensorRT gives no execution context: the GPU's memory is full")
        for name, shape in shapes.items():
            _agreed(self._context.set_input_shape(name, shape), f"the shape {shape} of {name}")
        for name, address in addresses.items():
            _agreed(self._context.set_tensor_address(name, address), f"the address of {name}")

    def run(self, stream: int) -> None:
        """Enqueue it on the CUDA stream `stream`, not the default one. Raises Unavailable when it is refused."""
        _agreed(self._context.execute_async_v3(stream), "to run")


def load() -> Any:
    """The tensorrt module. Raises Unavailable when it, or the library that it binds, is not installed."""
    try:
        import tensorrt
    except (ImportError, OSError) as error:
        raise Unavailable(f"TensorRT is not installed: {error} (pip install 'voxtrunk[gpu]')") from error
    return tensorrt


def _agreed(answer: bool, what: str) -> None:
    if not answer:
        raise Unavailable(f"TensorRT refuses {what}; its log has the reason")


def _made(kind: Any, logger: Any) -> Any:
    """A Builder or a Runtime. Without a GPU, a driver or its library TensorRT returns nothing, which its bindings
    raise as a TypeError."""
    try:
        return kind(logger)
    except (TypeError, RuntimeError) as error:
        raise Unavailable(f"TensorRT finds no GPU that it can use: {error}") from error


def _keep(plan: bytes, file: Path) -> None:
    """Write the whole plan or nothing; a folder that cannot be written to costs the next start its time."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=".plan-")
        with os.fdopen(handle, "wb") as open_file:
            open_file.write(plan)
        Path(temporary).replace(file)
    except OSError as error:
        _log.warning("the TensorRT plan is not kept: %s", error)
