"""`voxtrunk export`: what is written is a voice, sounds as stated, and streams."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from gateway.cli import app
from tts_core.errors import CallerError
from tts_core.neural import package, speech
from tts_core.neural.exporting import BadExport, export, find
from tts_core.neural.frame import HOP, VOICING, log_mels
from tts_core.neural.frontend import Frontend
from tts_core.neural.package import BadPackage, Package
from tts_core.neural.runtime import OrtRuntime, Runtime
from tts_core.neural.runtimes import open_runtime

onnx = pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def voices(small: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Package]:
    """`small` in every precision."""
    folder = tmp_path_factory.mktemp("exported")
    for precision in ("fp32", "fp16", "int8"):
        assert list(export(str(small), "onnx", precision, folder / precision))
    return {each.name: package.read(each) for each in folder.iterdir()}


def said(runtime: Runtime, held: Package, text: str, length: int = 8) -> np.ndarray:
    tokens = Frontend(held.manifest.language, held.manifest.phonemes).read(text)
    score = speech.compose(runtime, tokens, 1.0)
    return np.concatenate(list(speech.frames(runtime, score, (length,))))


@pytest.mark.parametrize(("precision", "apart"), [("fp32", 1e-5), ("fp16", 5e-3), ("int8", 0.06)])
def test_it_says_what_the_voice_says(
    small: Path, voices: dict[str, Package], precision: str, apart: float
) -> None:
    """Full scale, and by ear: mean difference of log-mels under 1.5 dB in any precision."""
    text = "Your order has been shipped."
    held = package.read(small)
    wanted, made = said(OrtRuntime(held), held, text), said(OrtRuntime(voices[precision]), held, text)
    assert np.abs(wanted).max() > 0.1
    assert np.abs(made - wanted).max() < apart
    assert np.abs(log_mels(made) - log_mels(wanted)).mean() * 20 / np.log(10) < 1.5
    assert precision != "int8" or not np.array_equal(made, wanted)


def test_int8_products_are_of_int8(voices: dict[str, Package]) -> None:
    graph = onnx.load(voices["int8"].folder / "vocoder.onnx").graph
    kinds = {each.name: each.data_type for each in graph.initializer}
    matrices = [n for n in graph.node if n.op_type == "MatMul"]
    made = {name: node for node in graph.node for name in node.output}
    quantised = [n for n in matrices if n.input[1] in made and made[n.input[1]].op_type == "DequantizeLinear"]
    assert len(quantised) == 14  # stem, six blocks of two, head
    assert len(matrices) == 19  # the DFT, its inverse and their bases; the source's phase, its loudness
    assert all(kinds[made[n.input[1]].input[0]] == onnx.TensorProto.INT8 for n in quantised)


def test_int8_does_not_depend_on_company_or_chunks(voices: dict[str, Package]) -> None:
    """Activation ranges are fixed: only sums in another order can tip a rounding."""
    runtime = OrtRuntime(voices["int8"])
    dice = np.random.default_rng(2)
    features = dice.uniform(-1, 1, (3, 24, 42)).astype(np.float32)
    features[:, :, VOICING] = 1
    features[1:] *= 5  # loud company
    noise = dice.standard_normal((3, 24, HOP)).astype(np.float32)

    def run(rows: slice, length: int) -> np.ndarray:
        state = runtime.fresh(len(features[rows]))
        pieces = []
        for at in range(0, 24, length):
            given = (np.ascontiguousarray(each[rows, at : at + length]) for each in (features, noise))
            audio, state = runtime.step(*given, state)
            pieces.append(audio[:1])
        return np.concatenate(pieces, axis=1)

    alone = run(slice(0, 1), 8)
    level = np.sqrt(np.mean(alone**2))
    for other in (run(slice(0, 3), 8), run(slice(0, 1), 24), run(slice(0, 1), 3)):
        assert np.sqrt(np.mean((other - alone) ** 2)) < 0.02 * level


def test_fp16_is_in_the_graph_and_computes_nothing_else(voices: dict[str, Package]) -> None:
    graph = onnx.load(voices["fp16"].folder / "vocoder.onnx").graph
    halves = {each.name for each in graph.initializer if each.data_type == onnx.TensorProto.FLOAT16}
    users = {node.op_type for node in graph.node if set(node.input) & halves}
    assert users == {"MatMul"}
    assert len(halves) == 14


def test_a_precision_has_a_name_of_its_own_and_no_weights_of_another(voices: dict[str, Package]) -> None:
    for precision, held in voices.items():
        plain = precision == "fp32"
        assert held.manifest.name == ("en-us-none" if plain else f"en-us-none-{precision}")
        assert ("weights.safetensors" in held.manifest.files) == plain


def test_the_notice_goes_with_the_voice(tmp_path: Path) -> None:
    list(export("neural:en-us-slt", "onnx", "fp16", tmp_path / "voice"))
    assert "NOTICE-flite.txt" in package.read(tmp_path / "voice").manifest.files


@pytest.mark.parametrize("half", [False, True])
def test_what_tensorrt_is_given_is_the_vocoder(small: Path, tmp_path: Path, *, half: bool) -> None:
    """answer.onnx has no float64, and with torch's source before it says what the whole vocoder says."""
    torch = pytest.importorskip("torch")
    import onnxruntime

    from tts_core.neural.learn.runtime import restore

    lines = list(export(str(small), "tensorrt", "fp16" if half else "fp32", tmp_path / "voice"))
    assert torch.cuda.is_available() or "no plan was built here" in lines[-1]
    file = tmp_path / "voice" / "answer.onnx"
    kinds = {each.type.tensor_type.elem_type for each in _typed(onnx.load(file))}
    assert onnx.TensorProto.DOUBLE not in kinds
    assert (onnx.TensorProto.FLOAT16 in kinds) == half
    _, vocoder = restore(package.read(small))
    dice = np.random.default_rng(0)
    features = torch.from_numpy(dice.uniform(-1, 1, (2, 8, 42)).astype(np.float32))
    noise = torch.from_numpy(dice.standard_normal((2, 8, HOP)).astype(np.float32))
    state, phase = vocoder.fresh(2)
    state += torch.from_numpy(dice.uniform(-0.1, 0.1, state.shape).astype(np.float32))
    with torch.no_grad():
        wanted, after, _ = vocoder(features, noise, state, phase)
        wave, _ = vocoder.excite(features, state, phase)
    given = {"features": features, "wave": wave, "noise": noise, "state": state}
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    audio, moved = session.run(None, {name: each.numpy() for name, each in given.items()})
    assert np.abs(audio - wanted.numpy()).max() < 1e-5
    assert np.abs(moved - after.numpy()).max() < 1e-4


