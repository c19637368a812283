"""The API's edge: certificates, proxies, names, pages, and clients that hold connections without using them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from pydantic import ValidationError
from starlette.requests import Request

from gateway.api import connection, server
from gateway.api.app import create_app
from gateway.api.connection import Room
from gateway.api.server import serving
from gateway.api.tls import BadCertificate, Certificate

KEYED = {"api_keys": "k"}
ASK = {"X-API-Key": "k"}


# -- TLS ----------------------------------------------------------------------------------------------------


def write_certificate(folder: Path, name: str, password: bytes | None = None) -> tuple[Path, Path]:
    """A certificate for ``name``, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    files = folder / "cert.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    return files


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def shown(port: int) -> str:
    """The name in the certificate that is shown."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting())
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    found = x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(found[0].value)


async def test_the_api_is_served_by_tls_and_its_certificate_renewed(
    make_board: Callable[..., Any], tmp_path: Path
) -> None:
    files = write_certificate(tmp_path, "old.example")
    certificate = Certificate(*files)
    board = make_board(api_keys="k")
    app = create_app(board, board.settings, certificate=certificate)
    async with serving(app, "127.0.0.1", 0, tls=certificate.context) as (_, port):
        assert await shown(port) == "old.example"
        url = f"https://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, verify=trusting(), headers=ASK) as http:
            answer = await http.get("/v1/calls")
            assert answer.status_code == 200
            assert answer.headers["strict-transport-security"] == "max-age=31536000"
            assert (await http.post("/v1/admin/reload")).json()["changed"]["certificate"] == []
            write_certificate(tmp_path, "new.example")
            told = (await http.post("/v1/admin/reload")).json()
            assert told["changed"]["certificate"] == [str(files[0])]
            assert await shown(port) == "new.example"
            # half of a renewal: the new certificate is there, and its key is not yet
            kept = files[1].read_bytes()
            write_certificate(tmp_path, "third.example")
            files[1].write_bytes(kept)
            told = (await http.post("/v1/admin/reload")).json()
            assert "no certificate and its key" in told["errors"]["certificate"][0]
            assert await shown(port) == "new.example"
            assert (await http.get("/v1/calls")).status_code == 200
        # and what is not TLS gets nothing
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"HTTP" not in await reader.read()
        writer.close()
    board.ring.close()


@pytest.mark.parametrize("spoilt", ["missing", "empty", "other", "locked"])
def test_a_certificate_that_will_not_do(tmp_path: Path, spoilt: str) -> None:
    certificate, key = write_certificate(tmp_path, "a.example", b"secret" if spoilt == "locked" else None)
    if spoilt == "missing":
        key.unlink()
    elif spoilt == "empty":
        certificate.write_text("")
    elif spoilt == "other":
        kept = certificate.read_bytes()
        write_certificate(tmp_path, "b.example")
        certificate.write_bytes(kept)
    with pytest.raises(BadCertificate, match=r"\.pem"):
        Certificate(certificate, key)


async def test_a_handshake_that_is_not_made_ends(
    make_board: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HANDSHAKE_SECONDS", 0.3)
    board = make_board()
    certificate = Certificate(*write_certificate(tmp_path, "a.example"))
    async with serving(create_app(board, board.settings), "127.0.0.1", 0, tls=certificate.context) as (
        _,
        port,
    ):
        began = time.monotonic()
        sockets = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        sockets[0][1].write(b"\x16\x03\x01")  # as if one began
        async with asyncio.timeout(10):
            for reader, writer in sockets:
                assert await reader.read() == b""
                writer.close()
        assert time.monotonic() - began >= 0.25
        assert await shown(port) == "a.example"
    board.ring.close()


# -- connections --------------------------------------------------------------------------------------------


@asynccontextmanager
async def roomy(board: Any, room: Room) -> AsyncIterator[int]:
    async with serving(create_app(board, board.settings), "127.0.0.1", 0, room) as (_, port):
        yield port
    board.ring.close()


async def emptied(room: Room, to: int = 0) -> None:
    """Wait until so few connections are left."""
    async with asyncio.timeout(5):
        while room.taken > to:  # noqa: ASYNC110, nobody tells
            await asyncio.sleep(0.01)


async def refused(port: int, address: str = "127.0.0.1") -> bytes:
    """What a connection that does nothing is told at once; empty when it is let in."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    try:
        async with asyncio.timeout(0.3):
            return await reader.read()
    except TimeoutError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize("limit", ["most", "most_of_one"])
