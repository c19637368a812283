"""A shelf of voices: what is added can be spoken with, what is refused leaves nothing behind."""

import json
import logging
from pathlib import Path

import pytest

from tts_core import Script, UnknownVoice, open_default
from tts_core.neural import engine, shelf
from tts_core.neural import package as packages
from tts_core.neural.engine import NeuralEngine
from tts_core.neural.package import NEURAL, BadPackage


@pytest.fixture
def source(package: Path) -> Path:
    """A package with a name of its own."""
    return renamed(package, "en-us-mine")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "added"


def renamed(package: Path, name: str) -> Path:
    held = json.loads((package / packages.MANIFEST).read_text())
    (package / packages.MANIFEST).write_text(json.dumps(held | {"name": name}))
    return package


def names(folder: Path) -> list[str]:
    return [voice.name for voice in NeuralEngine(added=folder).voices()]


def test_added_listed_spoken_with_and_removed(source: Path, folder: Path) -> None:
    ships = names(folder)
    engine.add(source, folder)
    assert names(folder) == [*ships, "neural:en-us-mine"]
    door = open_default(folder)
    voice = door.voice("neural:en-us-mine")
    assert (voice.engine, voice.version, voice.teacher) == (
        "neural",
        packages.read(source).manifest.version,
        "flite slt",
    )
    spoken = [list(door.speak(Script.from_text("Hello."), name)) for name in (voice.name, "neural:en-us-slt")]
    assert [chunk.pcm.tobytes() for chunk in spoken[0]] == [chunk.pcm.tobytes() for chunk in spoken[1]]
    with pytest.raises(BadPackage, match="there already"):
        engine.add(source, folder)
    engine.remove("neural:en-us-mine", folder)
    assert list(folder.iterdir()) == []
    with pytest.raises(BadPackage, match="no voice named"):
        engine.remove("en-us-mine", folder)


def test_a_voice_that_ships_is_neither_shadowed_nor_removed(package: Path, folder: Path) -> None:
    with pytest.raises(BadPackage, match="ships with"):
        engine.add(package, folder)
    with pytest.raises(BadPackage, match="ships with"):
        engine.remove("en-us-slt", folder)
    assert not folder.exists()


@pytest.mark.parametrize("harm", ["hash", "missing", "name", "shadow", "manifest", "link"])
def test_a_voice_that_took_harm_is_left_out_and_named_in_the_log(
    source: Path, folder: Path, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    added = shelf.add(source, folder, NEURAL).folder
    match harm:
        case "hash":
            (added / "decoder.onnx").write_bytes(b"no")
        case "missing":
            (added / "vocoder.onnx").unlink()
        case "name":
            added.rename(folder / "another")
        case "shadow":
            renamed(added, "en-us-slt").rename(folder / "en-us-slt")
        case "manifest":
            (added / packages.MANIFEST).write_bytes(b"{")
        case "link":
            (added / "decoder.onnx").rename(folder / "decoder.onnx")
            (added / "decoder.onnx").symlink_to(folder / "decoder.onnx")
    with caplog.at_level(logging.ERROR):
        assert names(folder) == names(folder / "nowhere")
    (said,) = [record.getMessage() for record in caplog.records]
    assert "left out" in said
    assert str(folder) in said
    (held,) = shelf.folders(folder)
    if harm != "shadow":  # what is damaged can be removed
        engine.remove(held.name, folder)
        assert shelf.folders(folder) == []


@pytest.mark.parametrize("name", ["../outside", "a/b", "", ".hidden", "UPPER", "a--b", "a" * 49])
def test_a_name_that_is_a_path_is_refused(package: Path, folder: Path, name: str) -> None:
    with pytest.raises(BadPackage, match="no name"):
        engine.add(renamed(package, name), folder)
    assert not folder.exists()


def test_removing_cannot_leave_the_folder(source: Path, folder: Path) -> None:
    shelf.add(source, folder, NEURAL)
    for name in ("../source", "..", ".", "", "/", "neural:", "../source/en-us-slt"):
        with pytest.raises(BadPackage):
            engine.remove(name, folder)
    assert source.exists()
    assert (folder / "en-us-mine").exists()


def test_what_the_manifest_does_not_name_is_not_copied(source: Path, folder: Path) -> None:
    (source / "surprise.sh").write_text("exit 1")
    assert not (shelf.add(source, folder, NEURAL).folder / "surprise.sh").exists()


def test_what_is_refused_leaves_nothing_behind(source: Path, folder: Path) -> None:
    whole = (source / "decoder.onnx").read_bytes()
    (source / "decoder.onnx").write_bytes(b"no")
    with pytest.raises(BadPackage, match="damaged"):
        engine.add(source, folder)
    (source / "decoder.onnx").write_bytes(whole)

    def trial(package: packages.Package) -> None:
        raise BadPackage(f"{package.folder}: hoarse")

    with pytest.raises(BadPackage, match="hoarse"):
        shelf.add(source, folder, NEURAL, (), trial)
    assert list(folder.iterdir()) == []


def test_voices_come_and_go_while_an_engine_is_open(
    source: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = NeuralEngine(added=folder)
    ships = [voice.name for voice in own.voices()]
    assert own.renew() == frozenset()
    engine.add(source, folder)
    assert own.renew() == {"neural:en-us-mine"}
    assert [voice.name for voice in own.voices()] == [*ships, "neural:en-us-mine"]
    assert own.renew() == frozenset()
    speech = own.speak(Script.from_text("One is here. Two is there."), "neural:en-us-mine", 1.0)
    begun = [next(speech)]

    # what is damaged while it is loaded stays as it was, and is told once
    decoder = folder / "en-us-mine" / "decoder.onnx"
    whole = decoder.read_bytes()
    decoder.write_bytes(b"no")
    with caplog.at_level(logging.ERROR):
        assert own.renew() == frozenset()
        assert own.renew() == frozenset()
    assert caplog.text.count("is damaged") == 1
    assert "neural:en-us-mine" in [voice.name for voice in own.voices()]
    decoder.write_bytes(whole)
    assert own.renew() == {"neural:en-us-mine"}, "it may be another by now"

    engine.remove("en-us-mine", folder)
    assert own.renew() == {"neural:en-us-mine"}
    assert [voice.name for voice in own.voices()] == ships
    with pytest.raises(UnknownVoice):
        own.speak(Script.from_text("One."), "neural:en-us-mine", 1.0)
    spoken = [*begun, *speech]
    alone = list(own.speak(Script.from_text("One is here. Two is there."), ships[-1], 1.0))
    assert [chunk.pcm.tobytes() for chunk in spoken] == [chunk.pcm.tobytes() for chunk in alone]
