"""Erlang's loss formula (A. K. Erlang 1917; ITU-T E.501): what part of calls finds all of so many servers busy.

It fits a gateway that refuses: whoever comes when all is taken is told 503 and does not wait. Pure.
"""

from __future__ import annotations


def blocking(servers: int, erlangs: float) -> float:
    """The part of arrivals that is refused, 0 to 1, with ``erlangs`` of traffic offered to ``servers``.

    By the recursion 1/B(n) = 1 + n / (A B(n-1)), which stays exact where factorials overflow. Raises ValueError
    for traffic or servers below 0.
    """
    if servers < 0 or erlangs < 0:
        raise ValueError("traffic and servers cannot be below 0")
    if erlangs == 0:
        return 0.0 if servers else 1.0
    inverse = 1.0
    for n in range(1, servers + 1):
        inverse = 1.0 + inverse * n / erlangs
        if inverse > 1e300:
            return 0.0
    return 1.0 / inverse


def servers(erlangs: float, refused: float) -> int:
    """The fewest that refuse no more than ``refused`` (above 0, at most 1) of ``erlangs``. Raises ValueError."""
    if not 0 < refused <= 1:
        raise ValueError("the part that may be refused is above 0 and at most 1")
    if erlangs < 0:
        raise ValueError("traffic cannot be below 0")
    count, inverse = 0, 1.0
    while erlangs > 0 and 1.0 / inverse > refused:
        count += 1
        inverse = 1.0 + inverse * count / erlangs
    return count
