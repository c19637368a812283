"""The control process's HTTP server: uvicorn inside the running loop, with a shutdown that lets calls finish.

SIGTERM or SIGINT: new calls are refused (503 ``draining``, SIP 503) and readiness says no, while calls that are
open may finish for VOXTRUNK_DRAIN_SECONDS; everything else of the API works on meanwhile. A second signal ends
the wait. SIGHUP reads keys and voices again (see ``gateway.api.reload``).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import resource
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from starlette.types import ASGIApp

from gateway.api.answers import Event
from gateway.api.app import create_app
from gateway.api.connection import HEAD_SECONDS, Connection, Room, Socket
from gateway.api.tls import Certificate
from gateway.api.webhooks import Webhooks
from gateway.calls.workers import report_failure
from gateway.nodes.node import Node
from gateway.settings import Settings
from gateway.settling import settle

if TYPE_CHECKING:
    from fastapi import FastAPI

    from gateway.api.reload import Reload
    from gateway.api.tracing import Tracing
    from gateway.calls.switchboard import Switchboard
    from gateway.sip.endpoint import Endpoint

BACKLOG: Final = 2048
KEEP_ALIVE_SECONDS: Final = 75
HANDSHAKE_SECONDS: Final = HEAD_SECONDS
STALLED_SECONDS: Final = 30.0
"""How long a client may take in nothing of what is sent to it (TCP_USER_TIMEOUT, RFC 5482)."""
MESSAGE_OCTETS: Final = 256 * 1024
"""Of a WebSocket message."""
PING_SECONDS: Final = 10.0
"""A WebSocket whose client says nothing is asked after so long, and closed when it is silent as long again."""
GRACE_SECONDS: Final = 3
"""How long requests that are being answered may take to end once the server stops."""
WEBHOOK_GRACE_SECONDS: Final = 5.0
_YOUNG: Final = 20_000
"""Allocations between two looks for cycles: at 200 calls a second the usual 700 cost a tenth of the time."""
_log = logging.getLogger(__name__)


class _Server(uvicorn.Server):
    """Signals are the gateway's business, not uvicorn's, and so is who is let in: within ``room``, by ``tls``."""

    def __init__(self, config: uvicorn.Config, room: Room, tls: ssl.SSLContext | None) -> None:
        super().__init__(config)
        self._room = room
        self._tls = tls

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen. A TLS handshake has as long as a request's head."""
        loop = asyncio.get_running_loop()
        made = partial(
            Connection,
            room=self._room,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        limits: dict[str, Any] = {}
        if self._tls is not None:
            limits = {"ssl_handshake_timeout": HANDSHAKE_SECONDS, "ssl_shutdown_timeout": GRACE_SECONDS}
        self.servers = [
            await loop.create_server(made, sock=each, ssl=self._tls, backlog=BACKLOG, **limits)
            for each in sockets or ()
        ]
        self.started = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 takes a free one. Raises OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # inherited by connections: a reader that stops reading is let go
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(STALLED_SECONDS * 1000))
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


