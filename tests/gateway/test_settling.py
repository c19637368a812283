"""What a process gives back once it has settled."""

import ctypes
import subprocess
import sys

import pytest

PROGRAM = """
import sys
import numpy as np
from gateway.settling import settle
def weighs():
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss_Anon")) / 1024
if "settled" in sys.argv:
    settle()
np.ones(8 << 20, np.uint8)  # as the first prompt is
holes = [bytes(2000) for _ in range(4000)]  # what imports left free: the small blocks below are not to lie there
before = weighs()
for _ in range(3):
    large = [(np.ones(2 << 20, np.uint8), bytes(2000)) for _ in range(10)]
    kept = [small for _, small in large]
    del large
print(weighs() - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="another C library than glibc")
def test_large_blocks_go_back_although_small_ones_lie_between():
    settled, not_settled = (
        float(subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, check=True).stdout)
        for how in ("settled", "")
    )
    assert settled < 1 < 15 < not_settled  # MB
