"""Which rows of a ring are free. A row is taken again only when every process that may touch it has let go."""

from __future__ import annotations


class Rows:
    """The rows of one ring. Holders are named by the caller: a worker process, or control itself."""

    def __init__(self, count: int) -> None:
        self._free = list(reversed(range(count)))
        self._holders: dict[int, set[str]] = {}

    @property
    def free(self) -> int:
        """How many may be taken."""
        return len(self._free)

    def take(self, holder: str) -> int | None:
        """The row that was used last, whose memory is there already; None when there is none."""
        if not self._free:
            return None
        row = self._free.pop()
        self._holders[row] = {holder}
        return row

    def hold(self, row: int, holder: str) -> None:
        """One more process may touch the row, which must be held already."""
        self._holders[row].add(holder)

    def let_go(self, row: int, holder: str) -> None:
        """That process will not touch the row again. Saying so twice does no harm."""
        holders = self._holders.get(row)
        if holders is None:
            return
        holders.discard(holder)
        if not holders:
            del self._holders[row]
            self._free.append(row)

    def let_go_all(self, holder: str) -> None:
        """That process is dead."""
        for row in list(self._holders):
            self.let_go(row, holder)