@contextlib.asynccontextmanager
async def serving(
    app: ASGIApp, host: str, port: int, room: Room | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[str, int]]:
    """Serve ``app`` while the context is open; yields the address and port that were bound."""
    config = uvicorn.Config(
        app,
        ws=Socket,
        ws_max_size=MESSAGE_OCTETS,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PING_SECONDS,
        ws_per_message_deflate=False,  # messages are short, and latency counts
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # those that are named are believed by a layer of the app
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    listener = listen(host, port)
    bound = listener.getsockname()[:2]
    server = _Server(config, room or Room(), tls)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    try:
        while not server.started:
            if task.done():
                raise RuntimeError("the HTTP server did not start")
            await asyncio.sleep(0)
        _log.info("control API on %s://%s:%d", "https" if tls else "http", *bound)
        yield bound
    finally:
        server.should_exit = True
        await task


@contextlib.asynccontextmanager
async def speaking_sip(switchboard: Switchboard, settings: Settings) -> AsyncIterator[Endpoint | None]:
    """The SIP side, if there is to be one. Raises OSError, and ImportError without the extra ``sip``."""
    if not settings.sip_listen:
        yield None
        return
    from gateway.sip.endpoint import Endpoint  # the stack is an extra, and takes a moment to load

    endpoint = Endpoint(settings, switchboard)
    await endpoint.start()
    try:
        yield endpoint
    finally:
        await endpoint.close()


@contextlib.asynccontextmanager
async def speaking_grpc(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    """The gRPC door, if there is to be one. Raises OSError, and ImportError without the extra ``grpc``."""
    if settings.grpc_port is None:
        yield
        return
    from gateway.rpc.server import speaking  # an extra

    certificate, key = settings.tls_certificate, settings.tls_key
    tls = (certificate, key) if certificate is not None and key is not None else None
    async with speaking(app, settings.http_host, settings.grpc_port, tls):
        yield


def in_uri(host: str) -> str:
    """A host as URIs have it: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def _sip_addresses(endpoint: Endpoint | None) -> list[str]:
    addresses = endpoint.addresses if endpoint is not None else ()
    return [f"sip:{host}:{port}" for host, port in addresses]


async def serve(
    switchboard: Switchboard, settings: Settings, bound: Callable[..., None] | None = None
) -> None:
    """Run the gateway until SIGTERM or SIGINT.

    ``bound`` is told where it listens, once it does: the API's URL, then the SIP URIs.
    """
    asked = asyncio.Event()
    hurry = asyncio.Event()

    def on_signal() -> None:
        (hurry if asked.is_set() else asked).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    _raise_descriptors()
    certificate = _certificate(settings)
    room = Room(settings.http_connections, settings.http_connections_per_client)
    tls = certificate.context if certificate is not None else None
    tracing, node = _tracing(settings), _node(switchboard, settings)
    try:
        # webhooks outlive the switchboard: the last events of its calls are still delivered
        async with Webhooks(settings, switchboard, WEBHOOK_GRACE_SECONDS) as webhooks:
            try:
                await switchboard.start()
                settle()
                # a call leaves 7 kB in cycles, its own and its requests': some megabytes at most wait to be found
                gc.set_threshold(_YOUNG, 2, 2)
                async with speaking_sip(switchboard, settings) as endpoint:
                    app = create_app(switchboard, settings, webhooks, endpoint, tracing, node, certificate)
                    _reload_on_hangup(app.state.reload)
                    async with (
                        serving(app, settings.http_host, settings.http_port, room, tls) as (host, port),
                        speaking_grpc(app, settings),
                    ):
                        url = f"{'https' if tls else 'http'}://{in_uri(host)}:{port}"
                        if node is not None:
                            node.start(url)
                        if bound is not None:
                            bound(url, *_sip_addresses(endpoint))
                        await asked.wait()
                        _log.info("draining for %g s at most", settings.drain_seconds)
                        await _drain(switchboard, settings.drain_seconds, hurry)
                        app.state.context.end_streams()
                        app.state.jobs.close()
                        await app.state.context.audio.close()
            finally:
                await switchboard.close()
    finally:
        if node is not None:
            await node.close()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)
        if tracing is not None:
            await asyncio.to_thread(tracing.close)


def _certificate(settings: Settings) -> Certificate | None:
    """Raises BadCertificate."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return Certificate(settings.tls_certificate, settings.tls_key)


def _raise_descriptors() -> None:
    """A connection is a file descriptor, and the usual limit of 1024 is meant for those who use select(2)."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _tracing(settings: Settings) -> Tracing | None:
    """Raises ImportError without the extra ``otel``."""
    if not settings.traces:
        return None
    from gateway.api.tracing import to_collector

    return to_collector()


def _reload_on_hangup(reload: Reload) -> None:
    """SIGHUP reads files again."""
    tasks: set[asyncio.Task[object]] = set()

    def on_hangup() -> None:
        task = asyncio.create_task(reload(), name="reload")
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        task.add_done_callback(report_failure)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, on_hangup)


def _node(switchboard: Switchboard, settings: Settings) -> Node | None:
    """This node among others, if they share a Redis. Raises ValueError without the extra ``redis``."""
    if settings.redis_url is None:
        return None
    return Node(
        settings, switchboard.run, switchboard.events, lambda event: Event.of(event).model_dump_json()
    )


async def _drain(switchboard: Switchboard, seconds: float, hurry: asyncio.Event) -> None:
    """Let calls finish, until ``hurry`` is set at the latest."""
    drain = asyncio.create_task(switchboard.draining.finish(seconds))
    hurried = asyncio.create_task(hurry.wait())
    try:
        await asyncio.wait({drain, hurried}, return_when=asyncio.FIRST_COMPLETED)
        if drain.done():
            drain.result()
    finally:
        for task in (drain, hurried):
            task.cancel()
        await asyncio.wait({drain, hurried})
