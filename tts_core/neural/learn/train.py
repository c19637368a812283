"""Training in four stages: the vocoder on the teacher's features, the acoustic model, its durations, then the
vocoder again on features that the acoustic model predicts.

A stage is counted in minutes of processor time, so that it does not matter how often it is interrupted: every
minute it leaves a checkpoint, and takes up from there. The learning rate falls along a cosine to the stage's
end; what is kept is a moving average of the weights.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from tts_core.neural import package as packages
from tts_core.neural.frame import HOP, VOICING, Floats
from tts_core.neural.frontend import nearest
from tts_core.neural.learn import acoustic, batches, spectral
from tts_core.neural.learn import corpus as corpora
from tts_core.neural.learn.acoustic import Acoustic, AcousticSize
from tts_core.neural.learn.corpus import Corpus, Item, Reading
from tts_core.neural.learn.runtime import restore
from tts_core.neural.learn.vocoder import DELAY, Vocoder

STAGES = ("vocoder", "acoustic", "timing", "tune")
_ORIGINS = "origins.json"
_SAVE_EVERY = 60.0  # seconds
_WARM_UP = 100  # steps
_AVERAGE = 0.998
_CLIP = 1.0
_CROP, _SETTLE = 80, 12  # frames of a vocoder crop, and those at its begin that do not count
_CROPS, _CLAUSES, _READINGS = 12, 16, 48  # rows in a batch
_TUNED_ON = 1000  # clauses that are predicted for tuning
_PREDICTED = 0.8  # share of the tuning crops that are predicted


@dataclass(frozen=True, slots=True)
class Stage:
    """How long a stage trains (minutes of processor time) and its highest learning rate."""

    minutes: float
    rate: float


DEFAULTS = {
    "vocoder": Stage(10, 2e-3),
    "acoustic": Stage(30, 2e-3),
    "timing": Stage(10, 2e-3),
    "tune": Stage(8, 6e-4),
}
Step = Callable[[], tuple[Tensor, dict[str, float]]]
_Any = TypeVar("_Any", bound=Reading)


def train(
    corpus: Corpus, work: Path, stages: dict[str, Stage], seed: int = 0, start: Path | None = None
) -> tuple[Acoustic, Vocoder]:
    """Train what is not yet trained, leaving checkpoints in `work`; returns the averaged networks.

    `start` is another voice, its working folder or its package: its networks are where this one begins.
    """
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    vocoder, model = Vocoder(), Acoustic(AcousticSize(len(corpus.phonemes)))
    if start is not None:
        begin_from(start, model, vocoder, corpus.phonemes)
        (work / _ORIGINS).write_text(json.dumps(_owed(start)))
    model.tell(corpus.phonemes)
    dice = np.random.default_rng(seed)
    _Run("vocoder", vocoder, stages["vocoder"], work).go(_vocoder_step(vocoder, _real(corpus.training), dice))
    _Run("acoustic", model, stages["acoustic"], work).go(_acoustic_step(model, corpus.training, dice))
    readings = [*corpus.training, *corpus.readings]
    _Run("timing", model.timing, stages["timing"], work).go(_timing_step(model, readings, dice))
    if stages["tune"].minutes > 0:
        chosen = dice.permutation(len(corpus.training))[:_TUNED_ON]
        items = [corpus.training[index] for index in chosen]
        made = [(predict(model, item), item.audio) for item in items]
        pairs = [*_real(items), *made]
        odds = np.repeat([1 - _PREDICTED, _PREDICTED], len(made)) / len(made)
        _Run("tune", vocoder, stages["tune"], work).go(_vocoder_step(vocoder, pairs, dice, odds))
    return model, vocoder


def load(corpus: Corpus, work: Path) -> tuple[Acoustic, Vocoder]:
    """The averaged networks as the latest checkpoints in `work` hold them. Raises FileNotFoundError."""
    torch.set_num_threads(1)  # for measuring, as for training: more wait for each other, longer than it takes
    vocoder, model = Vocoder(), Acoustic(AcousticSize(len(corpus.phonemes)))
    tuned = work / "tune.pt"
    for network, file in (
        (vocoder, tuned if tuned.exists() else work / "vocoder.pt"),
        (model, work / "acoustic.pt"),
        (model.timing, work / "timing.pt"),
    ):
        network.load_state_dict(torch.load(file, weights_only=True)["average"])
        network.eval()
    return model, vocoder


def spent(work: Path) -> dict[str, float]:
    """Minutes of processor time that each stage has had."""
    held = {name: work / f"{name}.pt" for name in STAGES}
    return {
        name: round(torch.load(file, weights_only=True)["spent"] / 60, 1)
        for name, file in held.items()
        if file.exists()
    }


def origins(work: Path) -> list[str]:
    """Who taught the voice that this one began from, and whose notices it carried."""
    file = work / _ORIGINS
    return list(json.loads(file.read_text())) if file.exists() else []


def _owed(start: Path) -> list[str]:
    if (start / packages.MANIFEST).exists():
        notices = sorted(file.stem for file in start.glob("NOTICE-*"))
        return [packages.read(start).manifest.teacher, *notices]
    return [corpora.load(start / "corpus").teacher, *origins(start)]


def begin_from(start: Path, model: Acoustic, vocoder: Vocoder, phonemes: dict[str, int]) -> None:
    """Take another voice's weights wherever the shapes agree; a phoneme is begun as the nearest one it has.

    Raises FileNotFoundError when `start` is neither a working folder nor a package, BadPackage for a damaged one.
    """
    if (start / packages.MANIFEST).exists():
        package = packages.read(start)
        known, (held, spoke) = package.manifest.phonemes, restore(package)
    else:
        other = corpora.load(start / "corpus")
        known, (held, spoke) = other.phonemes, load(other, start)
    with torch.no_grad():
        for own, theirs in ((model, held), (vocoder, spoke)):
            for name, value in own.state_dict().items():
                found = theirs.state_dict().get(name)
                if found is not None and found.shape == value.shape:
                    value.copy_(found)
        mine, given = model.alphabets(), held.alphabets()
        for table in mine:
            for name, index in phonemes.items():
                mine[table].weight[index] = given[table].weight[nearest(name, known)]


def predict(model: Acoustic, item: Item) -> Floats:
    """Features [T, 42] that `model` makes of an item's tokens, with the teacher's durations; voicing 0 or 1."""
    batch = batches.clauses([item])
    with torch.no_grad():
        meaning, _ = model.encode(batch.ids)
        made = model.decode(meaning, batch.token, batch.place, batch.mask)[0].numpy()
    made[:, VOICING] = made[:, VOICING] > 0
    return np.asarray(made, np.float32)


def _real(items: Sequence[Item]) -> list[tuple[Floats, Floats]]:
    return [(item.features, item.audio) for item in items]


def _vocoder_step(
    vocoder: Vocoder,
    pairs: list[tuple[Floats, Floats]],
    dice: np.random.Generator,
    odds: np.ndarray | None = None,
) -> Step:
    """A step over random crops, the source's phase free: it starts anywhere."""

    def step() -> tuple[Tensor, dict[str, float]]:
        chosen = dice.choice(len(pairs), _CROPS, p=odds)
        features, audio = batches.crops([pairs[index] for index in chosen], _CROP, dice)
        state, _ = vocoder.fresh(_CROPS)
        phase = torch.rand(_CROPS, dtype=torch.float64) - 0.5
        noise = torch.randn(_CROPS, _CROP, HOP)
        made = vocoder(features, noise, state, phase)[0].flatten(1)
        heard = audio[:, (_SETTLE - DELAY) * HOP : -DELAY * HOP]
        cost = spectral.distance(made[:, _SETTLE * HOP :], heard)
        return cost, {"spectral": float(cost.detach())}

    return step


