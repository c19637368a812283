"""Text that is said while it is written sounds the same whenever its parts came, and wherever it is taken up."""

import numpy as np
import pytest

from gateway.messages.synthesis import Part, Resume
from gateway.ring import UNIT_OCTETS
from gateway.speech.manuscript import Manuscript
from gateway.speech.recipe import Recipe
from gateway.speech.track import Stretch
from gateway.speech.voice import VoiceSource
from telephony_codecs import Law, decode
from tts_core import EspeakEngine, Synthesiser

PARTS = (
    Part("Hello there, my friend. "),
    Part("The total is "),
    Part("5 dollars. ", (("paid", 2),)),
    Part("🙂 "),
    Part("Anything else?", (("done", 14),)),
)


@pytest.fixture(scope="module")
def source():
    return VoiceSource(Synthesiser([EspeakEngine()]), -20, "espeak:en-us")


def recipe(manuscript, resume=None, ptime=20):
    return Recipe("parts", "", None, "espeak:en-us", 1.0, 0.0, "PCMU", ptime, resume, manuscript=manuscript)


def written(source, pauses, resume=None, ptime=20):
    """Stretches of PARTS where the writer is waited for behind the parts in ``pauses``."""
    manuscript, stretches = Manuscript(), []
    making = source.parts(recipe(manuscript, resume, ptime))
    for number, part in enumerate(PARTS, 1):
        manuscript.add(part, last=number == len(PARTS))
        while number in pauses or number == len(PARTS):
            stretches.append(next(making))
            if stretches[-1].last or stretches[-1].awaits == number:
                break
    assert stretches[-1].last
    return stretches


def whole(stretches):
    return b"".join(stretch.payload for stretch in stretches)


@pytest.mark.parametrize("ptime", [10, 20, 60])
def test_it_sounds_the_same_whoever_was_waited_for(source, ptime):
    at_once = written(source, (), ptime=ptime)
    for pauses in [(1,), (2, 3), (1, 2, 3, 4), (4,)]:
        in_parts = written(source, pauses, ptime=ptime)
        assert whole(in_parts) == whole(at_once)
        assert sum((s.words for s in in_parts), ()) == sum((s.words for s in at_once), ())
        assert sum((s.marks for s in in_parts), ()) == sum((s.marks for s in at_once), ())
    text = "".join(part.text for part in PARTS)
    words = [text[word.char_start : word.char_end] for stretch in at_once for word in stretch.words]
    assert words == [
        "Hello",
        "there",
        "my",
        "friend",
        "The",
        "total",
        "is",
        "5",
        "dollars",
        "Anything",
        "else",
    ]


def test_all_that_sounds_is_out_before_the_writer_is_waited_for(source):
    stretches = written(source, (1, 2, 3))
    assert [stretch.awaits for stretch in stretches if stretch.awaits] == [1, 2, 3]
    payload, waits = b"", 0
    for stretch in stretches:
        payload += stretch.payload
        if stretch.awaits is not None:
            waits += 1
            ends = [word.end_unit for s in stretches[: stretches.index(stretch) + 1] for word in s.words]
            assert len(payload) >= max(ends) * UNIT_OCTETS
            assert set(payload[-40:]) <= {0xFF, 0x7F}, "it ends in silence"
    assert waits == 3


@pytest.mark.parametrize("pauses", [(), (1, 3)])
def test_another_worker_goes_on_at_the_sample(source, pauses):
    before = written(source, (1, 2, 3, 4))
    everything = whole(before)
    words = [word for stretch in before for word in stretch.words]
    for word, skip in ((words[2], 0), (words[4], 160), (words[8], 400), (words[8], 6000), (words[9], 0)):
        begin = word.start_unit * UNIT_OCTETS + word.into
        unit = -(-(begin + skip) // 160) * 2
        marks = sum(mark.unit < unit for stretch in before for mark in stretch.marks)
        resume = Resume(unit, word.char_start, unit * UNIT_OCTETS - begin, marks)
        rest = written(source, pauses, resume)
        one = decode(Law.PCMU, np.frombuffer(whole(rest), np.uint8)).astype(float)
        other = decode(Law.PCMU, np.frombuffer(everything[unit * UNIT_OCTETS :], np.uint8)).astype(float)
        assert abs(len(one) - len(other)) <= 160
        end = min(len(one), len(other)) - 2
        # 22,050 Hz to 8 kHz: the samples fall otherwise between those that were made
        likeness = [np.corrcoef(one[1:end], other[1 + by : end + by])[0, 1] for by in (-1, 0, 1)]
        assert max(likeness) > 0.95
        told = [w.char_start for stretch in rest for w in stretch.words]
        assert told == sorted(told)
        assert [m.name for s in rest for m in s.marks] == ["paid", "done"][marks:]


def test_text_that_nobody_can_say_is_silent(source):
    manuscript = Manuscript([Part("… 🙂")], closed=True)
    stretches = list(source(recipe(manuscript)))
    assert whole(stretches) == b""
    assert isinstance(stretches[-1], Stretch)
    assert stretches[-1].last
