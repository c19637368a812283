"""A Piper voice as it comes is checked, split and put on the shelf; what is none is refused in one line."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import ModelProto, TensorProto, helper

from tts_core import UnknownVoice, adding, open_default
from tts_core.neural.package import BadPackage
from tts_core.piper import package as packages
from tts_core.piper import settings

from .shelf import LETTERS, LOW, MEDIUM, PAIR, added, unpacked


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The smallest voice to hand, as files."""
    (tmp_path / "source").mkdir()
    return unpacked(LETTERS, tmp_path / "source")


def refusal(source: Path) -> str:
    folder = source.parent / "shelf"
    with pytest.raises(BadPackage) as caught:
        adding.add(source, folder)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700
    assert not folder.exists() or list(folder.iterdir()) == []
    return str(caught.value)


def test_what_is_known_of_each_quality() -> None:
    shelf = added(MEDIUM, LOW, LETTERS, PAIR)
    held = {each.name: json.loads((each / "voice.json").read_text()) for each in shelf.iterdir()}
    assert {
        name: (each["sample_rate"], each["hop"], each["back"], each["ahead"]) for name, each in held.items()
    } == {
        "en-us-random-medium": (22_050, 256, 12, 12),
        "en-gb-crowd-low": (16_000, 256, 12, 12),
        "de-de-letters-high": (22_050, 256, 14, 14),
        "de-de-pair-high": (22_050, 256, 14, 14),
    }
    assert held["en-gb-crowd-low"]["speakers"] == {"speaker-0": 0, "speaker-1": 1, "speaker-2": 2}
    assert held["en-gb-crowd-low"]["rhythm"]
    assert not held["en-us-random-medium"]["rhythm"]
    names = {voice.name: voice.language for voice in open_default(shelf).voices() if voice.engine == "piper"}
    assert names == {
        "piper:en-us-random-medium": "en-us",
        "piper:de-de-letters-high": "de-de",
        "piper:de-de-pair-high#speaker-0": "de-de",
        "piper:de-de-pair-high#speaker-1": "de-de",
        "piper:en-gb-crowd-low#speaker-0": "en-gb",
        "piper:en-gb-crowd-low#speaker-1": "en-gb",
        "piper:en-gb-crowd-low#speaker-2": "en-gb",
    }


def test_added_moved_and_removed(source: Path, tmp_path: Path) -> None:
    shelf, other = tmp_path / "shelf", tmp_path / "other"
    assert adding.add(source, shelf) == "piper:de-de-letters-high"
    with pytest.raises(BadPackage, match="there already"):
        adding.add(source, shelf)
    assert adding.add(shelf / "de-de-letters-high", other) == "piper:de-de-letters-high"
    for name in ("neural:de-de-letters-high", "piper:de-de-letters-high#0", "piper:nobody", "nobody"):
        with pytest.raises(BadPackage):
            adding.remove(name, other)
    adding.remove("piper:de-de-letters-high", other)
    assert list(other.iterdir()) == []
    (shelf / "de-de-letters-high" / "decoder.onnx").write_bytes(b"no")
    with pytest.raises(UnknownVoice):
        open_default(shelf).voice("piper:de-de-letters-high")
    adding.remove("de-de-letters-high", shelf)
    assert list(shelf.iterdir()) == []


def test_speaking_needs_no_onnx() -> None:
    said = subprocess.run(
        [sys.executable, "-c", f"""
import sys
from pathlib import Path
from tts_core import Script, open_default
door = open_default(Path({str(added(MEDIUM, LOW, LETTERS, PAIR))!r}))
assert sum(len(c.pcm) for c in door.speak(Script.from_text("Hallo"), "piper:de-de-letters-high")) > 5000
assert "onnx" not in sys.modules and "torch" not in sys.modules
print("spoke")
"""], capture_output=True, text=True, timeout=50,
    )  # fmt: skip
    assert said.stdout == "spoke\n", said.stderr


# -- the JSON ---------------------------------------------------------------------------------------------


def changed(**given: object) -> bytes:
    held: dict[str, object] = {
        "audio": {"sample_rate": 16_000},
        "espeak": {"voice": "en-us"},
        "phoneme_id_map": {"_": [0], "^": [1], "$": [2], "a": [3]},
        "num_symbols": 4,
    }
    return json.dumps(held | given).encode()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"{}", "audio"),
        (changed(audio={"sample_rate": 10**9}), "sample rate"),
        (changed(audio={"sample_rate": "22050"}), "audio.sample_rate"),
        (changed(phoneme_type="pinyin"), "'pinyin'"),
        (changed(espeak={}), "no espeak voice"),
        (changed(inference={"length_scale": 0}), "length_scale"),
        (changed(inference={"noise_w": -1}), "noise_w"),
        (changed().replace(b"4}", b"4, \"inference\": {\"noise_scale\": NaN}}"), "cannot be read"),
        (changed(num_symbols=3), "ids of 'a'"),
        (changed(num_symbols=10**12), "symbols"),
        (changed(phoneme_id_map={"a": [0]}), r"lacks _ \^ \$"),
        (changed(phoneme_id_map={"_": [0], "^": [1], "$": []}), "ids of '\\$'"),
        (changed(phoneme_id_map={"_": [0], "^": [1], "$": [-1]}), "ids of '\\$'"),
        (changed(num_speakers=0), "0 speakers"),
        (changed(num_speakers=100_000), "100000 speakers"),
        (changed(num_speakers=2, speaker_id_map={"x": 2}), "the id 2, of 2"),
    ],
)  # fmt: skip
def test_settings_that_are_no_voices(raw: bytes, reason: str) -> None:
    with pytest.raises(settings.BadSettings, match=reason):
        settings.read(raw)