async def test_there_is_room_for_so_many_connections(make_board: Callable[..., Any], limit: str) -> None:
    room = Room(**{limit: 3})
    async with roomy(make_board(), room) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        told = await refused(port)
        assert told.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1" in told
        assert b"VOXTRUNK_HTTP_CONNECTIONS" in told
        # another client has room of its own, but not where there is none at all
        assert bool(await refused(port, "127.0.0.2")) == (limit == "most")
        held.pop()[1].close()
        async with asyncio.timeout(5), httpx.AsyncClient() as http:
            await emptied(room, to=2)
            assert (await http.get(f"http://127.0.0.1:{port}/health/live")).status_code == 200
        for _, writer in held:
            writer.close()
        await emptied(room)
        assert not room.clients
        assert room.refused >= 1


@pytest.mark.parametrize(
    ("path", "code"),
    [("calls/nobody/speech", "unknown_call"), ("nowhere", "not_found"), ("voices", "not_found")],
)
async def test_a_websocket_is_refused_in_the_words_of_all_errors(
    make_board: Callable[..., Any], caplog: pytest.LogCaptureFixture, path: str, code: str
) -> None:
    async with roomy(make_board(), Room()) as port:
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(f"ws://127.0.0.1:{port}/v1/{path}")
    answer = refused.value.response
    assert (answer.status_code, json.loads(answer.body)["code"]) == (404, code)
    assert answer.headers["x-request-id"]
    assert not [each for each in caplog.records if each.levelname == "ERROR"]


async def test_a_websocket_keeps_its_place(make_board: Callable[..., Any]) -> None:
    room, board = Room(), make_board()
    async with roomy(board, room) as port:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            body = {"rtp": {"address": "127.0.0.1", "port": 40000}}
            await http.post("/v1/calls", json=body)
            async with websockets.connect(f"ws://127.0.0.1:{port}/v1/calls/c_0/speech"):
                assert room.taken == 2
            with pytest.raises(websockets.InvalidStatus):
                await websockets.connect(f"ws://127.0.0.1:{port}/v1/calls/nobody/speech")
        await emptied(room)


