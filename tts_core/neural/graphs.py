"""An ONNX graph looked at before anything loads it: what it takes and gives, and what it may not hold.

Only the protocol buffer's own encoding is read here (onnx.proto, https://protobuf.dev/programming-guides/encoding),
for the reader of ONNX Runtime would already open whatever other files the graph names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tts_core.neural.frame import FEATURES, HOP

FLOAT, INT64, DOUBLE = 1, 7, 11  # TensorProto.DataType
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types
_MODEL_GRAPH, _MODEL_TRAINING, _MODEL_FUNCTIONS = 7, 20, 25
_GRAPH_NODE, _GRAPH_INITIALISER, _GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_SPARSE = 1, 5, 11, 12, 15
_NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = 5, 6, 10, 11
_ATTRIBUTE_SPARSE = (22, 23)
_TENSOR_EXTERNAL, _TENSOR_LOCATION = 13, 14
_OWN = ("C", "S")
_DOMAINS = ("", "ai.onnx", "com.microsoft")  # the last is where ONNX Runtime's quantiser puts its operators

Shape = tuple[int | str, ...]


class BadGraph(Exception):
    """A graph that is no ONNX, holds what it may not, or takes or gives something else."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output: its element type and its shape, where a free length is a letter."""

    kind: int
    shape: Shape


_STATE = {"state": Tensor(FLOAT, ("B", "S")), "phase": Tensor(DOUBLE, ("B",))}
_MEANING = Tensor(FLOAT, ("B", "P", "C"))
_FEATURES = Tensor(FLOAT, ("B", "T", FEATURES))
_AUDIO = Tensor(FLOAT, ("B", "T", HOP))
WANTED: dict[str, tuple[dict[str, Tensor], dict[str, Tensor]]] = {
    "encoder.onnx": (
        {"ids": Tensor(INT64, ("B", "P", 3))},
        {"meaning": _MEANING, "pace": Tensor(FLOAT, ("B", "P"))},
    ),
    "decoder.onnx": (
        {"meaning": _MEANING, "token": Tensor(INT64, ("B", "T")), "place": Tensor(FLOAT, ("B", "T", 4))},
        {"features": _FEATURES},
    ),
    "vocoder.onnx": (
        {"features": _FEATURES, "noise": _AUDIO, **_STATE},
        {"audio": _AUDIO, **{f"new_{name}": each for name, each in _STATE.items()}},
    ),
}
"""What each graph takes and gives. B, P, T are free; C and S are the voice's own."""


def read(raw: bytes, branches: bool = False) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Inputs and outputs of a graph. `branches`: it may hold If, whose branches are looked at like the rest.

    Raises BadGraph for one that is no ONNX or holds what it may not.
    """
    try:
        return _read(memoryview(raw), branches)
    except (ValueError, IndexError, TypeError, RecursionError) as error:
        raise BadGraph(f"it is no ONNX graph: {error}") from error


def check(name: str, raw: bytes) -> None:
    """Raise BadGraph with the reason unless `raw` is a graph that may stand as the file `name` of a voice."""
    inputs, outputs = read(raw)
    own: dict[str, int] = {}  # the lengths that are the voice's own
    for role, wanted, found in zip(("input", "output"), WANTED[name], (inputs, outputs), strict=True):
        if set(found) != set(wanted):
            raise BadGraph(f"its {role}s are {', '.join(sorted(found))}; wanted: {', '.join(sorted(wanted))}")
        for each, tensor in wanted.items():
            if found[each].kind != tensor.kind:
                raise BadGraph(f"{role} {each} has elements of type {found[each].kind}, not {tensor.kind}")
            if not _fits(found[each].shape, tensor.shape, own, free=role == "output"):
                shape = _said(found[each].shape)
                raise BadGraph(f"{role} {each} has the shape {shape}, not {_said(tensor.shape)}")


def _fits(found: Shape, wanted: Shape, own: dict[str, int], free: bool) -> bool:
    """Whether lengths agree; `free`: one that `wanted` knows may be left open, as an exporter does."""
    if len(found) != len(wanted):
        return False
    for one, other in zip(found, wanted, strict=True):
        if isinstance(one, str):
            fits = free or (isinstance(other, str) and other not in _OWN)
        elif other in _OWN:
            fits = one > 0 and own.setdefault(str(other), one) == one
        else:
            fits = one == other
        if not fits:
            return False
    return True


def _said(shape: Shape) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _read(raw: memoryview, branches: bool) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Inputs and outputs of a ModelProto. Raises BadGraph, ValueError."""
    graphs = []
    for field, value in _fields(raw):
        if field in (_MODEL_TRAINING, _MODEL_FUNCTIONS):
            raise BadGraph("it holds functions or training, which a voice has no use for")
        if field == _MODEL_GRAPH:
            graphs.append(value)
    if len(graphs) != 1:
        raise ValueError(f"{len(graphs)} graphs in it")
    return _graph(graphs[0], branches)


