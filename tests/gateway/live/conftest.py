"""A real gateway with all its processes, and ears at real sockets: nothing here stands in for anything."""

import threading
import time
import wave
from contextlib import ExitStack
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import numpy as np
import pytest

from gateway.listen.receiver import Receiver
from gateway.listen.recording import recordings
from gateway.media.packet import RtpPacket, build_rtp
from gateway.running import RunningGateway

PLS = """<lexicon version="1.0" xmlns="http://www.w3.org/2005/01/pronunciation-lexicon" alphabet="ipa"
 xml:lang="en">
<lexeme><grapheme>Voxtrunk</grapheme><alias>the gateway</alias></lexeme></lexicon>"""
GRPC_PORT = 20998
ENDED = ("finished", "stopped", "failed")


class Ear:
    """RTP sockets with a thread that listens; keeps payloads."""

    def __init__(self, ports=1):
        self.receiver = Receiver("127.0.0.1", [0] * ports, record=True)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.receiver.run, args=(self._stop,))
        self._thread.start()

    @property
    def port(self):
        return self.receiver.local_ports[0]

    def hear(self):
        """Everything so far: (packets, payloads)."""
        capture = self.receiver.capture()
        return capture.packets, capture.payloads

    def recording(self, ssrc):
        return next(r for r in recordings(*self.hear()) if r.ssrc == ssrc)

    def octets(self, ssrc):
        """The payload octets of a stream in the order of sequence, audio only."""
        packets, payloads = self.hear()
        mine = packets[(packets["ssrc"] == ssrc) & (packets["payload_type"] < 96)]
        if not len(mine):
            return b""
        order = np.argsort(
            (mine["seq"].astype(np.int64) - int(mine["seq"][0]) + 32768) % 65536, kind="stable"
        )
        parts = [payloads[p["payload_start"] : p["payload_start"] + p["payload_length"]] for p in mine[order]]
        return b"".join(bytes(part) for part in parts)

    def wait(self, ssrc, octets, seconds=20):
        """Listen until so many octets of a stream were heard."""
        deadline = time.monotonic() + seconds
        while len(self.octets(ssrc)) < octets:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def until(self, ssrc, octets, seconds=2):
        """All that was heard of a stream, once ``octets`` are in it; we may be behind with many streams."""
        deadline = time.monotonic() + seconds
        while octets not in (heard := self.octets(ssrc)):
            assert time.monotonic() < deadline, f"{len(heard)} octets heard, without these {len(octets)}"
            time.sleep(0.05)
        return heard

    def speak(self, call, octets, payload_type=0, sequence=0, timestamp=0):
        """Send ``octets`` of G.711 to the call's leg from this ear's port, 20 ms at a time, in time.

        Returns when the first packet left, on CLOCK_MONOTONIC in ns.
        """
        local = call["rtp"]["local"]
        begin = time.monotonic()
        for n in range(len(octets) // 160):
            time.sleep(max(0.0, begin + 0.02 * n - time.monotonic()))
            payload = octets[160 * n : 160 * n + 160]
            packet = RtpPacket(payload_type, n == 0, sequence + n & 0xFFFF, timestamp + 160 * n, 77, payload)
            self.receiver._sockets[0].sendto(build_rtp(packet), (local["address"], local["port"]))
        return int(begin * 1e9)

    def close(self):
        self._stop.set()
        self._thread.join()
        self.receiver.close()


class Api:
    """The control API of a gateway, as a client sees it."""

    def __init__(self, url, **headers):
        self.http = httpx.Client(base_url=url, timeout=20, headers=headers)

    def ask(self, method, path, body=None, expect=None, **more):
        answer = self.http.request(method, path, json=body, **more)
        if expect is not None:
            assert answer.status_code == expect, answer.text
        else:
            assert answer.is_success, answer.text
        return answer.json()

    def open(self, ear_port, **more):
        target = {"address": "127.0.0.1", "port": ear_port}
        return self.ask("POST", "/v1/calls", {"rtp": target, "silence": "suppress"} | more, expect=201)

    def say(self, call, text=None, **more):
        body = ({"text": text} if text is not None else {}) | more
        return self.ask("POST", f"/v1/calls/{call['id']}/utterances", body, expect=202)

    def say_patiently(self, call, text):
        """As ``say``, again and again where a slow machine refuses more speech at once."""
        path, deadline = f"/v1/calls/{call['id']}/utterances", time.monotonic() + 40
        while (answer := self.http.post(path, json={"text": text})).status_code == 503:
            assert answer.json()["code"] == "at_capacity"
            assert time.monotonic() < deadline
            time.sleep(int(answer.headers["retry-after"]))
        assert answer.status_code == 202
        return answer.json()

    def utterance(self, call, said):
        return self.ask("GET", f"/v1/calls/{call['id']}/utterances/{said['id']}")

    def wait(self, call, said, states=ENDED, seconds=30):
        deadline = time.monotonic() + seconds
        while (now := self.utterance(call, said))["state"] not in states:
            assert time.monotonic() < deadline, now
            time.sleep(0.02)
        return now

    def events(self, call):
        return self.ask("GET", f"/v1/calls/{call['id']}/events?after=0")["events"]

    def wait_event(self, call, kind, seconds=20):
        deadline = time.monotonic() + seconds
        while True:
            found = [e for e in self.events(call) if e["type"] == kind]
            if found:
                return found[0]
            assert time.monotonic() < deadline, [e["type"] for e in self.events(call)]
            time.sleep(0.02)

    def end(self, call):
        return self.ask("DELETE", f"/v1/calls/{call['id']}", expect=200)

    def close(self):
        self.http.close()


def write_tone(path: Path, hz: float, seconds: float, rate: int = 8000, level: float = 0.2) -> None:
    t = np.arange(int(seconds * rate)) / rate
    pcm = (level * 32767 * np.sin(2 * np.pi * hz * t)).astype("<i2")
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(pcm.tobytes())


@pytest.fixture(scope="session")
def prompts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prompts")
    write_tone(folder / "tone-1000.wav", 1000, 2.0)
    write_tone(folder / "tone-230.wav", 230, 2.0)
    write_tone(folder / "bell.wav", 1000, 0.7)
    write_tone(folder / "tone-24k-5000.wav", 5000, 2.0, rate=24000)
    return folder


@pytest.fixture(scope="session")
def lexicons(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lexicons")
    (folder / "names.pls").write_text(PLS)
    (folder / "bad.pls").write_text("<lexicon><lexeme/></lexicon>")
    return folder


@pytest.fixture(scope="session")
def files(prompts):
    """The URL of a web server that has the prompts."""

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(prompts))

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def gateway(prompts, lexicons, files, tmp_path_factory):
    speakers = tmp_path_factory.mktemp("speakers")
    settings = {
        "prompts_folder": prompts,
        "lexicons_folder": lexicons,
        "audio_urls": files,
        "speakers_folder": speakers,
        "grpc_port": GRPC_PORT,
    }
    with RunningGateway(rtp_ports="21000-21999", **settings) as running:
        yield running


@pytest.fixture
def api(gateway):
    client = Api(gateway.url)
    yield client
    client.close()


@pytest.fixture
def ear():
    with ExitStack() as stack:

        def make(ports=1):
            made = Ear(ports)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def own_gateway():
    """A gateway of the test's own, to be broken: ``own_gateway(**settings) -> (RunningGateway, Api)``."""
    with ExitStack() as stack:

        def make(**settings):
            running = stack.enter_context(RunningGateway(**({"rtp_ports": "22000-22999"} | settings)))
            client = Api(running.url)
            stack.callback(client.close)
            return running, client

        yield make
