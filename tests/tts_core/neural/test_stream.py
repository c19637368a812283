"""The vocoder streams exactly: any chunking gives what one step over everything gives."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tts_core.neural import frame  # noqa: E402
from tts_core.neural.frame import BINS, FEATURES, HOP, RATE, VOICING  # noqa: E402
from tts_core.neural.learn import source  # noqa: E402
from tts_core.neural.learn.blocks import Block, depthwise  # noqa: E402
from tts_core.neural.learn.vocoder import Vocoder, VocoderSize  # noqa: E402

FRAMES = 60
REACH = 2 + 6 * 6 + 2  # stem, six blocks of seven taps, three hops of overlap


@pytest.fixture(scope="module")
def vocoder() -> Vocoder:
    torch.manual_seed(3)
    made = Vocoder(VocoderSize(channels=32, expansion=2))
    torch.nn.init.normal_(made.head.weight, std=0.1)
    return made.eval()


def inputs(rows: int, seed: int) -> tuple["torch.Tensor", "torch.Tensor"]:
    dice = np.random.default_rng(seed)
    features = dice.uniform(-1, 1, (rows, FRAMES, FEATURES))
    features[:, :, VOICING] = features[:, :, VOICING] > -0.3
    return torch.from_numpy(features), torch.from_numpy(dice.standard_normal((rows, FRAMES, HOP)))


def whole(vocoder: Vocoder, features: "torch.Tensor", noise: "torch.Tensor") -> "torch.Tensor":
    with torch.no_grad():
        audio, _, _ = vocoder(features, noise, *vocoder.fresh(len(features)))
    return audio


def streamed(
    vocoder: Vocoder, features: "torch.Tensor", noise: "torch.Tensor", lengths: list[int]
) -> "torch.Tensor":
    state, phase = vocoder.fresh(len(features))
    pieces, at = [], 0
    with torch.no_grad():
        for length in lengths:
            span = slice(at, at + length)
            audio, state, phase = vocoder(features[:, span], noise[:, span], state, phase)
            pieces.append(audio)
            at += length
    return torch.cat(pieces, dim=1)


def chunkings(seed: int) -> list[int]:
    dice = np.random.default_rng(seed)
    cuts = np.sort(dice.choice(np.arange(1, FRAMES), dice.integers(1, FRAMES - 1), replace=False))
    return [int(length) for length in np.diff([0, *cuts, FRAMES])]


@pytest.mark.parametrize("seed", range(12))
def test_float64_to_1e_12(vocoder: Vocoder, seed: int) -> None:
    precise = Vocoder(vocoder.size)
    precise.load_state_dict(vocoder.state_dict())
    precise.double().eval()
    features, noise = inputs(2, seed)
    full = whole(precise, features, noise)
    assert full.abs().max() > 0.05
    assert (streamed(precise, features, noise, chunkings(seed)) - full).abs().max() < 1e-12


@pytest.mark.parametrize("lengths", [[1] * 60, [8] * 7 + [4], [4, 8, 16, 32], *map(chunkings, range(6))])
def test_float32_to_1e_5_of_full_scale(vocoder: Vocoder, lengths: list[int]) -> None:
    features, noise = (x.float() for x in inputs(3, 7))
    gap = streamed(vocoder, features, noise, lengths) - whole(vocoder, features, noise)
    assert gap.abs().max() < 1e-5


def test_the_state_is_the_same_however_it_was_reached(vocoder: Vocoder) -> None:
    features, noise = (x.float() for x in inputs(1, 2))
    with torch.no_grad():
        _, once, phase = vocoder(features, noise, *vocoder.fresh(1))
        _, state, halfway = vocoder(features[:, :23], noise[:, :23], *vocoder.fresh(1))
        _, state, other = vocoder(features[:, 23:], noise[:, 23:], state, halfway)
    assert torch.equal(phase, other)  # exact: increments are multiples of 2^-36 cycles
    assert (once - state).abs().max() < 1e-4


def test_receptive_field(vocoder: Vocoder) -> None:
    """A mel changed in frame 12 is heard from there on for REACH frames more, no frame earlier or later."""
    features, noise = (x.float() for x in inputs(1, 4))
    features[:, :, VOICING] = 1
    other = features.clone()
    other[:, 12, :40] += 0.5
    changed = (whole(vocoder, other, noise) - whole(vocoder, features, noise)).abs().amax(dim=(0, 2)) > 0
    assert changed.nonzero().flatten().tolist() == list(range(12, 12 + REACH + 1))


def test_pitch_changes_nothing_before_it(vocoder: Vocoder) -> None:
    features, noise = (x.float() for x in inputs(1, 4))
    other = features.clone()
    other[:, 30:, frame.F0] += 0.5
    gap = (whole(vocoder, other, noise) - whole(vocoder, features, noise)).abs()
    assert gap[:, :30].max() == 0
    assert gap[:, 30:].max() > 1e-3


def test_rows_of_a_batch_never_touch(vocoder: Vocoder) -> None:
    features, noise = (x.float() for x in inputs(3, 5))
    together = whole(vocoder, features, noise)
    for row in range(3):
        alone = whole(vocoder, features[row : row + 1], noise[row : row + 1])
        assert (together[row] - alone[0]).abs().max() < 1e-6


def steady(hz: "torch.Tensor") -> "torch.Tensor":
    """F0 [1, T] at frames' ends as `harmonics` takes it, the frame before the first being like the first."""
    before = torch.cat((hz[:, :1], hz[:, :-1]), dim=1)
    return torch.stack((before, hz), dim=2).unsqueeze(1)


