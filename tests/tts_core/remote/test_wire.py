"""The wire's patience: who is waited for, and who is blamed."""

import asyncio

import numpy as np
import pytest

from tts_core.remote.asking import Heard, Line, Timbre
from tts_core.remote.desk import Desk, Limits
from tts_core.remote.wire import Answer, Patience, Peer, fetch

_SLOW_S = 0.2


class _Slow:
    """A provider whose answer comes after a while, and whole."""

    async def hear(self, line, timbre):
        await asyncio.sleep(_SLOW_S)
        yield Heard(np.ones(80, np.int16)), 8000

    async def close(self):
        """Nothing is open."""


def _account(first_s: float, requests: int) -> dict[str, int]:
    """What becomes of so many requests at the same time, of which one goes out at a time."""
    desk = Desk("p", Limits(at_once=1))

    async def ask() -> None:
        peer = Peer(None, desk, _Slow(), Patience(first_s, 0.5), asyncio.Semaphore(1))  # type: ignore[arg-type]
        for _ in range(requests):
            desk.begin(1)
        await asyncio.gather(
            *(fetch(Answer(), Line("a"), Timbre("a", "a", "en"), peer, 9) for _ in range(requests))
        )

    asyncio.run(ask())
    return {kind: count for kind, count in desk._requests.items() if count}


@pytest.mark.parametrize(
    ("first_s", "requests", "outcome"),
    [
        (1.5 * _SLOW_S, 2, {"answered": 2}),  # the second waited for the first, and then as long as it may
        (0.5 * _SLOW_S, 1, {"late": 1}),
        (1.5 * _SLOW_S, 3, {"answered": 2, "held": 1}),
    ],
)
def test_waiting_for_room_is_no_lateness_of_the_provider(first_s, requests, outcome):
    assert _account(first_s, requests) == outcome
