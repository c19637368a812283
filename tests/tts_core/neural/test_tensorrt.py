"""How TensorRT is used, against its real bindings: an API check, not a run. Needs gcc, no GPU and no torch."""

import logging
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from tests.tts_core.neural.bindings import Bench, Double, bindings, check, double, signatures
from tts_core.neural.runtime import Unavailable
from tts_core.neural.runtimes import plans
from tts_core.neural.runtimes.plans import Range

GRAPH = b"graph"
PROFILE = {
    "features": Range((1, 1, 42), (256, 8, 42), (4096, 16, 42)),
    "state": Range((1, 9), (256, 9), (4096, 9)),
}
SHAPES = {"features": (4, 8, 42), "state": (4, 9)}
ADDRESSES = {"features": 4096, "state": 8192, "audio": 12288}


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def trt(bench: Bench) -> ModuleType:
    made: ModuleType = double(bench)
    return made


def recipe(trt: ModuleType, **changed: object) -> plans.Recipe:
    return replace(plans.recipe(GRAPH, trt, "NVIDIA H200", "9.0", PROFILE, ("STRICT_NANS",)), **changed)


def test_the_bindings_are_of_the_version_that_is_written_for() -> None:
    assert bindings().__version__.startswith("11.")


def test_the_real_builder_refuses_without_a_gpu(tmp_path: Path) -> None:
    """The true classes, on this machine: what a caller without a GPU gets."""
    real = bindings()
    for use in (
        lambda: plans.build(GRAPH, recipe(real), real),
        lambda: plans.engine(GRAPH, recipe(real), tmp_path, real),
    ):
        with pytest.raises(Unavailable, match="no GPU"):
            use()


def test_every_call_of_a_build_is_in_the_api(bench: Bench, trt: ModuleType) -> None:
    assert plans.build(GRAPH, recipe(trt), trt) == b"a plan"
    for call in (
        "Builder.create_network", "OnnxParser.parse", "IBuilderConfig.set_memory_pool_limit",
        "IBuilderConfig.set_flag", "IOptimizationProfile.set_shape", "IBuilderConfig.add_optimization_profile",
        "Builder.build_serialized_network",
    ):  # fmt: skip
        assert call in bench.calls
    assert bench.calls.count("IOptimizationProfile.set_shape") == len(PROFILE)


def test_every_call_of_a_run_is_in_the_api(bench: Bench, trt: ModuleType, tmp_path: Path) -> None:
    execution = plans.Execution(plans.engine(GRAPH, recipe(trt), tmp_path, trt), SHAPES, ADDRESSES)
    execution.run(7)
    assert bench.calls.count("IExecutionContext.set_input_shape") == 2
    assert bench.calls.count("IExecutionContext.set_tensor_address") == 3
    assert bench.calls[-1] == "IExecutionContext.execute_async_v3"


@pytest.mark.parametrize("refused", ["set_input_shape", "set_tensor_address", "execute_async_v3"])
def test_what_tensorrt_refuses_is_said(bench: Bench, trt: ModuleType, tmp_path: Path, refused: str) -> None:
    bench.refuses = refused
    engine = plans.engine(GRAPH, recipe(trt), tmp_path, trt)
    with pytest.raises(Unavailable, match="TensorRT refuses"):
        plans.Execution(engine, SHAPES, ADDRESSES).run(7)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda trt: Double(trt.Builder, []).build_cuda_engine,  # of TensorRT 7
        lambda trt: Double(trt.Builder, []).platform_has_fast_fp16,
        lambda trt: trt.BuilderFlag.FP16,  # gone with strong typing
        lambda trt: trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH,
        lambda trt: Double(trt.IExecutionContext, []).execute_async_v2,
        lambda trt: Double(trt.IExecutionContext, []).set_tensor_address("audio"),
        lambda trt: Double(trt.IExecutionContext, []).set_tensor_address(4096, "audio"),
        lambda trt: Double(trt.IExecutionContext, []).set_input_shape("state", 4),
        lambda trt: Double(trt.IOptimizationProfile, []).set_shape("state", (1,), (2,), "3"),
        lambda trt: check(trt.Builder.__init__, (), {}),
        lambda trt: check(trt.OnnxParser.parse, (b"graph",), {"file": "x"}),
        lambda trt: setattr(Double(trt.IBuilderConfig, []), "int8_calibrator", 1),
    ],
)
def test_the_check_refuses_what_the_api_has_not(wrong: Callable[[ModuleType], object]) -> None:
    with pytest.raises((AttributeError, TypeError)):
        wrong(bindings())


def test_signatures_are_read_from_the_bindings() -> None:
    overloads = signatures(bindings().IExecutionContext.set_input_shape)
    assert [[name for name, _, _ in each] for each in overloads] == [["name", "shape"]] * 3


def test_what_the_parser_does_not_take_is_said(bench: Bench, trt: ModuleType) -> None:
    bench.errors = ["no DFT here", "nor this"]
    with pytest.raises(Unavailable, match="no DFT here; nor this"):
        plans.build(GRAPH, recipe(trt), trt)


def test_a_build_that_fails_is_said(bench: Bench, trt: ModuleType) -> None:
    bench.plan = None
    with pytest.raises(Unavailable, match="could not build"):
        plans.build(GRAPH, recipe(trt), trt)


def test_a_plan_is_built_once(bench: Bench, trt: ModuleType, tmp_path: Path) -> None:
    for _ in range(3):
        assert plans.engine(GRAPH, recipe(trt), tmp_path, trt) is not None
    assert bench.calls.count("Builder.build_serialized_network") == 1
    assert [file.name for file in tmp_path.iterdir()] == [f"{recipe(trt).key}.plan"]


@pytest.mark.parametrize(
    "changed",
    [
        {"graph_sha256": "0"},
        {"tensorrt": "11.5.0"},
        {"gpu": "NVIDIA L4"},
        {"sm": "8.9"},
        {"flags": ()},
        {"profile": PROFILE | {"state": Range((1, 9), (256, 9), (1024, 9))}},
    ],
)
def test_a_plan_is_built_again_when_what_it_depends_on_changes(
    bench: Bench, trt: ModuleType, tmp_path: Path, changed: dict[str, object]
) -> None:
    plans.engine(GRAPH, recipe(trt), tmp_path, trt)
    plans.engine(GRAPH, recipe(trt, **changed), tmp_path, trt)
    assert bench.calls.count("Builder.build_serialized_network") == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_a_plan_that_is_not_read_is_built_again(
    bench: Bench, trt: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = tmp_path / f"{recipe(trt).key}.plan"
    kept.write_bytes(b"damaged")
    with caplog.at_level(logging.WARNING):
        assert plans.engine(GRAPH, recipe(trt), tmp_path, trt) is not None
    assert "built again" in caplog.text
    assert kept.read_bytes() == b"a plan"


def test_a_plan_that_cannot_be_read_at_all_is_said(bench: Bench, trt: ModuleType, tmp_path: Path) -> None:
    bench.read = lambda _: False
    with pytest.raises(Unavailable, match="just built"):
        plans.engine(GRAPH, recipe(trt), tmp_path, trt)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_costs_only_time(
    trt: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        assert plans.engine(GRAPH, recipe(trt), tmp_path / "file", trt) is not None
    assert "not kept" in caplog.text


def test_where_it_is_not_installed_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(Unavailable, match="not installed"):
        plans.load()
