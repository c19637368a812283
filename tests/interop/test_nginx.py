"""deploy/nginx in front of a gateway: TLS, events at once, a WebSocket, and what is not for everybody."""

import json
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from websockets.sync.client import connect

from gateway.running import RunningGateway
from telephony_codecs import write_wav

CONFIG = Path(__file__).parents[2] / "deploy/nginx/voxtrunk.conf"
KEY = "a-key-of-the-tests-0123456789"

pytestmark = pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed (scripts/test)")


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def listens(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def write(folder, gateway_port, port):
    """A whole configuration with the file in it, moved to loopback, and a certificate."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "1", "-subj", "/CN=voxtrunk.example", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    ours = CONFIG.read_text()
    for old, new in (
        ("server 127.0.0.1:8080", f"server 127.0.0.1:{gateway_port}"),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("listen [::]:443 ssl", f"listen [::1]:{port} ssl"),
        ("/etc/nginx/voxtrunk.pem", str(folder / "cert.pem")),
        ("/etc/nginx/voxtrunk.key", str(folder / "key.pem")),
    ):
        assert old in ours
        ours = ours.replace(old, new)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off; {temporary}\n{ours}\n}}\n"
    )
    return file


def test_nginx_takes_the_file(tmp_path):
    file = write(tmp_path, 8080, free_port())
    told = subprocess.run(["nginx", "-t", "-c", file], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert "warn" not in told.stderr


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    """A client's base URL, and the certificate that it trusts."""
    folder = tmp_path_factory.mktemp("nginx")
    with RunningGateway(
        api_keys=KEY, rtp_ports="17000-17099", warm_voices="", proxy_headers="127.0.0.0/8",
        speakers_folder=folder / "speakers",
    ) as gateway:  # fmt: skip
        port = free_port()
        file = write(folder, httpx.URL(gateway.url).port, port)
        nginx = subprocess.Popen(["nginx", "-c", file], stderr=subprocess.DEVNULL)
        try:
            trust = ssl.create_default_context(cafile=str(folder / "cert.pem"))
            deadline = time.monotonic() + 10
            while not listens(port):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield f"https://127.0.0.1:{port}", trust
        finally:
            nginx.terminate()
            nginx.wait(10)


@pytest.fixture
def client(front):
    url, trust = front
    with httpx.Client(base_url=url, verify=trust, headers={"X-API-Key": KEY}, timeout=10) as made:
        yield made


def opened(client):
    target = {"address": "127.0.0.1", "port": 9}
    answer = client.post("/v1/calls", json={"rtp": target, "silence": "suppress"})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_calls_and_their_events_pass_at_once(client):
    with client.stream("GET", "/v1/events") as events:
        assert events.status_code == 200
        lines = events.iter_lines()
        began = time.monotonic()
        call = opened(client)
        told = next(json.loads(line[5:]) for line in lines if line.startswith("data:"))
    assert (told["type"], told["call_id"]) == ("call.opened", call["id"])
    assert time.monotonic() - began < 2
    assert client.delete(f"/v1/calls/{call['id']}").status_code == 200


def test_text_is_streamed_through_a_websocket(client, front):
    url, trust = front
    call = opened(client)
    where = f"{url.replace('https', 'wss')}/v1/calls/{call['id']}/speech"
    with connect(where, ssl=trust, additional_headers={"X-API-Key": KEY}) as line:
        line.send(json.dumps({"type": "nonsense"}))
        assert json.loads(line.recv(timeout=5))
    client.delete(f"/v1/calls/{call['id']}")


def test_without_a_key_there_is_nothing_and_what_is_too_long_ends_at_the_door(client, front):
    url, trust = front
    assert httpx.get(f"{url}/v1/calls", verify=trust).status_code == 401
    assert client.get("/health/live").headers.get_list("strict-transport-security") == ["max-age=31536000"]
    assert client.post("/v1/calls", content=b"x" * 2_000_000).status_code == 413
    # proxied requests are nobody's loopback: metrics need a key here too
    assert httpx.get(f"{url}/metrics", verify=trust).status_code == 401


def test_a_speakers_audio_may_be_as_large_as_the_gateway_takes(client, tmp_path):
    write_wav(tmp_path / "a.wav", np.arange(1_000_000).astype(np.int16), 24000)
    audio = (tmp_path / "a.wav").read_bytes()
    kept = client.post("/v1/speakers", data={"name": "Ann"}, files={"audio": audio})
    assert kept.status_code == 201, kept.text
    refused = client.post("/v1/speakers", data={"name": "Ann"}, files={"audio": bytes(10_400_000)})
    assert (refused.status_code, refused.json()["code"]) == (422, "bad_audio"), "it came to the gateway"
    # what would be larger, nginx ends at the door
    refused = client.post("/v1/speakers", data={"name": "Ann"}, files={"audio": bytes(10_600_000)})
    assert refused.status_code == 413
