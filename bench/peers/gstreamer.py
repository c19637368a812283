"""GStreamer: ``rtppcmupay ! udpsink``, a pipeline a leg, all in one process."""

from __future__ import annotations

from bench.peers.peer import Missing, Peer, Work, output, program

_PACKAGES = "gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good"


class Gstreamer(Peer):
    """Packets of 20 ms on the pipeline's clock; one gst-launch holds every leg, with a thread for each."""

    name = "GStreamer rtppcmupay ! udpsink"
    command = (
        "gst-launch-1.0 filesrc location=speech.wav blocksize=3200 ! wavparse ! mulawenc "
        "! rtppcmupay min-ptime=20000000 max-ptime=20000000 "
        "! udpsink host=127.0.0.1 port=PORT (LEGS times)"
    )

    def version(self) -> str:
        said = output(program("gst-launch-1.0", _PACKAGES), "--version").splitlines()
        for element in ("wavparse", "mulawenc", "rtppcmupay", "udpsink"):
            if "No such element" in output(program("gst-inspect-1.0", _PACKAGES), element):
                raise Missing(f"no element {element}: apt-get install {_PACKAGES} (scripts/peers does it)")
        return said[-2] if said[-1].startswith("http") else said[-1]

    def start(self, work: Work) -> None:
        argv = [program("gst-launch-1.0", _PACKAGES), "-q"]
        for number in range(work.legs):
            argv += (
                f"filesrc location={work.recording.wav} blocksize=3200 ! wavparse ! mulawenc "
                f"! rtppcmupay ssrc={number + 1} min-ptime=20000000 max-ptime=20000000 "
                f"! udpsink host={work.address} port={work.port}"
            ).split()
        self.launch(argv, work.folder)
