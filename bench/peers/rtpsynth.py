"""Infernos's rtpsynth (PyPI): its C packet maker, scheduler thread (RtpProc) and socket thread (RtpServer).

The sender is a process of its own: python -m bench.peers.rtpsynth ADDRESS PORT LEGS FILE
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from bench.peers.peer import Missing, Peer, Work

_PERIOD_NS: Final = 20_000_000
_TICK_HZ: Final = 1000
"""RtpServer's own default of 200 would add up to 5 ms to each packet."""


class Rtpsynth(Peer):
    """A channel a leg: RtpProc calls when 20 ms are over, RtpSynth makes the packet, RtpServer sends it."""

    name = "Infernos's rtpsynth"
    command = "python -m bench.peers.rtpsynth 127.0.0.1 PORT LEGS speech.ul"

    def version(self) -> str:
        try:
            return f"rtpsynth {version('rtpsynth')}"
        except PackageNotFoundError as error:
            raise Missing("not installed: pip install 'voxtrunk[peers]' (scripts/peers does it)") from error

    def start(self, work: Work) -> None:
        where = [work.address, str(work.port), str(work.legs), str(work.recording.ulaw)]
        root = str(Path(__file__).parents[2])
        self.launch([sys.executable, "-m", "bench.peers.rtpsynth", *where], work.folder, PYTHONPATH=root)


def _leg(channel: Any, synth: Any, audio: bytes) -> Callable[[int, int], int]:
    at = 0

    def due(now_ns: int, deadline_ns: int) -> int:
        nonlocal at
        channel.send_pkt(synth.next_pkt(160, 0, pload=audio[at : at + 160]))
        at = (at + 160) % len(audio)
        return (deadline_ns or now_ns) + _PERIOD_NS

    return due


def main() -> None:
    """All legs at once, spread over a packet's time, until SIGTERM."""
    from time import monotonic, sleep

    from rtpsynth.RtpProc import RtpProc
    from rtpsynth.RtpServer import RtpServer
    from rtpsynth.RtpSynth import RtpSynth

    host, port, legs, file = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    audio = file.read_bytes()
    server, scheduler, kept = RtpServer(tick_hz=_TICK_HZ), RtpProc(), []
    began = monotonic()
    for number in range(legs):
        channel = server.create_channel(pkt_in=lambda *_: None, bind_host="127.0.0.1")
        channel.set_target(host, port)
        sleep(max(0.0, began + 0.0211 * number / 20 - monotonic()))
        kept.append((channel, scheduler.create_channel(_leg(channel, RtpSynth(8000, 20), audio))))
    signal.pause()


if __name__ == "__main__":
    main()
