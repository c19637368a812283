"""The Kamailio of deploy/kamailio: its files as they are there, moved to loopback, in front of some gateways."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from .process import Peer, Process, free_port

_FILES: Final = Path(__file__).parents[3] / "deploy" / "kamailio"
_GATEWAYS: Final = ("10.0.0.21:5060", "10.0.0.22:5060")
_DESTINATION: Final = re.compile(r"URI: sip:(\S+)\s+FLAGS: (\w+)")


class Front(Peer):
    """That Kamailio towards ``gateways``, ``host:port`` each, as many as its list has; a context manager.

    ``udp``, ``tcp`` and ``tls`` are what the world calls, ``host:port``; ``inside`` is where gateways find it.
    ``certificate`` is its own, signed by itself, for 127.0.0.1. Only the interval of its probes is another than
    there: a second.
    """

    def __init__(self, folder: Path, gateways: Sequence[str], inside: str) -> None:
        world, secure = free_port(), free_port()
        self.udp = self.tcp = f"127.0.0.1:{world}"
        self.tls = f"127.0.0.1:{secure}"
        self.inside = inside
        self.certificate = folder / "cert.pem"
        self._folder = folder
        self._control = f"unix:{folder / 'kamailio_ctl'}"
        moved = {
            "203.0.113.10:5060": self.tcp,
            "203.0.113.10:5061": self.tls,
            "10.0.0.10:5060": inside,
            "ping@10.0.0.10": "ping@127.0.0.1",
            "/etc/kamailio/": f"{folder}/",
            "/run/kamailio/": f"{folder}/",
            '"ds_ping_interval", 5': '"ds_ping_interval", 1',
        } | dict(zip(_GATEWAYS, gateways, strict=True))
        files = {path.name: path.read_text() for path in _FILES.iterdir()}
        for old, new in moved.items():
            assert any(old in text for text in files.values()), f"{_FILES} has no {old} (any more)"
            files = {name: text.replace(old, new) for name, text in files.items()}
        for name, text in files.items():
            (folder / name).write_text(text)

    def _begin(self, ends: ExitStack) -> None:
        subprocess.run(
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-keyout", str(self._folder / "key.pem"), "-out", str(self.certificate), "-days", "2",
                "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
            ],
            check=True,
            capture_output=True,
        )  # fmt: skip
        config = str(self._folder / "kamailio.cfg")
        # the log goes to standard error, and memory for a test's worth of calls
        command = ["kamailio", "-f", config, "-DD", "-E", "-m", "32", "-M", "4", "-Y", str(self._folder)]
        self._process = Process(command, self._folder / "log")
        ends.callback(self._process.stop)
        self._process.until(lambda: all(self.active().values()), "all gateways are in")

    def active(self) -> dict[str, bool]:
        """Whether each gateway, by its ``host:port``, has answered its last probe well."""
        command = ["kamcmd", "-s", self._control, "dispatcher.list"]
        told = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout
        # A: active, I: inactive, T: trying; P: with probes, once the first of them was answered or not
        return {address: flags == "AP" for address, flags in _DESTINATION.findall(told)} or {"all": False}

    def until(self, gateway: str, *, active: bool) -> None:
        """Waits until a gateway is in, or out."""
        what = f"{gateway} is {'in' if active else 'out'}"
        self._process.until(lambda: self.active()[gateway] is active, what)
