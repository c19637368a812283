"""Whatever control, pacer and maker do, in whatever order: each sent octet is the right one, once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ring import NEVER

SIZES = st.sampled_from([[0], [1], [40], [90, 0], [30, 60, 5], [7, 200, 80]])
ROW = st.integers(0, 1)
PICK = st.integers(0, 1 << 16)
SPEAK = st.tuples(st.just("speak"), ROW, st.integers(0, 3), SIZES, st.none() | PICK)
RUN = st.tuples(st.just("run"), st.integers(1, 150))
CUT = st.tuples(st.just("cut"), ROW, st.lists(PICK, max_size=2), st.none() | PICK)
RECODE = st.tuples(st.just("recode"), ROW)
REMOVE = st.tuples(st.just("remove"), PICK)
RARE = st.one_of(
    st.tuples(st.just("deliver"), st.integers(1, 4)),
    st.tuples(st.just("make"), st.integers(1, 6)),
    st.tuples(st.just("step"), st.integers(1, 60)),
    st.tuples(st.just("pause"), ROW, st.booleans()),
    st.tuples(st.just("fail")),
    st.tuples(st.just("reopen"), ROW),
)
ROUND = st.tuples(
    SPEAK,
    RUN,
    SPEAK,
    RUN,
    st.one_of(CUT, REMOVE, RECODE),
    RARE,
    RUN,
    st.one_of(SPEAK, CUT, REMOVE, RARE, RECODE),
)


def operate(rig: Any, operation: tuple[Any, ...]) -> None:
    """Do one operation; numbers that pick an utterance count round and round those there are."""

    def key(pick: int, row: int | None = None) -> int | None:
        keys = [key for key, (other, _) in rig.sources.items() if row in (None, other)]
        return keys[pick % len(keys)] if keys else None

    match operation:
        case "speak", row, seed, sizes, before:
            source = f"{seed}:{','.join(map(str, sizes))}"
            rig.speak(source, row, None if before is None else key(before, row))
        case "cut", row, picks, at:
            drop = [victim for pick in picks if (victim := key(pick, row)) is not None]
            laying = None if at is None or (other := key(at, row)) is None else rig.laying(other)
            rig.cut(*drop, at=laying.at if laying else 0, row=row)
        case "recode", row:
            rig.recode(row)
        case "remove", pick:
            if (victim := key(pick)) is not None:
                rig.remove(victim)
        case "deliver", count:
            rig.deliver(count)
        case "make", count:
            rig.make(count)
        case "step", count:
            rig.step(count)
        case "run", count:
            rig.step(count, making=True)
        case "pause", row, paused:
            rig.block.hold(row, 0 if paused else NEVER)
        case "fail":
            rig.fail()
        case "reopen", row:
            rig.detach(row)
            rig.attach(row)


@settings(max_examples=100, deadline=None)
@given(
    ptimes=st.tuples(*[st.sampled_from([10, 20, 30, 40, 60])] * 2),
    capacity=st.sampled_from([0, 40_000, 1 << 24]),
    rounds=st.lists(ROUND, min_size=2, max_size=8),
)
def test_each_octet_of_each_kept_utterance_is_sent_once_and_in_order(
    new_rig: Callable[..., Any], ptimes: tuple[int, int], capacity: int, rounds: list[tuple[Any, ...]]
) -> None:
    rig = new_rig(ptimes, capacity)
    try:
        rig.attach(0)
        rig.attach(1)
        for operation in chain.from_iterable(rounds):
            operate(rig, operation)
        rig.finish()
        rig.check_all_heard()
        assert rig.library.octets <= capacity
    finally:
        rig.close()
