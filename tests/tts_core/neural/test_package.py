"""Voice packages: what is damaged, hostile or of another kind is refused with the reason, in one line."""

import dataclasses
import hashlib
import json
import os
import pickle
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tts_core.neural import graphs
from tts_core.neural import package as packages
from tts_core.neural.engine import NeuralEngine
from tts_core.neural.package import BadPackage
from tts_core.neural.runtime import OrtRuntime
from tts_core.neural.speaker import Speaker

from .onnx_file import Fields, changed, field, message, value_info

FLOAT, DOUBLE = 1, 11


def rewritten(folder: Path, change: Callable[[dict[str, object]], None]) -> None:
    held = json.loads((folder / packages.MANIFEST).read_text())
    change(held)
    (folder / packages.MANIFEST).write_text(json.dumps(held))


def signed(folder: Path) -> None:
    """Make the manifest's hashes those of the files as they are."""

    def sign(held: dict[str, object]) -> None:
        for name in held["files"]:
            held["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()

    rewritten(folder, sign)


def refusal(folder: Path) -> str:
    with pytest.raises(BadPackage) as caught:
        packages.read(folder)
    assert str(caught.value).startswith(str(folder))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_reads_what_ships(package: Path) -> None:
    manifest = packages.read(package).manifest
    assert (manifest.name, manifest.language, manifest.sample_rate) == ("en-us-slt", "en-us", 8000)
    assert set(packages.GRAPHS) | {"weights.safetensors"} <= set(manifest.files)


def test_what_training_exports_is_a_package_and_small(small: Path) -> None:
    assert set(packages.GRAPHS) | {"weights.safetensors"} == set(packages.read(small).manifest.files)
    assert sum(file.stat().st_size for file in small.iterdir()) < 10_000_000


@pytest.mark.parametrize("name", [*packages.GRAPHS, "weights.safetensors"])
def test_one_byte_changed_is_damaged(package: Path, name: str) -> None:
    raw = bytearray((package / name).read_bytes())
    raw[len(raw) // 2] ^= 1
    (package / name).write_bytes(raw)
    assert f"{name} is damaged" in refusal(package)


def test_cut_off_anywhere_the_manifest_is_refused(package: Path) -> None:
    raw = (package / packages.MANIFEST).read_bytes().rstrip()
    for length in range(0, len(raw), 17):
        (package / packages.MANIFEST).write_bytes(raw[:length])
        assert packages.MANIFEST in refusal(package)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda held: held.update(sample_rate=22_050), "22050 Hz"),
        (lambda held: held.update(format=2), "format 2"),
        (lambda held: held.update(engine="piper"), "piper"),
        (lambda held: held.update(surprise=1), "surprise"),
        (lambda held: held.pop("licence"), "licence"),
        (lambda held: held["files"].pop("decoder.onnx"), "decoder.onnx missing"),
        (lambda held: held["files"].update({"../secret": "0"}), "no plain file name"),
        (lambda held: held["files"].update({"/etc/passwd": "0"}), "no plain file name"),
        (lambda held: held["files"].update({"..": "0"}), "no plain file name"),
        (lambda held: held["files"].update({"a\nb": "0"}), "no plain file name"),
        (lambda held: held["files"].update({"": "0"}), "no plain file name"),
        (lambda held: held["files"].update({"\0": "0"}), "no plain file name"),
        (lambda held: held["files"].update({"other.onnx": "0"}), "missing or no plain file"),
        (lambda held: held["files"].update({f"{n}.txt": "0" for n in range(99)}), "files"),
        (lambda held: held.update(phonemes="x"), "phonemes"),
        (lambda held: held["phonemes"].pop("_"), "phonemes"),
        (lambda held: held["phonemes"].update({"_": 1}), "phonemes"),
        (lambda held: held["phonemes"].update({"_": 10**9}), "phonemes"),
        (lambda held: held.update(name="../outside"), "no name"),
        (lambda held: held.update(name=""), "no name"),
        (lambda held: held.update(name="a" * 49), "no name"),
        (lambda held: held.update(language="en us"), "language"),
        (lambda held: held.update(gender="robot"), "gender"),
        (lambda held: held.update(description="\x1b[2J"), "description"),
        (lambda held: held.update(teacher="x" * 10_000), "teacher"),
    ],
)  # fmt: skip
def test_refusals_say_why(package: Path, change: Callable[[dict[str, object]], None], says: str) -> None:
    rewritten(package, change)
    assert says in refusal(package)


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"format":' * 9999]
)
def test_a_manifest_that_is_none_is_refused(package: Path, raw: bytes) -> None:
    (package / packages.MANIFEST).write_bytes(raw)
    assert "cannot be read" in refusal(package)


