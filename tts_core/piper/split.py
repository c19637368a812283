"""A Piper graph cut in two at its latent, found by how its nodes hang together and not by their names.

The encoder keeps all that is drawn by chance: its noise is given to it, so the same text is the same audio. It
also answers the frames of each phoneme (what VITS rounds up with its one Ceil), scaled to the rate that is asked
for so that what rounding takes from one phoneme the next one gets. The decoder is convolutions alone.

Needs the `onnx` package, which speaking does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tts_core.piper.reach import Reach, reach

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

OWN = "vx."  # names of ours begin with it
LATENT, CONDITION, FRAMES, NOISE, RHYTHM, STRETCH = (
    f"{OWN}{name}" for name in ("latent", "condition", "frames", "noise", "rhythm", "stretch")
)
LONGEST = 400  # frames of one phoneme
_GIVEN = ("input", "input_lengths", "scales")
_SPEAKER = "sid"
_OPSETS = range(11, 24)
_RANDOM = frozenset(("RandomNormal", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"))
_UPWARD = frozenset(("LeakyRelu", "Relu", "Identity", "Mul", "Div", "Cast"))


class NotPiper(Exception):
    """A graph that is no Piper voice: what it lacks, or has and should not."""


@dataclass(frozen=True, slots=True)
class Halves:
    """The two graphs of a voice and what is known of them.

    `channels` of the latent; `rhythm`: the durations are drawn by chance; `speakers` that the graph knows.
    """

    encoder: ModelProto
    decoder: ModelProto
    channels: int
    rhythm: bool
    speakers: int
    symbols: int
    reach: Reach


class _Graph:
    """Who makes each tensor, and what it depends on. Nodes stand in the order in which they can be run."""

    def __init__(self, graph: GraphProto) -> None:
        self.nodes: Sequence[NodeProto] = graph.node
        self.weights: dict[str, Any] = {each.name: each for each in graph.initializer}
        self.maker: dict[str, int] = {}
        for index, node in enumerate(self.nodes):
            for name in node.output:
                if name:
                    self.maker[name] = index

    def behind(self, names: Iterable[str], stop: Iterable[str] = ()) -> set[int]:
        """The nodes that `names` hang on, not looking beyond the tensors `stop`."""
        seen, found = set(stop), set[int]()
        left = [name for name in names if name not in seen]
        while left:
            name = left.pop()
            index = self.maker.get(name)
            if name in seen or index is None:
                continue
            seen.add(name)
            if index not in found:
                found.add(index)
                left += _inputs(self.nodes[index])
        return found

    def moving(self, roots: Iterable[str]) -> set[str]:
        """The tensors that depend on `roots`, themselves included."""
        found = set(roots)
        for node in self.nodes:
            if not found.isdisjoint(_inputs(node)):
                found.update(node.output)
        return found


def _inputs(node: NodeProto) -> list[str]:
    """What a node takes, the branches of an If included."""
    names = [name for name in node.input if name]
    for attribute in node.attribute:
        if attribute.HasField("g"):
            own = {name for each in attribute.g.node for name in each.output}
            inner = [name for each in attribute.g.node for name in _inputs(each)]
            names += [
                name for name in (*inner, *(each.name for each in attribute.g.output)) if name not in own
            ]
    return names


def split(model: ModelProto) -> Halves:
    """Cut `model` in two. Raises NotPiper with what is missing."""
    source = model.graph
    _check_model(model)
    graph = _Graph(source)
    given = [each.name for each in source.input if each.name not in graph.weights]
    has_speakers = _SPEAKER in given
    answer = source.output[0].name

    ceil = _only([node for node in graph.nodes if node.op_type == "Ceil"], "Ceil, which rounds up durations")
    noises = [node for node in graph.nodes if node.op_type == "RandomNormalLike"]
    behind_durations = graph.behind(ceil.input)
    rhythm = [node for node in noises if graph.maker[node.output[0]] in behind_durations]
    noise = _only([node for node in noises if node not in rhythm], "RandomNormalLike behind its durations")
    if len(rhythm) > 1:
        raise NotPiper(f"its durations are drawn by {len(rhythm)} RandomNormalLike; one is known")
    for node in noises:
        if any(each.name in ("mean", "scale", "seed") for each in node.attribute):
            raise NotPiper("its noise is not the plain one of Piper")

    latent, weight = _seam(graph, answer, noise.output[0])
    behind = graph.behind([answer], stop=[latent])
    drawn = graph.moving([*given, *(node.output[0] for node in noises)])
    told = graph.moving([latent])
    decoding = {index for index in behind if not told.isdisjoint(graph.nodes[index].output)}
    conditions = {
        name
        for index in decoding
        for name in _inputs(graph.nodes[index])
        if name in drawn and name not in told
    }
    if len(conditions) > has_speakers:
        raise NotPiper(
            f"its decoder hangs on {len(conditions) + 1} tensors of its encoder, not on the latent alone"
        )
    condition = next(iter(conditions), None)
    still = graph.behind(
        {name for index in decoding for name in _inputs(graph.nodes[index])} - conditions - {latent},
        stop=[latent, *conditions],
    )
    kept = sorted(decoding | {index for index in still if drawn.isdisjoint(graph.nodes[index].output)})
    found = reach([graph.nodes[index] for index in kept], latent, answer, _shapes(graph, kept))

    return Halves(
        _encoder(model, graph, latent, condition, ceil, noise, rhythm[0] if rhythm else None, weight.dims[1]),
        _decoder(model, graph, kept, latent, condition, answer, weight.dims[1]),
        int(weight.dims[1]),
        bool(rhythm),
        _rows(graph, _SPEAKER, "speakers") if has_speakers else 1,
        _rows(graph, _GIVEN[0], "phonemes"),
        found,
    )


def _check_model(model: ModelProto) -> None:
    source = model.graph
    versions = [each.version for each in model.opset_import if each.domain in ("", "ai.onnx")]
    if len(versions) != 1 or versions[0] not in _OPSETS:
        raise NotPiper(
            f"its operators are of version {versions}; {_OPSETS[0]} to {_OPSETS[-1]} are known here"
        )
    weights = {each.name for each in source.initializer}
    given = {each.name for each in source.input} - weights
    if not set(_GIVEN) <= given or not given <= {*_GIVEN, _SPEAKER}:
        raise NotPiper(
            f"it takes {', '.join(sorted(given)) or 'nothing'}; a Piper voice {', '.join(_GIVEN)} and maybe sid"
        )
    if len(source.output) < 1:
        raise NotPiper("it gives nothing")
    made: set[str] = set()
    for node in source.node:
        if node.op_type in _RANDOM or (node.op_type == "Dropout" and len(node.input) > 2):
            raise NotPiper(f"it draws by {node.op_type}, which cannot be repeated")
        for name in node.output:
            if name and (name in made or name in given or name in weights):
                raise NotPiper("two of its nodes make one tensor")
            made.add(name)
    if any(name.startswith(OWN) for name in made | given | weights):
        raise NotPiper(f"a tensor in it begins with {OWN}: it was split already")


def _only(nodes: Sequence[NodeProto], what: str) -> NodeProto:
    if len(nodes) != 1:
        raise NotPiper(f"it has {len(nodes)} {what}; a Piper voice has one")
    return nodes[0]


def _seam(graph: _Graph, answer: str, noise: str) -> tuple[str, Any]:
    """The tensor that the decoder's first convolution takes, and that convolution's weight [K, C, k]."""
    behind = graph.behind([answer])
    ups = sorted(index for index in behind if graph.nodes[index].op_type == "ConvTranspose")
    if not ups:
        raise NotPiper("it has no ConvTranspose: no decoder")
    moving = graph.moving([noise])
    at = graph.nodes[ups[0]].input[0]
    for _ in graph.nodes:
        node = graph.nodes[graph.maker[at]] if at in graph.maker else None
        if node is None:
            break
        ahead = [name for name in node.input if name in moving]
        if node.op_type == "Conv" and len(ahead) == 1 and ahead[0] == node.input[0]:
            weight = graph.weights.get(node.input[1])
            if weight is None or len(weight.dims) != 3:
                break
            return node.input[0], weight
        if len(ahead) != 1 or node.op_type not in _UPWARD | {"Add"}:
            break
        at = ahead[0]
    raise NotPiper("its decoder does not begin with a convolution of a latent that noise went into")


def _rows(graph: _Graph, given: str, what: str) -> int:
    """How many rows the table has that an input looks things up in."""
    for node in graph.nodes:
        if node.op_type == "Gather" and len(node.input) == 2 and node.input[1] == given:
            table = graph.weights.get(node.input[0])
            if table is not None and len(table.dims) == 2:
                return int(table.dims[0])
    raise NotPiper(f"it has no table of {what} that {given} looks up")


def _shapes(graph: _Graph, kept: Iterable[int]) -> Callable[[str], tuple[int, ...] | None]:
    """The shapes of what the decoder's nodes have as weights."""
    known = {
        graph.nodes[index].output[0]: tuple(attribute.t.dims)
        for index in kept
        for attribute in graph.nodes[index].attribute
        if graph.nodes[index].op_type == "Constant" and attribute.name == "value"
    }

    def shape(name: str) -> tuple[int, ...] | None:
        weight = graph.weights.get(name)
        return tuple(weight.dims) if weight is not None else known.get(name)

    return shape


