"""The event log: bounded, resumable, and never waiting for a reader."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from gateway.calls.actions import Publish
from gateway.calls.events import EventLog
from gateway.errors import Refusal

NOW = datetime.now(UTC)


def note(seq):
    return Publish(seq, "call.dtmf", 0, None, None, {"digit": str(seq)})


def publish(log, call_id, *seqs):
    return [log.publish(call_id, note(seq), NOW) for seq in seqs]


@pytest.fixture
def log():
    return EventLog(per_call=5, retained=10, run="abc")


def test_a_calls_own_log_is_read_by_seq_and_bounded(log):
    events = publish(log, "c_1", *range(1, 8))
    publish(log, "c_2", 1)
    assert log.after("c_1") == events[2:]
    assert log.after("c_1", 6) == events[6:]
    assert log.after("c_1", 7) == []
    assert [event.seq for event in log.after("c_2")] == [1]
    log.forget_call("c_1")
    assert log.after("c_1") == []
    assert log.after("never") == []


def test_ids_are_unique_and_resume(log):
    events = publish(log, "c_1", *range(1, 26))
    assert len({event.id for event in events}) == 25
    assert log.resume(events[-1].id) == []
    assert log.resume(events[-4].id) == events[-3:]
    assert log.resume(events[14].id) == events[15:]


GONE = (
    "",
    "e_abc_",
    "e_abc_26",
    "e_abc_14",
    "e_abc_-1",
    "e_xyz_25",
    "abc_25",
    "e_abc_²",
    "e_abc_" + "9" * 5000,
)


@pytest.mark.parametrize("event_id", GONE)
def test_what_is_too_old_or_unknown_is_gone(log, event_id):
    publish(log, "c_1", *range(1, 26))
    with pytest.raises(Refusal) as gone:
        log.resume(event_id)
    assert gone.value.code == "events_gone"
    with pytest.raises(Refusal):
        log.subscribe(after_id=event_id)


def test_resuming_from_before_the_first_event(log):
    first = publish(log, "c_1", 1, 2)
    assert log.resume("e_abc_0") == first


async def test_a_subscriber_gets_what_comes_in_order(log):
    publish(log, "c_1", 1)
    with log.subscribe() as every, log.subscribe(call_id="c_2") as one:
        sent = publish(log, "c_1", 2, 3) + publish(log, "c_2", 1)
        assert [await anext(every) for _ in range(3)] == sent
        assert await anext(one) == sent[-1]
        waiting = asyncio.create_task(anext(every))
        await asyncio.sleep(0)
        assert not waiting.done()
        (late,) = publish(log, "c_1", 4)
        assert await waiting == late


async def test_resuming_misses_nothing_and_repeats_nothing(log):
    events = publish(log, "c_1", 1, 2, 3)
    with log.subscribe(after_id=events[0].id) as subscription:
        events += publish(log, "c_1", 4)
        assert [await anext(subscription) for _ in range(3)] == events[1:]


async def test_a_slow_reader_is_dropped_and_told_and_nobody_else_notices(log):
    with log.subscribe(limit=3) as slow, log.subscribe(limit=100) as fast:
        events = publish(log, "c_1", 1, 2, 3, 4, 5)
        assert slow.lagged
        assert [event async for event in slow] == events[:3]
        assert not fast.lagged
        assert [await anext(fast) for _ in range(5)] == events
        with log.subscribe(after_id=events[2].id) as again:  # and it may come back
            assert [await anext(again) for _ in range(2)] == events[3:]


async def test_cancelled_reading_loses_nothing(log):
    with log.subscribe() as subscription:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await anext(subscription)
        events = publish(log, "c_1", 1)
        assert await anext(subscription) == events[0]


async def test_closing_ends_after_what_is_there(log):
    subscription = log.subscribe()
    events = publish(log, "c_1", 1)
    log.close()
    publish(log, "c_1", 2)
    assert [event async for event in subscription] == events
    assert not subscription.lagged
    assert [event async for event in log.subscribe()] == []


def test_a_closed_subscription_takes_no_more(log):
    subscription = log.subscribe(limit=1)
    subscription.close()
    publish(log, "c_1", 1, 2, 3)
    assert not subscription.lagged
