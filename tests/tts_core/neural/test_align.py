"""Alignment: what flite said belongs to what espeak read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts_core.neural.learn.align import align


@pytest.mark.parametrize(
    ("phonemes", "phones", "ends"),
    [
        ("h @ l oU", "hh ax l ow", (1, 2, 3, 4)),
        ("k A@", "k aa r", (1, 3)),  # one phoneme, two phones
        ("l I t# @L z", "l ih t ax l z", (1, 2, 3, 5, 6)),
        ("w ; V n", "w ah n", (1, 1, 2, 3)),  # a mark without a sound
        ("n aI n _ n aI n", "n ay n pau n ay n", (1, 2, 3, 4, 5, 6, 7)),
        ("s k", "s ih k", (2, 3)),  # an unclaimed phone joins the one before it
    ],
)
def test_known(phonemes: str, phones: str, ends: tuple[int, ...]) -> None:
    assert align(phonemes.split(), phones.split()).ends == ends


def test_other_words_cost_more() -> None:
    same = align(["h", "@", "l", "oU"], ["hh", "ax", "l", "ow"])
    other = align(["h", "@", "l", "oU"], ["b", "ih", "k", "s", "t", "er", "m"])
    assert same.cost == 0
    assert same.one_to_one == 4
    assert other.cost > 4


@given(
    st.lists(st.sampled_from(["n", "t", "aI", "A@", ";", "_", "strange"]), min_size=1, max_size=12),
    st.lists(st.sampled_from(["n", "t", "ay", "aa", "r", "pau", "zz"]), max_size=12),
)
def test_every_phone_belongs_to_someone_in_order(phonemes: list[str], phones: list[str]) -> None:
    found = align(phonemes, phones)
    assert len(found.ends) == len(phonemes)
    assert list(found.ends) == sorted(found.ends)
    assert found.ends[-1] == len(phones)
