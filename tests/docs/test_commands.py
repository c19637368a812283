"""Every command of the pages: fenced ``sh`` blocks are run as they stand, page by page, against a real gateway.

A block with a title is not run, and its title says why; a command in any other kind of block is a fault. For the
reader's own machine stand a gateway that the test started, where ``voxtrunk serve`` is typed, for
``localhost:8080``, and a free port for 40000. Operations end the gateway, so that page has one of its own, and a
Redis. ``doctor`` may find that this machine is not fit, and ``size``
reckons with given figures instead of measuring for half a minute.
"""

import json
import os
import re
import socket
import subprocess
import sys
import wave
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest

from gateway.running import RunningGateway
from tests.gateway.nodes.conftest import RedisServer

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(page.name for page in DOCS.glob("*.md"))
_BLOCK = re.compile(r"^( *)```(\w*)(?: title=\"([^\"]*)\")?\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(
    r"^ *(?:\$ )?(?:[A-Z_]+=\S+ )*(?:sudo )?(?:curl|voxtrunk|\.venv/bin/\w+|scripts/\w+|apt-get|pip|python3?"
    r"|docker|helm|systemctl|kill|until|redis-cli|baresip|linphonec|sipsak|openssl|cp|mkdir) (?!=)",
    re.MULTILINE,
)
BEFORE = {
    "reading.md": "echo '<lexicon version=\"1.0\" xmlns=\"http://www.w3.org/2005/01/pronunciation-lexicon\" "
    "alphabet=\"ipa\" xml:lang=\"en\"><lexeme><grapheme>Voxtrunk</grapheme><alias>the gateway</alias></lexeme>"
    "</lexicon>' | tee names.pls > house.pls",
    "streaming.md": r"""generate() { echo 'Text while it is written.'; }
id=$(curl -s localhost:8080/v1/calls --json '{"rtp": {"address": "127.0.0.1", "port": 40000}}' |
    sed 's/.*"id":"\(c_[^"]*\)".*/\1/')""",
}  # fmt: skip
"""What the reader is told to have."""

_FUNCTIONS = """
set -euo pipefail
redis-cli() { command redis-cli -p "$REDIS_PORT" "$@"; }
curl() { command curl --fail-with-body --max-time 20 "$@"; }
voxtrunk() {
    case "$1" in
    doctor) command voxtrunk "$@" || [ $? = 1 ] ;;
    serve) [ $# = 1 ] ;;
    size) command voxtrunk "$@" --measured "$FIGURES" ;;
    *) command voxtrunk "$@" ;;
    esac
}
"""


@dataclass(frozen=True)
class Block:
    language: str
    why_not: str | None
    text: str


def blocks(page):
    return [
        Block(language, why, re.sub(rf"^{indent}", "", text, flags=re.MULTILINE))
        for indent, language, why, text in _BLOCK.findall((DOCS / page).read_text())
    ]


def run_of(page):
    return [block.text for block in blocks(page) if block.language == "sh" and not block.why_not]


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.fixture(scope="module")
def lexicons(tmp_path_factory):
    return tmp_path_factory.mktemp("lexicons")


@pytest.fixture(scope="module")
def gateway(lexicons):
    with RunningGateway(rtp_ports="18000-18099", warm_voices="", lexicons_folder=lexicons) as running:
        yield running


FIGURES = {
    "came_from": "given", "media_idle": 0.04, "media_a_leg": 0.0002, "memory_mb": 250.0, "memory_kb_a_leg": 45.0,
    "voice": "neural:en-us-slt", "rtf": 0.01, "media_limit": 0.85, "synthesis_limit": 0.85, "cache_mb": 268.0,
}  # fmt: skip


