"""Every tag's effect in the audio, measured: length, level, pitch, place, phonemes, voice."""

from collections.abc import Iterator

import numpy as np
import pytest

from tts_core import Chunk, EspeakEngine, Lexicon, Script, Synthesiser, follow
from tts_core.espeak_library import open_library
from tts_core.neural.engine import NeuralEngine
from tts_core.plan import Clause, steps

VOICE = "espeak:en-us"


@pytest.fixture(scope="module")
def door() -> Synthesiser:
    return Synthesiser([EspeakEngine(), NeuralEngine()])


def chunks(door: Synthesiser, ssml: str, voice: str = VOICE) -> list[Chunk]:
    return list(door.speak(Script.from_ssml(f"<speak>{ssml}</speak>"), voice))


def pcm(door: Synthesiser, ssml: str, voice: str = VOICE) -> np.ndarray:
    return np.concatenate([chunk.pcm for chunk in chunks(door, ssml, voice)])


def spoken(ssml: str, language: str = "en-us") -> list[str]:
    script = Script.from_ssml(f"<speak>{ssml}</speak>")
    return [step.text for step in steps(script, language) if isinstance(step, Clause)]


def words(made: list[Chunk]) -> Iterator[tuple[int, int, int, int]]:
    for chunk in made:
        for word in chunk.words:
            yield word.char_start, word.char_end, word.start_sample, word.end_sample


def f0(audio: np.ndarray, rate: int) -> float:
    """The median F0 of its voiced frames, Hz, by autocorrelation."""
    size, found = rate // 20, []
    for at in range(0, len(audio) - 2 * size, size):
        frame = audio[at : at + 2 * size].astype(float)
        if np.sqrt(np.mean(frame**2)) < 500:
            continue
        frame -= frame.mean()
        like = np.correlate(frame, frame, "full")[len(frame) - 1 :]
        low, high = rate // 400, rate // 50
        peak = low + int(np.argmax(like[low:high]))
        if like[peak] > 0.5 * like[0]:
            found.append(rate / peak)
    return float(np.median(found))


@pytest.mark.parametrize(("rate", "factor"), [("slow", 0.75), ("130%", 1.3), ("0.5", 0.5)])
@pytest.mark.parametrize("voice", [VOICE, "neural:en-us-slt"])
def test_rate_is_length(door: Synthesiser, voice: str, rate: str, factor: float) -> None:
    text = "The quick brown fox jumps over the lazy dog"
    plain, other = (
        len(pcm(door, each, voice)) for each in (text, f"<prosody rate='{rate}'>{text}</prosody>")
    )
    assert plain / other == pytest.approx(factor, rel=0.09)


@pytest.mark.parametrize(("pitch", "factor"), [("+20%", 1.2), ("-4st", 2 ** (-4 / 12)), ("x-low", 0.7)])
@pytest.mark.parametrize("voice", [VOICE, "neural:en-us-slt"])
def test_pitch_is_f0(door: Synthesiser, voice: str, pitch: str, factor: float) -> None:
    text = "All your money is in our new room now"
    plain, other = (
        chunks(door, text, voice),
        chunks(door, f"<prosody pitch='{pitch}'>{text}</prosody>", voice),
    )
    hz = [f0(np.concatenate([chunk.pcm for chunk in made]), made[0].sample_rate) for made in (plain, other)]
    assert hz[1] / hz[0] == pytest.approx(factor, rel=0.06)
    lengths = [sum(len(chunk.pcm) for chunk in made) for made in (plain, other)]
    assert lengths[1] == pytest.approx(lengths[0], rel=0.05), "no slower for being lower"


def test_volume_is_told_beside_audio_that_stays_the_same(door: Synthesiser) -> None:
    (soft,) = chunks(door, "<prosody volume='-7.5dB'>one two</prosody>")
    (plain,) = chunks(door, "one two")
    assert soft.gain_db == -7.5
    assert plain.gain_db == 0
    assert np.array_equal(soft.pcm, plain.pcm)


@pytest.mark.parametrize("voice", [VOICE, "neural:en-us-slt"])
def test_a_mark_falls_on_its_word_even_inside_what_is_read(door: Synthesiser, voice: str) -> None:
    made = chunks(door, "Pay $5 at <mark name='when'/>10:30 am, <mark name='end'/>please", voice)
    text = "Pay $5 at 10:30 am, please"
    found = {text[start:end]: at for start, end, at, _ in words(made)}
    assert list(found) == ["Pay", "$5", "at", "10:30 am", "please"]
    marks = {mark.name: mark.sample for chunk in made for mark in chunk.marks}
    assert marks == {"when": found["10:30 am"], "end": found["please"]}


