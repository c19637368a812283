"""TensorRT's own bindings without TensorRT: every class, method, signature and enum is the real one.

The wheel `tensorrt-cu13-bindings` needs nine symbols of three libraries that come with a GPU; a few lines of C
stand in for them, so that it can be imported. `double` is the module with Builder, OnnxParser and Runtime
replaced by objects that look up every call in the real class and check its arguments against the real
signature. What they answer is made up: this checks our use of the API, and runs no engine.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

_SYMBOLS = (
    "createInferBuilder_INTERNAL", "createInferRefitter_INTERNAL", "createInferRuntime_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL", "createNvOnnxParser_INTERNAL", "getBuilderPluginRegistry",
    "getNvOnnxParserVersion", "getPluginRegistry", "initLibNvInferPlugins",
)  # fmt: skip
_LIBRARIES = ("libnvinfer.so.11", "libnvinfer_plugin.so.11", "libnvonnxparser.so.11")
_SIGNATURE = re.compile(r"^(?:\d+\. )?\w+\((.*)\) -> (.+)$", re.MULTILINE)


@functools.cache
def bindings() -> ModuleType:
    """The real `tensorrt_bindings`."""
    with tempfile.TemporaryDirectory() as made:
        code = "\n".join(f"void *{name}(void) {{ return 0; }}" for name in _SYMBOLS)
        for library in _LIBRARIES:
            file = Path(made) / library
            command = ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(file), f"-Wl,-soname,{library}"]
            subprocess.run(command, input=code, text=True, check=True)
            ctypes.CDLL(str(file), ctypes.RTLD_GLOBAL)  # found by its soname when the bindings ask for it
        return importlib.import_module("tensorrt_bindings")


def signatures(member: object) -> list[list[tuple[str, str, bool]]]:
    """(name, type, whether it may be left out) of each argument of each overload, `self` left out."""
    found = []
    for arguments, _ in _SIGNATURE.findall(member.__doc__ or ""):
        parts = [part for part in re.split(r", (?=\w+: )", arguments) if not part.startswith("self: ")]
        rows = [re.fullmatch(r"(\w+): (.*?)( = .*)?", part) for part in parts]
        found.append([(row[1], row[2], row[3] is not None) for row in rows if row])
        assert all(rows), arguments
    assert found, f"no signature in the documentation of {member}"
    return found


def _fits(value: object, kind: str) -> bool:
    trt = bindings()
    name = kind.rpartition(".")[2]
    if isinstance(value, Double):
        return issubclass(value._real, getattr(trt, name, ()))
    if name == "Dims":
        return isinstance(value, tuple) and tuple(trt.Dims(value)) == value
    plain = {"str": str, "SupportsInt": int, "Buffer": bytes, "bool": bool, "tuple": tuple, "list": list}
    return isinstance(value, plain.get(name) or getattr(trt, name))


def check(member: object, given: tuple[object, ...], named: dict[str, object]) -> None:
    """Whether one of `member`'s overloads takes these arguments. Raises TypeError as the bindings would."""
    for wanted in signatures(member):
        names = [name for name, _, _ in wanted]
        bound = dict(zip(names, given, strict=False)) | named
        needed = {name for name, _, optional in wanted if not optional}
        kinds = {name: kind for name, kind, _ in wanted}
        fits = len(given) <= len(names) and needed <= set(bound) <= set(names)
        if fits and all(_fits(value, kinds[name]) for name, value in bound.items()):
            return
    raise TypeError(f"{member}: no overload takes {given} {named}; there are {signatures(member)}")


class Double:
    """Stands for an object of a real class: knows its methods and properties and no others.

    `answers` gives what a method returns (a callable of its arguments) or what a property is.
    """

    def __init__(self, real: type, calls: list[str], **answers: Any) -> None:
        object.__setattr__(self, "_real", real)
        object.__setattr__(self, "_calls", calls)
        object.__setattr__(self, "_answers", answers)

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._real, name)  # AttributeError when the API has no such thing
        answer = self._answers.get(name)
        if isinstance(member, property):
            return answer

        def call(*given: object, **named: object) -> object:
            check(member, given, named)
            self._calls.append(f"{self._real.__name__}.{name}")
            return answer(*given, **named) if answer else None

        return call

    def __setattr__(self, name: str, value: object) -> None:
        member = getattr(self._real, name)
        assert isinstance(member, property), f"{name} of {self._real} cannot be set"
        assert member.fset is not None, f"{name} of {self._real} cannot be set"
        kind = re.search(r"arg1: ([\w.]+)", member.fset.__doc__ or "")
        assert kind, f"{name} of {self._real}: what it takes is not documented"
        assert _fits(value, kind[1])
        self._calls.append(f"{self._real.__name__}.{name} =")


class Bench(SimpleNamespace):
    """What the doubles do, to be changed by a test, and what was asked of them."""

    def __init__(self) -> None:
        super().__init__(
            calls=[], plan=b"a plan", read=lambda plan: plan == b"a plan", errors=[], context=None, refuses=""
        )


def double(bench: Bench) -> Any:
    """The `tensorrt` module, its three factories answering as `bench` says."""
    trt = bindings()

    def agreed(name: str) -> Callable[..., bool]:
        return lambda *_: bench.refuses != name

    def context() -> Double:
        real = trt.IExecutionContext
        made = bench.context() if bench.context else None
        names = ("set_input_shape", "set_tensor_address", "execute_async_v3")
        answers = {name: getattr(made, name) if made else agreed(name) for name in names}
        return Double(real, bench.calls, **answers)

    def engine(plan: bytes) -> Double | None:
        made = Double(trt.ICudaEngine, bench.calls, create_execution_context=context)
        return made if bench.read(plan) else None

    def builder(*given: object) -> Double:
        check(trt.Builder.__init__, given, {})
        parts = {
            "create_network": lambda *_: Double(trt.INetworkDefinition, bench.calls),
            "create_builder_config": lambda: Double(
                trt.IBuilderConfig, bench.calls, add_optimization_profile=lambda _: 0
            ),
            "create_optimization_profile": lambda: Double(trt.IOptimizationProfile, bench.calls),
            "build_serialized_network": lambda *_: bench.plan,
        }
        return Double(trt.Builder, bench.calls, **parts)

    def parser(*given: object) -> Double:
        check(trt.OnnxParser.__init__, given, {})
        errors = [Double(trt.ParserError, bench.calls, desc=lambda text=text: text) for text in bench.errors]
        answers = {"parse": lambda *_: not errors, "num_errors": len(errors), "get_error": errors.__getitem__}
        return Double(trt.OnnxParser, bench.calls, **answers)

    def runtime(*given: object) -> Double:
        check(trt.Runtime.__init__, given, {})
        return Double(trt.Runtime, bench.calls, deserialize_cuda_engine=engine)

    made = ModuleType("tensorrt")
    made.__dict__.update({name: getattr(trt, name) for name in dir(trt) if not name.startswith("__")})
    made.__dict__.update(Builder=builder, OnnxParser=parser, Runtime=runtime, __version__=trt.__version__)
    return made
