"""Where SSML's <audio> may take files from, and what becomes of those that do not come."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.api import audio as module
from gateway.api.audio import MOST, NOTHING, Audio, Found
from gateway.api.prompts import Prompts
from gateway.errors import Refusal
from gateway.settings import Settings
from telephony_codecs import write_wav


class Server(ThreadingHTTPServer):
    """Serves one recording below /a/, counts, and misbehaves where it is asked to."""

    daemon_threads = True

    def __init__(self, recording: bytes) -> None:
        self.recording, self.asked = recording, Counter[str]()
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked[self.path] += 1
        if self.path == "/a/slow.wav":
            time.sleep(0.5)
        if self.path == "/a/away.wav":
            self.send_response(302)
            self.send_header("location", "/a/tone.wav")
            self.end_headers()
            return
        bodies = {"/a/big.wav": bytes(20_000), "/a/text.wav": b"no audio"}
        self.send_response(404 if self.path == "/a/none.wav" else 200)
        self.end_headers()
        self.wfile.write(bodies.get(self.path, self.server.recording))

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("prompts")
    write_wav(folder / "tone.wav", np.full(8000, 1000, np.int16), 8000)
    write_wav(folder / "long.wav", np.full(61 * 8000, 1000, np.int16), 8000)
    (folder / "broken.wav").write_bytes(b"RIFF")
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    server = Server((folder / "tone.wav").read_bytes())
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _found(folder: Path, *srcs: str, urls: tuple[str, ...] = (), again: int = 1, **settings: float) -> Found:
    async def find() -> Found:
        audio = Audio(Prompts(folder), Settings(audio_urls=urls, **settings))  # type: ignore[arg-type]
        try:
            body = "".join(f"<audio src='{src}'>x</audio>" for src in srcs)
            for _ in range(again):
                found = await audio.find(f"<speak>{body}</speak>")
            assert all(map(os.path.isfile, dict(found.files).values()))
            return found
        finally:
            await audio.close()

    return asyncio.run(find())


def test_a_prompt_is_found_and_one_that_is_not_there_is_not(folder: Path) -> None:
    found = _found(folder, "prompt:tone", "prompt:nothing", "prompt:broken", "prompt:long")
    assert found.files == (("prompt:tone", str(folder / "tone.wav")),)
    assert "No prompt 'nothing'" in found.missing("prompt:nothing")
    assert "broken.wav" in found.missing("prompt:broken")
    assert "longer than 60 s" in found.missing("prompt:long")
    assert found.missing("prompt:tone") == ""


@pytest.mark.parametrize(
    "src",
    [
        "prompt:../tone", "prompt:/etc/passwd", "prompt:", "tone.wav", "file:///etc/passwd", "/etc/passwd",
        "http://127.0.0.1/a/x.wav", "https://cdn.example.com.evil.net/a/x.wav", "https://cdn.example.com/b/x.wav",
        "https://cdn.example.com/a/../b/x.wav", "https://cdn.example.com/a/%2e%2e/b/x.wav",
        "https://cdn.example.com/a/%2E%2e%2fb", "https://cdn.example.com/a/..%5cb", "http://cdn.example.com/a/x.wav",
        "https://me@cdn.example.com/a/x.wav", "https://cdn.example.com:444/a/x.wav",
        "https://cdn.example.com@127.0.0.1/a/x.wav", "https://[::1/a/", "data:audio/wav;base64,", "ftp://x/a/",
    ],
)  # fmt: skip
def test_what_is_not_listed_is_refused(folder: Path, src: str) -> None:
    with pytest.raises(Refusal, match=r"audio_not_allowed.*VOXTRUNK_AUDIO_URLS"):
        _found(folder, src, urls=("https://cdn.example.com/a/",))


@given(st.text(max_size=60))
def test_no_text_is_taken_for_a_listed_url_that_is_not_below_it(tail: str) -> None:
    prefix = httpx.URL("https://cdn.example.com/a/")
    for src in (tail, "https://cdn.example.com/a/" + tail, "https://cdn.example.com" + tail):
        if module._is_below(prefix, src):
            url = httpx.URL(src)
            assert (url.scheme, url.host, url.path[:3]) == ("https", "cdn.example.com", "/a/")
            assert "/../" not in f"{url.path}/"


def test_a_file_is_fetched_once_and_kept(folder: Path, server: Server) -> None:
    url = f"http://127.0.0.1:{server.server_port}/a/"
    found = _found(folder, url + "tone.wav", url + "tone.wav?v=2", urls=(url,), again=3)
    assert [src for src, _ in found.files] == [url + "tone.wav", url + "tone.wav?v=2"]
    assert len({path for _, path in found.files}) == 1, "what is the same is kept once"
    assert server.asked["/a/tone.wav"] == server.asked["/a/tone.wav?v=2"] == 1


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("none.wav", "answered 404"),
        ("away.wav", "answered 302"),
        ("slow.wav", "not there within 0.2 s"),
        ("text.wav", "cannot be decoded"),
        ("big.wav", "more than 10000 octets"),
    ],
)
def test_what_does_not_come_has_a_reason_and_is_not_asked_for_at_once_again(
    folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch, name: str, why: str
) -> None:
    if name == "big.wav":
        monkeypatch.setattr(module, "LARGEST", 10_000)
    url = f"http://127.0.0.1:{server.server_port}/a/"
    found = _found(folder, url + name, urls=(url,), again=2, audio_fetch_seconds=0.2)
    assert found.files == ()
    assert why in found.missing(url + name)
    assert server.asked["/a/" + name] == 1


def test_a_server_that_is_not_there(folder: Path) -> None:
    found = _found(folder, "http://127.0.0.1:9/a/x.wav", urls=("http://127.0.0.1:9/a/",))
    assert "cannot be fetched" in found.missing("http://127.0.0.1:9/a/x.wav")


def test_too_many_and_documents_that_cannot_be_read(folder: Path) -> None:
    with pytest.raises(Refusal, match=f"{MOST} are allowed"):
        _found(folder, *(f"prompt:n{n}" for n in range(MOST + 1)))
    audio = Audio(Prompts(folder), Settings())
    for ssml in ("<speak>none</speak>", "<speak><audio src='x'>", "<speak><audio/></speak>"):
        assert asyncio.run(audio.find(ssml)) is NOTHING


@pytest.mark.parametrize(
    "url", ["https://x/a", "ftp://x/", "x/", "https://me:pw@x/", "https://x/?a=/", "https:///"]
)
def test_a_prefix_is_a_folder(url: str) -> None:
    with pytest.raises(ValidationError, match="with a slash at its end"):
        Settings(audio_urls=(url,))
