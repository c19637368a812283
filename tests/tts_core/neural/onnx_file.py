"""ONNX graphs taken apart and put together again, byte by byte, without the library that would refuse to."""

from collections.abc import Callable
from pathlib import Path

from tts_core.neural.graphs import _fields


def number(value: int) -> bytes:
    """A varint."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))


def field(at: int, value: bytes | int) -> bytes:
    """One field of a message."""
    if isinstance(value, int):
        return number(at << 3) + number(value)
    return number(at << 3 | 2) + number(len(value)) + value


def message(*fields: tuple[int, bytes | int]) -> bytes:
    return b"".join(field(at, value) for at, value in fields)


def value_info(name: str, kind: int, *shape: int | str) -> bytes:
    """A ValueInfoProto."""
    sizes = [
        message((1, message((1, one)) if isinstance(one, int) else message((2, one.encode()))))
        for one in shape
    ]
    tensor = message((1, kind), (2, b"".join(sizes)))
    return message((1, name.encode()), (2, message((1, tensor))))


Fields = list[tuple[int, bytes | int]]


def changed(file: Path, change: Callable[[Fields], Fields]) -> None:
    """Rewrite `file`, an ONNX model, with the fields of its graph changed."""
    model = []
    for at, value in _fields(memoryview(file.read_bytes())):
        if at == 7:
            graph = [(one, held if isinstance(held, int) else bytes(held)) for one, held in _fields(value)]
            value = message(*change(graph))
        model.append((at, value if isinstance(value, int) else bytes(value)))
    file.write_bytes(message(*model))
