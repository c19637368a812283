"""A runtime by name, and what is said when it cannot run here."""

import logging
import shutil
import sys
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from gateway.settings import Settings
from tts_core import Script
from tts_core.errors import CallerError, EngineError
from tts_core.neural import package
from tts_core.neural.engine import NeuralEngine
from tts_core.neural.runtime import Unavailable
from tts_core.neural.runtimes import RUNTIMES, UnknownRuntime, open_runtime


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "torch"]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("learn.runtime", "runtimes.cudagraph", "runtimes.tensorrt"):
        monkeypatch.delitem(sys.modules, f"tts_core.neural.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)


def test_the_default_is_opened_and_nothing_is_said(small: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert open_runtime("ort-cpu", package.read(small)).name == "ort-cpu"
    assert not caplog.records


def test_a_name_that_is_none_is_refused(small: Path) -> None:
    with pytest.raises(CallerError, match="tensorrt, torch-cudagraph, ort-cpu, torch-cpu"):
        open_runtime("cuda", package.read(small))


@pytest.mark.usefixtures("without_torch")
@pytest.mark.parametrize("name", ["tensorrt", "torch-cudagraph", "torch-cpu"])
def test_without_torch_there_is_one_line_and_the_default(
    small: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    with caplog.at_level(logging.WARNING):
        assert open_runtime(name, package.read(small)).name == "ort-cpu"
    (line,) = caplog.messages
    assert line.startswith(f"{name} cannot run here: ")
    assert line.endswith("ort-cpu speaks instead")
    assert "pip install" in line


@pytest.mark.parametrize("name", ["tensorrt", "torch-cudagraph"])
def test_without_a_gpu_there_is_one_line_and_the_default(
    small: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with caplog.at_level(logging.WARNING):
        assert open_runtime(name, package.read(small)).name == "ort-cpu"
    (line,) = caplog.messages
    assert "torch-cudagraph cannot run here: torch finds no CUDA GPU" in line


def test_a_voice_without_weights_for_torch_speaks_with_onnx_runtime(
    small: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("torch")
    folder = Path(shutil.copytree(small, tmp_path / "voice"))
    (folder / "weights.safetensors").unlink()
    manifest = package.read(small).manifest
    kept = {name: manifest.files[name] for name in package.GRAPHS}
    voice = package.write(folder, msgspec.structs.replace(manifest, files=kept))
    assert open_runtime("torch-cpu", voice).name == "ort-cpu"
    assert "holds no weights.safetensors" in caplog.text


@pytest.mark.parametrize("weights", [b"", b"no weights at all", "other"])
def test_weights_of_other_networks_are_no_reason_to_be_silent(
    small: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, weights: bytes | str
) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import save

    folder = Path(shutil.copytree(small, tmp_path / "voice"))
    raw = weights if isinstance(weights, bytes) else save({"vocoder.stem.weight": torch.zeros(3, 3)})
    (folder / "weights.safetensors").write_bytes(raw)
    voice = package.Held(folder, package.read(small).manifest)
    assert open_runtime("torch-cpu", voice).name == "ort-cpu"
    (line,) = caplog.messages
    assert "not of the networks of this version" in line


@pytest.mark.usefixtures("without_torch")
def test_when_nothing_can_run_every_reason_is_given(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(Unavailable, match=r"torch-cudagraph cannot.*ort-cpu cannot.*pip install onnxruntime"):
        open_runtime("torch-cudagraph", package.read(small))


def test_a_damaged_graph_is_an_error_and_no_reason_for_another_runtime(small: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(small, tmp_path / "voice"))
    (folder / "vocoder.onnx").write_bytes(b"no graph")
    voice = package.Held(folder, package.read(small).manifest)
    for name in RUNTIMES:
        if name == "torch-cpu":
            continue  # it reads the weights and no graph
        with pytest.raises(EngineError, match="refuses it") as caught:
            open_runtime(name, voice)
        assert not isinstance(caught.value, Unavailable)


def test_the_setting_names_every_runtime_and_a_gateway_on_this_machine_speaks_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    setting = Settings.model_fields["neural_runtime"]
    assert get_args(setting.annotation) == ("ort-cpu", "torch-cpu", "torch-cudagraph", "tensorrt")
    assert set(get_args(setting.annotation)) == set(RUNTIMES)
    engine = NeuralEngine(runtime="tensorrt")
    chunks = list(engine.speak(Script.from_text("Hello."), "neural:en-us-slt", 1.0))
    assert max(abs(chunk.pcm.astype(int)).max() for chunk in chunks if len(chunk.pcm)) > 1000
    (warning,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("tensorrt cannot run here: ")
    with pytest.raises(UnknownRuntime):
        NeuralEngine(runtime="abacus")
