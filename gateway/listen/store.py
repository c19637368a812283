"""A column of records that grows without ever copying what it holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Records = npt.NDArray[Any]


class GrowingArray:
    """Append-only array in preallocated chunks.

    Doubling one array would copy hundreds of megabytes in one stall while packets wait; chunks never move.
    """

    def __init__(self, dtype: npt.DTypeLike, chunk: int) -> None:
        """Hold records of `dtype`, `chunk` of them allocated at a time."""
        self._dtype = np.dtype(dtype)
        self._chunk = chunk
        self._chunks: list[Records] = [np.empty(chunk, self._dtype)]
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, block: Records) -> None:
        """Copy `block` [n] to the end."""
        done = 0
        while done < len(block):
            at = self._length % self._chunk
            if at == 0 and self._length:
                self._chunks.append(np.empty(self._chunk, self._dtype))
            take = min(len(block) - done, self._chunk - at)
            self._chunks[-1][at : at + take] = block[done : done + take]
            self._length += take
            done += take

    def since(self, index: int) -> Records:
        """A copy of the records from `index` to the end."""
        first, at = divmod(index, self._chunk)
        stop = self._length
        parts = [
            chunk[at if number == first else 0 : stop - number * self._chunk]
            for number, chunk in enumerate(self._chunks[first:], first)
        ]
        return np.concatenate(parts) if parts else np.empty(0, self._dtype)
