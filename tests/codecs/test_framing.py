import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_codecs import PTIMES_MS, Framer, Law


@given(
    law=st.sampled_from(list(Law)),
    ptime=st.sampled_from(PTIMES_MS),
    sizes=st.lists(st.integers(0, 1200), max_size=8),
)
def test_whole_packets_in_order_and_a_padded_tail(law: Law, ptime: int, sizes: list[int]) -> None:
    octets = 8 * ptime
    codes = (np.arange(sum(sizes)) % 251).astype(np.uint8)
    framer, out, start = Framer(law, ptime), bytearray(), 0
    for size in sizes:
        ready = framer.push(codes[start : start + size])
        start += size
        out += ready.tobytes()
        assert len(ready) % octets == 0
        assert start - len(out) < octets  # no whole packet is kept
    out += framer.flush().tobytes()
    assert len(out) == -(-len(codes) // octets) * octets
    assert out[: len(codes)] == codes.tobytes()
    assert set(out[len(codes) :]) <= {law.silence}
    assert len(framer.flush()) == 0


def test_reset_drops_the_tail() -> None:
    framer = Framer(Law.PCMU, 20)
    framer.push(np.ones(100, np.uint8))
    framer.reset()
    assert framer.push(np.full(160, 7, np.uint8)).tolist() == [7] * 160


@pytest.mark.parametrize("ptime", [0, -20, 5, 25, 80])
def test_another_ptime_is_refused(ptime: int) -> None:
    with pytest.raises(ValueError, match="ptime"):
        Framer(Law.PCMU, ptime)


def test_only_octets_are_taken() -> None:
    with pytest.raises(TypeError, match="uint8"):
        Framer(Law.PCMU, 20).push(np.zeros(160, np.int16))
