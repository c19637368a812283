"""What every engine behind the door must do. Engines are listed in conftest.py."""

import itertools
import re
import sys
import time
import unicodedata
from collections.abc import Iterable, Iterator

import numpy as np
import pytest

from tts_core import BadRate, Chunk, Engine, Mark, Pause, Say, Script, UnknownVoice

PROMPT = "Please hold the line. We are connecting you to an agent, it will not take long. Thank you!"
SILENT = 16  # of 32,768


def pcm_of(chunks: Iterable[Chunk]) -> np.ndarray:
    return np.concatenate([chunk.pcm for chunk in chunks] or [np.zeros(0, np.int16)])


def say(engine: Engine, text: str, voice: str, rate: float = 1.0) -> list[Chunk]:
    return list(engine.speak(Script.from_text(text), voice, rate))


def rms(pcm: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(pcm, dtype=np.float64)))) if len(pcm) else 0.0


def same(a: Chunk, b: Chunk) -> bool:
    return np.array_equal(a.pcm, b.pcm) and (a.words, a.marks) == (b.words, b.marks)


def paragraph(characters: int) -> str:
    return (f"{PROMPT} " * (characters // len(PROMPT) + 1))[:characters]


def check_times(chunks: list[Chunk], script: Script) -> None:
    """Words in order and in the chunk where they begin, marks in theirs, pcm mono int16 and read-only.

    `chunks` may be the first ones of more: then the last words may end in a chunk that is not there.
    """
    at, char, sample = 0, 0, 0
    for chunk in chunks:
        assert chunk.pcm.dtype == np.int16
        assert chunk.pcm.ndim == 1
        assert not chunk.pcm.flags.writeable
        for word in chunk.words:
            assert char <= word.char_start < word.char_end <= len(script.text)
            assert max(at, sample) <= word.start_sample <= at + len(chunk.pcm)
            assert word.start_sample <= word.end_sample
            char, sample = word.char_end, word.end_sample
        for mark in chunk.marks:
            assert at <= mark.sample <= at + len(chunk.pcm)
        at += len(chunk.pcm)


def test_names_its_voices(engine: Engine) -> None:
    voices = engine.voices()
    names = [v.name for v in voices]
    assert len(set(names)) == len(names) > 0
    for voice in voices:
        assert voice.engine == engine.name
        assert voice.name.startswith(f"{engine.name}:")
        assert re.fullmatch(r"[a-z]{2,8}(-[a-z0-9]{1,8})*", voice.language)
        assert voice.gender in ("male", "female", "")


def test_refuses_before_the_first_chunk(engine: Engine, voice: str) -> None:
    script = Script.from_text("hello")
    with pytest.raises(UnknownVoice):
        engine.speak(script, f"{engine.name}:nobody", 1.0)
    for rate in (0.0, 0.49, 2.01, -1.0, float("nan"), float("inf")):
        with pytest.raises(BadRate):
            engine.speak(script, voice, rate)


def test_is_deterministic_whatever_came_before(engine: Engine, voice: str) -> None:
    first = say(engine, PROMPT, voice)
    for before in ("Zebras buzz.", "Why?", "a", "1 2 3 4, mmm, shush"):
        say(engine, before, voice, 0.7)
        again = say(engine, PROMPT, voice)
        assert len(again) == len(first)
        assert all(map(same, first, again))


def test_sounds_like_speech(engine: Engine, voice: str) -> None:
    chunks = say(engine, PROMPT, voice)
    (rate,) = {chunk.sample_rate for chunk in chunks}
    pcm = pcm_of(chunks).astype(np.float64)
    assert np.abs(pcm).max() < 32_700
    assert 300 < rms(pcm) < 8000
    assert abs(pcm.mean()) < 0.02 * rms(pcm)

    power = np.abs(np.fft.rfft(pcm)) ** 2
    hz = np.fft.rfftfreq(len(pcm), 1 / rate)
    assert power[(hz >= 300) & (hz <= 3400)].sum() > 0.4 * power.sum()
    assert power[(hz >= 60) & (hz <= 3400)].sum() > 0.8 * power.sum()

    pitches = list(voiced_pitches(pcm, rate))
    assert len(pitches) > 50
    assert 70 < np.median(pitches) < 300


def voiced_pitches(pcm: np.ndarray, rate: int) -> Iterator[float]:
    """Hz by autocorrelation, of the 40 ms windows that are clearly periodic."""
    size = rate // 25
    for start in range(0, len(pcm) - size, size // 2):
        frame = pcm[start : start + size] - pcm[start : start + size].mean()
        if rms(frame) < 500:
            continue
        spectrum = np.fft.rfft(frame, 2 * size)
        correlation = np.fft.irfft(np.abs(spectrum) ** 2)[:size]
        low, high = rate // 400, rate // 60
        lag = low + int(np.argmax(correlation[low:high]))
        if correlation[lag] > 0.5 * correlation[0]:
            yield rate / lag


def test_words_cover_the_text_and_sound(engine: Engine, voice: str, sample_rate: int) -> None:
    script = Script.from_text('Dr. Smith said: "Room 101, please!" (and  left) at once - e.g. by the door.')
    chunks = list(engine.speak(script, voice, 1.0))
    check_times(chunks, script)
    words = [word for chunk in chunks for word in chunk.words]
    spoken = [script.text[w.char_start : w.char_end] for w in words]
    assert " ".join(spoken) == "Dr. Smith said Room 101 please and left at once e.g. by the door"
    pcm = pcm_of(chunks)
    for word in words:
        assert rms(pcm[word.start_sample : word.end_sample]) > 100, word
        assert word.end_sample - word.start_sample > sample_rate // 50
    # outside words and the joints between them there is next to nothing
    quiet = np.ones(len(pcm), bool)
    for word in words:
        quiet[word.start_sample : word.end_sample] = False
    assert rms(pcm[quiet]) < 50


def test_words_lie_where_the_energy_says(engine: Engine, voice: str, sample_rate: int) -> None:
    """Commas inside a short clause make gaps; each word after a gap begins where the sound does."""
    script = Script.from_text("Nine, nine, nine.")
    chunks = list(engine.speak(script, voice, 1.0))
    pcm = pcm_of(chunks)
    words = [word for chunk in chunks for word in chunk.words]
    assert len(words) == 3
    margin = sample_rate * 30 // 1000
    loud = np.abs(pcm.astype(int)) > 100
    for before, after in itertools.pairwise(words):
        gap = pcm[before.end_sample : after.start_sample]
        assert len(gap) > sample_rate // 20
        assert np.abs(gap).max() <= SILENT
        assert loud[before.end_sample - margin : before.end_sample].any()
        assert loud[after.start_sample : after.start_sample + margin].any()


def test_pauses_between_sentences_are_silent(engine: Engine, voice: str, sample_rate: int) -> None:
    chunks = say(engine, "One is here. Two is there.", voice)
    pcm, words = pcm_of(chunks), [word for chunk in chunks for word in chunk.words]
    assert len(words) == 6
    assert words[-1].end_sample == len(pcm)
    pause = pcm[words[2].end_sample : words[3].start_sample]
    assert 0.15 < len(pause) / sample_rate < 0.6
    assert np.abs(pause).max() <= SILENT
    after = pcm[words[3].start_sample :][: sample_rate // 20].astype(int)
    assert np.abs(after).max() > 100  # no lead-in


@pytest.mark.parametrize("ms", [0, 1, 500, 2345])
def test_a_pause_is_that_long(engine: Engine, voice: str, sample_rate: int, ms: int) -> None:
    text = "One is here. Two is there."
    script = Script(text, (Say(0, 12), Pause(ms), Say(13, len(text))))
    chunks = list(engine.speak(script, voice, 1.0))
    check_times(chunks, script)
    words = [word for chunk in chunks for word in chunk.words]
    start, end = words[2].end_sample, words[3].start_sample
    assert (end - start) == round(ms * sample_rate / 1000)
    assert not pcm_of(chunks)[start:end].any()
    (alone,) = engine.speak(Script("", (Pause(ms),)), voice, 1.0)
    assert len(alone.pcm) == end - start
    assert not alone.pcm.any()


def test_marks_fall_where_their_word_begins(engine: Engine, voice: str) -> None:
    ssml = """<speak><mark name="start"/>Press <mark name="key"/>one now. <mark name="next"/>Or
        <break time="300ms"/><mark name="after"/>wait<mark name="end"/></speak>"""
    script = Script.from_ssml(ssml)
    chunks = list(engine.speak(script, voice, 1.0))
    check_times(chunks, script)
    starts = {script.text[w.char_start : w.char_end]: w.start_sample for c in chunks for w in c.words}
    marks = {mark.name: mark.sample for chunk in chunks for mark in chunk.marks}
    assert marks == {
        "start": starts["Press"],
        "key": starts["one"],
        "next": starts["Or"],
        "after": starts["wait"],
        "end": len(pcm_of(chunks)),
    }
    assert list(marks) == ["start", "key", "next", "after", "end"]


def test_a_mark_does_not_change_the_sound(engine: Engine, voice: str) -> None:
    marked = Script.from_ssml('<speak>Press one <mark name="a"/>or two now.</speak>')
    plain = say(engine, "Press one or two now.", voice)
    assert np.array_equal(pcm_of(engine.speak(marked, voice, 1.0)), pcm_of(plain))


def test_marks_alone_are_reported_without_audio(engine: Engine, voice: str) -> None:
    chunks = list(engine.speak(Script("...", (Mark("a"), Say(0, 3), Mark("b"))), voice, 1.0))
    assert [(mark.name, mark.sample) for chunk in chunks for mark in chunk.marks] == [("a", 0), ("b", 0)]
    assert not len(pcm_of(chunks))


def test_rate_scales_the_length(engine: Engine, voice: str) -> None:
    length = {rate: len(pcm_of(say(engine, PROMPT, voice, rate))) for rate in (0.5, 1.0, 2.0)}
    assert 1.8 < length[0.5] / length[1.0] < 2.2
    assert 1.7 < length[1.0] / length[2.0] < 2.3


def test_interleaved_streams_equal_sequential_ones(engine: Engine, voice: str) -> None:
    others = [v.name for v in engine.voices()][:: max(1, len(engine.voices()) // 6)]
    jobs = [(voice, 1.0), (voice, 0.6), *((name, rate) for name in others for rate in (1.0, 1.3))]
    alone = [say(engine, PROMPT, name, rate) for name, rate in jobs]
    streams = [engine.speak(Script.from_text(PROMPT), name, rate) for name, rate in jobs]
    together: list[list[Chunk]] = [[] for _ in jobs]
    live = set(range(len(jobs)))
    while live:
        for index in sorted(live):
            chunk = next(streams[index], None)
            if chunk is None:
                live.remove(index)
            else:
                together[index].append(chunk)
    for one, other in zip(alone, together, strict=True):
        assert len(one) == len(other)
        assert all(map(same, one, other))


def test_closing_midway_leaves_the_engine_clean(engine: Engine, voice: str) -> None:
    whole = say(engine, PROMPT, voice)
    for taken in range(0, len(whole) + 1, -(-len(whole) // 8)):
        stream = engine.speak(Script.from_text(PROMPT), voice, 1.0)
        for _ in range(taken):
            next(stream)
        close = getattr(stream, "close", None)
        assert close is not None, "a stream must be closable"
        close()
        assert next(stream, None) is None
        assert all(map(same, whole, say(engine, PROMPT, voice)))


def test_is_lazy_over_20_000_characters(engine: Engine, voice: str, sample_rate: int) -> None:
    script = Script.from_text(paragraph(20_000))
    started = time.perf_counter()
    stream = engine.speak(script, voice, 2.0)  # twice as fast is half as long to make
    head = [next(stream) for _ in range(3)]
    to_third = time.perf_counter() - started
    chunks = [*head, *stream]
    assert to_third < (time.perf_counter() - started) / 5
    check_times(chunks, script)
    seconds = len(pcm_of(chunks)) / sample_rate
    assert 20 < 20_000 / seconds < 50  # characters a second, twice as fast as people speak
    assert max(len(chunk.pcm) for chunk in chunks) < 20 * sample_rate
    tokens = [m.span() for m in re.finditer(r"[A-Za-z]+", script.text)]
    assert [(w.char_start, w.char_end) for c in chunks for w in c.words] == tokens


def test_a_text_without_spaces_still_progresses(engine: Engine, voice: str) -> None:
    for text in ("a" * 20_000, "7" * 20_000, "x1" * 10_000):
        script = Script.from_text(text)
        stream = engine.speak(script, voice, 1.0)
        chunks: list[Chunk] = []
        while sum(len(chunk.words) for chunk in chunks) < 3:
            chunks.append(next(stream))
        check_times(chunks, script)
        assert all(len(chunk.pcm) for chunk in chunks)
        assert chunks[-1].words[-1].char_end <= 1200


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n\n", "...", "?!", "—", '"()"', "\0", "\x01\x1b[\x7f", "\ud800", "\udfff\ud800", "\u202e\u2066",
     "🎉👩‍👩‍👧🏽", "\ue000\U0010ffff\ufffe", "\u200d\u200c\u00ad", "\ufe0f", "* * *", "-" * 5000],
)  # fmt: skip
def test_nothing_to_say_is_no_audio(engine: Engine, voice: str, text: str) -> None:
    assert say(engine, text, voice) == []


@pytest.mark.parametrize(
    "text",
    ["go\0home", "go\x01\x02home", "go\ud800home", "go 🎉 home", "go\u202e \u2066home", "go\u00a0home",
     "go\rhome", "go\ue000home", "go\u2028home", "go\x1b[31m home", "go [[h@l'oU]] home",
     "go <speak><break/> home"],
)  # fmt: skip
def test_debris_does_not_hide_the_words(engine: Engine, voice: str, text: str) -> None:
    script = Script.from_text(text)
    chunks = list(engine.speak(script, voice, 1.0))
    check_times(chunks, script)
    words = [text[w.char_start : w.char_end] for c in chunks for w in c.words]
    assert words[0] == "go"
    assert words[-1] == "home"


@pytest.mark.parametrize(
    ("text", "count"),
    [("مرحبا بك في النظام", 4), ("שלום לכם", 2), ("你好，世界！", 4), ("আমি বাংলায় গান গাই।", 4),
     ("Привет, мир", 2), ("今日は良い天気です。", 8), ("สวัสดีครับ", 1), ("übermäßig schön", 2)],
)  # fmt: skip
def test_a_script_the_voice_has_not_is_no_error(engine: Engine, voice: str, text: str, count: int) -> None:
    script = Script.from_text(text)
    chunks = list(engine.speak(script, voice, 1.0))
    check_times(chunks, script)
    assert sum(len(chunk.words) for chunk in chunks) == count


def test_every_corner_of_unicode(engine: Engine, voice: str) -> None:
    """One printable character of each 64 code points, and five of them in a row."""
    sample = []
    for first in range(0, sys.maxunicode, 64):
        row = [chr(code) for code in range(first, first + 64) if chr(code).isprintable()]
        if row and (first < 0x3400 or first % 1024 == 0):
            sample.append("".join(row[:5]) + " " + unicodedata.normalize("NFD", row[-1]))
    assert len(sample) > 300
    script = Script.from_text(" ".join(sample))
    chunks = list(engine.speak(script, voice, 2.0))
    check_times(chunks, script)
    assert sum(len(chunk.words) for chunk in chunks) > 300
