"""bench/gpu on this CPU, as it runs on a machine that has torch, NumPy and safetensors and nothing else of ours.

It checks the bench: the pool, the shapes and the comparison are the real ones, the recording needs a GPU.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent.parent
pytest.importorskip("torch")
pytest.importorskip("safetensors")

# every package of the core install that such a machine lacks is hidden, as if it were not installed
BARE = """
import runpy, sys
hidden = {"espeakng_loader", "msgspec", "onnx", "onnxruntime", "scipy", "soxr", "av", "fastapi", "typer"}
class Bare:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"hidden: {name}", name=name)
sys.meta_path.insert(0, Bare())
sys.argv = ["bench/gpu", "--dry", *sys.argv[1:]]
sys.path.insert(0, "bench/gpu")
runpy.run_path("bench/gpu", run_name="__main__")
"""


def test_it_runs_dry_on_a_bare_machine(tmp_path: Path) -> None:
    out = tmp_path / "figures" / "gpu.json"
    command = [sys.executable, "-c", BARE, "--out", str(out)]
    asked = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=50)
    assert asked.returncode == 0, asked.stderr
    result = json.loads(out.read_text())
    assert result == json.loads(asked.stdout)
    assert result["dry"]
    assert result["machine"]["torch"]
    graphs = result["figures"]["torch-cudagraph"]
    assert graphs["parity"]["holds"]
    assert graphs["parity"]["peak"] > 0.01
    assert [each["streams"] for each in graphs["speed"]] == [1, 3]
    for each in graphs["speed"]:
        whole = each["streams"] * 0.08 / (each["step_ms"]["p50"] / 1e3)
        assert each["audio_seconds_per_second"] == pytest.approx(whole, rel=0.01, abs=0.1)
    assert "answer.onnx" in result["figures"]["tensorrt"]["does not run here"]


def test_without_a_gpu_it_says_so_and_fails() -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    asked = subprocess.run(
        [sys.executable, "bench/gpu"], capture_output=True, text=True, cwd=ROOT, check=False, timeout=50
    )
    assert asked.returncode == 1
    figures = json.loads(asked.stdout)["figures"]
    assert "no CUDA GPU" in figures["torch-cudagraph"]["does not run here"]
