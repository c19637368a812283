"""A node's events on their way to a Redis that is away for longer than they are kept."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from gateway.calls.actions import Publish
from gateway.calls.events import QUEUE_LIMIT, EventLog
from gateway.nodes import node as module
from gateway.nodes.node import Node
from gateway.nodes.store import Away
from gateway.settings import Settings

KEPT = 300


class Stream:
    """What Redis would hold, as far as ``xadd`` goes."""

    def __init__(self):
        self.up = False
        self.ids = []

    async def ask(self, question, seconds):
        if not self.up:
            raise Away
        return await question(self)

    def pipeline(self, *, transaction):
        return self

    def xadd(self, name, entry, **bounds):
        self.ids.append(entry["id"])

    async def execute(self):
        pass

    def set(self, *_, **more):
        return self.execute()

    delete = set

    async def close(self):
        pass


async def test_events_that_are_kept_wait_for_redis_though_older_ones_are_lost(monkeypatch):
    monkeypatch.setattr(module, "_AGAIN_SECONDS", 0.01)
    log = EventLog(10, KEPT, "0" * 8)
    node = Node(Settings(redis_url="redis://127.0.0.1:1"), "0" * 8, log, lambda event: "{}")
    await node._store.close()
    node._store = stream = Stream()
    node.start("http://127.0.0.1:8080")
    try:
        await asyncio.sleep(0)
        total = QUEUE_LIMIT + 2 * KEPT
        for seq in range(1, total + 1):
            log.publish("c_1", Publish(seq, "call.dtmf", 0, None, None, {}), datetime.now(UTC))
            if seq == 1:
                await asyncio.sleep(0.02)  # it is being stored, in vain
        stream.up = True
        for _ in range(1000):
            if stream.ids[-1:] == [log.latest_id]:
                break
            await asyncio.sleep(0.01)
        numbers = [int(event_id.rpartition("_")[2]) for event_id in stream.ids]
        assert node.gaps == 1
        assert numbers[-KEPT:] == list(range(total - KEPT + 1, total + 1))
        assert numbers == sorted(set(numbers)), "in order, and once"
        assert node.stored == len(numbers)
    finally:
        await node.close()
