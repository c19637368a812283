"""Keys with names and limits: what a file of them may say, how often and how much a key may ask."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.keyring import BadKeys, Keyring
from gateway.api.rates import Bucket

SHA = hashlib.sha256(b"hashed").hexdigest()
FILE = f"""
[[keys]]
name = "ivr"
key = "plain"
max_calls = 2
requests = 5
seconds = 2

[[keys]]
name = "ops"
sha256 = "{SHA}"
admin = true
"""


def write(path: Path, text: str) -> None:
    path.write_text(text)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.toml"
    path.write_text(FILE)
    return path


def test_a_file_and_the_setting_make_one_ring(settings: Callable[..., Any], file: Path) -> None:
    ring = Keyring(settings(api_keys="own", api_keys_file=file, key_max_calls=9, key_requests=7))
    found = {key: ring.find(key) for key in (b"own", b"plain", b"hashed", b"other", b"")}
    assert {k: v and (v.name, v.admin, v.max_calls, v.requests, v.seconds) for k, v in found.items()} == {
        b"own": ("key-1", True, 9, 7, 1),
        b"plain": ("ivr", False, 2, 5, 2),
        b"hashed": ("ops", True, 9, 7, 1),
        b"other": None,
        b"": None,
    }


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "keys"),
        ("keys = []", "keys"),
        ("[[keys", "TOML"),
        ('[[keys]]\nname = "a"', "either key or sha256"),
        ('[[keys]]\nname = "a"\nkey = "secret-1"\nsha256 = "' + SHA + '"', "either key or sha256"),
        ('[[keys]]\nname = "a"\nsha256 = "secret-1"', "sha256"),
        ('[[keys]]\nname = "a b"\nkey = "secret-1"', "name"),
        ('[[keys]]\nname = "a"\nkey = "secret-1"\nmax = 3', "max"),
        ('[[keys]]\nname = "a"\nkey = "secret-1"\nrequests = -1', "requests"),
        ('[[keys]]\nname = "a"\nkey = "secret-1"\n[[keys]]\nname = "a"\nkey = "secret-2"', "same name"),
        (
            '[[keys]]\nname = "a"\nkey = "secret-1"\n[[keys]]\nname = "b"\nkey = "secret-1"',
            "same value: a, b",
        ),
        ("\ud800", "TOML"),
    ],
)
def test_a_bad_file_says_why_tells_no_key_and_leaves_the_old_one(
    settings: Callable[..., Any], file: Path, text: str, why: str
) -> None:
    ring = Keyring(settings(api_keys_file=file))
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(BadKeys, match=why) as caught:
        ring.renew()
    assert "secret" not in str(caught.value)
    assert ring.find(b"plain") is not None
    with pytest.raises(BadKeys):
        Keyring(settings(api_keys_file=file))
    file.unlink()
    with pytest.raises(BadKeys, match="No such file"):
        ring.renew()
    file.write_text(FILE.replace("plain", "new").replace('"ops"', '"boss"'))
    assert ring.renew() == ["boss", "ivr", "ops"]
    assert ring.find(b"plain") is None
    assert ring.renew() == []


@given(
    requests=st.integers(1, 50),
    seconds=st.integers(1, 60),
    gaps=st.lists(st.floats(0, 5), min_size=1, max_size=200),
)
def test_a_bucket_lets_through_its_quota_and_what_is_refilled(
    requests: int, seconds: int, gaps: list[float]
) -> None:
    bucket, now, let = Bucket(requests, seconds, requests, 0.0), 0.0, 0
    for gap in gaps:
        now += gap
        let += bucket.take(now)
        assert 0 <= bucket.left <= requests
        assert let <= requests + now * requests / seconds + 1e-6
        if bucket.left < 1:
            later = Bucket(requests, seconds, bucket.left, now)
            assert later.take(now + bucket.until_next + 1e-6)
        full = Bucket(requests, seconds, bucket.left, now)
        full.take(now + bucket.until_full + 1e-6)
        assert full.left == pytest.approx(requests - 1)


async def test_a_key_asks_so_often_and_is_told(in_process: Callable[..., Any], file: Path) -> None:
    async with in_process(api_keys_file=file) as api:
        for left in (4, 3, 2, 1, 0):
            answer = await api.http.get("/v1/calls", headers=bearer("plain"))
            assert answer.status_code == 200
            assert answer.headers["ratelimit-policy"] == '"requests";q=5;w=2'
            name, r, t = answer.headers["ratelimit"].split(";")
            assert (name, r) == ('"requests"', f"r={left}")
            assert 1 <= int(t.removeprefix("t=")) <= 2
        answer = await api.http.get("/v1/calls", headers=bearer("plain"))
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
        assert answer.json()["retryable"]
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["ratelimit"].startswith('"requests";r=0;t=')
        # others are not touched, nor what is open to all
        answer = await api.http.get("/v1/calls", headers=bearer("hashed"))
        assert answer.status_code == 200
        assert "ratelimit" not in answer.headers
        assert (await api.http.get("/health/live", headers=bearer("plain"))).status_code != 429


async def test_a_key_has_so_many_calls_open(in_process: Callable[..., Any], file: Path) -> None:
    body = {"rtp": {"address": "127.0.0.1", "port": 40000}}
    write(file, FILE.replace("requests = 5\n", ""))
    async with in_process(api_keys_file=file) as api:
        for status in (201, 201, 429):
            answer = await api.http.post("/v1/calls", json=body, headers=bearer("plain"))
            assert answer.status_code == status
        assert answer.json()["code"] == "too_many_calls"
        assert answer.headers["retry-after"] == "5"
        assert (await api.http.post("/v1/calls", json=body, headers=bearer("hashed"))).status_code == 201
        await api.http.delete("/v1/calls/c_0", headers=bearer("plain"))
        assert (await api.http.post("/v1/calls", json=body, headers=bearer("plain"))).status_code == 201


async def test_who_may_administrate_and_what_a_reload_says(
    in_process: Callable[..., Any], file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with in_process(api_keys_file=file) as api:

        async def ask(key: str, method: str, path: str, **more: Any) -> Any:
            return await api.http.request(method, f"/v1/admin/{path}", headers=bearer(key), **more)

        answer = await ask("plain", "POST", "reload")
        assert (answer.status_code, answer.json()["code"]) == (403, "not_permitted")
        assert (await ask("other", "POST", "reload")).status_code == 401
        api.board.renewed = (["neural:mine"], ["hurt: damaged"])
        write(file, "nonsense")
        answer = (await ask("hashed", "POST", "reload")).json()
        assert answer["changed"] == {"voices": ["neural:mine"]}
        assert set(answer["errors"]) == {"keys", "voices"}
        assert answer["errors"]["voices"] == ["hurt: damaged"]
        assert "keys.toml is not TOML" in answer["errors"]["keys"][0]
        assert "keys: what was in force stays:" in caplog.text
        api.board.renewed = ([], [])
        write(file, FILE.replace("plain", "fresh"))
        answer = (await ask("hashed", "POST", "reload")).json()
        assert answer == {"changed": {"keys": ["ivr"], "voices": []}, "errors": {}}
        assert (await api.http.get("/v1/calls", headers=bearer("plain"))).status_code == 401
        assert (await api.http.get("/v1/calls", headers=bearer("fresh"))).status_code == 200

        assert (await ask("hashed", "GET", "log-level")).json() == {"level": "INFO"}
        assert (await ask("hashed", "PUT", "log-level", json={"level": "DEBUG"})).json() == {"level": "DEBUG"}
        assert (await ask("hashed", "GET", "log-level")).json() == {"level": "DEBUG"}
        assert (await ask("hashed", "PUT", "log-level", json={"level": "LOUD"})).status_code == 422
    assert "fresh" not in json.dumps([record.__dict__ for record in caplog.records], default=str)
