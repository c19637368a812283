"""A voice's graphs in another precision, as a voice of its own for ONNX Runtime. Needs onnx, and no torch.

int8: the vocoder's learned matrix products as ONNX Runtime's static quantiser makes them, weights by channel,
activations by ranges seen while the voice counts. Ranges found at run time would depend on who else is in the
batch and on how frames are cut into chunks; fixed ones do not. The decoder stays: quantised, it costs half a
point of PESQ.

fp16: the vocoder's and the decoder's learned products in half precision. It is for GPUs: ONNX Runtime has no such
kernels for a CPU and computes in float32. The DFT's bases and all of the source stay as they are in both.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tts_core.neural import package as packages
from tts_core.neural import speech
from tts_core.neural.frame import HOP
from tts_core.neural.frontend import Frontend
from tts_core.neural.package import Package
from tts_core.neural.runtime import OrtRuntime

_COUNTED = (
    "0 1 2 3 4 5 6 7 8 9.",
    "10 11 12,",
    "13 14 15?",
    "16 17 18 19 20!",
    "35 47 58 61 72 83 94.",
    "1234567.",
)
_CHUNK = 8  # frames

Feeds = list[dict[str, np.ndarray]]


def convert(package: Package, precision: str, folder: Path) -> Package:
    """`package` in `precision`, fp32, fp16 or int8, written to the new or empty `folder`.

    In fp32 its graphs hold float32 weights, for other tools. In another precision it has no weights for torch
    and no metrics, which are of the original. Raises BadPackage when `folder` cannot be written.
    """
    if precision == "fp32":
        return rewritten(package, _plain(package), folder, package.manifest.name)
    names = ("vocoder.onnx", "decoder.onnx") if precision == "fp16" else ("vocoder.onnx",)
    graphs = {}
    for name in names:
        graph = onnx.load(package.folder / name)
        graphs[name] = _half(graph) if precision == "fp16" else _quantised(graph, _heard(package))
    return rewritten(package, graphs, folder, f"{package.manifest.name}-{precision}", keep=False)


def rewritten(
    package: Package, graphs: dict[str, bytes], folder: Path, name: str, *, keep: bool = True
) -> Package:
    """A copy of `package` in `folder` with `graphs` instead of, or beside, its own, under another name.

    Without `keep` only graphs and notices are copied. Raises BadPackage when `folder` is not empty or not
    writable.
    """
    manifest = package.manifest
    kept = [
        file for file in manifest.files
        if file not in graphs and (keep or file in packages.GRAPHS or file.startswith("NOTICE"))
    ]  # fmt: skip
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise packages.BadPackage(f"{folder} is not empty: give an empty or a new folder")
        for file in kept:
            shutil.copyfile(package.folder / file, folder / file)
        for file, graph in graphs.items():
            (folder / file).write_bytes(graph)
    except OSError as error:
        raise packages.BadPackage(f"{folder} cannot be written: {error}") from error
    hashes = {file: packages.digest(folder / file) for file in sorted((*kept, *graphs))}
    return packages.write(folder, msgspec.structs.replace(manifest, name=name, files=hashes))


def widened(graph: onnx.ModelProto) -> set[str]:
    """Undo the storage of weights in float16, in place. Returns the names of the learned weights."""
    weights = {each.name: each for each in graph.graph.initializer}
    nodes, learned = [], set()
    for node in graph.graph.node:
        if node.op_type == "Cast" and node.input[0] in weights:
            values = numpy_helper.to_array(weights.pop(node.input[0])).astype(np.float32)
            weights[node.output[0]] = numpy_helper.from_array(values, node.output[0])
            learned.add(node.output[0])
        else:
            nodes.append(node)
    del graph.graph.initializer[:], graph.graph.node[:]
    graph.graph.initializer.extend(weights.values())
    graph.graph.node.extend(nodes)
    return learned


def halved(graph: onnx.ModelProto) -> None:
    """Compute every product with a learned matrix in float16, in place: casts around it, the rest untouched."""
    learned = widened(graph)
    weights = {each.name: each for each in graph.graph.initializer}
    nodes, done = [], set()
    for node in graph.graph.node:
        if node.op_type != "MatMul" or node.input[1] not in learned:
            nodes.append(node)
            continue
        given, matrix, made = node.input[0], node.input[1], node.output[0]
        if matrix not in done:
            values = numpy_helper.to_array(weights.pop(matrix)).astype(np.float16)
            weights[matrix] = numpy_helper.from_array(values, matrix)
            done.add(matrix)
        nodes += [
            helper.make_node("Cast", [given], [f"{made}.given"], to=TensorProto.FLOAT16),
            helper.make_node("MatMul", [f"{made}.given", matrix], [f"{made}.half"], name=node.name),
            helper.make_node("Cast", [f"{made}.half"], [made], to=TensorProto.FLOAT),
        ]
    del graph.graph.initializer[:], graph.graph.node[:]
    graph.graph.initializer.extend(weights.values())
    graph.graph.node.extend(nodes)
    onnx.checker.check_model(graph)


def _plain(package: Package) -> dict[str, bytes]:
    graphs = {name: onnx.load(package.folder / name) for name in packages.GRAPHS}
    for graph in graphs.values():
        widened(graph)
    return {name: bytes(graph.SerializeToString()) for name, graph in graphs.items()}


def _half(graph: onnx.ModelProto) -> bytes:
    halved(graph)
    return bytes(graph.SerializeToString())


def _quantised(graph: onnx.ModelProto, feeds: Feeds) -> bytes:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left: Iterator[dict[str, np.ndarray]] = iter(feeds)

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self._left, None)

    learned = widened(graph)
    kept = [n.name for n in graph.graph.node if n.op_type == "MatMul" and n.input[1] not in learned]
    with tempfile.TemporaryDirectory() as made:
        plain, shaped, quantised = (Path(made) / f"{name}.onnx" for name in ("plain", "shaped", "int8"))
        onnx.save(graph, plain)
        quant_pre_process(plain, shaped, skip_optimization=True, skip_symbolic_shape=True)
        quantize_static(
            shaped, quantised, Reader(), QuantFormat.QDQ, ["MatMul"], per_channel=True, nodes_to_exclude=kept,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            # to 7 bits: without VNNI two products of 8 are added in 16, and what is more is cut off
            reduce_range=True,
        )  # fmt: skip
        return quantised.read_bytes()


def _heard(package: Package) -> Feeds:
    """What the vocoder is given while the voice counts, in its own language."""
    runtime = OrtRuntime(package)
    frontend = Frontend(package.manifest.language, package.manifest.phonemes)
    dice = np.random.default_rng(0)
    feeds: Feeds = []
    for clause in _COUNTED:
        features = speech.compose(runtime, frontend.read(clause), 1.0).features
        rows = runtime.fresh(1)
        for at in range(0, len(features) - _CHUNK + 1, _CHUNK):
            chunk = np.ascontiguousarray(features[None, at : at + _CHUNK])
            noise = dice.standard_normal((1, _CHUNK, HOP), np.float32)
            given = {
                "features": chunk,
                "noise": noise,
                "state": rows.state.copy(),
                "phase": rows.phase.copy(),
            }
            feeds.append(given)
            runtime.step(chunk, noise, rows)
    return feeds
