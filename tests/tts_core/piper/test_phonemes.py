"""Piper's own way from text to ids."""

import unicodedata

import pytest

from tts_core import UnknownVoice
from tts_core.piper.phonemes import Phonemes
from tts_core.plan import Clause

# what `piper.phonemize_espeak` of piper-tts 1.8.0 answered, but for a full stop inside a clause and a space after
# other marks there: it speaks what follows as another sentence
SAID = [
    ("en-us", "Please hold the line.", "plˈiːz hˈoʊld ðə lˈaɪn."),
    ("en-us", "He paid $12.50 on 3/4/2024 at 10:30 — really…",
     "hiː pˈeɪd dˈɑːlɚ twˈɛlv pɔɪnt fˈaɪv zˈiəɹoʊ ˌɔn θɹˈiː slˈæʃ fˈɔːɹ slˈæʃ tˈuː θˈaʊzənd twˈɛnti fˈɔːɹ "
     "æt tˈɛn θˈɜːɾi; ɹˈiəli"),
    ("en-us", 'Dr. Smith said: "Room 101, please!" (and  left)',
     "dˈɑːktɚ smˈɪθ sˈɛd: ɹˈuːm wˈʌnhˈʌndɹɪd wˈʌn, plˈiːz! ænd lˈɛft"),
    ("en-us", "Wait... what?!", "wˈeɪt wˌʌt?"),
    ("fr", "Bonjour, ça va ?", "bɔ̃ʒˈuʁ, sa vˈa?"),
    ("es", "¿Qué tal?", "kˈe tˈal?"),
    ("de", "Übermäßig schön: „Ja!“", "ˌyːbɜmˈɛːsɪç ʃˈøːn: jˈɑː!"),
    ("en-us", "", ""),
    ("en-us", "...", ""),
]  # fmt: skip


class Every(dict):
    """An id for whatever is asked, so that it can be read back."""

    def __missing__(self, key: str) -> list[int]:
        return [ord(key)]

    def __contains__(self, key: object) -> bool:
        return True


def read(text: str, voice: str = "en-us", kind: str = "espeak", **given: object) -> object:
    ids = Every({"^": [1], "$": [2], "_": [0]})
    return Phonemes(kind, voice, ids, **given).read(Clause(text, 0, (), 0, False))


def spelled(tokens: object) -> str:
    ids = tokens.ids.tolist()
    assert ids[:2] == [1, 0]
    assert ids[-1] == 2
    assert not any(ids[3:-1:2]), "a pad after every phoneme"
    return "".join(map(chr, ids[2:-1:2]))


@pytest.mark.parametrize(("voice", "text", "said"), SAID)
def test_espeak_s_phonemes_as_piper_writes_them(voice: str, text: str, said: str) -> None:
    assert spelled(read(text, voice)) == unicodedata.normalize("NFD", said)


def test_words_begin_where_their_first_phoneme_does() -> None:
    text = 'He paid $12 to "Room 101", ok?'
    tokens = read(text)
    spoken = spelled(tokens)
    found = {}
    for char, token in tokens.words:
        word = spoken[(token - 2) // 2 :].split(" ")[0].rstrip(",.?")
        found.setdefault(text[char:].split(" ")[0], word)
    assert found["He"] == "hiː"
    assert found["paid"] == "pˈeɪd"
    assert found["to"] == "tʊ"
    assert found["Room"] == "ɹˈuːm"
    assert found["ok?"] == "ˌoʊkˈeɪ"


def test_pauses_are_punctuation_with_its_spaces_and_both_ends() -> None:
    tokens = read("One, two three.")
    spoken, silent = spelled(tokens), tokens.pauses.tolist()
    assert silent[:2] == [True, True]
    assert silent[-1]
    marked = "".join("_" if silent[2 + 2 * at] else phoneme for at, phoneme in enumerate(spoken))
    assert marked == "wˌʌn__tˈuː θɹˈiː_"


def test_a_clause_that_goes_on_ends_with_a_comma() -> None:
    ids = Every({"^": [1], "$": [2], "_": [0]})
    tokens = Phonemes("espeak", "en-us", ids).read(Clause("one", 0, (), 0, True))
    assert spelled(tokens) == "wˌʌn, "


def test_text_voices_read_letters_decomposed() -> None:
    tokens = read("Ös ist", kind="text")
    assert spelled(tokens) == "O\u0308s ist"
    assert tokens.words == [(0, 2), (3, 10)]


def test_a_letter_without_an_id_is_read_small_or_left_out() -> None:
    ids = {"^": [1], "$": [2], "_": [0], "a": [5, 6], "B": [7]}
    read = Phonemes("text", "", ids).read(Clause("AxB_^b", 0, (), 0, False))
    assert read.ids.tolist() == [1, 0, 5, 6, 0, 7, 0, 2]


def test_clusters_of_vowels_are_one_phoneme_the_longest_first() -> None:
    ids = {"^": [1], "$": [2], "_": [0], "a": [5], "i": [6], "ai": [7], "aia": [8]}
    phonemes = Phonemes("text", "", ids, [["a", "i"], ["a", "i", "a"]])
    assert phonemes.read(Clause("aiaaii", 0, (), 0, False)).ids.tolist() == [1, 0, 8, 0, 7, 0, 6, 0, 2]


def test_a_voice_that_espeak_has_not() -> None:
    with pytest.raises(UnknownVoice):
        Phonemes("espeak", "tlh", {})
