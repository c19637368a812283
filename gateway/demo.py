"""The demo: a sentence over real RTP to our own listener, and what was heard, as sound, picture and figures."""

from __future__ import annotations

import textwrap
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.listen.analysis import CLOCK_RATE, gap_errors_ms
from gateway.listen.listener import EndedBy, Listener
from gateway.listen.picture import draw_demo
from gateway.listen.session_report import SessionReport, report_session
from gateway.running import RunningGateway
from telephony_codecs import write_wav
from voxtrunk.client import Call, Client, Utterance
from voxtrunk.client.orders import Codec, OpenCall

_IDLE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo found."""

    utterance: Utterance
    call: Call
    heard: SessionReport


def demonstrate(text: str, codec: Codec, voice: str | None, wav: Path, picture: Path) -> Demo:
    """Start a gateway, have it speak ``text`` to a listener, and write what arrived.

    Raises voxtrunk.client.Problem for what the gateway refuses, and OSError when a file cannot be written.
    """
    with Listener("127.0.0.1", 0) as listener, RunningGateway() as gateway, Client(gateway.url) as client:
        stop = threading.Event()
        ended: list[EndedBy] = []
        ear = threading.Thread(target=lambda: ended.append(listener.run(stop, idle_seconds=_IDLE_SECONDS)))
        ear.start()
        try:
            order: OpenCall = {
                "rtp": {"address": "127.0.0.1", "port": listener.port, "rtcp_mux": True},
                "codec": codec,
                "silence": "suppress",
            }
            if voice:
                order["voice"] = voice
            with client.call(**order) as line:
                utterance = line.wait(line.say(text), 600)
            final = line.closed
            assert final is not None
            ear.join(5)  # ends with the call's RTCP BYE
        finally:
            stop.set()
            ear.join()
        capture = listener.capture()
        report = report_session(capture, listener.control, ended[0])
    recording = report.streams[0].recording
    assert recording is not None
    write_wav(wav, recording.pcm, CLOCK_RATE)
    title = f"{codec}, {final.voice}: “{textwrap.shorten(text, 60, placeholder=' …')}”"
    draw_demo(picture, recording.pcm, gap_errors_ms(capture.packets), title)
    return Demo(utterance, final, report)