@pytest.mark.parametrize("name", ["vocoder.onnx", packages.MANIFEST])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "device", "huge"])
def test_only_a_plain_file_of_some_size_is_a_file(package: Path, name: str, kind: str) -> None:
    file = package / name
    file.rename(package.parent / "elsewhere")
    match kind:
        case "link":
            file.symlink_to(package.parent / "elsewhere")
        case "pipe":
            os.mkfifo(file)
        case "folder":
            file.mkdir()
        case "device":
            file.symlink_to("/dev/zero")
        case "huge":
            with file.open("wb") as sparse:
                sparse.truncate(2**40)
    assert ("larger than" if kind == "huge" else "no plain file") in refusal(package)


def test_all_files_together_have_a_limit(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "NEURAL", dataclasses.replace(packages.NEURAL, largest=2_500_000))
    assert "larger than" in refusal(package)


def test_a_pickle_with_the_right_hash_is_never_loaded(package: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(package / "sprung"),)

    for name in (*packages.GRAPHS, "weights.safetensors"):
        original = (package / name).read_bytes()
        (package / name).write_bytes(pickle.dumps(Trap()))
        signed(package)
        if name in packages.GRAPHS:
            assert "no ONNX graph" in refusal(package)
        else:  # nothing that speaks reads the other form of the weights
            Speaker(packages.read(package), OrtRuntime(packages.read(package)))
        (package / name).write_bytes(original)
    assert not (package / "sprung").exists()


def replaced(at: int, old: str, new: bytes) -> Callable[[Fields], Fields]:
    """The input (11) or output (12) named `old` becomes the value info `new`."""

    def change(graph: Fields) -> Fields:
        return [
            (one, new) if one == at and bytes(value).startswith(field(1, old.encode())) else (one, value)
            for one, value in graph
        ]

    return change


def appended(*fields: tuple[int, bytes | int]) -> Callable[[Fields], Fields]:
    return lambda graph: [*graph, *fields]


def elsewhere(file: str) -> bytes:
    """A TensorProto whose data lie in another file: location EXTERNAL, and where."""
    where = message((1, b"location"), (2, file.encode()))
    return message((1, 16), (2, FLOAT), (8, b"far"), (13, where), (14, 1))


def node(*fields: tuple[int, bytes | int]) -> tuple[int, bytes]:
    return 1, message((2, b"out"), *fields)


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("encoder.onnx", appended((5, elsewhere("/etc/passwd"))), "another file"),
        ("encoder.onnx", appended((5, elsewhere("weights.safetensors"))), "another file"),
        ("encoder.onnx", appended((5, message((1, 1), (2, FLOAT), (8, b"x"), (14, 1)))), "another file"),
        ("decoder.onnx", appended(node((4, b"Constant"), (5, message((5, elsewhere("x")))))), "another file"),
        ("decoder.onnx", appended(node((4, b"If"), (5, message((1, b"then"), (6, b""))))), "inside a node"),
        ("decoder.onnx", appended(node((4, b"Loop"), (5, message((1, b"body"), (11, b""))))), "inside a node"),
        ("decoder.onnx", appended(node((4, b"Run"), (7, b"com.example"))), "com.example"),
        ("decoder.onnx", appended((15, message((1, b"x")))), "sparse"),
        ("encoder.onnx", replaced(11, "ids", value_info("ids", FLOAT, "B", "P", 3)), "type 1"),
        ("encoder.onnx", replaced(11, "ids", value_info("ids", 7, "B", "P", 4)), "[B, P, 4]"),
        ("encoder.onnx", replaced(11, "ids", value_info("ids", 7, 1, "P", 3)), "[1, P, 3]"),
        ("encoder.onnx", replaced(11, "ids", value_info("text", 7, "B", "P", 3)), "inputs are text"),
        ("encoder.onnx", replaced(12, "pace", value_info("pace", FLOAT, "B")), "[B]"),
        ("encoder.onnx", appended((11, value_info("more", FLOAT, "B"))), "more"),
        ("decoder.onnx", replaced(12, "features", value_info("features", FLOAT, "B", "T", 41)), "41"),
        ("vocoder.onnx", replaced(11, "phase", value_info("phase", FLOAT, "B")), "phase"),
        ("vocoder.onnx", replaced(11, "state", value_info("state", FLOAT, "B", "S")), "[B, S]"),
        ("vocoder.onnx", replaced(12, "new_state", value_info("new_state", FLOAT, "B", 7)), "new_state"),
        ("vocoder.onnx", replaced(12, "audio", value_info("audio", FLOAT, "B", "T", 240)), "240"),
    ],
)  # fmt: skip
def test_a_graph_of_another_kind_is_refused_before_anything_loads_it(
    package: Path, name: str, change: Callable[[Fields], Fields], says: str
) -> None:
    changed(package / name, lambda graph: graph)
    signed(package)
    packages.read(package)  # taken apart and put together it is the same
    changed(package / name, change)
    signed(package)
    said = refusal(package)
    assert f"{name} is refused" in said
    assert says in said


