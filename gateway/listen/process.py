"""A receiver in a process of its own, so that it neither slows the sender under test nor is slowed by it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

from gateway.listen.receiver import GATHER_S, Capture, Receiver

_START_TIMEOUT_S = 30.0
_CAPTURE_TIMEOUT_S = 120.0
_PRIORITY = 1  # the least in real time: before ordinary processes, after media workers


class ReceiverProcess:
    """`Receiver(address, ports, record)` in a spawned process, pinned to `cpu` where one is named.

    `realtime`: it goes before ordinary processes of that core, where that is permitted: neighbours who keep it
    from its socket would be counted as its own losses.
    A context manager; `stop()` ends it and brings the capture over. Raises OSError when a port is taken,
    TimeoutError or ChildProcessError when the process hangs or dies.
    """

    def __init__(
        self,
        address: str,
        ports: Sequence[int],
        record: bool = False,
        cpu: int | None = None,
        realtime: bool = False,
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_main, args=(theirs, address, tuple(ports), record, cpu, realtime), daemon=True
        )
        self._process.start()
        theirs.close()
        opened = self._answer(_START_TIMEOUT_S)
        if isinstance(opened, OSError):
            self.close()
            raise opened
        self.local_ports: tuple[int, ...] = opened

    def __enter__(self) -> ReceiverProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        """RTP packets heard so far."""
        number: int = self._ask("count")
        return number

    def drops(self) -> int:
        """Datagrams that the kernel has thrown away so far, for want of buffer."""
        number: int = self._ask("drops")
        return number

    def stop(self) -> Capture:
        """Take what is queued, end the process and return all that it heard."""
        capture: Capture = self._ask("stop", _CAPTURE_TIMEOUT_S)
        self.close()
        return capture

    def close(self) -> None:
        """End the process; safe to call again."""
        self._pipe.close()
        if self._process.is_alive():
            self._process.join(1)
        if self._process.is_alive():
            self._process.kill()
        self._process.join()

    def _ask(self, what: str, timeout: float = _START_TIMEOUT_S) -> Any:
        with contextlib.suppress(BrokenPipeError):  # it has died: how, the missing answer says
            self._pipe.send(what)
        return self._answer(timeout)

    def _answer(self, timeout: float) -> Any:
        if not self._pipe.poll(timeout):
            self.close()
            raise TimeoutError(f"the receiver process did not answer within {timeout:.0f} s")
        try:
            return self._pipe.recv()
        except (EOFError, ConnectionResetError):
            self.close()
            raise ChildProcessError(f"the receiver process ended by {self._process.exitcode}") from None


def _main(
    pipe: Connection, address: str, ports: tuple[int, ...], record: bool, cpu: int | None, realtime: bool
) -> None:
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    if realtime:
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
    try:
        receiver = Receiver(address, ports, record)
    except OSError as error:
        pipe.send(error)
        return
    with receiver, pipe:
        pipe.send(receiver.local_ports)
        try:
            _serve(pipe, receiver)
        except (EOFError, ConnectionError):  # the parent is gone, and with it whoever wanted the packets
            return


def _serve(pipe: Connection, receiver: Receiver) -> None:
    while True:
        receiver.poll(0.05)
        time.sleep(GATHER_S)
        if not pipe.poll():
            continue
        asked = pipe.recv()
        if asked != "stop":
            pipe.send(len(receiver) if asked == "count" else receiver.kernel_drops)
            continue
        receiver.drain()
        pipe.send(receiver.capture())
        return
