"""A worker process that cannot be started for a while, and processes that end while they are being ended."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys

from gateway.calls import workers
from gateway.calls.workers import Worker
from gateway.messages.media import FromMedia

READY = """
import os, socket, struct, sys
import msgspec
from gateway.messages.media import MediaReady

link = socket.socket(fileno=int(sys.argv[-1]))
body = msgspec.msgpack.encode(MediaReady(os.getpid()))
link.sendall(struct.pack("!I", len(body)) + body)
link.recv(1)
"""


def worker(died=lambda: None):
    command = (sys.executable, "-c", READY)
    return Worker("w", command, (), os.environ, FromMedia, lambda message: None, died)


def dead_pid():
    """Of a process that has ended and was waited for."""
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    return process.pid


async def test_what_there_is_no_room_to_start_is_tried_again(monkeypatch):
    spawn, failures = asyncio.create_subprocess_exec, [errno.EAGAIN, errno.EMFILE]

    async def scarce(*command, **more):
        if failures:
            raise OSError(failures.pop(), "not now")
        return await spawn(*command, **more)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", scarce)
    deaths = []
    made = worker(lambda: deaths.append(1))
    try:
        await asyncio.wait_for(made.started(), 30)
        assert made.alive
        assert not made.failed
        assert made.restarts == 2
        assert not deaths, "none was there to die"
    finally:
        await made.close()


async def test_a_process_may_be_gone_by_the_time_it_is_killed():
    made = worker()
    try:
        await made.started()
        pid, made.pid = made.pid, dead_pid()
        made.kill()
        made.pid = pid
        assert made.alive
    finally:
        await made.close()


async def test_a_process_may_end_by_itself_just_when_it_has_had_its_time():
    class Late:
        """It is gone, and the loop has yet to hear of it."""

        pid = dead_pid()
        waits = 0

        async def wait(self):
            self.waits += 1
            if self.waits == 1:
                await asyncio.sleep(10)

    late = Late()
    await workers._end(late, 0.01)
    assert late.waits == 2
