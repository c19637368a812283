"""ffmpeg: ``-re``, the RTP muxer, a process a leg, as a call that begins when it likes needs."""

from __future__ import annotations

from bench.peers.peer import Peer, Work, output, program


class Ffmpeg(Peer):
    """-re waits for each block read; its WAV reader's are of 64 ms at least, so a filter cuts them to 20."""

    name = "ffmpeg -re -f rtp"
    command = (
        "ffmpeg -re -f lavfi -i amovie=speech.wav,asetnsamples=160 -c:a pcm_mulaw -f rtp -ssrc N "
        "'rtp://127.0.0.1:PORT?pkt_size=172', a process a leg"
    )

    def version(self) -> str:
        return output(program("ffmpeg", "ffmpeg"), "-version").split(" Copyright")[0]

    def start(self, work: Work) -> None:
        ffmpeg = program("ffmpeg", "ffmpeg")
        for number in range(work.legs):
            work.in_time(number)
            self.launch(
                [
                    ffmpeg, "-nostdin", "-hide_banner", "-loglevel", "error", "-threads", "1", "-re",
                    "-f", "lavfi", "-i", f"amovie={work.recording.wav},asetnsamples=160", "-c:a", "pcm_mulaw",
                    "-f", "rtp", "-ssrc", str(number + 1), f"rtp://{work.address}:{work.port}?pkt_size=172",
                ],
                work.folder,
            )  # fmt: skip
