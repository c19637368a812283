"""Durations know where a token lies in its word and phrase, and flite's own trees teach them."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tts_core.neural.frontend import alphabet  # noqa: E402
from tts_core.neural.learn import corpus as corpora  # noqa: E402
from tts_core.neural.learn import prose, recipe  # noqa: E402
from tts_core.neural.learn.acoustic import Acoustic, AcousticSize, timing_loss  # noqa: E402
from tts_core.neural.learn.flite_library import FliteLibrary  # noqa: E402
from tts_core.neural.learn.recipe import Amount  # noqa: E402
from tts_core.neural.learn.rhythm import Rhythm  # noqa: E402
from tts_core.neural.learn.teachers import FliteTeacher  # noqa: E402

TEXT = "Your customer record, please, or seventeen others."
needs_flite = pytest.mark.skipif(not shutil.which("flite"), reason="flite is missing")
IDS = alphabet(["t", "s", "a", "i:", "n"])


def ids(*words: str) -> torch.Tensor:
    """Tokens of words of phonemes such as "t 'a s"; "_" is a pause; `'` marks the primary stress."""
    rows = []
    for word in words:
        for place, name in enumerate(word.split()):
            stress = 2 if name.startswith("'") else 0
            begins = int(place == 0 and (word != "_" or len(rows) > 0))
            rows.append((IDS[name.removeprefix("'")], stress * 2 + begins, 0))
    return torch.tensor([rows])


def test_syllables_phonemes_stresses_and_words_are_counted() -> None:
    rhythm = Rhythm(len(IDS), 4)
    rhythm.tell(IDS)
    # ta'sti: | an _ | si: |, pauses at both ends
    counted = rhythm.counts(ids("_", "t a s t 'i:", "a n", "_", "s 'i:", "_"))[0].tolist()
    assert counted[1] == [0, 0, 2, 4, 0, 0, 1, 3, 1, 1]  # the first t
    assert counted[3] == [1, 2, 1, 2, 1, 0, 2, 2, 1, 1]  # the s
    assert counted[5] == [1, 4, 0, 0, 1, 0, 2, 1, 0, 1]  # 'i:, itself not counted
    assert counted[7] == [1, 1, 0, 0, 3, 1, 3, 0, 0, 0]  # the n: nothing of what follows the pause
    assert counted[9] == [0, 0, 1, 1, 0, 0, 1, 1, 1, 0]  # the s: nothing of what came before it


def test_padding_is_not_counted() -> None:
    rhythm = Rhythm(len(IDS), 4)
    rhythm.tell(IDS)
    short, long = ids("_", "t 'a", "_"), ids("_", "t 'a", "s i: n", "_", "t i:", "_")
    padded = torch.nn.functional.pad(short, (0, 0, 0, long.shape[1] - short.shape[1]))
    together = rhythm.counts(torch.cat((padded, long)))
    assert torch.equal(together[0, : short.shape[1]], rhythm.counts(short)[0])
    assert torch.equal(together[1], rhythm.counts(long)[0])


def test_a_duration_and_its_states_are_taught_and_what_is_not_known_is_not() -> None:
    timing = Acoustic(AcousticSize(len(IDS))).timing
    some = ids("_", "t 'a", "_")
    with torch.no_grad():
        made = timing(some)
    whole, states = made.sum(dim=2), made.clone()
    states[0, 1] += 2.0
    states[0, 2] = torch.nan
    cost, parts = timing_loss(timing, some, whole + 1.0, states)
    assert parts == {"frames": pytest.approx(1.0, abs=1e-5), "states": pytest.approx(3 * 2.0 / 4, abs=1e-5)}
    torch.autograd.backward(cost)
    assert all(torch.isfinite(each.grad).all() for each in timing.parameters() if each.grad is not None)
    cost, parts = timing_loss(timing, some, whole + 1.0, torch.full_like(states, torch.nan))
    assert parts == {"frames": pytest.approx(1.0, abs=1e-5), "states": 0.0}


def test_what_is_learned_of_a_clause_does_not_depend_on_who_is_in_its_batch() -> None:
    model = Acoustic(AcousticSize(len(IDS)))
    model.tell(IDS)
    short, long = ids("_", "t 'a", "_"), ids("_", "t 'a", "s i: n", "_", "t i:", "_")
    padded = torch.nn.functional.pad(short, (0, 0, 0, long.shape[1] - short.shape[1]))
    model.train()
    meaning, pace = model.encode(torch.cat((padded, long)))
    model.eval()
    for row, alone in ((0, short), (1, long)):
        told, lasts = model.encode(alone)
        assert torch.allclose(meaning[row, : alone.shape[1]], told[0], atol=1e-5)
        assert torch.allclose(pace[row, : alone.shape[1]], lasts[0], atol=1e-5)


@needs_flite
def test_flites_trees_say_what_flite_does() -> None:
    said = subprocess.run(
        ["flite", "-voice", "slt", "-psdur", "-t", TEXT, "-o", "/dev/null"], capture_output=True, check=True
    )
    marks = [mark.split(":") for mark in said.stdout.decode().split()]
    names, states = FliteLibrary("slt").phones(TEXT)
    ends = np.cumsum([sum(each) for each in states])
    assert names == [name for name, _ in marks]
    assert np.allclose(ends, [float(end) for _, end in marks], atol=6e-4)  # it prints milliseconds


@needs_flite
def test_durations_alone_are_those_of_the_lesson() -> None:
    teacher = FliteTeacher("slt")
    timed, whole = teacher.timed(TEXT), teacher.say(TEXT)
    assert timed.phonemes == whole.phonemes
    assert np.allclose(timed.exact, whole.exact, atol=0.11)
    assert not timed.audio.any()
    known = ~np.isnan(timed.states).any(axis=1)
    assert 0.8 < known.mean() < 1.0, "the pauses at both ends are cut"
    assert np.allclose(timed.states[known].sum(axis=1), timed.exact[known], atol=1e-3)
    assert np.isnan(whole.states).all()


@needs_flite
def test_prose_is_read_in_more_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prose, "libraries", lambda: [])  # they take a minute
    (tmp_path / "data.noun").write_text(
        '00 | a gloss; "no zebra was sold"; "the purple zebra ran, he said"\n'
    )
    (tmp_path / "zebra.py").write_text('"""Nobody ever sold a purple garden."""\n')
    teacher = FliteTeacher("slt")
    recipe.prepare(teacher, (), Amount(2, 9, 2, 2), 0, tmp_path / "work", None, [tmp_path])
    held = corpora.load(tmp_path / "work" / "corpus")
    known = ~np.isnan(np.concatenate([each.states for each in held.readings])).any(axis=1)
    assert known.mean() > 0.5
    assert all(np.isnan(each.states).all() for each in held.training)
    said = held.training
    texts = [each.text for each in said]
    assert "Nobody ever sold a purple garden." in texts
    assert "No zebra was sold." in texts


def test_crossed_clauses_are_new_and_the_same_for_the_same_seed() -> None:
    clauses = ["Please hold the line,", "A train leaves every hour.", "Yes."]
    made = list(itertools.islice(prose.crossed(clauses, ["zebra"], 3), 200))
    assert made == list(itertools.islice(prose.crossed(clauses, ["zebra"], 3), 200))
    assert made != list(itertools.islice(prose.crossed(clauses, ["zebra"], 4), 200))
    assert len(set(made)) > 100
    assert any("zebra" in text.lower() for text in made)
    assert all(text[0].isupper() and text[-1] in ".,?!" and len(text.split()) <= 24 for text in made)
    joined = [text for text in made if text.startswith("Please") and "hour" in text]
    assert joined
