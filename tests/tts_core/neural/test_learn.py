"""The recipe: sentences, teachers, a corpus that comes back, training that goes on where it stopped."""

import itertools
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tts_core.neural import package as packages
from tts_core.neural.engine import SHIPPED
from tts_core.neural.frame import HOP, VOICING
from tts_core.neural.frontend import PAUSE, nearest

torch = pytest.importorskip("torch")
pytest.importorskip("pesq")

from tts_core.neural.learn import corpus as corpora  # noqa: E402
from tts_core.neural.learn import measure, onset, pitch, prompts, recipe, train  # noqa: E402
from tts_core.neural.learn.corpus import Corpus  # noqa: E402
from tts_core.neural.learn.runtime import restore  # noqa: E402
from tts_core.neural.learn.sentences import spell_number  # noqa: E402
from tts_core.neural.learn.teachers import EspeakTeacher, FliteTeacher, NoLesson, Teacher  # noqa: E402

TEXTS = ["Please hold the line.", "Is that your number?", "Nine, nine, five.", "Goodbye!", "Thank you, Bob,"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    corpora.make(EspeakTeacher("en-us"), TEXTS, ["One more sentence, not learned."], folder)
    return corpora.load(folder)


def teachers() -> list[object]:
    flite = pytest.param(
        "flite", marks=pytest.mark.skipif(not shutil.which("flite"), reason="flite is missing")
    )
    return ["espeak", flite]


@pytest.fixture(params=teachers())
def teacher(request: pytest.FixtureRequest) -> Teacher:
    return FliteTeacher("slt") if request.param == "flite" else EspeakTeacher("en-us")


@pytest.mark.parametrize("text", TEXTS)
def test_a_lesson_adds_up(teacher: Teacher, text: str) -> None:
    lesson = teacher.say(text)
    assert len(lesson.durations) == len(lesson.phonemes) + 2
    assert lesson.durations.sum() * HOP == len(lesson.audio)
    assert (lesson.durations[0], lesson.durations[-1]) == (3, 6)
    assert lesson.durations.min() >= 0
    assert np.abs(np.cumsum(lesson.exact) - np.cumsum(lesson.durations)).max() <= 0.5 + 1e-4
    assert np.any(lesson.exact != lesson.durations)
    assert 0.02 < np.sqrt(np.mean(lesson.audio**2)) < 0.5


def test_boundaries_lie_where_the_energy_says(teacher: Teacher) -> None:
    lesson = teacher.say("Nine, nine, five.")
    ends = np.cumsum(lesson.durations)
    level = np.sqrt(np.mean(lesson.audio.reshape(-1, HOP) ** 2, axis=1))
    pauses = [index + 1 for index, one in enumerate(lesson.phonemes) if one.name == PAUSE]
    assert len(pauses) == 2
    for at in pauses:
        middle = level[ends[at - 1] + 2 : ends[at] - 2]
        assert len(middle)
        assert middle.max() < 0.1 * level.max()


def test_what_is_read_differently_is_no_lesson() -> None:
    if not shutil.which("flite"):
        pytest.skip("flite is missing")
    with pytest.raises(NoLesson):
        FliteTeacher("slt").say("$4.50")


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "zero"), (13, "thirteen"), (20, "twenty"), (42, "forty two"), (100, "one hundred"),
     (342, "three hundred forty two"), (7000, "seven thousand"), (90_011, "ninety thousand eleven")],
)  # fmt: skip
def test_numbers_are_spelled(number: int, words: str) -> None:
    assert spell_number(number) == words


@pytest.mark.parametrize("language", ["en-us", "de"])
def test_sentences_follow_from_the_seed(language: str) -> None:
    from tts_core.neural.learn.sentences import sentences

    lists = "/usr/share/dict/american-english-small" if language == "en-us" else "/usr/share/dict/ngerman"
    if not Path(lists).exists():
        pytest.skip(f"{lists} is missing")
    first, again, other = (list(itertools.islice(sentences(language, seed), 200)) for seed in (0, 0, 1))
    assert first == again != other
    assert len(set(first)) == 200
    assert all(text[-1] in ".?!," and "{" not in text for text in first)