def _encoder(
    model: ModelProto,
    graph: _Graph,
    latent: str,
    condition: str | None,
    ceil: NodeProto,
    noise: NodeProto,
    rhythm: NodeProto | None,
    channels: int,
) -> ModelProto:
    from onnx import TensorProto, helper

    wanted = [latent, ceil.output[0], *([condition] if condition else [])]
    kept = sorted(graph.behind(wanted))
    nodes: list[NodeProto] = []
    for index in kept:
        node = graph.nodes[index]
        if node is rhythm:
            nodes.append(helper.make_node("Identity", [RHYTHM], node.output))
        elif node is noise:
            nodes += _drawn(node.input[0], node.output[0])
        elif node is ceil:
            own = type(node)()
            own.CopyFrom(node)
            own.output[0] = f"{OWN}whole"
            nodes += [own, *_paced(f"{OWN}whole", node.output[0])]
        else:
            nodes.append(node)
    nodes.append(helper.make_node("Identity", [latent], [LATENT]))
    nodes.append(helper.make_node("Identity", [ceil.output[0]], [FRAMES]))
    given = [each for each in model.graph.input if each.name not in graph.weights]
    given.append(helper.make_tensor_value_info(NOISE, TensorProto.FLOAT, [1, channels, "N"]))
    given.append(helper.make_tensor_value_info(STRETCH, TensorProto.FLOAT, [1]))
    if rhythm is not None:
        given.append(helper.make_tensor_value_info(RHYTHM, TensorProto.FLOAT, [1, 2, "P"]))
    made = [
        helper.make_tensor_value_info(LATENT, TensorProto.FLOAT, [1, channels, "T"]),
        helper.make_tensor_value_info(FRAMES, TensorProto.FLOAT, [1, 1, "P"]),
    ]
    if condition:
        nodes.append(helper.make_node("Identity", [condition], [CONDITION]))
        made.append(helper.make_tensor_value_info(CONDITION, TensorProto.FLOAT, [1, "K", 1]))
    return _model(model, nodes, given, made)


