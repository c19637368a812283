"""SIPp's ``rtp_stream``: calls a SIPp that answers, and plays the file to where that says it listens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from bench.peers.answering import Answering
from bench.peers.peer import Missing, Peer, Work, free_port, output, program

_SCENARIO: Final = Path(__file__).parent / "uac_rtp_stream.xml"
_CALLS_A_SECOND: Final = 100


class Sipp(Peer):
    """All calls in one process, SIPp's own threads for the media."""

    name = "SIPp rtp_stream"
    command = f"sipp 127.0.0.1:PORT -sf uac_rtp_stream.xml -r {_CALLS_A_SECOND} -m LEGS -l LEGS"

    def version(self) -> str:
        said = output(program("sipp", "sip-tester"), "-v")
        found = re.search(r"SIPp (v\S+)", said)
        if found is None or "RTPSTREAM" not in said:
            raise Missing(f"this SIPp was built without rtp_stream: {said.strip()[:80]}")
        return found[0].rstrip(".")

    def start(self, work: Work) -> None:
        answering = Answering(work.port, work.folder)
        self._beside.callback(answering.stop)
        scenario = work.folder / "call.xml"
        scenario.write_text(_SCENARIO.read_text().replace("SPEECH", str(work.recording.ulaw)))
        self.launch(
            [
                program("sipp", "sip-tester"), answering.place, "-sf", str(scenario), "-i", "127.0.0.1",
                "-p", str(free_port()), "-mi", "127.0.0.1", "-mp", str(free_port()),
                "-r", str(_CALLS_A_SECOND), "-m", str(work.legs), "-l", str(work.legs), "-nostdin",
                "-trace_err", "-error_file", str(work.folder / "errors"),
            ],
            work.folder,
        )  # fmt: skip
