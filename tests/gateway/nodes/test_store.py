"""Asking a Redis that may hang or be gone: the wait is bounded, and soon there is none."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.nodes import store as module
from gateway.nodes.store import Away, Store

PATIENCE = 0.05


@pytest.fixture
async def store(redis_server, monkeypatch):
    monkeypatch.setattr(module, "_REST_SECONDS", 0.3)
    made = Store(redis_server.url, 4)
    yield made
    await made.close()


def ping(redis):
    return redis.ping()


async def refused(store, seconds=PATIENCE):
    """Asks in vain; returns how long that took."""
    began = time.monotonic()
    with pytest.raises(Away):
        await store.ask(ping, seconds)
    return time.monotonic() - began


async def until_up(store):
    """It finds out by itself that Redis is back."""
    for _ in range(100):
        if store.up:
            return
        await asyncio.sleep(0.05)
    pytest.fail("it does not know that Redis is back")


async def test_it_asks_and_is_answered(store):
    await store.ask(lambda redis: redis.set("k", b"\x00\xff", ex=60), 1)
    assert await store.ask(lambda redis: redis.get("k"), 1) == b"\x00\xff"
    assert store.up


async def test_one_that_hangs_is_waited_for_three_times_then_not_until_it_is_back(store, redis_server):
    await store.ask(ping, 1)
    redis_server.hang()
    try:
        for _ in range(3):
            assert PATIENCE <= await refused(store) < PATIENCE + 0.5
        assert not store.up
        asked = []

        def count(redis):
            asked.append(redis)
            return redis.ping()

        async def ask_three_times():
            asked.clear()
            tries = (store.ask(count, PATIENCE) for _ in range(3))
            assert [type(error) for error in await asyncio.gather(*tries, return_exceptions=True)] == [
                Away
            ] * 3
            return len(asked)

        assert await ask_three_times() == 0, "nobody waits any more"
        await asyncio.sleep(0.3)
        assert await ask_three_times() == 0, "and nobody has to try"
    finally:
        redis_server.go_on()
    await until_up(store)
    assert await store.ask(ping, 1)


async def test_one_that_is_gone_is_no_surprise(store, redis_server):
    await store.ask(ping, 1)
    redis_server.kill()
    try:
        for _ in range(3):
            await refused(store)
        assert not store.up
    finally:
        redis_server.start()
    await until_up(store)
    assert await store.ask(ping, 1)


async def test_no_more_than_so_many_wait(store, redis_server):
    await store.ask(ping, 1)
    redis_server.hang()
    try:
        waiting = [asyncio.create_task(refused(store, 0.2)) for _ in range(4)]
        await asyncio.sleep(0.01)
        with pytest.raises(Away):
            await store.ask(lambda redis: pytest.fail("a fifth waits"), 1)
        assert store.up, "that was nobody's fault"
        await asyncio.gather(*waiting)
    finally:
        redis_server.go_on()


def test_a_url_that_is_none():
    with pytest.raises(ValueError, match="redis://"):
        Store("http://127.0.0.1", 1)
