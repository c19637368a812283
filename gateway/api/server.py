"""The control process's HTTP server: uvicorn inside the running loop, with a shutdown that lets speech finish.

SIGTERM or SIGINT: new calls are refused (503 ``draining``) and readiness says no, while speech that is under
way may finish for VOXTRUNK_DRAIN_SECONDS; everything else of the API works on meanwhile. A second signal ends
the wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Final

import uvicorn
from starlette.types import ASGIApp

from gateway.api.app import create_app
from gateway.api.connection import Connection
from gateway.api.webhooks import Webhooks
from gateway.settings import Settings

if TYPE_CHECKING:
    from gateway.calls.switchboard import Switchboard
    from gateway.sip.endpoint import Endpoint

BACKLOG: Final = 2048
KEEP_ALIVE_SECONDS: Final = 75
STALLED_SECONDS: Final = 30.0
"""How long a client may take in nothing of what is sent to it (TCP_USER_TIMEOUT, RFC 5482)."""
GRACE_SECONDS: Final = 3
"""How long requests that are being answered may take to end once the server stops."""
WEBHOOK_GRACE_SECONDS: Final = 5.0
_YOUNG: Final = 20_000
"""Allocations between two looks for cycles: at 200 calls a second the usual 700 cost a tenth of the time."""
_log = logging.getLogger(__name__)


class _Server(uvicorn.Server):
    """Signals are the gateway's business, not uvicorn's."""

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
async def serving(app: ASGIApp, host: str, port: int) -> AsyncIterator[tuple[str, int]]:
    """Serve ``app`` while the context is open; yields the address and port that were bound."""
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # a forged X-Forwarded-For must not look like loopback
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    listener = listen(host, port)
    bound = listener.getsockname()[:2]
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    try:
        while not server.started:
            if task.done():
                raise RuntimeError("the HTTP server did not start")
            await asyncio.sleep(0)
        _log.info("control API on http://%s:%d", *bound)
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
    try:
        # webhooks outlive the switchboard: the last events of its calls are still delivered
        async with Webhooks(settings, switchboard, WEBHOOK_GRACE_SECONDS) as webhooks:
            try:
                await switchboard.start()
                _settle_memory()
                async with speaking_sip(switchboard, settings) as endpoint:
                    app = create_app(switchboard, settings, webhooks, endpoint)
                    async with serving(app, settings.http_host, settings.http_port) as (host, port):
                        if bound is not None:
                            bound(f"http://{in_uri(host)}:{port}", *_sip_addresses(endpoint))
                        await asked.wait()
                        _log.info("draining for %g s at most", settings.drain_seconds)
                        await _drain(switchboard, settings.drain_seconds, hurry)
                        app.state.context.end_streams()
            finally:
                await switchboard.close()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def _settle_memory() -> None:
    """What is loaded by now stays; what calls allocate is freed by reference counts, hardly ever by cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 50, 50)


async def _drain(switchboard: Switchboard, seconds: float, hurry: asyncio.Event) -> None:
    """Let speech finish, until ``hurry`` is set at the latest."""
    drain = asyncio.create_task(switchboard.drain(seconds))
    hurried = asyncio.create_task(hurry.wait())
    try:
        await asyncio.wait({drain, hurried}, return_when=asyncio.FIRST_COMPLETED)
        if drain.done():
            drain.result()
    finally:
        for task in (drain, hurried):
            task.cancel()
        await asyncio.wait({drain, hurried})
