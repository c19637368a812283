"""The neural core on a GPU: `python3 bench/gpu [--dry] [--voice FOLDER] [--out FILE]`, without a network.

Needs Python 3.11, torch, NumPy and safetensors; takes a few minutes. For each runtime: parity with torch on the
CPU, then for each number of streams the audio made in a second, and what a step costs the host and the whole way.
A step is 80 ms of every stream: features and noise go to the device, audio comes back. `--dry` runs every line of
it but the recording on a CPU, small: it checks the bench and measures nothing.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent.parent))
from bench.gpu import core

core.bind()

import numpy as np  # noqa: E402
import torch  # noqa: E402

from tts_core.neural.frame import FEATURES, HOP, RATE, VOICING  # noqa: E402
from tts_core.neural.learn.runtime import TorchRuntime  # noqa: E402
from tts_core.neural.runtime import Runtime, Unavailable  # noqa: E402
from tts_core.neural.runtimes.cudagraph import GraphRuntime, computed, recorded  # noqa: E402

FRAMES = 8
STREAMS = (1, 8, 64, 256, 1024, 4096)
TOLERANCES = {"torch-cudagraph": 1e-4, "tensorrt": 1e-3}  # of full scale, over two seconds
RUNTIMES = tuple(TOLERANCES)


def inputs(rows: int, frames: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features [rows, frames, 42] and noise [rows, frames, 80]."""
    dice = np.random.default_rng(seed)
    features = dice.uniform(-1, 1, (rows, frames, FEATURES)).astype(np.float32)
    features[:, :, VOICING] = features[:, :, VOICING] > -0.3
    return features, dice.standard_normal((rows, frames, HOP), np.float32)


def opened(name: str, voice: Any, slots: int, *, dry: bool) -> GraphRuntime:
    """The runtime `name`. Raises Unavailable."""
    device, record = ("cpu", computed) if dry else ("cuda", recorded)
    if name == "torch-cudagraph":
        return GraphRuntime(voice, slots, device, record)
    from tts_core.neural.runtimes.tensorrt import TensorRtRuntime

    return TensorRtRuntime(voice, slots, device, record)


def parity(made: Runtime, reference: Runtime) -> dict[str, Any]:
    """The greatest difference from the reference, over chunks of every length of the ramp and ragged batches."""
    worst = peak = 0.0
    for rows, lengths in ((1, (4, 8, 16, 8, 8)), (3, (4, 8, 16, 4)), (5, (8,) * 25)):
        features, noise = inputs(rows, sum(lengths), rows)
        one, two, at = made.fresh(rows), reference.fresh(rows), 0
        for length in lengths:
            chunk = [np.ascontiguousarray(each[:, at : at + length]) for each in (features, noise)]
            audio, one = made.step(chunk[0], chunk[1], one)
            wanted, two = reference.step(chunk[0], chunk[1], two)
            worst, peak = (
                max(worst, float(np.abs(audio - wanted).max())),
                max(peak, float(np.abs(wanted).max())),
            )
            at += length
    allowed = TOLERANCES[made.name]
    return {"worst": worst, "peak": peak, "allowed": allowed, "holds": worst < allowed and peak > 0.01}


def speed(made: GraphRuntime, streams: int, seconds: float) -> dict[str, Any]:
    """Steps of `streams` streams for `seconds`: the whole way, and the recorded step alone."""
    made.prepare(streams, FRAMES)
    rows = made.fresh(streams)
    features, noise = inputs(streams, FRAMES)
    for _ in range(3):
        made.step(features, noise, rows)
    spent: list[float] = []
    host: list[float] = []
    began = time.perf_counter()
    while time.perf_counter() - began < seconds or len(spent) < 5:
        at, busy = time.perf_counter(), time.thread_time()
        made.step(features, noise, rows)
        spent.append(time.perf_counter() - at)
        host.append(time.thread_time() - busy)
    assert rows.finite().all()
    audio = streams * FRAMES * HOP / RATE
    p50, p99 = (float(each) for each in np.percentile(spent, (50, 99)))
    return {
        "streams": streams,
        "steps": len(spent),
        "step_ms": {"p50": round(p50 * 1e3, 4), "p99": round(p99 * 1e3, 4)},
        "host_cpu_ms": round(float(np.median(host)) * 1e3, 4),
        "replay_ms": round(made.replay_s(streams, FRAMES) * 1e3, 4),
        "audio_seconds_per_second": round(audio / p50, 1),
    }


def machine() -> dict[str, Any]:
    """What belongs to every figure."""
    found: dict[str, Any] = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    if torch.cuda.is_available():
        found |= {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda}
        found["sm"] = "{}.{}".format(*torch.cuda.get_device_capability())
    return found


def run(voice: Any, streams: tuple[int, ...], seconds: float, *, dry: bool) -> dict[str, Any]:
    """All figures of every runtime that runs here."""
    reference = TorchRuntime(voice)
    figures: dict[str, Any] = {}
    for name in RUNTIMES:
        try:
            made = opened(name, voice, max(*streams, 16), dry=dry)
        except (ImportError, Unavailable) as error:
            figures[name] = {"does not run here": str(error)}
            continue
        figures[name] = {"parity": parity(made, reference)}
        figures[name]["speed"] = [speed(made, count, seconds) for count in streams]
    return figures


def main() -> int:
    """Write the figures; 1 when a runtime is not what the reference is, or none ran."""
    order = argparse.ArgumentParser(prog="bench/gpu", description=__doc__)
    order.add_argument("--voice", type=Path, default=core.ROOT / "tts_core/neural/voices/en-us-slt")
    order.add_argument("--seconds", type=float, default=3.0, help="for each number of streams")
    order.add_argument("--out", type=Path, help="also write the JSON here")
    order.add_argument(
        "--dry", action="store_true", help="on a CPU, small: checks the bench, measures nothing"
    )
    asked = order.parse_args()
    streams, seconds = ((1, 3), 0.05) if asked.dry else (STREAMS, asked.seconds)
    figures = run(core.voice(asked.voice), streams, seconds, dry=asked.dry)
    result = {"bench": "gpu", "dry": asked.dry, "machine": machine(), "figures": figures}
    text = json.dumps(result, indent=2)
    print(text)  # noqa: T201
    if asked.out:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(text + "\n")
    ran = [each for each in figures.values() if "parity" in each]
    return 0 if ran and all(each["parity"]["holds"] for each in ran) else 1


if __name__ == "__main__":
    sys.exit(main())
