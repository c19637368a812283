"""Samples as integers and as fractions: exact one way, the nearest the other."""

import numpy as np
import pytest

from telephony_codecs import as_float, as_int16


def test_every_int16_is_itself_again():
    pcm = np.arange(-32768, 32768).astype(np.int16)
    assert as_float(pcm).dtype == np.float32
    assert as_float(pcm)[[0, -1]].tolist() == [-1.0, 32767 / 32768]
    assert np.array_equal(as_int16(as_float(pcm)), pcm)


def test_what_lies_between_goes_to_the_nearest_and_what_lies_beyond_to_full_scale():
    steps = np.array([0.4, 0.6, -0.4, -0.6, 0.5, 1.5, -0.5, 40000, -40000], np.float32)
    assert as_int16(steps / np.float32(32768)).tolist() == [0, 1, 0, -1, 0, 2, 0, 32767, -32768]


def test_what_is_given_is_left_as_it_was():
    pcm = np.array([0.1, 2.0], np.float32)
    assert as_float(pcm) is pcm
    as_int16(pcm)
    assert pcm.tolist() == [np.float32(0.1), 2.0]


@pytest.mark.parametrize("wrong", [np.zeros(2), np.zeros(2, np.int32), np.zeros((2, 2), np.float32)])
def test_any_other_array_is_refused(wrong):
    with pytest.raises(TypeError):
        as_float(wrong)
    with pytest.raises(TypeError):
        as_int16(wrong)