def _drawn(like: str, name: str) -> list[NodeProto]:
    """Noise as long as `like` [1, C, T], of the given [1, C, N]: from its beginning, and again when it ends."""
    from onnx import helper, numpy_helper

    def constant(value: Any, to: str) -> NodeProto:
        held = numpy_helper.from_array(np.array(value, np.int64))
        return helper.make_node("Constant", [], [f"{OWN}{to}"], value=held)

    def made(kind: str, inputs: Sequence[str], to: str) -> NodeProto:
        return helper.make_node(kind, inputs, [f"{OWN}{to}"])

    return [
        constant(0, "zero"), constant(1, "one"), constant(2, "two"),
        made("Shape", [like], "like"),
        made("Gather", [f"{OWN}like", f"{OWN}two"], "length"),
        made("Shape", [NOISE], "noised"),
        made("Gather", [f"{OWN}noised", f"{OWN}two"], "period"),
        made("Range", [f"{OWN}zero", f"{OWN}length", f"{OWN}one"], "counted"),
        made("Mod", [f"{OWN}counted", f"{OWN}period"], "places"),
        helper.make_node("Gather", [NOISE, f"{OWN}places"], [name], axis=2),
    ]  # fmt: skip


def _paced(whole: str, name: str) -> list[NodeProto]:
    """Frames [1, 1, P] as Piper rounds them, times STRETCH: whole numbers again whose sums are right."""
    from onnx import helper, numpy_helper

    def constant(value: Any, to: str) -> NodeProto:
        return helper.make_node("Constant", [], [f"{OWN}{to}"], value=numpy_helper.from_array(value))

    return [
        constant(np.float32(LONGEST), "longest"),
        constant(np.int64(2), "axis"),
        constant(np.array([0, 0, 1, 0, 0, -1], np.int64), "later"),
        helper.make_node("Min", [whole, f"{OWN}longest"], [f"{OWN}bounded"]),
        helper.make_node("CumSum", [f"{OWN}bounded", f"{OWN}axis"], [f"{OWN}ends"]),
        helper.make_node("Mul", [f"{OWN}ends", STRETCH], [f"{OWN}stretched"]),
        helper.make_node("Round", [f"{OWN}stretched"], [f"{OWN}rounded"]),
        helper.make_node("Pad", [f"{OWN}rounded", f"{OWN}later"], [f"{OWN}begins"]),
        helper.make_node("Sub", [f"{OWN}rounded", f"{OWN}begins"], [name]),
    ]


