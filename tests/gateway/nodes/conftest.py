"""A real Redis of the test's own: stopped, continued, killed and started again as a test likes."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress

import pytest


class RedisServer:
    """``redis-server`` on a free port, nothing on disk. Raises AssertionError where it is not installed."""

    def __init__(self, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._folder = folder
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self):
        """Empty, and listening."""
        program = shutil.which("redis-server")
        assert program is not None, "redis-server is not installed: run scripts/test"
        command = [program, "--port", str(self.port), "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen([*command, "--dir", str(self._folder)], stdout=subprocess.DEVNULL)
        for _ in range(500):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.01)
        raise AssertionError("redis-server does not listen")

    def hang(self):
        """It takes connections and answers nobody."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self):
        """It answers again."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self):
        """Nobody listens any more."""
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory):
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()
