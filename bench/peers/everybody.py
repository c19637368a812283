"""Everybody who is measured, ourselves among them."""

from __future__ import annotations

from typing import Final

from bench.peers.baresip import Baresip
from bench.peers.ffmpeg import Ffmpeg
from bench.peers.gstreamer import Gstreamer
from bench.peers.paced import Paced
from bench.peers.peer import Peer
from bench.peers.plain import Plain
from bench.peers.rtpengine import Rtpengine
from bench.peers.rtpsynth import Rtpsynth
from bench.peers.sipp import Sipp
from bench.peers.voxtrunk import Voxtrunk
from bench.peers.webrtc import Aiortc

PEERS: Final[dict[str, type[Peer]]] = {
    "c": Paced, "voxtrunk": Voxtrunk, "rtpengine": Rtpengine, "gstreamer": Gstreamer, "rtpsynth": Rtpsynth,
    "sipp": Sipp, "baresip": Baresip, "aiortc": Aiortc, "plain": Plain, "ffmpeg": Ffmpeg,
}  # fmt: skip