@pytest.mark.parametrize(
    ("ssml", "said"),
    [
        ("<say-as interpret-as='digits'>1234</say-as>", "one two three four"),
        ("<say-as interpret-as='digits'>12-34</say-as>", "one two, three four"),
        ("<say-as interpret-as='characters'>a1B</say-as>", "eigh, one, B"),
        ("<say-as interpret-as='telephone'>+1 555-0199</say-as>", "plus one, five five five, zero one nine nine"),
        ("<say-as interpret-as='cardinal'>1999</say-as>", "one thousand nine hundred ninety-nine"),
        ("<say-as interpret-as='cardinal'>XIV</say-as>", "fourteen"),
        ("<say-as interpret-as='ordinal'>3</say-as>", "third"),
        ("<say-as interpret-as='currency'>$1.50</say-as>", "one dollar and fifty cents"),
        ("<say-as interpret-as='time'>14:05</say-as>", "fourteen oh five"),
        ("<say-as interpret-as='time' format='hms12'>2:05 pm</say-as>", "two oh five P M"),
        ("<say-as interpret-as='date' format='dmy'>3/5/2024</say-as>", "May third twenty twenty-four"),
        ("<say-as interpret-as='date' format='mdy'>3/5/2024</say-as>", "March fifth twenty twenty-four"),
        ("<say-as interpret-as='date' format='yyyymmdd'>20240305</say-as>", "March fifth twenty twenty-four"),
        ("<say-as interpret-as='date' format='yyyymmdd'>2024-03-05</say-as>", "March fifth twenty twenty-four"),
        ("<say-as interpret-as='date' format='md'>1/2</say-as>", "January second"),
        ("<say-as interpret-as='date' format='y'>1905</say-as>", "nineteen oh five"),
        ("<say-as interpret-as='date'>March 5</say-as>", "March fifth"),
        ("<say-as interpret-as='date' format='dmy'>never</say-as>", "never"),
        ("<say-as interpret-as='currency'>nothing</say-as>", "nothing"),
        ("<sub alias='World Wide Web'>WWW</sub>", "World Wide Web"),
        ("<sub alias='5 kg'>heavy</sub>", "five kilograms"),
    ],
)  # fmt: skip
def test_what_is_said_explicitly_wins(ssml: str, said: str) -> None:
    assert " ".join(spoken(ssml)) == said


def test_other_languages_spell_and_count_in_their_own_way() -> None:
    ssml = "<say-as interpret-as='digits'>12 3</say-as>"
    assert spoken(ssml, "de") == ["eins zwei, drei"]
    assert spoken(ssml, "ru") == ["1 2, 3"]
    assert spoken("<say-as interpret-as='characters'>ab</say-as>", "ru") == ["a, b"]


@pytest.mark.parametrize(
    ("ipa", "language", "mnemonics"),
    [("təˈmɑːtoʊ", "en-us", "t@m'0t#oU"), ("təˈmeɪtoʊ", "en-us", "t@m'eIt#oU"), ("ˈʃøːn", "de", "S'Y:n")],
)
def test_phonemes_are_said_as_they_are_written(ipa: str, language: str, mnemonics: str) -> None:
    script = Script.from_ssml(f"<speak>x <phoneme ph='{ipa}'>word</phoneme> x</speak>")
    (clause,) = steps(script, language)
    assert isinstance(clause, Clause)
    library = open_library()
    identifier = next(v.identifier for v in library.voices if v.language == language)
    sounded, _ = library.phonemes(identifier, 200, clause.text)
    written = "".join(one.mnemonic for one in sounded)
    assert mnemonics in written


@pytest.mark.parametrize("voice", [VOICE, "neural:en-us-slt"])
def test_a_word_in_phonemes_has_its_time(door: Synthesiser, voice: str) -> None:
    made = chunks(door, "You say <phoneme ph='təˈmɑːtoʊ'>tomato</phoneme> to me", voice)
    text = "You say tomato to me"
    found = [(text[start:end], begin, stop) for start, end, begin, stop in words(made)]
    assert [word for word, _, _ in found] == text.split()
    seconds = (found[2][2] - found[2][1]) / made[0].sample_rate
    assert 0.2 < seconds < 0.9


def test_a_client_cannot_write_phonemes_into_plain_text(door: Synthesiser) -> None:
    odd = "say \ue000t@m'A:t\ue001 and [[h@l'oU]] now"
    plain = odd.replace("\ue000", " ").replace("\ue001", " ")
    one, other = (list(door.speak(Script.from_text(text), VOICE)) for text in (odd, plain))
    assert np.array_equal(one[0].pcm, other[0].pcm)


def test_two_languages_and_two_engines_in_a_sentence(door: Synthesiser) -> None:
    ssml = (
        "I say <lang xml:lang='de'>guten Tag, 21</lang> and "
        "<voice name='neural:en-us-slt'>good day, 21</voice> <mark name='m'/>to you."
    )
    text = "I say guten Tag, 21 and good day, 21 to you."
    made = chunks(door, ssml)
    assert {chunk.sample_rate for chunk in made} == {8000}
    who: list[str] = []
    for chunk in made:
        if not who or who[-1] != chunk.voice:
            who.append(chunk.voice)
    assert who == ["espeak:en-us", "espeak:de", "espeak:en-us", "neural:en-us-slt", "espeak:en-us"]
    found = list(words(made))
    assert [text[start:end] for start, end, _, _ in found] == text.replace(",", "").rstrip(".").split()
    times = [time for _, _, begin, end in found for time in (begin, end)]
    total = sum(len(chunk.pcm) for chunk in made)
    assert times == sorted(times)
    assert times[-1] <= total
    marks = {mark.name: mark.sample for chunk in made for mark in chunk.marks}
    assert marks["m"] == pytest.approx(found[-2][2], abs=1)
    audio = np.concatenate([chunk.pcm for chunk in made]).astype(float)
    for _, _, begin, end in found:
        assert np.sqrt(np.mean(audio[begin:end] ** 2)) > 100, "each word sounds where it is said to"


