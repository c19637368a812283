"""A gateway that speaks SIP, with what its controller can ask of it."""

import contextlib
import time

import pytest

from gateway.running import RunningGateway
from voxtrunk.client import Client

from .peers import free_port


class Desk:
    """A running gateway at ``sip`` ``host:port``, and its control API."""

    def __init__(self, gateway: RunningGateway, client: Client) -> None:
        self.gateway = gateway
        self.sip = gateway.sip.removeprefix("sip:")
        self.ask = client.request
        self._known = set()

    def calls(self):
        """All calls, in the order of their opening."""
        return self.ask("GET", "/v1/calls?limit=1000")["calls"]

    def events(self, call):
        """What the call has told so far."""
        return self.ask("GET", f"/v1/calls/{call['id']}/events")["events"]

    def until(self, call, kind, count=1, seconds=20):
        """Waits for the ``count``-th event of a kind; returns it."""
        deadline = time.monotonic() + seconds
        while len(found := [event for event in self.events(call) if event["type"] == kind]) < count:
            told = [event["type"] for event in self.events(call)]
            assert time.monotonic() < deadline, f"no {kind}, but {told}"
            time.sleep(0.02)
        return found[count - 1]

    def next_call(self, seconds=20):
        """The next call that nobody has been given yet."""
        deadline = time.monotonic() + seconds
        while not (new := [call for call in self.calls() if call["id"] not in self._known]):
            assert time.monotonic() < deadline, "no call came"
            time.sleep(0.02)
        self._known.add(new[0]["id"])
        return new[0]

    def until_calls(self, count, seconds=20):
        """Waits until there are so many calls or more; 0: until there is none left."""
        deadline = time.monotonic() + seconds
        while (now := self.ask("GET", "/v1/drain")["calls"]) < count or (now and not count):
            assert time.monotonic() < deadline, f"{now} calls there are"
            time.sleep(0.05)

    def get(self, call):
        """The call as it is now."""
        return self.ask("GET", f"/v1/calls/{call['id']}")

    def say(self, call, text, **more):
        """Queues an utterance."""
        return self.ask("POST", f"/v1/calls/{call['id']}/utterances", {"text": text} | more)

    def utterance(self, call, index=-1):
        """One of the call's utterances, the newest unless told otherwise."""
        return self.ask("GET", f"/v1/calls/{call['id']}/utterances")["utterances"][index]

    def dial(self, to, **more):
        """Places a call."""
        call = self.ask("POST", "/v1/calls", {"sip": {"to": to} | more})
        self._known.add(call["id"])
        return call


@contextlib.contextmanager
def desk_with(host="127.0.0.1", **settings):
    """A desk whose gateway has these settings."""
    bracketed = f"[{host}]" if ":" in host else host
    listen = f"{bracketed}:{free_port()}"
    with (
        RunningGateway(**({"sip_listen": listen, "rtp_ports": "24200-27999"} | settings)) as gateway,
        Client(gateway.url) as client,
    ):
        yield Desk(gateway, client)


GREETING = "Thank you for calling. Please hold the line."


@pytest.fixture(scope="module")
def answering():
    """Answers every call with a greeting, and stays."""
    with desk_with(sip_greeting=GREETING) as desk:
        yield desk


@pytest.fixture(scope="module")
def waiting():
    """Lets every call ring, for the controller to decide."""
    with desk_with(sip_incoming="ring") as desk:
        yield desk
