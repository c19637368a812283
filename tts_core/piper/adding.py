"""From `NAME.onnx` and `NAME.onnx.json`, as Piper's voices come, to a package on the shelf."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tts_core.errors import EngineError
from tts_core.neural import graphs, package, shelf
from tts_core.neural.package import BadPackage
from tts_core.neural.runtime import open_session
from tts_core.neural.speaker import TRIAL
from tts_core.piper import settings
from tts_core.piper.package import DECODER, ENCODER, LARGEST, PIPER, Manifest, Package
from tts_core.piper.reach import Unbounded
from tts_core.piper.settings import BadSettings, Settings
from tts_core.piper.speaker import Loaded
from tts_core.piper.split import Halves, NotPiper, split

if TYPE_CHECKING:
    from onnx import ModelProto

TOLERANCE = 1.5e-5  # of full scale: half a step of 16-bit audio
_SPLIT_TOLERANCE = 1e-4
_UNNAMED = re.compile(r"[^a-z0-9]+")
_TAG = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,8}){0,4}")


def add(source: Path, folder: Path) -> Package:
    """Check and split the voice in the file `source`, let it speak, and put it into `folder` as a package.

    Raises BadPackage with what is wrong with it, EngineError, OSError when the folder cannot be written to.
    """
    if source.suffix != ".onnx":
        raise BadPackage(f"{source} is neither a voice package (a folder) nor a Piper voice (NAME.onnx)")
    raw = package.contents(source, LARGEST)
    beside = source.with_name(f"{source.name}.json")
    try:
        found = settings.read(package.contents(beside, settings.LARGEST))
        names = settings.speakers(found)
    except BadSettings as error:
        raise BadPackage(f"{beside}: {error}") from error
    try:
        graphs.read(raw, branches=True)
        halves = split(_parsed(raw))
        _check_agreement(halves, found)
    except (graphs.BadGraph, NotPiper, Unbounded) as error:
        raise BadPackage(f"{source}: {error}") from error
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".splitting-") as made:
        work = Path(made)
        for name, model in ((ENCODER, halves.encoder), (DECODER, halves.decoder)):
            (work / name).write_bytes(model.SerializeToString())
        hashes = {name: package.digest(work / name, LARGEST) for name in (ENCODER, DECODER)}
        package.write_as(work, _manifest(source, found, names, halves, hashes), PIPER)
        return add_package(work, folder, source)


def add_package(source: Path, folder: Path, whole: Path | None = None) -> Package:
    """Copy the package `source` into `folder`, once the copy has spoken, in pieces as in one.

    `whole` is the graph that it was split from, and is to say the same. Raises BadPackage, EngineError, OSError.
    """
    return shelf.add(source, folder, PIPER, (), lambda copy: _try(copy, whole))


def _try(copy: Package, whole: Path | None) -> None:
    voice = Loaded(copy)
    tokens = voice.phonemes.read(TRIAL)
    speaker = max(copy.manifest.speakers.values(), default=0)
    score = voice.networks.compose(tokens.ids, 1.0, speaker)
    at_once = voice.networks.decode(score, 0, len(score))
    streamed = np.concatenate(list(voice.networks.pieces(score, (1, 7, 2, 13))))
    apart = float(np.abs(at_once - streamed).max())
    if not apart <= TOLERANCE:
        raise BadPackage(f"{copy.folder}: decoded in pieces it differs by {apart:.1e} from the whole")
    if whole is None:
        return
    still = voice.networks.compose(tokens.ids, 1.0, speaker, scale=0.0)
    session = open_session(whole)
    feed = {
        "input": tokens.ids[None],
        "input_lengths": np.array([len(tokens.ids)]),
        "scales": np.array([0, copy.manifest.scales.length_scale, 0], np.float32),
        "sid": np.array([speaker]),
    }
    given = {each.name for each in session.get_inputs()}
    try:
        said = session.run(None, {name: feed[name] for name in feed if name in given})[0].reshape(-1)
    except Exception as error:  # its errors have no common class of their own
        raise EngineError(f"{whole}: it does not speak: {error}") from error
    again = voice.networks.decode(still, 0, len(still))
    if said.shape != again.shape or not float(np.abs(said - again).max()) <= _SPLIT_TOLERANCE:
        raise BadPackage(f"{whole}: cut in two it does not say what it says whole")


def _parsed(raw: bytes) -> ModelProto:
    try:
        import onnx
    except ImportError as error:
        raise BadPackage(
            "adding a Piper voice needs onnx: scripts/setup neural, or pip install onnx"
        ) from error
    try:
        return onnx.load_model_from_string(raw)
    except Exception as error:  # protobuf's errors are not its own
        raise NotPiper(f"it is no ONNX graph: {error}") from error


def _check_agreement(halves: Halves, found: Settings) -> None:
    used = max(max(ids) for ids in found.phoneme_id_map.values())
    if used >= halves.symbols:
        raise NotPiper(
            f"it knows {halves.symbols} phonemes, and the JSON beside it numbers them up to {used}"
        )
    if halves.speakers < found.num_speakers or (halves.speakers > 1) != (found.num_speakers > 1):
        raise NotPiper(f"it knows {halves.speakers} speakers, and the JSON beside it {found.num_speakers}")


def _manifest(
    source: Path, found: Settings, names: dict[str, int], halves: Halves, hashes: dict[str, str]
) -> Manifest:
    name = _UNNAMED.sub("-", source.stem.lower()).strip("-")
    if not package.is_name(name):
        raise BadPackage(f"{source}: no name can be made of it: rename it to a-z, 0-9 and dashes, 48 at most")
    tags = (_tag(found.language.code), _tag(found.espeak.voice), "und")
    quality = f", {found.audio.quality}" if found.audio.quality else ""
    return Manifest(
        format=package.FORMAT, engine="piper", name=name, version=_line(found.piper_version or ""),
        language=next(filter(None, tags)), gender="",
        description=_line(f"Piper: {found.dataset or name}{quality}"),
        teacher=_line(found.dataset), licence="", sample_rate=found.audio.sample_rate, files=hashes,
        phoneme_type="text" if found.phoneme_type == "text" else "espeak", espeak_voice=found.espeak.voice,
        phonemes=found.phoneme_id_map, symbols=found.num_symbols, clusters=found.vowel_clusters or [],
        scales=found.inference, speakers=names, channels=halves.channels, rhythm=halves.rhythm,
        hop=halves.reach.hop, back=halves.reach.back, ahead=halves.reach.ahead,
    )  # fmt: skip


def _tag(code: str) -> str:
    tag = code.lower().replace("_", "-")
    return tag if _TAG.fullmatch(tag) else ""


def _line(said: str) -> str:
    return "".join(char for char in said if char.isprintable())[:200]
