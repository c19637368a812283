"""Sentences for a teacher to say, made from a seed: what is said on telephones, and every sound between.

Numbers are spelled out, so that a teacher and the frontend read the same words. Content words come from
Debian's word lists (wamerican-small, wngerman), which hold far more neighbouring sounds than any prompt
list; they are sorted into rough parts of speech by their endings, and the templates give them the function
words around them. The word lists are read, not copied: of them the package has but the words of the sixty
sentences that German is measured with (prompts.py).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tts_core.neural.learn import phrases
from tts_core.neural.learn.teachers import CannotTeach

_SLOT = re.compile(r"\{(\w+)\}")
_ONES = (  # noqa: SIM905
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


@dataclass(frozen=True, slots=True)
class Grammar:
    """Templates with `{slots}`, and what may fill each slot."""

    templates: tuple[str, ...]
    fillers: dict[str, Callable[[random.Random], str]]

    def sentence(self, dice: random.Random) -> str:
        """One sentence, its first letter a capital."""
        template = dice.choice(self.templates)
        text = _SLOT.sub(lambda slot: self.fillers[slot[1]](dice), template)
        return text[0].upper() + text[1:]


def english_words() -> frozenset[str]:
    """Every word of the English list, in lower case. Raises CannotTeach without it."""
    return frozenset(word.lower() for word in _words("/usr/share/dict/american-english-small", r"^\S+$"))


def sentences(language: str, seed: int) -> Iterator[str]:
    """Endlessly many sentences of `language` (en-us, de), none twice, the same for the same seed.

    Raises KeyError for a language without templates, CannotTeach without its word list.
    """
    grammar = _GRAMMARS[language]()
    dice = random.Random(f"{language} {seed}")
    said: set[str] = set()
    while True:
        text = grammar.sentence(dice)
        if text not in said:
            said.add(text)
            yield text


def spell_number(number: int) -> str:
    """0 to 999,999 in English words: 342 is "three hundred forty two"."""
    if number < 20:
        return _ONES[number]
    if number < 100:
        rest = number % 10
        return _TENS[number // 10 - 2] + (f" {_ONES[rest]}" if rest else "")
    unit, name = (100, "hundred") if number < 1000 else (1000, "thousand")
    rest = number % unit
    return f"{spell_number(number // unit)} {name}" + (f" {spell_number(rest)}" if rest else "")


def _digits(dice: random.Random, low: int, high: int) -> str:
    digits = [dice.choice(_ONES[:10]) for _ in range(dice.randint(low, high))]
    groups = [" ".join(digits[at : at + 3]) for at in range(0, len(digits), 3)]
    return ", ".join(groups) if dice.random() < 0.5 else " ".join(digits)


def _one_of(words: list[str]) -> Callable[[random.Random], str]:
    return lambda dice: dice.choice(words)


def _words(path: str, pattern: str) -> list[str]:
    file = Path(path)
    if not file.exists():
        raise CannotTeach(f"{path} is missing: apt-get install wamerican-small wngerman")
    return re.findall(pattern, file.read_text(), re.MULTILINE)


def _english() -> Grammar:
    listed = _words("/usr/share/dict/american-english-small", r"^[a-z]{3,11}$")
    past = [word for word in listed if word.endswith("ed")]
    going = [word for word in listed if word.endswith("ing") and len(word) > 5]
    manner = [word for word in listed if word.endswith("ly") and len(word) > 4]
    plural = [word for word in listed if word.endswith("s") and not word.endswith(("ss", "us", "is"))]
    taken = {*past, *going, *manner, *plural}
    plain = [word for word in listed if word not in taken]
    names = _words("/usr/share/dict/american-english-small", r"^[A-Z][a-z]{2,9}$")
    fillers: dict[str, Callable[[random.Random], str]] = {
        "word": _one_of(plain), "any": _one_of(listed), "past": _one_of(past), "going": _one_of(going),
        "manner": _one_of(manner), "plural": _one_of(plural), "name": _one_of(names),
        "number": lambda dice: spell_number(dice.choice([dice.randrange(100), dice.randrange(10_000)])),
        "digits": lambda dice: _digits(dice, 3, 7),
        "letters": lambda dice: " ".join(dice.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(3)),
        **{slot: _one_of(words.split(", ")) for slot, words in phrases.ENGLISH_SLOTS.items()},
    }  # fmt: skip
    return Grammar(phrases.ENGLISH, fillers)


def _german() -> Grammar:
    path = "/usr/share/dict/ngerman"
    verbs = _words(path, r"^[a-zäöüß]{4,10}en$")
    plain = _words(path, r"^[a-zäöüß]{3,10}$")
    nouns = _words(path, r"^[A-ZÄÖÜ][a-zäöüß]{2,12}$")
    fillers: dict[str, Callable[[random.Random], str]] = {
        "verb": _one_of(verbs), "any": _one_of(plain), "noun": _one_of(nouns),
        "number": lambda dice: str(dice.choice([dice.randrange(100), dice.randrange(10_000)])),
        "digits": lambda dice: " ".join(str(dice.randrange(10)) for _ in range(dice.randint(3, 7))),
        "letters": lambda dice: " ".join(dice.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(3)),
        **{slot: _one_of(words.split(", ")) for slot, words in phrases.GERMAN_SLOTS.items()},
    }  # fmt: skip
    return Grammar(phrases.GERMAN, fillers)


_GRAMMARS: dict[str, Callable[[], Grammar]] = {"en-us": _english, "de": _german}
LANGUAGES = tuple(_GRAMMARS)
