"""A gateway that misbehaves by a script, at real sockets."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from websockets.sync.server import serve

BREAK = "break"
"""An answer: the connection is closed without one."""


def refusal(status, code, *, retryable=False, retry_after=None, **more):
    """An answer that is a problem."""
    told = {"status": status, "code": code, "title": "No", "detail": "because", "retryable": retryable} | more
    headers = {"Content-Type": "application/problem+json"}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return status, headers, json.dumps(told)


class Scripted:
    """Answers each request with the next of ``answers``; ``asked`` has (method, path, headers, body)."""

    def __init__(self, answers):
        self.asked = []
        script = iter(answers)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self):
                self.raw_requestline = self.rfile.readline(65537)
                read = self.raw_requestline and self.parse_request()
                self.close_connection = True
                if not read:
                    return
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                outer.asked.append(
                    (self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                )
                answer = next(script)
                if answer == BREAK:
                    return
                status, headers, text = answer
                self.send_response(status)
                for name, value in (
                    headers | {"Content-Length": str(len(text.encode())), "Connection": "close"}
                ).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def scripted():
    """``scripted(*answers)``: a server with a ``url``."""
    servers = []

    def make(*answers):
        made = Scripted(answers)
        threading.Thread(target=made.server.serve_forever, args=(0.02,)).start()
        servers.append(made.server)
        return made

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def sockets():
    """``with sockets(handler) as url``: each WebSocket that comes is the handler's."""

    @contextmanager
    def start(handler, **more):
        with serve(handler, "127.0.0.1", 0, **more) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
            server.shutdown()
            thread.join()

    return start
