"""The GPU's memory, asked for four times a second while another thread may be about to load torch."""

import importlib
import sys
import threading

import pytest

from gateway.messages.work import GpuMemory
from gateway.speech.gpu import memory

CUDA = """
on = False

def is_initialized():
    return on

def mem_get_info():
    return 60, 100

def get_device_name():
    return "H200"
"""


@pytest.fixture
def halting(tmp_path, monkeypatch):
    """A package named torch, whose loading halts where it has begun and has no ``cuda`` yet: begun, go on."""
    halt = "import builtins\nbuiltins.torch_begun.set()\nassert builtins.torch_goes_on.wait(10)\n"
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(halt + "import torch.cuda\n")
    (tmp_path / "torch" / "cuda.py").write_text(CUDA)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("torch", "torch.cuda"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    begun, goes_on = threading.Event(), threading.Event()
    monkeypatch.setattr("builtins.torch_begun", begun, raising=False)
    monkeypatch.setattr("builtins.torch_goes_on", goes_on, raising=False)
    yield begun, goes_on
    goes_on.set()
    for name in ("torch", "torch.cuda"):
        sys.modules.pop(name, None)


def test_a_gpu_that_nobody_uses_yet_has_none(halting):
    begun, goes_on = halting
    loading = threading.Thread(target=importlib.import_module, args=("torch",))
    loading.start()
    assert begun.wait(10)
    assert memory() is None
    goes_on.set()
    loading.join()
    assert memory() is None
    sys.modules["torch"].cuda.on = True
    assert memory() == GpuMemory("H200", 40, 100)