def run(page, folder, gateway, **known):
    """The page's commands in one shell, which waits for what they left in the background; what they printed.

    ``known``: variables that the reader is told to have.
    """
    (folder / "figures.json").write_text(json.dumps({"figures": FIGURES}))
    script = "\n".join([_FUNCTIONS, BEFORE.get(page, ""), *run_of(page), "wait"])
    place = gateway.url.removeprefix("http://")
    own = ("localhost:8080", "127.0.0.1:8080", "10.0.0.21:8080")
    for here, there in (*((name, place) for name in own), ("40000", str(free_port()))):
        script = script.replace(here, there)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=50, check=False,
        env=os.environ | {"PATH": path, "FIGURES": str(folder / "figures.json")} | known,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


OWN = ("quickstart.md", "operations.md")
"""Pages with a test of their own."""


@pytest.mark.parametrize("page", [page for page in PAGES if page not in OWN and run_of(page)])
def test_commands_of_a_page_are_carried_out(page, gateway, tmp_path):
    run(page, tmp_path, gateway)


def test_the_quick_start_ends_with_a_recording(gateway, tmp_path):
    told = run("quickstart.md", tmp_path, gateway)
    assert '"state":"finished"' in told
    assert '"spoken_text":"All of our' in told
    with wave.open(str(tmp_path / "heard.wav")) as heard:
        pcm = np.frombuffer(heard.readframes(heard.getnframes()), "<i2")
        assert 2 < len(pcm) / heard.getframerate() < 20
    assert np.abs(pcm).max() > 3000


def test_operations_drain_a_gateway_that_then_ends_and_its_events_are_read_later(tmp_path):
    redis = RedisServer(tmp_path)
    redis.start()
    keys = tmp_path / "keys.toml"
    keys.write_text('[[keys]]\nname = "boss"\nkey = "boss-key"\nadmin = true\n')
    try:
        with RunningGateway(rtp_ports="18100-18199", redis_url=redis.url, api_keys_file=keys) as own:
            headers = {"X-API-Key": "boss-key"}
            rtp = {"address": "127.0.0.1", "port": free_port()}
            call = httpx.post(f"{own.url}/v1/calls", json={"rtp": rtp}, headers=headers).json()
            httpx.delete(f"{own.url}/v1/calls/{call['id']}", headers=headers).raise_for_status()
            told = run(
                "operations.md", tmp_path, own,
                KEY="boss-key", PID=str(own.process.pid), REDIS_PORT=str(redis.port),
            )  # fmt: skip
            assert own.process.wait(20) == 0
    finally:
        redis.kill()
    assert '"draining":true' in told
    assert told.index("call.opened") < told.index("call.closed")


@pytest.mark.parametrize("page", PAGES)
def test_a_command_is_in_a_block_that_is_run_or_says_why_not(page):
    text = _BLOCK.sub("", (DOCS / page).read_text())
    indented = "\n".join(line for line in text.splitlines() if line.startswith("    "))
    assert _COMMAND.findall(indented) == [], "fence it as ```sh; with a title, if the tests cannot run it"
    for block in blocks(page):
        assert (
            block.language != "sh"
            or block.why_not is None
            or block.why_not == ""
            or "not run" in block.why_not
        )
        assert block.language in ("sh", "python", "ini", "xml", "") or not _COMMAND.findall(block.text)


def test_pages_are_found_and_some_are_run():
    assert len([page for page in PAGES if run_of(page)]) >= 5
    found = _COMMAND.findall("    VOXTRUNK_X=1 curl -s localhost\n")
    assert found


def test_troubleshooting_names_only_metrics_and_settings_that_there_are():
    from gateway.settings import Settings

    text = (DOCS / "troubleshooting.md").read_text()
    known = set(re.findall(r"^\| `(voxtrunk_\w+)`", (DOCS / "metrics.md").read_text(), re.MULTILINE))
    named = set(re.findall(r"`(voxtrunk_\w+)", text))
    assert len(named) > 15
    assert named <= known, named - known
    settings = {f"VOXTRUNK_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"VOXTRUNK_[A-Z_]+[A-Z0-9]", text)) <= settings