@pytest.mark.parametrize("beside", [(25, b""), (20, b""), (7, b"")])
def test_a_model_with_functions_training_or_two_graphs_is_refused(
    package: Path, beside: tuple[int, bytes]
) -> None:
    with (package / "encoder.onnx").open("ab") as model:
        model.write(field(*beside))
    signed(package)
    assert "encoder.onnx is refused" in refusal(package)


def test_graphs_in_each_others_place_are_refused(package: Path) -> None:
    (package / "decoder.onnx").write_bytes((package / "encoder.onnx").read_bytes())
    signed(package)
    assert "inputs are ids" in refusal(package)


def test_whatever_the_bytes_a_graph_is_read_or_refused() -> None:
    """Bytes changed, cut and doubled: BadGraph or nothing, and soon."""
    dice = random.Random(1)
    graph = message(
        node((4, b"Add"), (5, message((1, b"value"), (5, message((1, 1), (9, b"1234")))))),
        (5, message((1, 1), (2, FLOAT), (9, b"1234"))),
        (11, value_info("ids", 7, "B", "P", 3)),
        (12, value_info("meaning", FLOAT, "B", "P", 160)),
        (12, value_info("pace", FLOAT, "B", "P")),
    )
    sound = message((1, 8), (2, b"nobody"), (7, graph))
    graphs.check("encoder.onnx", sound)
    refused = 0
    for _ in range(3000):
        raw = bytearray(sound)
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(raw))
            raw[at] = dice.randrange(256)
            if dice.random() < 0.2:
                del raw[at : at + dice.randint(1, 20)]
            if not raw:
                break
        try:
            graphs.check("encoder.onnx", bytes(raw))
        except graphs.BadGraph:
            refused += 1
    assert refused > 1000


def no_number(folder: Path, name: str) -> None:
    """Make all of a graph's large weights NaN; the hashes agree."""

    def spoil(graph: Fields) -> Fields:
        spoilt = []
        for at, value in graph:
            if at == 5 and field(2, 10) in bytes(value)[:16] and len(bytes(value)) > 2000:  # float16
                parts = [(one, held) for one, held in graphs._fields(memoryview(bytes(value)))]
                value = message(
                    *(
                        (one, np.full(len(held) // 2, np.nan, np.float16).tobytes() if one == 9 else held)
                        for one, held in ((one, h if isinstance(h, int) else bytes(h)) for one, h in parts)
                    )
                )
            spoilt.append((at, value))
        return spoilt

    changed(folder / name, spoil)
    signed(folder)


@pytest.mark.parametrize("name", packages.GRAPHS)
def test_a_voice_of_no_numbers_is_found_out_when_it_is_loaded(package: Path, name: str) -> None:
    no_number(package, name)
    held = packages.read(package)
    with pytest.raises(BadPackage, match="does not speak"):
        Speaker(held, OrtRuntime(held))


def test_a_language_that_nobody_can_read_is_found_out_when_it_is_loaded(package: Path) -> None:
    rewritten(package, lambda held: held.update(language="tlh"))
    held = packages.read(package)
    with pytest.raises(BadPackage, match="cannot read its language"):
        Speaker(held, OrtRuntime(held))


def test_the_engine_refuses_to_open_when_a_voice_that_ships_is_damaged(package: Path) -> None:
    (package / "encoder.onnx").write_bytes(b"")
    with pytest.raises(BadPackage, match=r"encoder\.onnx is damaged"):
        NeuralEngine(package.parent)
