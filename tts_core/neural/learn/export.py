"""A trained voice as a package: ONNX graphs and safetensors, the weights in half precision.

Weights are rounded to float16 and widened again where a graph is loaded, so a voice is half as large and every
runtime computes in float32 with the very same numbers. Constants (the DFT's bases) stay float32.
"""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import onnx
import torch
from onnx import numpy_helper
from safetensors.torch import save_file
from torch import Tensor, nn

from tts_core.neural import package as packages
from tts_core.neural import precision
from tts_core.neural.frame import FEATURES, HOP, RATE
from tts_core.neural.learn.acoustic import Acoustic
from tts_core.neural.learn.runtime import restore
from tts_core.neural.learn.vocoder import Vocoder
from tts_core.neural.package import Manifest, Package

OPSET = 17
ANSWER = "answer.onnx"
_SUFFIXES = (".onnx", ".safetensors", ".json", ".txt")
_SMALL = 64  # numbers: a tensor with fewer is not worth a cast


@dataclass(frozen=True, slots=True)
class About:
    """What only its maker knows of a voice."""

    name: str
    version: str
    language: str
    gender: str
    description: str
    teacher: str
    licence: str


class _Encoder(nn.Module):
    def __init__(self, model: Acoustic) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        return self.model.encode(ids)


class _Decoder(nn.Module):
    def __init__(self, model: Acoustic) -> None:
        super().__init__()
        self.model = model

    def forward(self, meaning: Tensor, token: Tensor, place: Tensor) -> Tensor:
        return self.model.decode(meaning, token, place, torch.ones_like(place[:, :, :1]))


def export(
    model: Acoustic, vocoder: Vocoder, phonemes: dict[str, int], about: About, folder: Path
) -> Package:
    """Write the package into `folder`. Both networks' weights are rounded to float16 in place."""
    folder.mkdir(parents=True, exist_ok=True)
    halved(model)
    halved(vocoder)
    weights = {f"acoustic.{name}": value.half() for name, value in model.state_dict().items()}
    weights |= {f"vocoder.{name}": value.half() for name, value in vocoder.state_dict().items()}
    save_file({name: value.contiguous() for name, value in weights.items()}, folder / "weights.safetensors")
    (folder / "weights.safetensors").chmod(0o644)  # it is written for its owner alone
    _graphs(model, vocoder, folder)
    files = sorted(each.name for each in folder.iterdir() if each.suffix in _SUFFIXES)
    hashes = {name: packages.digest(folder / name) for name in files if name != packages.MANIFEST}
    manifest = Manifest(
        format=packages.FORMAT, engine="neural", name=about.name, version=about.version,
        language=about.language, gender=about.gender, description=about.description, teacher=about.teacher,
        licence=about.licence, sample_rate=RATE, phonemes=phonemes, files=hashes,
    )  # fmt: skip
    return packages.write(folder, manifest)


def redrawn(package: Package, version: str, folder: Path) -> Package:
    """`package` as `version` in the new or empty `folder`, its graphs written anew from its weights.

    Raises Unavailable for a voice without weights for these networks, and BadPackage when `folder` cannot be
    written.
    """
    with tempfile.TemporaryDirectory() as made:
        _graphs(*restore(package), Path(made))
        graphs = {name: (Path(made) / name).read_bytes() for name in packages.GRAPHS}
    again = replace(package, manifest=msgspec.structs.replace(package.manifest, version=version))
    return precision.rewritten(again, graphs, folder, package.manifest.name)


class _Answer(nn.Module):
    def __init__(self, vocoder: Vocoder) -> None:
        super().__init__()
        self.vocoder = vocoder

    def forward(self, features: Tensor, wave: Tensor, noise: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        return self.vocoder.answer(features, wave, noise, state)


def with_answer(package: Package, folder: Path, *, half: bool = False) -> Package:
    """A copy of `package` in `folder` with `answer.onnx` beside its graphs: what a TensorRT engine is built of.

    It is the vocoder without its source, all in float32, `half`: with learned matrices in float16. Raises
    Unavailable for a voice without weights for torch, and BadPackage when `folder` cannot be written.
    """
    _, vocoder = restore(package)
    rows, count = 2, 5
    state, _ = vocoder.fresh(rows)
    wide = torch.zeros(rows, count, HOP)
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / ANSWER
        _write(
            _Answer(vocoder), (torch.zeros(rows, count, FEATURES), wide, wide, state),
            ("features", "wave", "noise", "state"), ("audio", "new_state"), file,
        )  # fmt: skip
        graph = onnx.load(file)
    (precision.halved if half else precision.widened)(graph)
    return precision.rewritten(package, {ANSWER: graph.SerializeToString()}, folder, package.manifest.name)


def halved(network: nn.Module) -> None:
    """Round every weight to the nearest float16, in place."""
    with torch.no_grad():
        for value in network.parameters():
            value.copy_(value.half().float())


def _graphs(model: Acoustic, vocoder: Vocoder, folder: Path) -> None:
    rows, tokens, count = 2, 7, 5
    ids = torch.ones(rows, tokens, 3, dtype=torch.int64)
    state, phase = vocoder.fresh(rows)
    meaning = torch.zeros(rows, tokens, model.size.channels)
    place, token = torch.zeros(rows, count, 4), torch.zeros(rows, count, dtype=torch.int64)
    features, noise = torch.zeros(rows, count, FEATURES), torch.zeros(rows, count, HOP)
    _write(_Encoder(model), (ids,), ("ids",), ("meaning", "pace"), folder / "encoder.onnx")
    _write(
        _Decoder(model),
        (meaning, token, place),
        ("meaning", "token", "place"),
        ("features",),
        folder / "decoder.onnx",
    )
    _write(
        vocoder, (features, noise, state, phase), ("features", "noise", "state", "phase"),
        ("audio", "new_state", "new_phase"), folder / "vocoder.onnx",
    )  # fmt: skip


_AXES = {
    "ids": "BP",
    "meaning": "BP",
    "pace": "BP",
    "state": "B",
    "phase": "B",
    "new_state": "B",
    "new_phase": "B",
}


def _write(
    network: nn.Module,
    example: tuple[Tensor, ...],
    takes: tuple[str, ...],
    gives: tuple[str, ...],
    file: Path,
) -> None:
    axes = {name: dict(enumerate(_AXES.get(name, "BT"))) for name in (*takes, *gives)}
    network.eval()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # the tracer's remarks, and that the classic exporter is the classic one
        torch.onnx.export(
            network, example, str(file), input_names=list(takes), output_names=list(gives), dynamic_axes=axes,
            opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    graph = onnx.load(file)
    _halve_initialisers(graph)
    onnx.checker.check_model(graph)
    onnx.save(graph, file)


def _halve_initialisers(graph: onnx.ModelProto) -> None:
    """Keep float32 weights that float16 holds exactly as float16 with a cast, which loading folds away."""
    kept, casts = [], []
    for weight in graph.graph.initializer:
        values = numpy_helper.to_array(weight)
        exact = values.dtype == np.float32 and np.array_equal(
            values, values.astype(np.float16).astype(np.float32)
        )
        if not exact or values.size < _SMALL:
            kept.append(weight)
            continue
        half = f"{weight.name}.half"
        kept.append(numpy_helper.from_array(values.astype(np.float16), half))
        casts.append(onnx.helper.make_node("Cast", [half], [weight.name], to=onnx.TensorProto.FLOAT))
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(kept)
    nodes = [*casts, *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
