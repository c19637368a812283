"""Makes the voices in `voices/` with Piper's own training package: its very graph, few channels, random weights.

    pip install torch onnx && pip install --no-deps piper-tts==1.8.0
    python tests/tts_core/piper/make_voices.py tests/tts_core/piper/voices

Sizes are Piper's (`ModelAudioConfig`): "low" and "medium" have resblock 2 and three upsamplings, "high" has
resblock 1 and four. Weights are random; their scales are chosen so that a telephone hears them: filters are
smooth, the last one gives no DC, phonemes last some frames, a latent that stands still is a tone.
Names, axes and options of the export are those of `piper.train.export_onnx`.
"""

from __future__ import annotations

import json
import lzma
import sys
import warnings
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import torch
from piper.phoneme_ids import DEFAULT_PHONEME_ID_MAP
from piper.train.vits.config import ModelAudioConfig
from piper.train.vits.models import SynthesizerTrn

ROUGH = (
    1.0,
    0.3,
    0.05,
    0.05,
)  # how random the filters of each upsampling are; the first makes a frame's tone
LETTERS = "_^$ !',-.:;?abcdefghijklmnopqrstuvwxyz\u0308\u00df"


@dataclass(frozen=True)
class Recipe:
    """One voice: its quality, what it reads, how many speak."""

    name: str
    quality: str
    sample_rate: int
    speakers: int = 1
    phoneme_type: str = "espeak"
    espeak: str = "en-us"
    sdp: bool = True
    inter: int = 8
    width: int = 16
    seed: int = 1


RECIPES = (
    Recipe("en_US-random-medium", "medium", 22_050, sdp=False, width=24, seed=2),
    Recipe("en_GB-crowd-low", "low", 16_000, speakers=3, espeak="en-gb-x-rp"),
    Recipe("de_DE-letters-high", "high", 22_050, phoneme_type="text", espeak="de", sdp=False),
    Recipe("de_DE-pair-high", "high", 22_050, speakers=2, espeak="de", sdp=False),
)


def network(recipe: Recipe, symbols: int) -> SynthesizerTrn:
    """Piper's network with random weights."""
    torch.manual_seed(recipe.seed)
    audio = ModelAudioConfig.high_quality() if recipe.quality == "high" else ModelAudioConfig.low_quality()
    made = SynthesizerTrn(
        n_vocab=symbols,
        spec_channels=9,
        segment_size=32,
        inter_channels=recipe.inter,
        hidden_channels=8,
        filter_channels=8,
        n_heads=2,
        n_layers=1,
        kernel_size=3,
        p_dropout=0.1,
        resblock=audio.resblock,
        resblock_kernel_sizes=audio.resblock_kernel_sizes,
        resblock_dilation_sizes=audio.resblock_dilation_sizes,
        upsample_rates=audio.upsample_rates,
        upsample_initial_channel=recipe.width,
        upsample_kernel_sizes=audio.upsample_kernel_sizes,
        n_speakers=recipe.speakers,
        gin_channels=4 if recipe.speakers > 1 else 0,
        use_sdp=recipe.sdp,
    ).eval()
    with torch.no_grad():
        made.dec.remove_weight_norm()
        tune(made, recipe)
    return made


