"""Known faults in what is said, and whether they are found: holes, missing frames, another leg's words."""

import numpy as np
import pytest

from gateway.listen.content import FRAME, Content, audible, compare, cut
from telephony_codecs import Law, encode

CLEAN = {"holes": 0, "missing": 0, "unsaid": 0, "wrong_leg": 0, "wrong": 0}


def speech(frames: int, seed: int) -> np.ndarray:
    """u8[frames, FRAME]: noise as loud as speech; no two frames are the same."""
    noise = np.random.default_rng(seed).normal(0, 3000, frames * FRAME)
    return encode(Law.PCMU, noise.astype(np.int16)).reshape(-1, FRAME)


SILENCE = np.full((1, FRAME), 0xFF, np.uint8)


def stream(ideal, frames: np.ndarray):
    """Packets and payloads of one perfect stream that says these frames."""
    packets = ideal(len(frames))
    packets["payload_start"] = np.arange(len(frames)) * FRAME
    return packets, frames.ravel()


def later(packets, first: int, by: int) -> None:
    """What comes from packet `first` on comes `by` frames later, on the source's clock too."""
    packets["timestamp"][first:] += by * FRAME
    packets["t_ns"][first:] += by * 20_000_000


def found(packets, payloads, said, others=frozenset(), **faults) -> Content:
    """What is found; every fault not named must not be."""
    content = compare(packets, payloads, said, others)
    assert {name: getattr(content, name) for name in CLEAN} == CLEAN | faults
    assert content.clean is not bool(faults)
    return content


def test_all_of_it_in_order(ideal):
    said = speech(100, 1)
    assert found(*stream(ideal, said), [said]).right == 100


def test_nothing_heard_is_all_unsaid(ideal):
    packets, payloads = stream(ideal, speech(1, 1))
    found(packets[:0], payloads, [speech(30, 2)], unsaid=30)


def test_a_pause_that_the_source_has_is_no_hole(ideal):
    said = np.concatenate([speech(20, 1), np.repeat(SILENCE, 15, 0), speech(20, 2)])
    assert found(*stream(ideal, said), [said]).right == 55


def test_the_two_zeros_of_mu_law_are_one(ideal):
    said = np.concatenate([speech(5, 1), np.full((3, FRAME), 0x7F, np.uint8), speech(5, 2)])
    found(*stream(ideal, np.where(said == 0x7F, np.uint8(0xFF), said)), [said])


def test_silence_sent_into_an_utterance_is_a_hole(ideal):
    said = speech(50, 1)
    heard = np.insert(said, 30, np.repeat(SILENCE, 4, 0), axis=0)
    assert found(*stream(ideal, heard), [said], holes=4).right == 50


def test_silence_in_the_place_of_speech_is_a_hole(ideal):
    said = speech(50, 1)
    heard = said.copy()
    heard[30:34] = SILENCE
    assert found(*stream(ideal, heard), [said], holes=4).right == 46


def test_time_in_which_nothing_was_sent_is_a_hole(ideal):
    said = speech(50, 1)
    packets, payloads = stream(ideal, said)
    later(packets, 20, by=7)
    found(packets, payloads, [said], holes=7)


def test_silence_between_utterances_is_none(ideal):
    said = [speech(20, 1), speech(20, 2)]
    heard = np.concatenate([SILENCE, said[0], np.repeat(SILENCE, 9, 0), said[1], SILENCE])
    packets, payloads = stream(ideal, heard)
    later(packets, 25, by=50)  # in the pause
    found(packets, payloads, said)


def test_lost_packets_are_missing_frames_and_no_hole(ideal):
    said = speech(50, 1)
    packets, payloads = stream(ideal, said)
    found(np.delete(packets, [10, 11, 30]), payloads, [said], missing=3)


def test_a_cut_short_utterance_is_unsaid_from_there(ideal):
    said = speech(50, 1)
    found(*stream(ideal, said[:35]), [said], unsaid=15)


def test_another_legs_words_are_told_from_noise(ideal):
    said, theirs, noise = speech(50, 1), speech(10, 2), speech(5, 3)
    heard = np.concatenate([said[:25], theirs, noise, said[25:]])
    others = audible(theirs)
    found(*stream(ideal, heard), [said], others, holes=15, wrong_leg=10, wrong=5)


def test_words_that_both_legs_say_are_nobodys_fault(ideal):
    said = speech(20, 1)
    others = audible(said)
    found(*stream(ideal, said), [said], others)


def test_order_and_repeats_are_mended_first(ideal):
    said = speech(40, 1)
    packets, payloads = stream(ideal, said)
    packets = np.insert(packets, 20, packets[19])
    packets[[5, 6]] = packets[[6, 5]]
    found(packets, payloads, [said])


@pytest.mark.parametrize("length", [80, 240])
def test_packets_of_another_length_are_cut_to_frames(ideal, length):
    said = speech(60, 1)
    packets = ideal(60 * FRAME // length)
    count = np.arange(len(packets))
    packets["payload_length"] = length
    packets["payload_start"] = count * length
    packets["timestamp"] = count * length
    packets["t_ns"] = count * length * 125_000
    found(packets, said.ravel(), [said])


def test_what_is_left_over_is_no_frame():
    assert cut(bytes(FRAME * 2 + 7)).shape == (2, FRAME)
