"""SIPp 3.6: calls by scenario, many at once, and what became of them."""

from __future__ import annotations

import csv
import re
import signal
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .process import Peer, Process, binds, free_port

_HERE: Final = Path(__file__).parents[1]
_FOLDERS: Final = (_HERE / "sipp", _HERE.parent / "sip_glue" / "sipp", _HERE.parents[1] / "bench")
_MESSAGE: Final = re.compile(
    r"^UDP message (sent|received) [^\n]*\n\n(.*?)(?=^-{20,} |\Z)", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Calls:
    """What became of a run's calls."""

    successful: int
    failed: int
    retransmissions: int


def reinvite(
    port: int,
    *,
    address: str = "127.0.0.1",
    payload_type: int = 0,
    direction: str = "sendrecv",
    version: int = 2,
    back_version: int = 3,
) -> tuple[str, ...]:
    """What ``uac_reinvite`` asks for with its first re-INVITE; the second goes back to the beginning.

    Hold: ``direction`` sendonly or inactive, or ``address`` 0.0.0.0. Another codec: ``payload_type`` 8. A
    session refresh (RFC 4028): both versions 1, as the session stays what it was.
    """
    keys = {
        "next_version": version, "next_ip": address, "next_port": port, "next_payload_type": payload_type,
        "next_direction": direction, "back_version": back_version,
    }  # fmt: skip
    return tuple(word for name, value in keys.items() for word in ("-key", name, str(value)))


class Sipp(Peer):
    """SIPp with a scenario from ``sipp/`` here or in tests/sip_glue, or from bench/; a context manager.

    Calls ``user`` at ``remote`` ``host:port`` (through the proxy ``via``, if given), or is called at ``port``
    where the scenario is a UAS's. ``rtp_port`` is where it says it listens (keyword ``[rtp_port]``): it opens
    nothing there, so that one receiver may hear all calls; without, a socket that nobody reads is opened.
    ``pause_ms`` is the scenario's pause. ``traced`` keeps the messages. ``arguments`` are more of SIPp's own.
    """

    def __init__(
        self,
        folder: Path,
        scenario: str,
        *arguments: object,
        remote: str | None = None,
        user: str = "service",
        via: str | None = None,
        calls: int = 1,
        rtp_port: int | None = None,
        pause_ms: int = 0,
        host: str = "127.0.0.1",
        traced: bool = False,
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._deaf = socket.socket(family, socket.SOCK_DGRAM)
        self._deaf.bind((host, 0))
        self.port = free_port()
        self.address = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self.uri = f"sip:sipp@{self.address}"
        self._folder = folder / f"sipp-{scenario}-{self.port}"
        self._folder.mkdir()
        path = next(found / f"{scenario}.xml" for found in _FOLDERS if (found / f"{scenario}.xml").exists())
        heard_at = self._deaf.getsockname()[1] if rtp_port is None else rtp_port
        self._command = [
            "sipp", *([] if remote is None else [remote]), *([] if via is None else ["-rsa", via]),
            "-sf", str(path), "-i", host, "-p", str(self.port), "-s", user, "-m", str(calls),
            "-d", str(pause_ms), "-nostdin",
            # scenarios of tests/sip_glue say [media_port], for which SIPp binds -mp itself: 6000 unless told
            "-mi", host, "-mp", str(free_port()), "-key", "rtp_port", str(heard_at),
            "-trace_err", "-error_file", str(self._folder / "errors"),
            "-trace_stat", "-stf", str(self._folder / "statistics"),
            *(["-trace_msg", "-message_file", str(self._folder / "messages")] if traced else []),
            *(str(argument) for argument in arguments),
        ]  # fmt: skip

    def _begin(self, ends: ExitStack) -> None:
        ends.enter_context(self._deaf)
        self._process = Process(self._command, self._folder / "log")
        ends.callback(self._process.stop)
        self._process.until(lambda: binds(self.port) or not self._process.running, "it has begun")

    def finish(self) -> None:
        """Begins no more calls; those that there are go on to their ends."""
        self._process.signal(signal.SIGUSR1)

    def well(self, seconds: float = 40.0) -> Calls:
        """Waits for its end; all its calls went as the scenario says, or AssertionError."""
        status = self._process.wait(seconds)
        errors = self._folder / "errors"
        if status:
            raise self._process.blame(errors.read_text()[-3000:] if errors.exists() else "calls failed")
        return self.calls()

    def calls(self) -> Calls:
        """How the calls of a run that has ended went."""
        with (self._folder / "statistics").open() as file:
            last = list(csv.DictReader(file, delimiter=";"))[-1]
        return Calls(
            int(last["SuccessfulCall(C)"]), int(last["FailedCall(C)"]), int(last["Retransmissions(C)"])
        )

    def messages(self, direction: str, start: str = "") -> list[str]:
        """Of a ``traced`` run: the messages ``sent`` or ``received`` so far that begin with ``start``."""
        trace = self._folder / "messages"
        found = _MESSAGE.findall(trace.read_text()) if trace.exists() else []
        return [message for way, message in found if way == direction and message.startswith(start)]

    def until(self, direction: str, start: str, count: int = 1, seconds: float = 15.0) -> str:
        """Waits for the ``count``-th message of that kind of a ``traced`` run; returns it."""
        what = f"{count} x {start} {direction}"
        self._process.until(lambda: len(self.messages(direction, start)) >= count, what, seconds)
        return self.messages(direction, start)[count - 1]