def tune(made: SynthesizerTrn, recipe: Recipe) -> None:
    """Scales for an audible voice; what is learned in a real one stays random here."""
    made.enc_p.proj.weight.normal_(0, 0.3)
    made.enc_p.proj.bias.normal_(0, 1.0)  # what phonemes have in common: a tone that goes on
    made.enc_p.proj.bias[recipe.inter :] = -3.0  # the noise is a small part of the latent
    if recipe.sdp:
        made.dp.flows[0].m.fill_(-0.5)  # ln(frames) of a phoneme
        made.dp.flows[0].logs.fill_(0.9)
        for flow in made.dp.flows:
            if hasattr(flow, "proj"):
                flow.proj.weight.normal_(0, 0.1)
    else:
        made.dp.proj.bias.fill_(1.1)  # ln(frames) of a phoneme
        made.dp.conv_2.weight.copy_(made.dp.conv_2.weight.sign() * 0.03)  # 200,000 numbers, packed small
    for layer in made.flow.flows:
        if hasattr(layer, "post"):
            layer.post.weight.normal_(0, 0.05)
    smooth = torch.hann_window(16, periodic=False)
    for up, rough in zip(made.dec.ups, ROUGH, strict=False):
        size = up.weight.shape[-1]
        shape = torch.nn.functional.interpolate(smooth[None, None], size, mode="linear")[0, 0]
        up.weight.copy_(torch.randn(up.weight.shape[:2])[..., None] * shape * 0.9 / up.weight.shape[0] ** 0.5)
        up.weight.add_(torch.randn(up.weight.shape) * rough / up.weight.shape[0] ** 0.5)
    made.dec.conv_pre.weight.normal_(0, 0.4)
    taps = torch.tensor([-1.0, -2.0, -1.0, 0.0, 1.0, 2.0, 1.0])
    post = made.dec.conv_post.weight
    post.copy_(torch.randn(post.shape[:2])[..., None] * taps * 0.01)
    sequences = torch.randint(3, made.n_vocab, (1, 100))
    sid = torch.LongTensor([0]) if made.n_speakers > 1 else None
    post.mul_(0.1 / made.infer(sequences, torch.LongTensor([100]), sid=sid)[0].std())


def export(made: SynthesizerTrn, file: Path) -> None:
    """What `piper.train.export_onnx` does with a checkpoint."""

    def infer_forward(text, text_lengths, scales, sid=None):  # type: ignore[no-untyped-def]
        return made.infer(
            text,
            text_lengths,
            noise_scale=scales[0],
            length_scale=scales[1],
            noise_scale_w=scales[2],
            sid=sid,
        )[0].unsqueeze(1)

    made.forward = infer_forward
    sequences = torch.randint(0, made.n_vocab, (1, 50))
    sid = torch.LongTensor([0]) if made.n_speakers > 1 else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model=made,
            args=(sequences, torch.LongTensor([50]), torch.FloatTensor([0.667, 1.0, 0.8]), sid),
            f=file,
            opset_version=15,
            input_names=["input", "input_lengths", "scales", "sid"],
            output_names=["output"],
            dynamic_axes={
                "input": {0: "batch_size", 1: "phonemes"},
                "input_lengths": {0: "batch_size"},
                "output": {0: "batch_size", 2: "time"},
            },
            dynamo=False,
        )


def config(recipe: Recipe) -> dict[str, object]:
    """The `.onnx.json`, as Piper's training writes it."""
    ids = DEFAULT_PHONEME_ID_MAP
    if recipe.phoneme_type == "text":
        ids = {letter: [index] for index, letter in enumerate(LETTERS)}
    named = {f"speaker {index}": index for index in range(recipe.speakers)} if recipe.speakers > 1 else {}
    return {
        "dataset": recipe.name.split("-")[1],
        "audio": {"sample_rate": recipe.sample_rate, "quality": recipe.quality},
        "espeak": {"voice": recipe.espeak},
        "language": {"code": recipe.name.split("-")[0]},
        "inference": {"noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8},
        "phoneme_type": recipe.phoneme_type,
        "phoneme_map": {},
        "phoneme_id_map": ids,
        "num_symbols": 1 + max(max(each) for each in ids.values()),
        "num_speakers": recipe.speakers,
        "speaker_id_map": named,
        "piper_version": "1.8.0",
    }


def main(folder: Path, names: Collection[str]) -> None:
    """Write these voices, or every one; graphs are packed, for most of them is the names of their nodes."""
    folder.mkdir(parents=True, exist_ok=True)
    for recipe in RECIPES:
        if names and recipe.name not in names:
            continue
        held = config(recipe)
        file = folder / f"{recipe.name}.onnx"
        export(network(recipe, int(str(held["num_symbols"]))), file)
        Path(f"{file}.json").write_text(json.dumps(held, ensure_ascii=False, separators=(",", ":")) + "\n")
        Path(f"{file}.xz").write_bytes(lzma.compress(file.read_bytes(), preset=9))
        file.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
