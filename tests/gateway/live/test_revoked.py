"""A key that is revoked while it is spoken to, by every door: its streams end, those of another go on."""

import json
import signal
import time
from contextlib import ExitStack

import grpc
import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from gateway.rpc import speech_pb2 as pb
from gateway.rpc.speech_pb2_grpc import SpeechStub
from gateway.running import RunningGateway
from tests.gateway.live.conftest import Api

GRPC_PORT = 20997
LONG = " ".join(f"This is sentence number {n} of a long text." for n in range(400))


def entry(name):
    return f'[[keys]]\nname = "{name}"\nkey = "{name}-key"\n'


class Listener:
    """What one key listens to; nobody reads most of it, so that none of it ends by itself."""

    def __init__(self, stack, gateway, name, call):
        shown = {"x-api-key": f"{name}-key"}
        http = stack.enter_context(httpx.Client(base_url=gateway.url, headers=shown, timeout=20))
        self.stream = stack.enter_context(http.stream("POST", "/v1/synthesize/stream", json={"text": LONG}))
        self.lines = self.stream.iter_lines()
        assert next(self.lines) == "event: audio"
        url = gateway.url.replace("http", "ws", 1)

        def socket(path):
            return stack.enter_context(connect(url + path, additional_headers=shown))

        self.synthesis = socket("/v1/synthesize/ws?format=wav")
        self.synthesis.send(json.dumps({"type": "say", "id": "a", "text": LONG}))
        self.door = socket("/v1/text-to-speech/espeak:en-us/stream-input?model_id=m")
        self.door.send(json.dumps({"text": LONG + " ", "flush": True}))
        self.writer = socket(f"/v1/calls/{call['id']}/speech")
        self.writer.send(json.dumps({"type": "open", "id": name}))
        self.writer.send(json.dumps({"type": "text", "id": name, "text": "Hello there, my friend. How "}))
        channel = stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{GRPC_PORT}"))
        self.rpc = SpeechStub(channel).SynthesizeStream(
            pb.SynthesizeRequest(text=LONG), metadata=tuple(shown.items())
        )
        assert next(self.rpc).audio
        assert any(self.receive(self.door).get("audio") for _ in range(3))
        while not isinstance(self.synthesis.recv(10), bytes):
            pass
        while self.receive(self.writer)["type"] != "started":
            pass

    @staticmethod
    def receive(socket):
        return json.loads(socket.recv(10))


def drained(receive, seconds=20):
    """Receive until it raises; what it raised."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            receive()
        except Exception as error:
            return error
    return None


def test_what_a_revoked_key_listens_to_ends(ear, tmp_path):
    keys, log = tmp_path / "keys.toml", tmp_path / "log"
    keys.write_text(entry("gone") + entry("kept"))
    running = RunningGateway(rtp_ports="22000-22099", api_keys_file=keys, grpc_port=GRPC_PORT)
    with ExitStack() as stack:
        running.log = stack.enter_context(log.open("wb"))
        stack.enter_context(running)
        api = Api(running.url, **{"x-api-key": "kept-key"})
        stack.callback(api.close)
        calls = [api.open(ear().port) for _ in range(2)]
        gone, kept = (Listener(stack, running, *each) for each in zip(("gone", "kept"), calls, strict=True))
        keys.write_text(entry("kept"))
        running.process.send_signal(signal.SIGHUP)
        for socket in (gone.synthesis, gone.door, gone.writer):
            ended = drained(lambda socket=socket: socket.recv(10))
            assert isinstance(ended, ConnectionClosed), ended
            assert ended.rcvd.code == 1008
            assert "revoked" in ended.rcvd.reason
        assert isinstance(drained(lambda: next(gone.lines)), httpx.RemoteProtocolError)
        ended = drained(lambda: next(gone.rpc))
        assert ended.code() is grpc.StatusCode.UNAUTHENTICATED
        assert api.http.get("/v1/calls", headers={"x-api-key": "gone-key"}).status_code == 401

        # what it had written is said, and those of the other key have noticed nothing
        said = api.wait(calls[0], {"id": "gone"})
        assert (said["state"], said["cause"]) == ("finished", "writer_gone")
        assert said["spoken_text"].startswith("Hello there, my friend. How")
        kept.writer.send(json.dumps({"type": "end", "id": "kept"}))
        while kept.receive(kept.writer)["type"] != "finished":
            pass
        assert kept.synthesis.recv(10)
        assert kept.receive(kept.door)
        assert next(kept.rpc)
        assert next(kept.lines)
        told = log.read_text()  # before the other clients leave, which gRPC complains of
        assert not told, f"nothing was a failure of ours, and yet: {told}"