def test_prose_is_clauses_of_known_words(tmp_path: Path) -> None:
    from tts_core.neural.learn import prose

    (tmp_path / "a.py").write_text(
        '''"""Return the sum of the list. Return `x1` of the list. The value is not a number, and it can
        be new. Is this the value of a list? return the sum of it."""

def one():
    """The xyzzy of a list. Return the sum of the list. This object is not in the list."""
'''
    )
    (tmp_path / "broken.py").write_text("def (")
    known = frozenset(
        re.findall(r"\w+", "return the sum of list value is not a number and it can be new this object in")
    )
    assert sorted(prose.clauses(known, 0, [tmp_path])) == [
        "Is this the value of a list?",
        "Return the sum of the list.",
        "The value is not a number,",
        "This object is not in the list.",
        "and it can be new.",
    ]
    assert prose.clauses(known, 0, [tmp_path]) == prose.clauses(known, 0, [tmp_path])


def test_a_corpus_comes_back(corpus: Corpus) -> None:
    assert (corpus.teacher, corpus.language) == ("espeak-ng en-us", "en-us")
    assert [item.text for item in corpus.training] == TEXTS
    assert len(corpus.testing) == 1
    for item in corpus.items:
        assert len(item.features) * HOP == len(item.audio)
        assert item.durations.sum() == len(item.features)
        assert len(item.ids) == len(item.durations) == len(item.exact)
        assert set(item.features[:, VOICING]) == {0.0, 1.0}
    level = np.sqrt(np.mean(np.concatenate([item.audio for item in corpus.training]) ** 2))
    assert abs(level / corpora.LEVEL - 1) < 0.01


def test_more_clauses_are_kept_for_their_durations_alone(corpus: Corpus, tmp_path: Path) -> None:
    made = corpora.make(EspeakTeacher("en-us"), TEXTS[:2], TEXTS[2:3], tmp_path, TEXTS[3:])
    back = corpora.load(tmp_path)
    assert [len(back.training), len(back.testing)] == [2, 1]
    assert [each.text for each in back.readings] == TEXTS[3:]
    for one, other in zip(made.readings, back.readings, strict=True):
        assert np.array_equal(one.ids, other.ids)
        assert np.array_equal(one.durations, other.durations)
        assert np.array_equal(one.exact, other.exact)


def test_a_sound_that_was_known_stays_known(tmp_path: Path) -> None:
    made = corpora.make(EspeakTeacher("en-us"), TEXTS[:1], TEXTS[2:3], tmp_path, known=["Z", "l"])
    assert {"Z", "l", "p"} <= set(made.phonemes)
    assert sorted(made.phonemes.values()) == list(range(1, len(made.phonemes) + 1))
    shipped = SHIPPED / "en-us-slt"
    recipe.prepare(EspeakTeacher("en-us"), TEXTS, recipe.Amount(), 0, tmp_path / "on", shipped)
    assert set(corpora.load(tmp_path / "on" / "corpus").phonemes) >= set(
        packages.read(shipped).manifest.phonemes
    )


def test_bands_that_move_alike_cost_nothing_however_loud() -> None:
    from tts_core.neural.learn.acoustic import envelope

    torch.manual_seed(0)
    mels, mask = 0.3 * torch.randn(2, 60, 40), torch.ones(2, 60, 1)
    assert envelope(mels, mels, mask) < 0.01
    assert envelope(mels + 0.2, mels, mask) < 0.01
    assert envelope(mels.roll(20, 1), mels, mask) > 0.7
    mask[1, 38:] = 0
    spoiled = mels.clone()
    spoiled[1, 38:] = torch.randn(22, 40)
    assert envelope(spoiled, mels, mask) < 0.01  # what is padding does not count
    assert envelope(mels[:, :20], mels[:, :20], mask[:, :20]) == 0


