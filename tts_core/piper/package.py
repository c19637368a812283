"""A Piper voice as a package: what its `voice.json` holds, and what its two graphs take and give."""

from __future__ import annotations

from functools import partial
from typing import Final

from tts_core.neural import graphs
from tts_core.neural.graphs import FLOAT, INT64, BadGraph
from tts_core.neural.package import About, Held, Kind
from tts_core.piper import settings
from tts_core.piper.settings import BadSettings, PhonemeType, Scales

ENCODER, DECODER = "encoder.onnx", "decoder.onnx"
LARGEST = 256 * 2**20  # bytes of one file; Piper's largest voices have 130 MB
_FURTHEST, _LONGEST_HOP, _MOST_CHANNELS = 300, 4096, 2048


class Manifest(About, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`phonemes` to ids; `speakers` to ids, empty for one; `hop` samples a frame of `channels` numbers, of which
    the decoder sees `back` and `ahead`; `rhythm`: durations are drawn by chance."""

    phoneme_type: PhonemeType
    espeak_voice: str
    phonemes: dict[str, list[int]]
    symbols: int
    clusters: list[list[str]]
    scales: Scales
    speakers: dict[str, int]
    channels: int
    rhythm: bool
    hop: int
    back: int
    ahead: int


Package = Held[Manifest]

_ENCODER = (
    {"input": (INT64, 2), "input_lengths": (INT64, 1), "scales": (FLOAT, 1), "vx.noise": (FLOAT, 3)}
    | {"vx.stretch": (FLOAT, 1)},
    {"sid": (INT64, 1), "vx.rhythm": (FLOAT, 3)},
    {"vx.latent": (FLOAT, 3), "vx.frames": (FLOAT, 3)},
)
_DECODER = ({"vx.latent": (FLOAT, 3)}, {"vx.condition": (FLOAT, 3)}, {"vx.audio": (FLOAT, 2)})


def _check_graph(
    wanted: tuple[dict[str, tuple[int, int]], dict[str, tuple[int, int]], dict[str, tuple[int, int]]],
    raw: bytes,
) -> None:
    """Raise BadGraph unless `raw` takes and gives what is `wanted`, with what may be and need not."""
    inputs, outputs = graphs.read(raw, branches=True)
    needed, allowed, made = wanted
    for role, found, known, least in (
        ("input", inputs, needed | allowed, needed),
        ("output", outputs, made | {"vx.condition": (FLOAT, 3)}, made),
    ):
        if not set(least) <= set(found) <= set(known):
            raise BadGraph(f"its {role}s are {', '.join(sorted(found))}; wanted: {', '.join(sorted(least))}")
        for name, tensor in found.items():
            if (tensor.kind, len(tensor.shape)) != known[name]:
                raise BadGraph(f"its {role} {name} is of another type or rank than a Piper voice's")


def _check(manifest: Manifest) -> None:
    """Raise ValueError for what of a manifest is no Piper voice's."""
    try:
        settings.check_sound(manifest.sample_rate, manifest.scales)
        settings.check_ids(manifest.phonemes, manifest.symbols)
        settings.check_speakers(max(len(manifest.speakers), 1), manifest.speakers)
    except BadSettings as error:
        raise ValueError(str(error)) from error
    if any(len(name) > settings.LONGEST + 8 or not name.isprintable() for name in manifest.speakers):
        raise ValueError("the name of a speaker is too long or not printable")
    for what, most in (("hop", _LONGEST_HOP), ("channels", _MOST_CHANNELS)):
        if not 1 <= getattr(manifest, what) <= most:
            raise ValueError(f"its {what} is {getattr(manifest, what)}; 1 to {most} are known here")
    if not (0 <= manifest.back <= _FURTHEST and 0 <= manifest.ahead <= _FURTHEST):
        raise ValueError(
            f"its decoder sees {manifest.back} and {manifest.ahead} frames; {_FURTHEST} are the most"
        )


PIPER: Final = Kind(
    "piper", Manifest, _check,
    {ENCODER: partial(_check_graph, _ENCODER), DECODER: partial(_check_graph, _DECODER)}, LARGEST,
)  # fmt: skip