async def test_slow_heads_and_silent_clients_are_let_go(
    make_board: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slow loris: a hundred clients that send an octet now and then, or nothing; another is served meanwhile."""
    monkeypatch.setattr(connection, "HEAD_SECONDS", 1.0)
    room = Room()
    async with roomy(make_board(), room) as port:
        sockets = [await asyncio.open_connection("127.0.0.1", port) for _ in range(100)]

        async def drip(writer: asyncio.StreamWriter) -> None:
            for octet in b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"a" * 100:
                if writer.is_closing():
                    return
                writer.write(bytes([octet]))
                await asyncio.sleep(0.1)

        drips = [asyncio.create_task(drip(writer)) for _, writer in sockets[::2]]
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"http://127.0.0.1:{port}/health/live")).status_code == 200
        async with asyncio.timeout(10):
            for reader, _ in sockets:
                with contextlib.suppress(ConnectionResetError):  # it sent on after the end
                    assert await reader.read() == b""
            await emptied(room)
        for task in drips:
            task.cancel()
        for _, writer in sockets:
            writer.close()


# -- proxies, names, pages ----------------------------------------------------------------------------------


async def test_only_named_proxies_speak_for_others(in_process: Callable[..., Any]) -> None:
    async def ask(settings: dict[str, Any], client: str, **headers: str) -> list[str]:
        async with in_process(client=(client, 5), **KEYED, **settings) as api:

            @api.app.get("/who")
            async def who(request: Request) -> list[str]:
                assert request.client is not None
                return [request.client.host, request.url.scheme]

            answer = await api.http.get(
                "/who", headers=ASK | {k.replace("_", "-"): v for k, v in headers.items()}
            )
            said = list(answer.json())
            assert ("strict-transport-security" in answer.headers) == (said[1] == "https")
            return said

    told = {"x_forwarded_for": "198.51.100.7", "x_forwarded_proto": "https"}
    named = {"proxy_headers": "10.0.0.0/8"}
    assert await ask({}, "10.1.2.3", **told) == ["10.1.2.3", "http"]
    assert await ask(named, "10.1.2.3", **told) == ["198.51.100.7", "https"]
    assert await ask(named, "192.168.0.1", **told) == ["192.168.0.1", "http"]
    # what a client writes in front of what the proxy adds is not believed
    forged = told | {"x_forwarded_for": "127.0.0.1, 198.51.100.7"}
    assert (await ask(named, "10.1.2.3", **forged))[0] == "198.51.100.7"


async def test_metrics_are_not_open_to_whom_a_proxy_speaks_for(in_process: Callable[..., Any]) -> None:
    async with in_process(**KEYED, proxy_headers="127.0.0.0/8") as api:
        for forged in ("127.0.0.1", "198.51.100.7", ""):
            answer = await api.http.get("/metrics", headers={"X-Forwarded-For": forged})
            assert answer.status_code == 401


async def test_only_the_named_hosts_are_answered_to(in_process: Callable[..., Any]) -> None:
    async with in_process(**KEYED, allowed_hosts="voice.example.org,*.voice.example") as api:
        for host, status in {
            "voice.example.org": 200,
            "VOICE.example.org:8443": 200,
            "a.voice.example": 200,
            "voice.example": 421,
            "evil.example": 421,
            "voice.example.org.evil.example": 421,
            "10.0.0.1": 421,
            "": 421,
        }.items():
            answer = await api.http.get("/v1/calls", headers=ASK | {"Host": host})
            assert answer.status_code == status, host
            if status == 421:
                assert answer.json()["code"] == "misdirected"
        assert (await api.http.get("/health/live", headers={"Host": "10.0.0.1"})).status_code == 200


async def test_pages_of_other_origins_are_told_nothing(in_process: Callable[..., Any]) -> None:
    origin = {"Origin": "https://app.example"}
    preflight = origin | {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    async with in_process(**KEYED) as api:
        assert (await api.http.options("/v1/calls", headers=preflight)).status_code == 401
        answer = await api.http.get("/v1/calls", headers=origin | ASK)
        assert not [name for name in answer.headers if name.startswith("access-control")]
    async with in_process(**KEYED, cors_origins="https://app.example") as api:
        answer = await api.http.options("/v1/calls", headers=preflight)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        assert "access-control-allow-credentials" not in answer.headers
        # a page must be able to read why it was refused
        answer = await api.http.get("/v1/calls", headers=origin)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (
            401,
            "https://app.example",
        )
        evil = {**preflight, "Origin": "https://evil.example"}
        answer = await api.http.options("/v1/calls", headers=evil)
        assert answer.status_code == 400
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"cors_origins": "*"}, "api_keys"),
        ({"cors_origins": "app.example", **KEYED}, "scheme://host"),
        ({"cors_origins": "https://app.example/path", **KEYED}, "scheme://host"),
        ({"tls_certificate": "/x"}, "both"),
        ({"proxy_headers": "proxy.example"}, "proxy_headers"),
        ({"webhook_allow": "localhost"}, "webhook_allow"),
    ],
)
def test_settings_that_would_open_too_much(
    settings: Callable[..., Any], given: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValidationError, match=why):
        settings(**given)


async def test_answers_tell_browsers_to_make_no_more_of_them(in_process: Callable[..., Any]) -> None:
    async with in_process(**KEYED) as api:
        for path in ("/v1/calls", "/health/live", "/nothing", "/v1/voices"):
            for headers in (ASK, {}):
                answer = await api.http.get(path, headers=headers)
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert answer.headers["content-security-policy"].startswith("default-src 'none'")
                assert answer.headers["cache-control"] == "no-store"
                assert "server" not in answer.headers
        page = await api.http.get("/docs")
        policy = page.headers["content-security-policy"]
        assert policy.count("'sha256-") == page.text.count("<script>") == 1
        assert page.headers.get_list("content-security-policy") == [policy]
        assert "https://" not in page.text.split("<body>")[0]
        assert (await api.http.get("/docs/swagger-ui.css")).headers["cache-control"] == "max-age=86400"
