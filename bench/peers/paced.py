"""The limit: the gateway's schedule in C, one sendmmsg(2) a tick, and nothing else (`bench/paced.c`)."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from bench.peers.peer import Peer, Work, output, program

_SOURCE: Final = Path(__file__).parents[1] / "paced.c"
_LONG_S: Final = 3600


class Paced(Peer):
    """Streams to addresses of their own, from one socket; the same empty packet all along."""

    name = "C, sendmmsg (the limit)"
    plays = False
    command = f"gcc -O2 paced.c && ./paced 127.1.0.1 PORT LEGS {_LONG_S}"

    def version(self) -> str:
        return output(program("gcc", "gcc libc6-dev"), "--version").splitlines()[0]

    def start(self, work: Work) -> None:
        built = work.folder / "paced"
        subprocess.run([program("gcc", "gcc libc6-dev"), "-O2", "-o", str(built), str(_SOURCE)], check=True)
        self.launch([str(built), "127.1.0.1", str(work.port), str(work.legs), str(_LONG_S)], work.folder)