def test_spectra_are_compared_by_their_shape_as_mcd_is() -> None:
    from scipy.fft import dct

    from tts_core.neural.frame import MEL_SCALE
    from tts_core.neural.learn.acoustic import cepstral

    torch.manual_seed(0)
    made, target, mask = torch.randn(2, 60, 40), 0.1 * torch.randn(2, 60, 40), torch.ones(2, 60, 1)
    gap = MEL_SCALE * dct((made - target).double().numpy(), norm="ortho", axis=2)[:, :, 1:14]
    mcd = np.mean(20 / np.log(10) * np.sqrt(np.sum(gap**2, axis=2) / 40))
    assert abs(20 / np.log(10) * MEL_SCALE * float(cepstral(made, target, mask)) / mcd - 1) < 1e-4
    assert cepstral(target + 0.5, target, mask) < 2e-3  # how loud a frame is, is no shape
    target[0, 30:] -= 2.0  # 43 dB below
    made[0, 30:] += 100 * torch.randn(30, 40)
    mask[1, 20:], made[1, 20:] = 0, 100 * torch.randn(40, 40)
    heard = torch.cat((made[0, :30], made[1, :20])), torch.cat((target[0, :30], target[1, :20]))
    alone = cepstral(heard[0][None], heard[1][None], torch.ones(1, 50, 1))
    assert torch.isclose(cepstral(made, target, mask), alone)


