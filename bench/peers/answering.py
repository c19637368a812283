"""A SIPp that answers calls and names the receiver's port as its own, for peers that must be asked by SIP."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

from bench.peers.peer import OTHER_CPU, die_with_parent, end, free_port, program

_SCENARIO: Final = Path(__file__).parents[1] / "uas_answers.xml"


class Answering:
    """Takes any number of calls at `place`, off the sender's core, until `stop`."""

    def __init__(self, rtp_port: int, folder: Path, cpu: int = OTHER_CPU) -> None:
        self.port = free_port()
        self.place = f"127.0.0.1:{self.port}"
        self._process = subprocess.Popen(
            [
                program("sipp", "sip-tester"), "-sf", str(_SCENARIO), "-i", "127.0.0.1", "-p", str(self.port),
                "-mi", "127.0.0.1", "-mp", str(free_port()), "-key", "rtp_port", str(rtp_port), "-d", "0",
                "-nostdin",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder,
            preexec_fn=die_with_parent,
        )  # fmt: skip
        os.sched_setaffinity(self._process.pid, {cpu})

    def stop(self) -> None:
        """End it and its calls."""
        end(self._process)
