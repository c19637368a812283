"""A real agent, real peers (SIPp, sipsak, Kamailio) and a bare socket to send it whatever one likes."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from sip_glue.agent import SipAgent
from sip_glue.config import Listen, SipConfig
from sip_glue.events import Ended, Event, Failed, Incoming, Rejected, Reoffered

HERE = Path(__file__).parent
OVER = (Ended, Rejected, Failed)


def sdp(direction: str = "sendrecv", version: int = 1) -> str:
    """A session description of ours."""
    return (
        f"v=0\r\no=- 7 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        f"m=audio 20000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na={direction}\r\n"
    )


def free_port(family: int = socket.AF_INET) -> int:
    """A UDP port that nobody has now."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        return int(probe.getsockname()[1])


def found(program: str) -> str:
    """A peer's program; its absence is a failure, scripts/test installs it."""
    path = shutil.which(program)
    assert path is not None, f"{program} is not installed: run scripts/test"
    return path


class Desk:
    """An agent and what happens to it. Takes every call, unless told otherwise."""

    def __init__(self, config: SipConfig, status: Callable[[], int | None]) -> None:
        self.agent = SipAgent(config, self._happened, status)
        self.events: list[Event] = []
        self.incoming: Callable[[Incoming], None] = lambda call: self.agent.accept(call.dialog, sdp())
        self.reoffered: Callable[[Reoffered], None] = self._mirror
        self._news = asyncio.Event()

    def _happened(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()
        if isinstance(event, Incoming):
            self.incoming(event)
        elif isinstance(event, Reoffered):
            self.reoffered(event)

    def _mirror(self, event: Reoffered) -> None:
        mirrored = {"a=sendonly": "recvonly", "a=inactive": "inactive"}
        offer = event.offer or ""
        direction = next((ours for theirs, ours in mirrored.items() if theirs in offer), "sendrecv")
        self.agent.answer_reoffer(event.dialog, sdp(direction, 2))

    def seen(self, kind: type | tuple) -> list:
        """Events of a kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, kind: type | tuple, count: int = 1) -> list:
        """Waits for so many events of a kind."""
        async with asyncio.timeout(40):
            while len(found := [event for event in self.events if isinstance(event, kind)]) < count:
                self._news.clear()
                await self._news.wait()
        return found

    @property
    def address(self) -> str:
        """Where it listens, first address."""
        host, port = self.agent.addresses[0]
        return f"{host}:{port}"

    @property
    def place(self) -> tuple[str, int]:
        """The same as a socket wants it."""
        host, port = self.agent.addresses[0]
        return host.strip("[]"), port

    def one_end_each(self) -> None:
        """Every dialog that began has ended, once."""
        began = {event.dialog for event in self.events if isinstance(event, Incoming)}
        ended = [event.dialog for event in self.events if isinstance(event, OVER)]
        assert len(ended) == len(set(ended))
        assert began <= set(ended)


@contextlib.asynccontextmanager
async def desk_with(
    *listens: Listen, status: Callable[[], int | None] = lambda: None, **settings: object
) -> AsyncIterator[Desk]:
    """A running desk."""
    config = SipConfig(listens or (Listen("127.0.0.1", 0),), **{"stop_seconds": 0.3} | settings)
    desk = Desk(config, status)
    await desk.agent.start()
    try:
        yield desk
    finally:
        await desk.agent.stop()


@pytest.fixture(autouse=True)
def no_bugs(caplog):
    """No test may leave an error of the adapter's own in the log."""
    yield
    for when in ("setup", "call"):
        assert [
            record.getMessage() for record in caplog.get_records(when) if record.levelname == "ERROR"
        ] == []


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """An agent on 127.0.0.1 that takes every call."""
    async with desk_with() as running:
        yield running


class Sipp:
    """SIPp with a scenario of ours; ``port`` is its own."""

    def __init__(self, folder: Path, scenario: str, *arguments: object, host: str = "127.0.0.1") -> None:
        self.port = free_port(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._errors = folder / f"{scenario}-{self.port}.errors"
        self._command = [
            found("sipp"), "-sf", str(HERE / "sipp" / f"{scenario}.xml"), "-i", host, "-p", str(self.port),
            "-nostdin", "-trace_err", "-error_file", str(self._errors),
            *(str(argument) for argument in arguments),
        ]  # fmt: skip

    async def __aenter__(self) -> Sipp:
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        self._output = asyncio.create_task(self._process.communicate())
        async with asyncio.timeout(10):
            while not self._bound() and self._process.returncode is None:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.terminate()
        await self._output

    def _bound(self) -> bool:
        """Whether it listens yet."""
        needle = f":{self.port:04X} "
        return any(needle in Path(f"/proc/net/{table}").read_text() for table in ("udp", "udp6"))

    async def well(self) -> None:
        """Waits for its end; all its calls went as the scenario says."""
        async with asyncio.timeout(40):
            output, _ = await asyncio.shield(self._output)
        errors = self._errors.read_text() if self._errors.exists() else ""
        assert self._process.returncode == 0, errors[-3000:] or output.decode(errors="replace")[-3000:]


async def sipp(folder: Path, scenario: str, desk: Desk, *arguments: object, calls: int = 1) -> None:
    """SIPp calls a desk, to the end of all calls."""
    host = desk.place[0]
    over = len(desk.seen(OVER)) + calls
    async with Sipp(folder, scenario, desk.address, "-m", calls, *arguments, host=host) as run:
        await run.well()
    await desk.until(OVER, over)


class Wire:
    """A bare UDP socket towards a desk."""

    def __init__(self, place: tuple[str, int], host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self._socket.setblocking(False)
        self.place = place
        self.host, self.port = self._socket.getsockname()[:2]

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, message: str | bytes) -> None:
        """Sends; lines of text get their CRs."""
        octets = message if isinstance(message, bytes) else message.replace("\n", "\r\n").encode()
        self._socket.sendto(octets, self.place)

    async def receive(self, seconds: float = 10.0) -> str:
        """The next datagram."""
        async with asyncio.timeout(seconds):
            return (await asyncio.get_running_loop().sock_recv(self._socket, 65535)).decode()

    async def receive_not(self, seconds: float = 0.3) -> None:
        """Nothing comes."""
        with pytest.raises(TimeoutError):
            raise AssertionError(await self.receive(seconds))

    def request(
        self, method: str, *extra: str, uri: str = "sip:x@127.0.0.1", cseq: int = 1, to_tag: str = "",
        call_id: str = "c1", branch: str = "z9hG4bKb1", body: str = "", via: str = ";rport",
    ) -> str:  # fmt: skip
        """A request as text with plain line ends."""
        to = f"To: <sip:x@127.0.0.1>{';tag=' + to_tag if to_tag else ''}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        lines = [
            f"{method} {uri} SIP/2.0", f"Via: SIP/2.0/UDP {host}:{self.port}{via};branch={branch}", to,
            "From: <sip:y@127.0.0.1>;tag=f1", f"Call-ID: {call_id}", f"CSeq: {cseq} {method}", "Max-Forwards: 70",
            f"Contact: <sip:y@{host}:{self.port}>", *extra, f"Content-Length: {len(body.replace(chr(10), '..'))}",
        ]  # fmt: skip
        return "\n".join(lines) + "\n\n" + body


@pytest.fixture
def wire(desk: Desk):
    """A bare socket towards the desk."""
    with Wire(desk.place) as opened:
        yield opened
