"""`voxtrunk export`: a voice for ONNX Runtime in another precision, or for TensorRT."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tts_core.errors import CallerError
from tts_core.neural import package as packages
from tts_core.neural.engine import SHIPPED
from tts_core.neural.package import Package
from tts_core.neural.runtime import Unavailable

FORMATS = ("onnx", "tensorrt")
PRECISIONS = ("fp32", "fp16", "int8")


class BadExport(CallerError):
    """An export that there is not, or a voice that is not here."""


def find(voice: str, added: Path | None = None) -> Package:
    """The package of `neural:NAME`, `NAME` or a folder; `added` is the folder of added voices.

    Raises BadExport, and BadPackage when it is damaged.
    """
    name = voice.removeprefix("neural:")
    for folder in (Path(voice), SHIPPED / name, *([added / name] if added is not None else [])):
        if (folder / packages.MANIFEST).is_file():
            return packages.read(folder)
    raise BadExport(f"no voice {voice[:64]!r}: name one that ships (voxtrunk voices), or a voice's folder")


def export(
    voice: str, form: str, precision: str, folder: Path | None, added: Path | None = None
) -> Iterator[str]:
    """Export `voice`; yields a line for each thing that was done. `folder`, new or empty, is named if it is None.

    Raises BadExport, BadPackage, and Unavailable when a package that this needs is not installed.
    """
    if form not in FORMATS or precision not in PRECISIONS:
        raise BadExport(f"{form} in {precision}: there is {', '.join(FORMATS)} in {', '.join(PRECISIONS)}")
    if form == "tensorrt" and precision == "int8":
        raise BadExport(
            "int8 is made by ONNX Runtime's quantiser, for --format onnx; TensorRT has fp32 and fp16"
        )
    held = find(voice, added)
    target = folder or Path(f"{held.manifest.name}-{form}-{precision}")
    try:
        maker = _onnx if form == "onnx" else _tensorrt
        made = maker(held, precision, target)
    except ImportError as error:
        raise Unavailable(
            f"exporting needs more packages: pip install 'voxtrunk[train]' ({error})"
        ) from error
    for name in sorted(made.manifest.files):
        yield f"{target / name}: {(target / name).stat().st_size:,} bytes"
    if form == "tensorrt":
        yield _planned(made)


def _onnx(held: Package, precision: str, folder: Path) -> Package:
    from tts_core.neural.precision import convert

    return convert(held, precision, folder)


def _tensorrt(held: Package, precision: str, folder: Path) -> Package:
    from tts_core.neural.learn.export import with_answer

    return with_answer(held, folder, half=precision == "fp16")


def _planned(made: Package) -> str:
    try:
        from tts_core.neural.runtimes.tensorrt import TensorRtRuntime, cache

        TensorRtRuntime(made)
    except (ImportError, Unavailable) as error:
        return f"no plan was built here: {error}; it is built where it first runs"
    return f"the plan is kept in {cache()}"
