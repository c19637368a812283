"""How far a decoder looks: the latent frames to either side that a sample hangs on, from its convolutions alone.

A convolution of kernel k and dilation d, padded p before, sees p samples back and d(k - 1) - p ahead; a
transposed one of stride s sees (k - 1 - p) / s back and p / s ahead, and makes s samples of one. Beside them
there may only be what treats each sample by itself: anything else would see the whole clause, and is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx import NodeProto

_EACH = frozenset(
    (
        "Add",
        "Sub",
        "Mul",
        "Div",
        "LeakyRelu",
        "Relu",
        "Tanh",
        "Sigmoid",
        "Identity",
        "Cast",
        "Unsqueeze",
        "Squeeze",
    )
)
_LONGEST_HOP = 4096
_FURTHEST = 256  # frames


class Unbounded(Exception):
    """A decoder that cannot be run in pieces, and why."""


@dataclass(frozen=True, slots=True)
class Reach:
    """`hop` samples a frame; `back` and `ahead` frames that decoding a frame needs beside itself."""

    hop: int
    back: int
    ahead: int


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a tensor sees of the latent: samples of it a frame, frames back and ahead."""

    scale: int
    back: Fraction
    ahead: Fraction

    def joined(self, other: _Seen) -> _Seen:
        if self.scale != other.scale:
            raise Unbounded("it adds what is not of one rate")
        return _Seen(self.scale, max(self.back, other.back), max(self.ahead, other.ahead))


def reach(
    nodes: Sequence[NodeProto], latent: str, answer: str, shape: Callable[[str], tuple[int, ...] | None]
) -> Reach:
    """The reach of `nodes`, in the order in which they run, from `latent` [1, C, T] to `answer`.

    `shape` is that of a weight, by its name. Raises Unbounded.
    """
    seen = {latent: _Seen(1, Fraction(0), Fraction(0))}
    for node in nodes:
        moving = [seen[name] for name in node.input if name in seen]
        if not moving:
            continue
        if node.op_type in ("Conv", "ConvTranspose"):
            if len(moving) != 1 or node.input[0] not in seen:
                raise Unbounded("a convolution in its decoder has no weights of its own")
            turned = _up if node.op_type == "ConvTranspose" else _along
            made = turned(moving[0], _attributes(node), _kernel(node, shape))
        elif node.op_type in _EACH:
            made = moving[0]
            for other in moving[1:]:
                made = made.joined(other)
        else:
            raise Unbounded(f"its decoder has a {node.op_type[:32]}, which may see the whole clause")
        for name in node.output:
            seen[name] = made
    end = seen.get(answer)
    if end is None or end.scale > _LONGEST_HOP or max(end.back, end.ahead) > _FURTHEST:
        raise Unbounded(
            f"its decoder makes more than {_LONGEST_HOP} samples a frame or sees over {_FURTHEST} frames"
        )
    return Reach(end.scale, math.ceil(end.back), math.ceil(end.ahead) + 1)


def _attributes(node: NodeProto) -> dict[str, Any]:
    from onnx import helper

    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


def _kernel(node: NodeProto, shape: Callable[[str], tuple[int, ...] | None]) -> int:
    weight = shape(node.input[1])
    if weight is None or len(weight) != 3:
        raise Unbounded("a convolution in its decoder is not over time alone")
    return weight[2]


def _padding(held: dict[str, Any]) -> tuple[int, int]:
    if held.get("auto_pad", b"NOTSET") not in (b"NOTSET", "NOTSET"):
        raise Unbounded("a convolution in its decoder is padded by itself")
    before, after = held.get("pads", [0, 0])
    return int(before), int(after)


def _along(seen: _Seen, held: dict[str, Any], kernel: int) -> _Seen:
    before, after = _padding(held)
    wide = int(held.get("dilations", [1])[0]) * (kernel - 1)
    if held.get("strides", [1])[0] != 1 or before + after != wide:
        raise Unbounded("a convolution in its decoder changes the length")
    return _Seen(
        seen.scale, seen.back + Fraction(before, seen.scale), seen.ahead + Fraction(after, seen.scale)
    )


def _up(seen: _Seen, held: dict[str, Any], kernel: int) -> _Seen:
    before, after = _padding(held)
    stride = int(held.get("strides", [1])[0])
    extra = int(held.get("output_padding", [0])[0])
    if held.get("dilations", [1])[0] != 1 or kernel - before - after + extra != stride or kernel < stride:
        raise Unbounded("a transposed convolution in its decoder does not make its stride's samples of each")
    scale = seen.scale * stride
    return _Seen(
        scale,
        seen.back + Fraction(max(kernel - 1 - before, 0), scale),
        seen.ahead + Fraction(before, scale),
    )
