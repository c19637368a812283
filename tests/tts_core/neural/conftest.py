"""A small voice of the graphs that ship, and one thread for torch where it is installed."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from tts_core.neural import package as packages
from tts_core.neural.engine import SHIPPED

WEIGHTS = "weights.safetensors"


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Two cores and several sessions: more threads than one only wait for each other."""
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a voice with its graphs and weights and nothing else. Not to be written to."""
    shipped = packages.read(SHIPPED / "en-us-slt")
    folder = tmp_path_factory.mktemp("voices") / "en-us-none"
    folder.mkdir()
    for name in (*packages.GRAPHS, WEIGHTS):
        shutil.copyfile(shipped.folder / name, folder / name)
    hashes = {name: shipped.manifest.files[name] for name in (*packages.GRAPHS, WEIGHTS)}
    packages.write(folder, msgspec.structs.replace(shipped.manifest, name="en-us-none", files=hashes))
    return folder


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an exported voice that has learned nothing. Not to be written to. Needs torch."""
    torch = pytest.importorskip("torch")
    from tts_core.neural.frontend import alphabet
    from tts_core.neural.learn.acoustic import Acoustic, AcousticSize
    from tts_core.neural.learn.export import About, export
    from tts_core.neural.learn.vocoder import Vocoder

    torch.manual_seed(2)
    ids = alphabet(["@", "t", "n", "aI", "w", "V", "s", "e", "oU"])
    about = About("en-us-none", "0.0", "en-us", "", "untrained", "nobody", "CC0-1.0")
    folder = tmp_path_factory.mktemp("untrained") / "en-us-none"
    export(Acoustic(AcousticSize(len(ids))), Vocoder(), ids, about, folder)
    return folder


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A private copy of the folder of a voice that ships."""
    return Path(shutil.copytree(SHIPPED / "en-us-slt", tmp_path / "source" / "en-us-slt"))
