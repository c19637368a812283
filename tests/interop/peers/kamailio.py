"""Kamailio 5.6: a registrar with digest and a record-routing proxy."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from .process import Peer, Process, free_port

_HERE: Final = Path(__file__).parents[1]
_BASE: Final = _HERE.parent / "sip_glue" / "kamailio.cfg"
_PING_S: Final = 0.1


class Kamailio(Peer):
    """A Kamailio at ``address``, UDP, a free ``port`` of 127.0.0.1; a context manager.

    Anyone may register, with password `PASSWORD`; calls from user 100 must prove themselves too. Calls to who is
    registered, or to another address, are relayed with Record-Route; with ``forward`` ``host:port`` calls to
    the proxy itself go there instead.
    """

    PASSWORD: Final = "wonder"

    def __init__(self, folder: Path, *, forward: str | None = None) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._folder = folder / f"kamailio-{self.port}"
        self._folder.mkdir()
        base = self._folder / "base.cfg"
        base.write_text(_BASE.read_text().replace("@PORT@", str(self.port)))
        config = self._folder / "kamailio.cfg"
        config.write_text((_HERE / "kamailio.cfg").read_text().replace("@BASE@", str(base)))
        self._command = [
            "kamailio", "-f", str(config), "-DD", "-E", "-m", "32", "-M", "4", "-Y", str(self._folder),
        ]  # fmt: skip
        if forward is not None:
            self._command += ["-A", f'FORWARD="{forward}"']

    def _begin(self, ends: ExitStack) -> None:
        self._process = Process(self._command, self._folder / "log")
        ends.callback(self._process.stop)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
            wire.bind(("127.0.0.1", 0))
            wire.settimeout(_PING_S)
            self._process.until(lambda: self._answers(wire), "it answers OPTIONS")

    def _answers(self, wire: socket.socket) -> bool:
        own = f"127.0.0.1:{wire.getsockname()[1]}"
        lines = [
            f"OPTIONS sip:{self.address} SIP/2.0", f"Via: SIP/2.0/UDP {own};branch=z9hG4bKping;rport",
            f"From: <sip:ping@{own}>;tag=1", f"To: <sip:{self.address}>", "Call-ID: ping", "CSeq: 1 OPTIONS",
            "Max-Forwards: 70", "Content-Length: 0",
        ]  # fmt: skip
        try:
            wire.sendto("\r\n".join([*lines, "", ""]).encode(), ("127.0.0.1", self.port))
            return wire.recv(65535).startswith(b"SIP/2.0 ")
        except (TimeoutError, ConnectionRefusedError):
            return False
