"""A gateway under load, a real Prometheus beside it: what is documented is there, and every query finds data.

Alerts' thresholds are tried on invented series by promtool, see deploy/prometheus/rules.test.yml.
"""

import json
import re
import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
PAGE = (ROOT / "docs" / "metrics.md").read_text()
_ROW = re.compile(r"^\| `(voxtrunk_\w+)` \| (\w+) \|([\w, ]*)\|", re.MULTILINE)
DOCUMENTED = {
    name: (kind, frozenset(filter(None, labels.replace(" ", "").split(","))))
    for name, kind, labels in _ROW.findall(PAGE)
}
WITH_REDIS = {name for name in DOCUMENTED if name.startswith(("voxtrunk_redis_", "voxtrunk_shared_cache_"))}
"""Compared in tests/gateway/nodes."""
QUERIES = re.findall(r"^\| [^|`]+ \| `(.+)` \|$", PAGE, re.MULTILINE)
needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="Debian's prometheus, installed by scripts/test"
)


class _Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def receiver():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def scraped(url):
    """Every family of a scrape that is ours: name as documented -> (kind, labels)."""
    found = {}
    for family in text_string_to_metric_families(httpx.get(f"{url}/metrics").text):
        if not family.name.startswith("voxtrunk_"):
            continue
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = frozenset(label for sample in family.samples for label in sample.labels) - {"le"}
        found[name] = (family.type, labels if family.samples else None)
    return found


def queries_of_dashboard():
    panels = json.loads((DEPLOY / "grafana" / "voxtrunk.json").read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def queries_of_rules():
    """What is recorded, and what alerts watch: the left of their comparison, which is true only in trouble."""
    text = (DEPLOY / "prometheus" / "rules.yml").read_text()
    lines = re.sub(r">-\n\s+(.*)\n\s+(.*)\n", r"\1 \2\n", text).splitlines()
    expressions = [line.split("expr: ")[1] for line in lines if "expr: " in line]
    watched = [re.fullmatch(r"(.*) [<>] [\d.]+", each) for each in expressions]
    return [found[1] if found else each for each, found in zip(expressions, watched, strict=True)]


def ended(process):
    process.terminate()
    process.wait(10)


@contextmanager
def prometheus(tmp_path, target):
    """A Prometheus with the shipped configuration, but for its pace and its target."""
    shutil.copy(DEPLOY / "prometheus" / "rules.yml", tmp_path)
    shipped = (DEPLOY / "prometheus" / "prometheus.yml").read_text()
    quick = shipped.replace("15s", "1s").replace("127.0.0.1:8080", target)
    (tmp_path / "prometheus.yml").write_text(quick)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with (tmp_path / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--web.listen-address={address}",
                f"--storage.tsdb.path={tmp_path}/data",
            ],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        with httpx.Client(base_url=f"http://{address}/api/v1", timeout=5) as client:
            yield client
    finally:
        ended(process)


def say(api, call, text):
    """A full gateway may say so: a busy machine makes one of any."""
    body = {"text": text, "mode": "replace"}
    answer = api.http.post(f"/v1/calls/{call['id']}/utterances", json=body)
    assert answer.status_code in (202, 503), answer.text


def found(client, query):
    """What an instant query finds."""
    answer = client.get("/query", params={"query": query}).json()
    assert answer["status"] == "success", (query, answer)
    return answer["data"]["result"]


@needs_prometheus
def test_every_query_finds_data_under_load(own_gateway, ear, tmp_path):
    listening = ear()
    with receiver() as url:
        _, api = own_gateway(
            webhook_url=url,
            webhook_secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            rtcp_interval_seconds=0.2,
            default_voice="espeak:en-us",
            warm_voices="",
        )
        target = str(api.http.base_url).removeprefix("http://")
        with prometheus(tmp_path, target) as client:
            calls = [api.open(listening.port, codec=codec) for codec in ("PCMU", "PCMA") * 3]
            deadline, turn = time.monotonic() + 40, 0
            wanted = [*queries_of_dashboard(), *queries_of_rules(), *QUERIES]
            wanted = [each.replace("$__rate_interval", "10s").replace("$instance", ".*") for each in wanted]
            missing = wanted
            while missing and time.monotonic() < deadline:
                turn += 1
                for call in calls:
                    say(api, call, f"One more of them, number {turn}.")
                say(api, calls[0], "The same again.")
                api.end(api.open(listening.port))
                api.http.get("/v1/calls/none")
                time.sleep(0.5)
                try:
                    missing = [each for each in missing if not found(client, each)]
                except httpx.TransportError:
                    continue  # Prometheus is not up yet
            assert not missing, (tmp_path / "prometheus.log").read_text()[-2000:]
            got = scraped(api.http.base_url)
            for call in calls:
                api.end(call)
    assert len(wanted) > 60
    assert set(got) == set(DOCUMENTED) - WITH_REDIS, set(got) ^ set(DOCUMENTED)
    for name, (kind, labels) in got.items():
        assert kind == DOCUMENTED[name][0], name
        assert labels in (None, DOCUMENTED[name][1]), name
    unlabelled = {name for name, (_, labels) in got.items() if labels is None}
    abroad = {name for name in DOCUMENTED if name.startswith(("voxtrunk_provider_", "voxtrunk_route_"))}
    assert unlabelled == {"voxtrunk_gpu_memory_bytes", "voxtrunk_synthesis_refused_total"} | abroad


@needs_prometheus
def test_the_rules_are_sound_and_each_alert_fires_when_it_should():
    folder = DEPLOY / "prometheus"
    for command in (["check", "config", "prometheus.yml"], ["test", "rules", "rules.test.yml"]):
        done = subprocess.run(["promtool", *command], cwd=folder, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stdout + done.stderr
    alerts = set(re.findall(r"alert: (\w+)", (folder / "rules.yml").read_text()))
    tried = set(re.findall(r"alertname: (\w+)", (folder / "rules.test.yml").read_text()))
    assert tried == alerts, "each alert has a test"
