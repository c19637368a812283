"""Imports point one way: gateway sees the other rooms, nobody sees gateway, and the rooms see nobody."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = {"gateway", "tts_core", "telephony_codecs", "sip_glue", "bench", "voxtrunk"}
MAY_IMPORT = {
    "tts_core": set(),
    "codecs/telephony_codecs": set(),
    "sip_glue": set(),
    "client/voxtrunk": set(),
    "gateway": {"tts_core", "telephony_codecs", "sip_glue", "voxtrunk"},
    "bench": {"gateway", "tts_core", "telephony_codecs", "sip_glue", "voxtrunk"},
}


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_it_may(room):
    own = room.rsplit("/", 1)[-1]
    files = list((ROOT / room).rglob("*.py"))
    assert files
    for file in files:
        assert (imports(file) & OURS) - {own} <= MAY_IMPORT[room], file


def test_the_core_install_needs_none_of_the_extras():
    heavy = {
        "torch",
        "tensorrt",
        "sippy",
        "redis",
        "matplotlib",
        "scipy",
        "aiortc",
        "pytest",
        "hypothesis",
        "grpc",
        "google",
    }
    runtimes = ROOT / "tts_core/neural/runtimes"
    lazily = {
        ROOT / "gateway/doctor/reading.py",
        ROOT / "gateway/listen/picture.py",
        ROOT / "gateway/nodes/store.py",
        ROOT / "gateway/nodes/node.py",
        *(ROOT / "gateway/rpc").rglob("*.py"),
        *(ROOT / "tts_core/neural/learn").rglob("*.py"),
    }
    lazily |= {runtimes / name for name in ("cudagraph.py", "tensorrt.py", "plans.py")}
    for room in ("gateway", "tts_core", "codecs", "client"):
        for file in set((ROOT / room).rglob("*.py")) - lazily:
            assert not imports(file) & heavy, file
