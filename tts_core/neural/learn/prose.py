"""Plain English sentences that are on every machine that trains: the documentation inside its Python libraries.

Templates repeat themselves; prose has the rhythm that durations and melody are learned from. Only sentences of
dictionary words are taken, without numbers or code, and they are read from the interpreter at hand, not copied.
WordNet's examples of how a word is used are nearer to what people say, where its files are at hand (Debian's
wordnet-base).
"""

from __future__ import annotations

import ast
import random
import re
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path

from tts_core.clauses import split

_SENTENCE = re.compile(r"(?<=[.?!] )[A-Z][a-z]*(?:,? [A-Za-z'-]+){3,17}[.?!](?= )")
_WORD = re.compile(r"[A-Za-z'-]+")
_EXAMPLE = re.compile(r'"([A-Za-z][A-Za-z\' ,-]+[.?!]?)"')
_WORDNET = ("data.adj", "data.adv", "data.noun", "data.verb")
_JOINED, _CHANGED, _PARTED = 0.5, 0.3, 0.03  # of the clauses; of their words
_BETWEEN = (",", " and", " or", " the", " is")
_LONGEST, _SHORT = 20, 3  # words of a clause; letters of a word that is kept
_ENDS, _CLOSED_BY = ".,?!;:", "...,?!"
_MARKUP = re.compile(r"[*`\"]")


_OTHERS = ("numpy", "scipy", "matplotlib")  # beside the standard library
_LEFT_OUT = frozenset(("site-packages", "test", "tests", "idlelib", "lib2to3"))


def libraries() -> list[Path]:
    """The standard library's folder, and those of the larger libraries that training needs anyway."""
    beside = Path(sysconfig.get_path("platlib"))
    return [Path(sysconfig.get_path("stdlib")), *(beside / name for name in _OTHERS)]


def clauses(known: frozenset[str], seed: int, folders: Sequence[Path]) -> list[str]:
    """Every clause of the docstrings in `folders` of Python sources, the words all `known` (lower case).

    Of a folder with WordNet's files, those of its examples.

    The order is the seed's; what is found follows from the libraries' versions.
    """
    found: set[str] = set()
    for folder in folders:
        for name in _WORDNET:
            if (folder / name).is_file():
                found.update(_sentences(" ".join(_examples(folder / name)), known))
        for file in sorted(folder.rglob("*.py")):
            if not _LEFT_OUT & set(file.relative_to(folder).parts):
                for text in _docstrings(file):
                    found.update(_sentences(text, known))
    spoken = [clause for text in sorted(found) for clause in _clauses(text)]
    random.Random(f"prose {seed}").shuffle(spoken)
    return list(dict.fromkeys(spoken))


def crossed(clauses: Sequence[str], words: Sequence[str], seed: int) -> Iterator[str]:
    """Endlessly many clauses that nobody would say: halves of two of `clauses`, some words changed for others.

    Durations are learned from them, for what surrounds a sound in one sentence in a million is met here as well.
    """
    dice = random.Random(f"crossed {seed}")
    while True:
        spoken = dice.choice(clauses).split()
        if dice.random() < _JOINED:
            other = dice.choice(clauses).split()
            spoken = spoken[: dice.randint(1, len(spoken))] + other[dice.randrange(len(other)) :]
        text = " ".join(_changed(word, words, dice) for word in spoken[:_LONGEST]).rstrip(_ENDS)
        yield f"{text[0].upper()}{text[1:]}{dice.choice(_CLOSED_BY)}"


def _changed(word: str, words: Sequence[str], dice: random.Random) -> str:
    plain = word.strip(_ENDS)
    if len(plain) > _SHORT and dice.random() < _CHANGED:
        return dice.choice(words) + word[len(word.rstrip(_ENDS)) :]
    return word + dice.choice(_BETWEEN) if dice.random() < _PARTED else word


def _examples(file: Path) -> Iterator[str]:
    """As sentences: most of them have neither a capital nor a full stop."""
    for text in _EXAMPLE.findall(file.read_text("utf-8")):
        yield text[0].upper() + text[1:] + ("" if text[-1] in ".?!" else ".")


def _docstrings(file: Path) -> Iterator[str]:
    try:
        tree = ast.parse(file.read_text("utf-8"))
    except (SyntaxError, UnicodeDecodeError):  # libraries keep a few of them for their own tests
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield ast.get_docstring(node) or ""


def _sentences(text: str, known: frozenset[str]) -> Iterator[str]:
    plain = " ".join(_MARKUP.sub("", text).split())
    for match in _SENTENCE.finditer(f". {plain} "):
        if all(word.lower() in known for word in _WORD.findall(match[0])):
            yield match[0]


def _clauses(text: str) -> Iterator[str]:
    """As an engine would speak them: a clause that goes on without punctuation gets a comma."""
    for start, end in split(text, 0, len(text)):
        clause = text[start:end]
        yield clause if clause[-1] in ".?!,;:" else f"{clause},"
