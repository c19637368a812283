"""Where the media worker's time goes: py-spy's stacks, native ones too, as a flame graph and as shares."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from bench.peers.ladder import SETUP_S, write_speech
from bench.peers.peer import OTHER_CPU, Missing, Work
from bench.peers.voxtrunk import Voxtrunk
from gateway.listen.process import ReceiverProcess

PICTURE: Final = Path(__file__).parent / "report" / "flame.svg"
_RATE_HZ: Final = 250
_KINDS: Final = (
    ("the sending system calls", ("sendmmsg", "send_each", "__send", "sendto")),
    ("waiting and being woken", ("epoll_wait", "epoll_pwait")),
    ("receiving", ("recv",)),
    ("numpy", ("_multiarray", "_umath", "numpy")),
)
"""A sample is of the first kind of which a name stands in the frame that ran; else it is Python's."""


def share(stacks: Iterable[tuple[str, int]]) -> dict[str, float]:
    """Of all samples, the part of each kind; ``stacks``: frames joined by ``;``, and how often they were seen."""
    counts: Counter[str] = Counter()
    for stack, seen in stacks:
        ran = stack.rsplit(";", 1)[-1]
        counts[next((kind for kind, names in _KINDS if any(n in ran for n in names)), "Python")] += seen
    total = counts.total()
    return {kind: round(seen / total, 3) for kind, seen in counts.most_common()}


def measure(legs: int, seconds: float, picture: Path = PICTURE) -> dict[str, Any]:
    """Watch the media worker of a gateway with ``legs`` legs; writes ``picture``. Raises Missing for py-spy."""
    peer = Voxtrunk()
    with (
        tempfile.TemporaryDirectory() as name,
        ReceiverProcess("0.0.0.0", [0], cpu=OTHER_CPU, realtime=True) as receiver,
    ):
        folder = Path(name)
        try:
            port, speech, until = receiver.local_ports[0], write_speech(folder), time.monotonic() + SETUP_S
            peer.start(Work(legs, "127.0.0.1", port, speech, folder, until))
            (pid,) = peer.pids()
            raw = folder / "stacks"
            _spy(pid, seconds, "raw", raw)
            picture.parent.mkdir(exist_ok=True)
            _spy(pid, seconds, "flamegraph", picture)
        finally:
            peer.stop()
        stacks = [line.rsplit(" ", 1) for line in raw.read_text().splitlines()]
    return {"legs": legs, "seconds": seconds} | {"share": share((frames, int(n)) for frames, n in stacks)}


def _spy(pid: int, seconds: float, form: str, path: Path) -> None:
    try:
        said = subprocess.run(
            [
                str(Path(sys.executable).parent / "py-spy"), "record", "--pid", str(pid), "--native",
                "--rate", str(_RATE_HZ), "--duration", str(round(seconds)), "--format", form,
                "--output", str(path),
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise Missing("not installed: pip install 'voxtrunk[peers]' brings py-spy") from error
    if said.returncode:
        raise Missing(f"py-spy: {said.stderr.strip()[-300:]}")