def _acoustic_step(model: Acoustic, items: Sequence[Item], dice: np.random.Generator) -> Step:
    queue = _endless(lambda: batches.by_length(items, _CLAUSES, dice))
    short = "avx512_bf16" in Path("/proc/cpuinfo").read_text()  # a third less time; twice as much without it

    def step() -> tuple[Tensor, dict[str, float]]:
        batch = batches.clauses(next(queue))
        with torch.autocast("cpu", torch.bfloat16, enabled=short):
            return acoustic.loss(model, batch.ids, batch.token, batch.place, batch.mask, batch.features)

    return step


def _timing_step(model: Acoustic, readings: Sequence[Reading], dice: np.random.Generator) -> Step:
    queue = _endless(lambda: batches.by_length(readings, _READINGS, dice))

    def step() -> tuple[Tensor, dict[str, float]]:
        return acoustic.timing_loss(model.timing, *batches.readings(next(queue)))

    return step


def _endless(epoch: Callable[[], list[list[_Any]]]) -> Iterator[list[_Any]]:
    while True:
        yield from epoch()


class _Run:
    """One stage of one network: optimiser, average, clock and checkpoint."""

    def __init__(self, name: str, network: nn.Module, stage: Stage, work: Path) -> None:
        self._name, self._network, self._stage = name, network, stage
        self._file, self._log = work / f"{name}.pt", work / "training.jsonl"
        self._optimiser = torch.optim.AdamW(
            network.parameters(), lr=stage.rate, betas=(0.9, 0.98), weight_decay=0.01
        )
        self._average = copy.deepcopy(network.state_dict())
        network.train()
        self._spent, self._steps = 0.0, 0
        if self._file.exists():
            self._restore()

    def go(self, step: Step) -> None:
        """Train to the stage's end, then leave the averaged weights in the network."""
        end = 60 * self._stage.minutes
        columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[shown]}")
        with Progress(*columns, TimeRemainingColumn()) as progress:
            bar = progress.add_task(self._name, total=end, completed=int(self._spent), shown="")
            began, saved = time.process_time() - self._spent, self._spent
            seen: dict[str, float] = {}
            while self._spent < end:
                parts = self._once(step, self._spent / end)
                self._spent = time.process_time() - began
                for part, value in parts.items():
                    seen[part] = 0.98 * seen.get(part, value) + 0.02 * value
                shown = " ".join(f"{part} {value:.4f}" for part, value in seen.items())
                progress.update(bar, completed=self._spent, shown=shown)
                if self._spent - saved > _SAVE_EVERY or self._spent >= end:
                    self._save(seen)
                    saved = self._spent
        if not self._file.exists():
            self._save(seen)  # nothing was to be learned: what it began from is what it is
        self._network.load_state_dict(self._average)
        self._network.eval()

    def _once(self, step: Step, passed: float) -> dict[str, float]:
        warm = min(1.0, (self._steps + 1) / _WARM_UP)
        for group in self._optimiser.param_groups:
            group["lr"] = self._stage.rate * warm * (0.02 + 0.49 * (1 + math.cos(math.pi * min(passed, 1.0))))
        cost, parts = step()
        self._optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(cost)
        norm = torch.nn.utils.clip_grad_norm_(self._network.parameters(), _CLIP)
        if torch.isfinite(norm):
            self._optimiser.step()
        self._steps += 1
        keep = min(_AVERAGE, self._steps / (self._steps + 10))
        with torch.no_grad():
            for name, value in self._network.state_dict().items():
                self._average[name].lerp_(value, 1 - keep)
        return parts

    def _save(self, seen: dict[str, float]) -> None:
        """Checkpoint and a line of the log; a half-written file never takes the old one's place."""
        whole = {
            "network": self._network.state_dict(),
            "average": self._average,
            "optimiser": self._optimiser.state_dict(),
            "spent": self._spent,
            "steps": self._steps,
        }
        fresh = self._file.with_suffix(".new")
        torch.save(whole, fresh)
        fresh.replace(self._file)
        line = {"stage": self._name, "minutes": round(self._spent / 60, 2), "steps": self._steps}
        with self._log.open("a") as log:
            log.write(json.dumps(line | {part: round(value, 5) for part, value in seen.items()}) + "\n")

    def _restore(self) -> None:
        held = torch.load(self._file, weights_only=True)
        self._network.load_state_dict(held["network"])
        self._optimiser.load_state_dict(held["optimiser"])
        self._average, self._spent, self._steps = held["average"], held["spent"], held["steps"]