def _typed(model: "onnx.ModelProto") -> list["onnx.ValueInfoProto"]:
    graph = onnx.shape_inference.infer_shapes(model).graph
    return [*graph.value_info, *graph.input, *graph.output]


def test_what_training_exports_is_what_was_trained(untrained: Path) -> None:
    """Every file of a voice just exported: torch's weights and the graphs say the same."""
    held = package.read(untrained)
    assert set(package.GRAPHS) | {"weights.safetensors"} == set(held.manifest.files)
    one, two = open_runtime("torch-cpu", held), open_runtime("ort-cpu", held)
    assert one.name == "torch-cpu"
    assert np.abs(said(one, held, "Nine to one.") - said(two, held, "Nine to one.")).max() < 1e-5


def test_filters_are_of_images(untrained: Path) -> None:
    """ONNX Runtime has a fast depthwise filter for images alone: else it takes a fifth of a step."""
    for name, count in (("encoder.onnx", 8), ("decoder.onnx", 6), ("vocoder.onnx", 6)):
        graph = onnx.load(untrained / name).graph
        made = {out: node for node in graph.node for out in node.output}
        held = {each.name: list(each.dims) for each in graph.initializer}
        filters = [made[node.input[1]].input[0] for node in graph.node if node.op_type == "Conv"]
        assert [len(held[each]) for each in filters] == [4] * count


def test_a_step_is_few_operators(untrained: Path, tmp_path: Path) -> None:
    """What a step for one stream costs is as much their number as their arithmetic."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(untrained / "vocoder.onnx"), options, providers=["CPUExecutionProvider"])
    assert len(onnx.load(tmp_path / "optimised.onnx").graph.node) <= 205


def test_graphs_are_made_anew_of_the_weights(untrained: Path, tmp_path: Path) -> None:
    from tts_core.neural.learn.export import redrawn

    held = package.read(untrained)
    again = redrawn(held, "2.0", tmp_path / "again")
    assert (again.manifest.name, again.manifest.version) == (held.manifest.name, "2.0")
    assert again.manifest.files["weights.safetensors"] == held.manifest.files["weights.safetensors"]
    one, two = OrtRuntime(held), OrtRuntime(again)
    assert np.array_equal(said(one, held, "Nine to one."), said(two, again, "Nine to one."))


def test_a_voice_in_int8_is_offered_by_every_runtime_that_can(voices: dict[str, Package]) -> None:
    assert open_runtime("torch-cpu", voices["int8"]).name == "ort-cpu"


@pytest.mark.parametrize(
    ("voice", "form", "precision", "says"),
    [
        ("nobody", "onnx", "fp32", "no voice"),
        ("../../etc", "onnx", "fp32", "no voice"),
        ("en-us-slt", "coreml", "fp32", "onnx, tensorrt"),
        ("en-us-slt", "onnx", "fp8", "fp32, fp16, int8"),
        ("en-us-slt", "tensorrt", "int8", "quantiser"),
    ],
)
def test_refusals_say_why(tmp_path: Path, voice: str, form: str, precision: str, says: str) -> None:
    with pytest.raises(BadExport, match=says) as caught:
        list(export(voice, form, precision, tmp_path / "voice"))
    assert isinstance(caught.value, CallerError)
    assert not (tmp_path / "voice").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(BadPackage, match="not empty"):
        list(export("en-us-slt", "onnx", "fp32", tmp_path))
    with pytest.raises(BadPackage, match="cannot be written"):
        list(export("en-us-slt", "onnx", "fp32", tmp_path / "mine" / "voice"))
    assert [each.name for each in tmp_path.iterdir()] == ["mine"]


def test_a_voice_is_found_by_name_or_folder(small: Path) -> None:
    assert find("neural:en-us-slt").manifest.name == find("en-us-slt").manifest.name == "en-us-slt"
    assert find(str(small)).manifest.name == "en-us-none"


def test_the_command(tmp_path: Path) -> None:
    order = ["export", "en-us-slt", "--precision", "fp16", "--to", str(tmp_path / "voice")]
    told = CliRunner().invoke(app, order)
    assert told.exit_code == 0
    assert "vocoder.onnx" in told.output
    told = CliRunner().invoke(app, ["export", "nobody"])
    assert told.exit_code == 1
    assert "no voice 'nobody'" in told.output
