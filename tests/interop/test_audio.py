"""The judge of recordings: it lets pass what telephones do to speech, and nothing else."""

import numpy as np
import pytest
from scipy.signal import butter, resample_poly, sosfilt

from telephony_codecs import Law, decode, encode

from .audio import compare, heard, heard_exactly, spoken

SENTENCE = "The quick brown fox jumps over the lazy dog, and then it sleeps."
LEAD = 3000


@pytest.fixture(scope="module")
def speech():
    return spoken(SENTENCE)


@pytest.fixture(scope="module")
def line(speech):
    """The sentence with silence around it."""
    return np.concatenate([np.zeros(LEAD, np.int16), speech, np.zeros(5000, np.int16)])


def test_the_same_is_the_same_wherever_it_begins(speech, line):
    for recording in (speech, line):
        hearing = heard_exactly(recording, speech)
        assert (hearing.hole_ms, hearing.level_db, hearing.exact) == (0, 0, 1)
        assert max(hearing.distance_db) == 0
    assert compare(line, speech).offset_ms == LEAD / 8


def test_what_jitter_buffers_and_baresip_do_is_forgiven(speech, line):
    slipped = np.insert(line, 20000, line[19920:20000])
    assert heard(slipped, speech).slip_ms == 10
    assert heard(np.concatenate([speech[320:], np.zeros(800, np.int16)]), speech).offset_ms == -40
    heard_exactly(np.where(line == 0, np.int16(2), line), speech)


def spoilt(line, how):
    """The line spoilt, as int16."""
    at = LEAD + 12000
    floats = line.astype(float)
    match how:
        case "a packet lost, concealed by silence":
            return np.concatenate([line[:at], np.zeros(160, np.int16), line[at + 160 :]])
        case "a packet lost":
            return np.delete(line, np.s_[at : at + 160])
        case "a packet twice":
            return np.insert(line, at, line[at - 160 : at])
        case "one sample":
            return np.concatenate([line[:at], [line[at] + 8], line[at + 1 :]]).astype(np.int16)
        case "cut short":
            return line[:at]
        case "begins late":
            return line[LEAD + 800 :]
        case "100 ms missing":
            return np.delete(line, np.s_[at : at + 800])
        case "said twice":
            return np.concatenate([line, line])
        case "half a dB lower":
            return np.round(floats * 10 ** (-0.6 / 20)).astype(np.int16)
        case "clipped":
            return np.clip(line, -2500, 2500)
        case "2 % slow":
            return resample_poly(floats, 51, 50).astype(np.int16)
        case "dull":
            return sosfilt(butter(4, 2500, fs=8000, output="sos"), floats).astype(np.int16)
        case "noisy":
            noise = np.random.default_rng(1).normal(0, line.std() * 0.1, len(line))
            return np.round(floats + noise).astype(np.int16)
        case "the other law's table":
            return decode(Law.PCMA, encode(Law.PCMU, line))
        case "another word":
            return spoken(SENTENCE.replace("dog", "cat"))
        case "another sentence":
            return spoken("Your order of fourteen boxes will be delivered on Tuesday at nine.")
        case "silence":
            return np.zeros_like(line)


FINE = ("a packet lost, concealed by silence", "a packet lost", "a packet twice", "one sample")
GROSS = (
    "cut short", "begins late", "100 ms missing", "said twice", "half a dB lower", "clipped", "2 % slow", "dull",
    "noisy", "the other law's table", "another word", "another sentence", "silence",
)  # fmt: skip


@pytest.mark.parametrize("how", FINE + GROSS)
def test_exactly_is_exactly(speech, line, how):
    with pytest.raises(AssertionError):
        heard_exactly(spoilt(line, how), speech)


@pytest.mark.parametrize("how", GROSS)
def test_what_a_listener_would_notice_is_noticed(speech, line, how):
    with pytest.raises(AssertionError):
        heard(spoilt(line, how), speech)


def test_nothing_recorded_and_nothing_to_compare(speech):
    for recording, reference in ((speech[:0], speech), (speech, speech[:0]), (speech, np.zeros_like(speech))):
        with pytest.raises(AssertionError):
            compare(recording, reference)
