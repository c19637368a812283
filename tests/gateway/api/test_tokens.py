"""Tokens: what is good, and everything that a forger, a thief or a careless issuer may send instead."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import websockets
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.api import tokens as tokens_
from gateway.api.keyring import Keyring
from gateway.api.server import serving
from gateway.api.tokens import Jwks, Tokens, fetch
from gateway.errors import Refusal

SECRET = "0123456789abcdef0123456789abcdef"
ISSUERS = f"""
[[keys]]
name = "ivr"
key = "plain"

[[issuers]]
name = "app"
issuer = "https://app.example"
audience = "voxtrunk"
secret = "{SECRET}"
max_seconds = 600
scopes = ["speak", "read"]
max_calls = 1

[[issuers]]
name = "login"
issuer = "https://login.example"
audience = "voxtrunk"
jwks = "https://login.example/jwks.json"
"""
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
SMALL = rsa.generate_private_key(65537, 1024)


def jwk(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    kind = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    return {**json.loads(kind.to_jwk(key.public_key())), "kid": kid, "use": "sig", **more}


SET = {
    "keys": [jwk(RSA, "r1", alg="RS256"), jwk(EC, "e1"), jwk(SMALL, "small"), {"kty": "oct", "k": "AA"}, 7]
}


def now() -> int:
    return int(time.time())


def claims(**changed: Any) -> dict[str, Any]:
    usual = {
        "iss": "https://app.example",
        "aud": "voxtrunk",
        "sub": "ada",
        "iat": now(),
        "exp": now() + 60,
        "scope": "read speak",
    }
    return {name: value for name, value in (usual | changed).items() if value is not None}


def signed(key: Any = SECRET, alg: str = "HS256", kid: str | None = None, **changed: Any) -> str:
    return jwt.encode(claims(**changed), key, alg, headers={"kid": kid} if kid else None)


def by_login(key: Any = RSA, alg: str = "RS256", kid: str | None = "r1", **changed: Any) -> str:
    return signed(key, alg, kid, **({"iss": "https://login.example"} | changed))


def bare(head: dict[str, Any], body: dict[str, Any], key: bytes | None) -> str:
    """A token made by hand, as a library would not make it."""

    def part(octets: bytes) -> str:
        return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()

    said = f"{part(json.dumps(head).encode())}.{part(json.dumps(body).encode())}"
    signature = hmac.new(key, said.encode(), hashlib.sha256).digest() if key is not None else b""
    return f"{said}.{part(signature)}"


class Source:
    """Where keys are fetched."""

    def __init__(self, found: Any = SET) -> None:
        self.found = found
        self.asked = 0

    async def __call__(self, url: str) -> bytes:
        self.asked += 1
        if isinstance(self.found, Exception):
            raise self.found
        return self.found if isinstance(self.found, bytes) else json.dumps(self.found).encode()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.toml"
    path.write_text(ISSUERS)
    return path


@pytest.fixture
def good(settings: Callable[..., Any], file: Path) -> Tokens:
    return Tokens(Keyring(settings(api_keys_file=file)), Source())


@pytest.mark.parametrize(
    "token", [signed, by_login, lambda: by_login(EC, "ES256", "e1"), lambda: signed(aud=["x", "voxtrunk"])]
)
async def test_a_good_token_speaks_for_its_issuer(good: Tokens, token: Callable[[], str]) -> None:
    key = await good.admit(token())
    assert key.name in {"app", "login"}
    assert key.scopes == {"speak", "read"}
    assert key.max_calls == (1 if key.name == "app" else 0)
    assert key.expires is not None
    other = await good.admit(signed(sub="eve"))
    assert other.digest != key.digest


_PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    ("token", "why"),
    [
        (lambda: signed(exp=now() - 11), "expired"),
        (lambda: signed(iat=now() + 3600, exp=now() + 3660), "not yet valid"),
        (lambda: signed(nbf=now() + 3600), "not yet valid"),
        (lambda: signed(exp=now() + 7200), "600 s"),
        (lambda: signed(iat=now() - 700), "600 s"),
        (lambda: signed(aud="other"), "udience"),
        (lambda: signed(aud=None), "aud"),
        (lambda: signed(exp=None), "exp"),
        (lambda: signed(iat=None), "iat"),
        (lambda: signed(iss="https://evil.example"), "no issuer"),
        (lambda: signed(iss=None), "no issuer"),
        (lambda: signed("x" * 32), "ignature"),
        (lambda: signed(scope=["read"]), "strings"),
        (lambda: signed(call=7), "strings"),
        (lambda: bare({"alg": "HS512"}, claims(), SECRET.encode()), "HS256"),
        (lambda: bare({"alg": "HS256"}, claims(sub=5), SECRET.encode()), "ubject"),
        # another's signature under its name
        (lambda: signed(iss="https://login.example"), "RS256 or ES256"),
        (lambda: by_login(EC, "ES256", "e1", iss="https://app.example"), "HS256"),
        (lambda: by_login(rsa.generate_private_key(65537, 2048)), "ignature"),
        (lambda: by_login(kid="unknown"), "no such key"),
        (lambda: by_login(kid=None), "no such key"),
        (lambda: by_login(kid="small"), "no such key"),
        (lambda: by_login(EC, "ES256", "r1"), "no such key"),
        (lambda: by_login(RSA, "PS256", "r1"), "RS256 or ES256"),
        # algorithm confusion (RFC 8725 2.1): none, and the public key as if it were a secret
        (lambda: bare({"alg": "none"}, claims(), None), "HS256"),
        (
            lambda: bare({"alg": "None", "kid": "r1"}, claims(iss="https://login.example"), None),
            "RS256 or ES256",
        ),
        (
            lambda: bare({"alg": "HS256", "kid": "r1"}, claims(iss="https://login.example"), _PEM),
            "RS256 or ES256",
        ),
        (lambda: bare({"alg": "RS256", "kid": "r1"}, claims(iss="https://login.example"), _PEM), "ignature"),
        (lambda: bare({"alg": "HS256", "jwk": {"kty": "oct", "k": "AA"}}, claims(), b"\0"), "ignature"),
        (lambda: bare({"alg": "HS256"}, claims(exp="soon"), SECRET.encode()), "exp|integer"),
        (lambda: bare({"alg": "HS256"}, claims(exp=1e400), SECRET.encode()), ""),
        (lambda: bare({"alg": 5}, claims(), SECRET.encode()), ""),
        (lambda: "a.b.c", ""),
        (lambda: "..", ""),
        (lambda: "e30.e30.", ""),
        (lambda: "x" * 5000 + "." + "y" * 5000 + ".z", "8192"),
    ],
)
async def test_a_bad_one_is_refused_and_says_why(good: Tokens, token: Callable[[], str], why: str) -> None:
    with pytest.raises(Refusal) as caught:
        await good.admit(token())
    assert caught.value.code == "unauthorized"
    assert any(each in caught.value.detail for each in why.split("|")), caught.value.detail
    assert SECRET not in caught.value.detail


async def test_keys_are_fetched_once_and_again_when_they_change() -> None:
    clock, source = 1000.0, Source()
    keys = Jwks("https://x", source, lambda: clock)
    await asyncio.gather(*(keys.key("r1", "RS256") for _ in range(20)))
    assert source.asked == 1
    # whoever sends names of keys that are not there does not have us ask for each
    for n in range(50):
        assert await keys.key(f"made-up-{n}", "RS256") is None
    assert source.asked == 1
    # a new key is found as soon as somebody has it
    source.found = {"keys": [jwk(EC, "e2")]}
    clock += 11
    assert await keys.key("e2", "ES256") is not None
    assert source.asked == 2
    # one that is gone is good no longer
    assert await keys.key("r1", "RS256") is None
    # and without a source the old ones are, for an hour
    for broken in (httpx.ConnectError("gone"), TimeoutError(), b"<html>", b"[]", {"keys": 5}, b"[" * 100_000):
        source.found = broken
        clock += 400
        assert await keys.key("e2", "ES256") is not None
    clock += 3600
    with pytest.raises(Refusal) as caught:
        await keys.key("e2", "ES256")
    assert caught.value.code == "unavailable"


async def test_keys_are_fetched_as_they_should(monkeypatch: pytest.MonkeyPatch) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        status = {"/jwks": 200, "/long": 200, "/moved": 302}[scope["path"]]
        body = b" " * 2000 if scope["path"] == "/long" else json.dumps(SET).encode()
        headers = [(b"location", b"/jwks")] if status == 302 else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async with serving(app, "127.0.0.1", 0) as (host, port):
        url = f"http://{host}:{port}"
        assert await Jwks(url + "/jwks", fetch).key("r1", "RS256") is not None
        with pytest.raises(ValueError, match="302"):
            await fetch(url + "/moved")
        monkeypatch.setattr(tokens_, "JWKS_OCTETS", 1000)
        with pytest.raises(ValueError, match="1000 octets"):
            await fetch(url + "/long")


def replace(path: Path, text: str) -> None:
    path.write_text(text)


def authorized(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_a_token_opens_what_its_scopes_say(in_process: Callable[..., Any], file: Path) -> None:
    async with in_process(api_keys_file=file) as api:

        async def status(token: str, method: str = "GET", path: str = "/v1/calls") -> int:
            answer = await api.http.request(method, path, headers=authorized(token))
            return int(answer.status_code)

        assert await status(signed()) == 200
        assert await status(signed(scope="speak")) == 403
        assert await status(signed(scope=None)) == 403
        assert await status(signed(scope="admin read"), "POST", "/v1/admin/reload") == 403
        assert await status(signed(exp=now() - 60)) == 401
        body = {"rtp": {"address": "127.0.0.1", "port": 40000}}
        for expected in (201, 429):  # max_calls of its issuer
            answer = await api.http.post("/v1/calls", json=body, headers=authorized(signed()))
            assert answer.status_code == expected
        assert api.board.opened[0].request.owner == "app"
        # rotation without a restart
        replace(file, ISSUERS.replace(SECRET, SECRET[::-1]))
        assert (await api.app.state.reload()).changed["keys"] == ["app"]
        assert await status(signed()) == 401
        assert await status(signed(SECRET[::-1])) == 200


async def test_a_token_bound_to_a_call_is_good_for_it_alone(
    in_process: Callable[..., Any], file: Path
) -> None:
    async with in_process(api_keys_file=file) as api:
        body = {"rtp": {"address": "127.0.0.1", "port": 40000}}
        for _ in range(2):
            await api.http.post("/v1/calls", json=body, headers=authorized("plain"))
        mine = authorized(signed(call="c_0"))
        for path, status in {
            "/v1/calls/c_0": 200,
            "/v1/calls/c_0/events": 200,
            "/v1/calls/c_1": 403,
            "/v1/calls/c_00": 403,
            "/v1/calls/c_0%2F..%2Fc_1": 404,
            "/v1/calls": 403,
            "/v1/events": 403,
            "/v1/voices": 403,
        }.items():
            assert (await api.http.get(path, headers=mine)).status_code == status, path


async def test_a_browser_brings_its_token_as_a_subprotocol(on_port: Callable[..., Any], file: Path) -> None:
    async with on_port(api_keys_file=file) as api:
        body = {"rtp": {"address": "127.0.0.1", "port": 40000}}
        await api.http.post("/v1/calls", json=body, headers=authorized("plain"))
        url = f"ws://127.0.0.1:{api.http.base_url.port}/v1/calls/c_0/speech"

        async def status(*protocols: str, url: str = url) -> int:
            try:
                async with websockets.connect(url, subprotocols=protocols or None) as socket:
                    assert socket.subprotocol == "voxtrunk"
                    return 101
            except websockets.InvalidStatus as error:
                return int(error.response.status_code)

        assert await status("voxtrunk", "bearer." + signed(call="c_0")) == 101
        assert await status("voxtrunk", "bearer." + signed(call="c_1")) == 403
        assert await status("voxtrunk", "bearer." + signed(scope="read")) == 403
        events = url.replace("/v1/calls/c_0/speech", "/v1/events")
        mine = "bearer." + signed(call="c_0")
        for query, expected in {
            "?call_id=c_0": 101,
            "?call_id=c_1": 403,
            "": 403,
            "?call_id=c_0&call_id=c_1": 403,
        }.items():
            assert await status("voxtrunk", mine, url=events + query) == expected, query
        assert await status("voxtrunk", "bearer.plain") == 401  # a key has no place in a browser
        assert await status("voxtrunk") == 401
        assert await status() == 401


async def test_a_socket_ends_with_its_token(
    on_port: Callable[..., Any], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens_, "LEEWAY_SECONDS", 0)
    async with on_port(api_keys_file=file) as api:
        body = {"rtp": {"address": "127.0.0.1", "port": 40000}}
        await api.http.post("/v1/calls", json=body, headers=authorized("plain"))
        url = f"ws://127.0.0.1:{api.http.base_url.port}/v1/calls/c_0/speech"
        token = signed(exp=time.time() + 1)
        async with websockets.connect(url, additional_headers=authorized(token)) as socket:
            with pytest.raises(websockets.ConnectionClosed):
                async with asyncio.timeout(10):
                    await socket.recv()
            assert socket.close_code == 1008


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ((f'secret = "{SECRET}"', 'secret = "short"'), "32 octets"),
        ((f'secret = "{SECRET}"', ""), "either secret or jwks"),
        (("https://login.example/jwks.json", "http://login.example/jwks.json"), "https"),
        (("https://login.example/jwks.json", "file:///etc/passwd"), "https"),
        (('issuer = "https://login.example"', 'issuer = "https://app.example"'), "same issuer"),
        (('name = "login"', 'name = "ivr"'), "same name"),
    ],
)
def test_an_issuer_that_will_not_do(
    settings: Callable[..., Any], file: Path, changed: tuple[str, str], why: str
) -> None:
    text = file.read_text().replace(*changed)
    assert text != ISSUERS
    file.write_text(text)
    with pytest.raises(ValueError, match=why) as caught:
        Keyring(settings(api_keys_file=file))
    assert SECRET not in str(caught.value)