def _graph(raw: memoryview, branches: bool) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    inputs: dict[str, Tensor] = {}
    outputs: dict[str, Tensor] = {}
    for field, value in _fields(raw):
        if field == _GRAPH_NODE:
            _check_node(value, branches)
        elif field == _GRAPH_INITIALISER:
            _check_tensor(value)
        elif field == _GRAPH_SPARSE:
            raise BadGraph("it holds sparse weights")
        elif field in (_GRAPH_INPUT, _GRAPH_OUTPUT):
            name, tensor = _value(value)
            (inputs if field == _GRAPH_INPUT else outputs)[name] = tensor
    return inputs, outputs


def _check_node(raw: memoryview, branches: bool) -> None:
    operator = domain = ""
    held_graphs = []
    for field, value in _fields(raw):
        if field == _NODE_OPERATOR:
            operator = _text(value)
        elif field == _NODE_DOMAIN:
            domain = _text(value)
        elif field == _NODE_ATTRIBUTE:
            for inner, held in _fields(value):
                if inner in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
                    held_graphs.append(held)
                elif inner in _ATTRIBUTE_SPARSE:
                    raise BadGraph("it holds sparse weights")
                elif inner in (_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS):
                    _check_tensor(held)
    if domain not in _DOMAINS:
        raise BadGraph(f"its operator {operator[:64]!r} of {domain[:64]!r} is not known here")
    if held_graphs and not (branches and operator == "If"):
        raise BadGraph("it holds a graph inside a node: a voice neither loops nor branches")
    for graph in held_graphs:
        _graph(graph, branches)


def _check_tensor(raw: memoryview) -> None:
    for field, value in _fields(raw):
        if field == _TENSOR_EXTERNAL or (field == _TENSOR_LOCATION and value != 0):
            raise BadGraph("its weights lie in another file")


def _value(raw: memoryview) -> tuple[str, Tensor]:
    """A ValueInfoProto: name 1, type 2; TypeProto: tensor 1; its element type 1, shape 2; dimensions 1."""
    name, kind = "", 0
    shape: list[int | str] = []
    for field, value in _fields(raw):
        if field == 1:
            name = _text(value)
        elif field == 2:
            for each, tensor in _fields(value):
                for inner, held in _fields(tensor) if each == 1 else ():
                    if inner == 1:
                        kind = int(held)
                    elif inner == 2:
                        shape = [_dimension(one) for number, one in _fields(held) if number == 1]
    return name, Tensor(kind, tuple(shape))


def _dimension(raw: memoryview) -> int | str:
    for field, value in _fields(raw):
        if field == 1:
            return int(value)
        if field == 2:
            return _text(value)
    return "?"


def _text(raw: memoryview) -> str:
    return str(raw, "utf-8")


def _fields(raw: memoryview) -> Iterator[tuple[int, Any]]:
    """Field numbers and values of one message: bytes as they lie there, numbers as int. Raises ValueError."""
    at, end = 0, len(raw)
    while at < end:
        key, at = _varint(raw, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(raw, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            length, at = _varint(raw, at)
        elif kind in (_FIXED32, _FIXED64):
            length = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"wire type {kind}")
        if at + length > end:
            raise ValueError("it is cut off")
        yield key >> 3, raw[at : at + length]
        at += length


def _varint(raw: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        byte = raw[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
        shift += 7
    raise ValueError("a number is too long")
