"""What each process loads, which is most of what it weighs: nothing that it has no use for."""

import json
import subprocess
import sys

import pytest

SPEAKS = """
from pathlib import Path
from gateway.speech.recipe import Recipe
from gateway.speech.voice import VoiceSource
from tts_core import open_default
source = VoiceSource(open_default(Path("/nowhere"), "ort-cpu"), -20, "neural:en-us-slt")
recipe = Recipe("text", "You are number 3.", None, "neural:en-us-slt", 1.0, 0.0, "PCMU", 20)
assert b"".join(stretch.payload for stretch in source(recipe))
"""
OFFERS = """
import asyncio
from gateway.api.app import create_app
from gateway.api.formats import Sound
from gateway.api.webhooks import Webhooks
from gateway.calls.switchboard import Switchboard
from gateway.settings import Settings
async def offer():
    settings = Settings()
    switchboard = Switchboard(settings)
    create_app(switchboard, settings, Webhooks(settings, switchboard, 0))
    Sound("pcm", 24_000).encoder(), Sound("mp3", 24_000).encoder()
asyncio.run(offer())
"""
PROCESSES = {
    "media": (
        "import gateway.media.worker",
        {
            "av", "email", "fastapi", "gateway.settings", "httpx", "importlib.metadata", "pydantic", "scipy",
            "soxr", "tts_core",
        },
    ),
    "synthesis": (
        "import gateway.speech.worker\n" + SPEAKS,
        {
            "av", "email", "fastapi", "gateway.settings", "http", "httpx", "importlib.metadata", "onnx",
            "pydantic", "redis", "rich", "scipy", "tts_core.remote", "websockets",
        },
    ),
    "control": (
        "import gateway.cli, gateway.api.server\n" + OFFERS,
        {
            "av", "cryptography", "gateway.demo", "gateway.listen.receiver", "grpc", "httpx", "jwt", "matplotlib",
            "onnxruntime", "redis", "rich", "scipy", "sippy", "soxr", "tts_core.door", "tts_core.remote.opening",
            "voxtrunk.client",
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_loads_nothing_that_it_does_not_use(process, tmp_path):
    program, useless = PROCESSES[process]
    program += "\nimport json, sys; print(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert not useless & set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("process", PROCESSES)
def test_what_is_not_to_be_loaded_can_be(process):
    """A name that is misspelt above would never be found."""
    _, useless = PROCESSES[process]
    program = f"import importlib.util as u; print([n for n in {sorted(useless)} if u.find_spec(n) is None])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