def _decoder(
    model: ModelProto,
    graph: _Graph,
    kept: Iterable[int],
    latent: str,
    condition: str | None,
    answer: str,
    channels: int,
) -> ModelProto:
    from onnx import TensorProto, helper

    nodes = [helper.make_node("Identity", [LATENT], [latent])]
    given = [helper.make_tensor_value_info(LATENT, TensorProto.FLOAT, [1, channels, "T"])]
    if condition:
        nodes.append(helper.make_node("Identity", [CONDITION], [condition]))
        given.append(helper.make_tensor_value_info(CONDITION, TensorProto.FLOAT, [1, "K", 1]))
    nodes += [graph.nodes[index] for index in kept]
    shape = helper.make_node("Constant", [], [f"{OWN}flat"], value_ints=[1, -1])
    nodes += [shape, helper.make_node("Reshape", [answer, f"{OWN}flat"], [f"{OWN}audio"])]
    made = [helper.make_tensor_value_info(f"{OWN}audio", TensorProto.FLOAT, [1, "S"])]
    return _model(model, nodes, given, made)


def _model(
    model: ModelProto, nodes: Sequence[NodeProto], given: Sequence[Any], made: Sequence[Any]
) -> ModelProto:
    from onnx import helper

    used = {name for node in nodes for name in _inputs(node)}
    weights = [each for each in model.graph.initializer if each.name in used]
    graph = helper.make_graph(list(nodes), "piper", list(given), list(made), weights)
    opsets = [each for each in model.opset_import if each.domain in ("", "ai.onnx")]
    return helper.make_model(graph, opset_imports=opsets, ir_version=max(model.ir_version, 7))
