"""Cleaning keeps every offset and leaves nothing that an engine could trip over."""

import sys
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from tts_core.text import clean, speaks

ANYTHING = st.text(st.characters(exclude_categories=()))  # lone surrogates too


def test_every_code_point() -> None:
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        safe = clean(char)
        assert safe in (char, " ")
        category = unicodedata.category(char)
        if category in ("Cc", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"):
            assert safe == ("\n" if char == "\n" else " ")
        if category[0] in "LN" or category in ("Mc", "Nd", "Sc", "Sm", "Po", "Ps", "Pe", "Pd"):
            assert safe == char


def test_known_trouble() -> None:
    assert clean("a\0b\x01c\ud800d\ue000e\u202ef\ufeffg") == "a b c d e f g"
    assert clean("ok 👍🏽👩‍👧 ☎️ 1️⃣") == "ok    \u200d     1  "
    assert clean("مرحبا שלום") == "مرحبا שלום"
    assert clean("20 °C © a\u00adb ক্\u200dষ") == "20 °C © a\u00adb ক্\u200dষ"
    assert clean("a\tb\r\n\r\nc") == "a b \n \nc"


@given(ANYTHING, ANYTHING)
def test_same_length_idempotent_and_context_free(left: str, right: str) -> None:
    once = clean(left + right)
    assert len(once) == len(left + right)
    assert clean(once) == once == clean(left) + clean(right)
    once.encode()


def test_speaks() -> None:
    assert all(map(speaks, ("a", "1", "你", "é", "%", "€", "ab.", "ก")))
    assert not any(map(speaks, ("", " ", "...", "-—*", "\u0301", "«»", "/\\|_~^`")))