def test_harmonics_are_the_sum_of_sines() -> None:
    hz = torch.full((1, 50), 200.0, dtype=torch.float64)
    wave, count, phase = source.harmonics(steady(hz), torch.zeros(1, dtype=torch.float64), torch.float64)
    assert (count == 19).all()
    time = torch.arange(1, 50 * HOP + 1, dtype=torch.float64) / RATE
    direct = sum(torch.sin(2 * torch.pi * 200 * k * time) for k in range(1, 20))
    assert (wave.flatten() - direct).abs().max() < 1e-6
    assert abs(float(phase) - round(float(phase))) < 1e-9  # 100 whole cycles
    assert abs(float(wave.square().mean()) - 19 / 2) < 0.2


def test_the_source_has_no_seam_when_pitch_moves() -> None:
    hz = torch.linspace(100, 300, 80, dtype=torch.float64)[None]
    wave, _, _ = source.harmonics(steady(hz), torch.zeros(1, dtype=torch.float64), torch.float64)
    one = torch.sin(torch.arange(100) / 100)  # its steepest sum of 12 to 37 sines is bounded by K
    assert one.isfinite().all()
    assert wave.isfinite().all()
    assert wave.abs().max() < 38


def test_the_source_comes_up_late_and_goes_at_once(vocoder: Vocoder) -> None:
    features, _ = inputs(1, 9)
    features[0, :, VOICING] = torch.tensor([0.0, 1.0, 1.0, 0.0] * (FRAMES // 4))
    wave, _ = vocoder.excite(features.float(), *vocoder.fresh(1))
    gone, begins, lasts, ends = (wave[0, at::4].square().mean(dim=0) for at in range(4))
    assert gone.max() == 0
    assert begins[: HOP // 2].mean() < 0.03 * lasts.mean()
    assert begins[HOP // 2 :].mean() > 0.2 * lasts.mean()
    assert ends[: HOP // 2].mean() > 0.4 * lasts.mean()


def test_analysis_is_torch_stft_and_synthesis_gives_it_back() -> None:
    audio = torch.randn(20 * HOP, dtype=torch.float64)
    window = torch.from_numpy(frame.window())
    frames = audio.unfold(0, frame.WINDOW, HOP)
    spectra = frames @ source.analysis(source.moments())
    padded = torch.nn.functional.pad(frames * window, (0, frame.FFT - frame.WINDOW))
    reference = torch.fft.rfft(padded)
    assert (torch.complex(spectra[:, :BINS], spectra[:, BINS:]) - reference).abs().max() < 1e-10
    threes = torch.cat((spectra[:-2], spectra[1:-1], spectra[2:]), dim=1)
    back = (threes @ source.synthesis(source.moments())).flatten()
    assert (back - audio[2 * HOP : -2 * HOP]).abs().max() < 1e-10


@pytest.mark.parametrize("dilation", [1, 2, 4])
def test_a_depthwise_filter_is_one_however_it_is_written(dilation: int) -> None:
    x, weight = torch.randn(2, 1, 40, 6), torch.randn(7, 6, requires_grad=True)
    shifted = depthwise(x, weight, dilation)
    with torch.no_grad():
        convolved = depthwise(x, weight, dilation)
    assert (shifted - convolved).abs().max() < 1e-5


def test_a_centred_block_ignores_padding() -> None:
    block = Block(8, 2, taps=5).eval()
    x = torch.randn(1, 1, 20, 8)
    mask = torch.ones(1, 1, 20, 1)
    alone = block.centred(x, mask)
    wider = torch.nn.functional.pad(x, (0, 0, 0, 9))
    padded = block.centred(wider, torch.nn.functional.pad(mask, (0, 0, 0, 9)))
    assert (padded[:, :, :20] - alone).abs().max() < 1e-6
    assert not padded[:, :, 20:].any()