def test_every_speaker_has_a_name_of_its_own() -> None:
    found = settings.read(changed(num_speakers=904, speaker_id_map={"p 1": 3, "p#1": 4, "é": 5, "7": 8}))
    names = settings.speakers(found)
    assert sorted(names.values()) == list(range(904))
    assert [name for name, speaker in names.items() if speaker in (3, 4, 5, 7, 8)] == [
        "p-1",
        "p-1-4",
        "é",
        "7",
        "7-8",
    ]
    assert settings.speakers(settings.read(changed())) == {}


def test_the_json_must_be_there_and_agree_with_the_graph(source: Path) -> None:
    beside = source.with_name(f"{source.name}.json")
    held = json.loads(beside.read_text())
    ids = held["phoneme_id_map"]
    for other, reason in (
        ({"num_symbols": 200, "phoneme_id_map": ids | {"x": [199]}}, "numbers them up to 199"),
        ({"num_speakers": 2}, "knows 1 speakers"),
        ({"phoneme_type": "espeak", "espeak": {"voice": "tlh"}}, "espeak-ng cannot read"),
    ):
        beside.write_text(json.dumps(held | other))
        assert reason in refusal(source)
    beside.unlink()
    assert "missing" in refusal(source)
    assert "nor a Piper voice" in refusal(source.rename(source.with_suffix(".bin")))


# -- the graph --------------------------------------------------------------------------------------------


def without(operator: str) -> Callable[[ModelProto], None]:
    """Every node of this operator made one that hands on what it is given."""

    def change(model: ModelProto) -> None:
        for node in model.graph.node:
            if node.op_type == operator:
                node.op_type = "Identity"
                del node.input[1:], node.attribute[:]

    return change


def renamed_input(model: ModelProto) -> None:
    model.graph.input[0].name = "ids"


def in_another_file(model: ModelProto) -> None:
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="/etc/passwd")


def looping(model: ModelProto) -> None:
    model.graph.node.append(
        helper.make_node("Loop", ["", ""], ["x"], body=helper.make_graph([], "b", [], []))
    )


def of_a_stranger(model: ModelProto) -> None:
    model.graph.node[0].domain = "com.stranger"


def with_functions(model: ModelProto) -> None:
    model.functions.add(name="f", domain="d")


def drawing_more(model: ModelProto) -> None:
    model.graph.node.append(helper.make_node("RandomUniform", [], ["luck"], shape=[1]))


def seeing_all(model: ModelProto) -> None:
    """The last tanh sees the mean of all that is said."""
    last = next(node for node in reversed(model.graph.node) if node.op_type == "Tanh")
    own = f"{last.input[0]}.mean"
    model.graph.node.insert(
        list(model.graph.node).index(last),
        helper.make_node("ReduceMean", [last.input[0]], [own], axes=[2], keepdims=1),
    )
    next(node for node in reversed(model.graph.node) if node.op_type == "Tanh").input[0] = own


def already_split(model: ModelProto) -> None:
    for node in model.graph.node:
        for index, name in enumerate(node.output):
            if name == model.graph.output[0].name:
                node.output[index] = "vx.audio"
    model.graph.output[0].name = "vx.audio"


def of_the_future(model: ModelProto) -> None:
    model.opset_import[0].version = 99


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without("Ceil"), "0 Ceil"),
        (without("RandomNormalLike"), "0 RandomNormalLike"),
        (without("ConvTranspose"), "no ConvTranspose"),
        (renamed_input, "it takes ids, input_lengths, scales"),
        (in_another_file, "another file"),
        (looping, "neither loops nor branches"),
        (of_a_stranger, "com.stranger"),
        (with_functions, "functions"),
        (drawing_more, "RandomUniform"),
        (seeing_all, "ReduceMean, which may see the whole clause"),
        (already_split, "split already"),
        (of_the_future, "version [99]"),
    ],
)  # fmt: skip
def test_graphs_that_are_no_piper_voice(
    source: Path, change: Callable[[ModelProto], None], reason: str
) -> None:
    model = onnx.load(source)
    change(model)
    source.write_bytes(model.SerializeToString())
    assert reason in refusal(source)


def test_damaged_files(source: Path) -> None:
    raw = source.read_bytes()
    for damaged in (b"", b"no", raw[:1000], raw[: len(raw) // 2], raw[:-1], b"\x80" * 1000):
        source.write_bytes(damaged)
        refusal(source)
    with source.open("wb") as sparse:
        sparse.truncate(packages.LARGEST + 1)
    assert "larger than" in refusal(source)
    source.unlink()
    source.symlink_to("/dev/zero")
    assert "no plain file" in refusal(source)


def test_a_voice_that_never_ends_its_words_is_refused(source: Path) -> None:
    """Weights that make every phoneme last as long as exp can say: bounded, it still counts too slowly."""
    model = onnx.load(source)
    bias = next(w for w in model.graph.initializer if w.name == "dp.proj.bias")
    bias.CopyFrom(helper.make_tensor(bias.name, TensorProto.FLOAT, [1], [80.0]))
    source.write_bytes(model.SerializeToString())
    assert "counts to ten in" in refusal(source)