def test_german_is_measured_with_the_same_sentences_whatever_the_lesson(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tts_core.neural.learn.sentences import sentences

    if not Path("/usr/share/dict/ngerman").exists():
        pytest.skip("/usr/share/dict/ngerman is missing")
    assert len(set(prompts.GERMAN_MADE_UP)) == 60
    would_be_learned = tuple(itertools.islice(sentences("de", 0), 60))
    monkeypatch.setattr(prompts, "GERMAN_MADE_UP", would_be_learned)
    amount = recipe.Amount(clauses=3000, prose=0, timed=500, held_out=60)
    lessons = [recipe._made_up("de", amount, seed, ()) for seed in (0, 1)]
    for learn, timed, test in lessons:
        assert (len(learn), len(timed), len(set(test))) == (3000, 500, 80)
        assert not {*learn, *timed} & set(test)
    assert lessons[0][2] == lessons[1][2] == [*would_be_learned, *prompts.GERMAN]
    assert lessons[0][0] != lessons[1][0]


def test_a_dark_voice_is_lifted_where_a_telephone_hears() -> None:
    from tts_core.neural.learn.telephone import lift

    time = np.arange(8000) / 8000

    def gain_db(hz: float) -> float:
        tone = np.sin(2 * np.pi * hz * time).astype(np.float32)
        inner = slice(1000, -1000)
        return float(20 * np.log10(np.std(lift(tone)[inner]) / np.std(tone[inner])))

    assert len(lift(np.ones(1234, np.float32))) == 1234
    assert gain_db(100) < -12
    assert abs(gain_db(170) + 7.8) < 0.5
    assert abs(gain_db(1000) - 1) < 0.3
    assert gain_db(3000) > 5


def test_training_learns_stops_and_goes_on(corpus: Corpus, tmp_path: Path) -> None:
    short = {name: replace(stage, minutes=0.01) for name, stage in train.DEFAULTS.items()}
    train.train(corpus, tmp_path, short)
    before = train.spent(tmp_path)
    assert set(before) == set(train.STAGES)
    held = torch.load(tmp_path / "vocoder.pt", weights_only=True)
    longer = short | {"vocoder": replace(short["vocoder"], minutes=0.02)}
    model, vocoder = train.train(corpus, tmp_path, longer)
    more = torch.load(tmp_path / "vocoder.pt", weights_only=True)
    assert more["steps"] > held["steps"]
    log = (tmp_path / "training.jsonl").read_text().splitlines()
    assert len(log) == 5  # four stages, and the one that went on
    loaded, tuned = train.load(corpus, tmp_path)
    item = corpus.items[0]
    assert np.array_equal(train.predict(loaded, item), train.predict(model, item))
    assert np.array_equal(measure.vocode(tuned, item.features), measure.vocode(vocoder, item.features))


def test_a_voice_begins_from_another_one(corpus: Corpus, small: Path, tmp_path: Path) -> None:
    from tts_core.neural import package
    from tts_core.neural.learn.acoustic import Acoustic, AcousticSize
    from tts_core.neural.learn.runtime import restore
    from tts_core.neural.learn.vocoder import Vocoder

    held, spoke = restore(package.read(small))
    known = package.read(small).manifest.phonemes
    model, vocoder = Acoustic(AcousticSize(len(corpus.phonemes))), Vocoder()
    train.begin_from(small, model, vocoder, corpus.phonemes)
    assert torch.equal(vocoder.head.weight, spoke.head.weight)
    assert torch.equal(model.out.weight, held.out.weight)
    assert held.alphabets().keys() == model.alphabets().keys()
    for name, theirs in held.alphabets().items():
        mine = model.alphabets()[name]
        assert torch.equal(mine.weight[corpus.phonemes["t"]], theirs.weight[known["t"]])
        assert torch.equal(mine.weight[corpus.phonemes["i:"]], theirs.weight[nearest("i:", known)])
    none = {name: replace(stage, minutes=0) for name, stage in train.DEFAULTS.items()}
    train.train(corpus, tmp_path, none, start=small)
    assert train.origins(tmp_path) == [package.read(small).manifest.teacher]
    again, spoken = train.load(corpus, tmp_path)  # what learned nothing is what it began from
    assert torch.equal(again.out.weight, held.out.weight)
    assert torch.equal(spoken.head.weight, spoke.head.weight)


def test_a_page_shows_and_plays(corpus: Corpus) -> None:
    from tts_core.neural.learn.acoustic import Acoustic, AcousticSize
    from tts_core.neural.learn.page import page
    from tts_core.neural.learn.vocoder import Vocoder

    model, vocoder = Acoustic(AcousticSize(len(corpus.phonemes))), Vocoder()
    text = page("a <voice>", {"pesq": 1.5}, model, vocoder, corpus.items[:2])
    assert text.count("<img ") == text.count("<audio ") == 6
    assert "a &lt;voice&gt;" in text
    assert "&quot;pesq&quot;: 1.5" in text
    for item in corpus.items[:2]:
        assert item.text in text


def test_the_measures_know_the_same_from_the_other(corpus: Corpus) -> None:
    items = [item for item in corpus.items if len(item.audio) > 8000]
    same = measure.score(items, lambda item, _: item.audio)
    assert same.pesq > 4.4
    assert same.stoi > 0.999
    assert (same.mcd_db, same.f0_rmse_hz, same.voicing_error) == (0, 0, 0)
    dice = np.random.default_rng(0)
    noisy = measure.score(
        items, lambda item, _: item.audio + dice.standard_normal(len(item.audio)).astype(np.float32) * 0.05
    )
    assert noisy.pesq_p5 < noisy.pesq < 3
    takes: list[int] = []
    measure.score(items[:1], lambda item, take: takes.append(take) or item.audio)
    assert takes == [0, 1, 2]
    assert noisy.stoi < 0.97
    assert noisy.mcd_db > 2
    assert noisy.voicing_error > 0


def test_the_source_comes_up_where_the_teacher_is_heard(corpus: Corpus) -> None:
    _, vocoder = restore(packages.read(SHIPPED / "de-espeak"))
    items = corpus.items[:3]
    least = onset.settle(vocoder, items)
    settled = float(vocoder.rise)

    def error(rise: float) -> float:
        vocoder.rise.fill_(rise)
        wrong = [
            (pitch.track(measure.vocode(vocoder, item.features)) > 0) != (pitch.track(item.audio) > 0)
            for item in items
        ]
        return float(np.mean(np.concatenate(wrong)))

    assert error(settled) == least
    assert all(error(rise) >= least for rise in onset.RISES)