def test_german_is_said_by_the_german_voice_to_the_sample(door: Synthesiser) -> None:
    (alone,) = door.speak(Script.from_text("guten Tag"), "espeak:de")
    (within,) = chunks(door, "<lang xml:lang='de-DE'>guten Tag</lang>")
    assert np.array_equal(within.pcm, alone.pcm)


def test_a_voice_that_there_is_not_is_not_missed(door: Synthesiser) -> None:
    for tag in ("<voice name='nobody'>one two</voice>", "<lang xml:lang='tlh'>one two</lang>"):
        assert np.array_equal(pcm(door, tag), pcm(door, "one two"))


PLS = b"""<?xml version="1.0"?>
<lexicon version="1.0" xmlns="http://www.w3.org/2005/01/pronunciation-lexicon" alphabet="ipa" xml:lang="en-US">
 <lexeme><grapheme>Worcester</grapheme><phoneme>\xcb\x88w\xca\x8ast\xc9\x9a</phoneme></lexeme>
 <lexeme><grapheme>W3C</grapheme><grapheme>AT&amp;T</grapheme><alias>World Wide Web Consortium</alias></lexeme>
</lexeme></lexicon>""".replace(b"</lexeme></lexicon>", b"</lexicon>")


def test_a_lexicon_says_its_words_and_no_others() -> None:
    lexicon = Lexicon.from_pls(PLS)
    script = Script.from_text("The W3C and AT&T, not here, in Worcester.")
    text = " ".join(
        s.text for s in steps(follow(script, [lexicon], "en-gb"), "en-gb") if isinstance(s, Clause)
    )
    assert (
        text
        == "The World Wide Web Consortium and World Wide Web Consortium, not here, in \ue000ˈwʊstɚ\ue001."
    )
    assert follow(script, [lexicon], "de") == script
    assert follow(Script.from_text("W3Cs"), [lexicon], "en") == Script.from_text("W3Cs")
    said = Script.from_ssml("<speak><sub alias='x'>W3C</sub></speak>")
    assert follow(said, [lexicon], "en") == said


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "no element"),
        (b"<speak/>", "must be <lexicon>"),
        (b"<!DOCTYPE lexicon [<!ENTITY a 'b'>]><lexicon/>", "DOCTYPE"),
        (b"<lexicon alphabet='klingon'/>", "alphabet"),
        (b"<lexicon><lexeme><grapheme>a</grapheme></lexeme></lexicon>", "needs a <grapheme>"),
        (b"<lexicon><lexeme><grapheme> </grapheme></lexeme></lexicon>", "is empty"),
        (b"<lexicon>" + b"<a>" * 20, "deeper"),
        (b" " * 1_048_577, "octets"),
    ],
)
def test_a_bad_lexicon_says_why(document: bytes, reason: str) -> None:
    from tts_core import LexiconError

    with pytest.raises(LexiconError, match=reason):
        Lexicon.from_pls(document)


def test_letters_are_said_as_letters() -> None:
    library = open_library()
    (clause,) = steps(Script.from_text("At 10:30 am an ATM"), "en-us")
    assert isinstance(clause, Clause)
    assert library.ipa("gmw/en-US", clause.text)[0][0][0] == "æt tˈɛn θˈɜːɾi ˈeɪ ˈɛm ɐn ˈeɪ tˈiː ˈɛm"


@pytest.mark.parametrize("voice", [VOICE, "neural:en-us-slt"])
def test_the_rest_of_what_is_read_joins_to_the_sample(door: Synthesiser, voice: str) -> None:
    script = Script.from_text("First you pay $1,234.50. Then call 415-555-0123 at 10:30 am. Then wait.")
    whole = list(door.speak(script, voice))
    words_of = [word for chunk in whole for word in chunk.words]
    begin = next(word for word in words_of if word.char_start == script.text.index("Then call"))
    rest = np.concatenate([chunk.pcm for chunk in door.speak(script.rest(begin.char_start), voice)])
    audio = np.concatenate([chunk.pcm for chunk in whole])
    assert np.array_equal(rest, audio[begin.start_sample :])
    assert [script.text[w.char_start : w.char_end] for w in words_of][:4] == [
        "First",
        "you",
        "pay",
        "$1,234.50",
    ]
    assert [script.text[w.char_start : w.char_end] for w in words_of][6:16] == [*"4155550123"]
