"""Clauses: lossless over any text, and cut where a reader would breathe."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts_core.clauses import LONGEST, split
from tts_core.plan import Clause, steps
from tts_core.script import Script
from tts_core.text import clean


def cut(text: str) -> list[str]:
    return [text[a:b] for a, b in split(text, 0, len(text))]


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("One is here. Two is there.", ["One is here.", "Two is there."]),
        ("Dr. Wu met Mr. J. R. Jones, Ph.D. of Yale.", ["Dr. Wu met Mr. J. R. Jones,", "Ph.D. of Yale."]),
        ("Pi is 3.14 and a lot is 1,000,000.50 in all.", ["Pi is 3.14 and a lot is 1,000,000.50 in all."]),
        ("Come at 12:30, e.g. on Monday.", ["Come at 12:30, e.g. on Monday."]),
        ("It closes at 5 p.m. Then we leave.", ["It closes at 5 p.m.", "Then we leave."]),
        ("It closes at 5 p.m. on Friday.", ["It closes at 5 p.m. on Friday."]),
        ("See https://a.example/x?y=1,2;z!w. Bye.", ["See https://a.example/x?y=1,2;z!w.", "Bye."]),
        ('He said "Stop!" Then he left.', ['He said "Stop!"', "Then he left."]),
        ("What?! No... really (yes.) Fine", ["What?!", "No...", "really (yes.)", "Fine"]),
        ("1. Open the door. 2. Go in.", ["1. Open the door.", "2. Go in."]),
        ("Title\n\nBody of\nthe text", ["Title", "Body of\nthe text"]),
        ("आप कैसे हैं। मैं ठीक हूँ॥ अच्छा", ["आप कैसे हैं।", "मैं ठीक हूँ॥", "अच्छा"]),
        ("你好吗？我很好。谢谢！再见", ["你好吗？", "我很好。", "谢谢！", "再见"]),
        ("お電話いただきありがとうございます、少々", ["お電話いただきありがとうございます、", "少々"]),
        ("كيف حالك؟ أنا بخير والحمد لله، شكرا", ["كيف حالك؟", "أنا بخير والحمد لله،", "شكرا"]),
        ("We came, we looked, we won it all", ["We came, we looked,", "we won it all"]),
        ("The long road home — it never ends", ["The long road home —", "it never ends"]),
        ("Am 3. Mai, Nr. 5, z.B. heute.", ["Am 3.", "Mai, Nr. 5, z.B. heute."]),
        ("", []),
        (" \n ", []),
    ],
)  # fmt: skip
def test_cuts(text: str, clauses: list[str]) -> None:
    assert cut(text) == clauses


def test_a_sentence_may_end_with_letters_that_were_read() -> None:
    every = steps(Script.from_text("Read our FAQ. Go now."), "en-us")
    said = "".join(step.text + "|" for step in every if isinstance(step, Clause))
    assert said.replace("\u00a0", " ") == "Read our F eigh Q.|Go now.|"


def test_a_long_first_clause_is_cut_before_a_conjunction() -> None:
    text = "your order has been shipped today and it should reach your house by the end of next week"
    assert cut(text) == [text[:33], text[34:]]
    assert cut("First. " + text) == ["First.", text]


@pytest.mark.parametrize(
    "unit", ["word ", "a", "你", "1", ".", "a\u0301", "ab-", "কি", "x.", "\n", "(", "👍"]
)
def test_20_000_characters_of_anything_progress(unit: str) -> None:
    text = clean(unit * (20_000 // len(unit)))
    ranges = list(split(text, 0, len(text)))
    assert all(b - a <= LONGEST for a, b in ranges)
    assert "".join(text[a:b] for a, b in ranges).replace(" ", "") == "".join(text.split())
    if unit == "a\u0301":
        assert all(text[a] == "a" for a, _ in ranges)


PIECES = st.sampled_from(
    ["a", "Dr", "3", ".", ",", "!", "?", "…", " ", "\n", "。", "、", "؟", "—", '"', ")", "http://x.y/", "x" * 150]
)  # fmt: skip


@given(
    st.lists(PIECES, max_size=60).map("".join) | st.text(max_size=300), st.integers(0, 50), st.integers(0, 50)
)
def test_lossless(raw: str, skip: int, drop: int) -> None:
    text = clean(raw)
    start = min(skip, len(text))
    end = max(start, len(text) - drop)
    ranges = list(split(text, start, end))
    at = start
    for a, b in ranges:
        assert at <= a < b <= end
        assert not text[at:a].strip()
        assert not text[a].isspace()
        assert not text[b - 1].isspace()
        assert b - a <= LONGEST
        at = b
    assert not text[at:end].strip()


@given(st.lists(st.from_regex(r"[a-z]{1,9}|[0-9]{1,3}([.,][0-9]{1,3}){0,3}", fullmatch=True), max_size=80))
def test_never_inside_a_word_or_number(tokens: list[str]) -> None:
    text = " ".join(tokens)
    assert re.split(r"\s+", " ".join(cut(text))) == re.split(r"\s+", text)
