"""A ring block and what a synthesis worker does to it, in one process."""

import numpy as np
import pytest

from gateway.ring import CAPACITY, UNIT_OCTETS, RingBlock


class Writer:
    """Lays octets for a row as the synthesis worker would."""

    def __init__(self, ring: RingBlock, row: int) -> None:
        self.ring, self.row = ring, row

    def adopt(self) -> bool:
        return self.ring.adopt(self.row, int(self.ring.generation[self.row]))

    def lay(self, octets: bytes, *, unfinished: bool = False) -> int:
        return self.ring.lay(self.row, memoryview(octets), unfinished=unfinished)


@pytest.fixture
def ring():
    block = RingBlock.create(64)
    yield block
    block.close()


@pytest.fixture
def writer(ring):
    return lambda row: Writer(ring, row)


@pytest.fixture
def speech():
    """Octets that tell where they are from: ``speech(units, seed)``."""

    def make(units: int, seed: int = 0) -> bytes:
        noise = np.random.default_rng(seed).integers(0, 256, units * UNIT_OCTETS, np.uint8)
        return noise.tobytes()

    assert CAPACITY % 12 == 0
    return make
