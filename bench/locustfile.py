"""Callers as a call centre has them, for Locust (extra load), against any gateway:

    locust -f bench/locustfile.py --headless -u 1 -t 90s --host http://127.0.0.1:8080 \
           --calls 200 --rtp 127.0.0.1:40000 [--sip sip:x@127.0.0.1:5080]

One Locust user is the exchange: it opens calls as a Poisson process so that about ``--calls`` are up at once. A
call of 3 minutes has ten utterances of 5 s; ``--compress 5`` makes calls a fifth as long, with a fifth of the
utterances and five times the arrivals, so that as many legs speak and more calls come and go. Half of the texts
are repeated ones, half are fresh; one utterance in five is cut off by the caller (barge-in). With ``--sip`` half
of the calls are placed by SIP. A level that is missed is a failure of Locust's, under the type LEVEL; what a
caller heard is for a receiver to say (`bench.load`), which finds calls and times in ``--journal``. Who is
answered 503 comes again when Retry-After says, which is noted there too.
"""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any, Final

import gevent
from gevent.lock import RLock
from locust import FastHttpUser, events, task
from locust.exception import StopUser

CALL_S: Final = 180.0
UTTERANCES: Final = 10
UTTERANCE_S: Final = 5.0
BARGE_IN: Final = 0.2
FRESH: Final = 0.5
_OPENED_A_SECOND: Final = 20
PATIENCE_S: Final = 20.0
"""How long one who is refused comes again."""
_ENDED: Final = ("finished", "stopped", "failed")
_REPEATED: Final = tuple(
    f"Thank you for holding. You are number {place} in the queue, and an agent will be with you in a moment."
    for place in ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
)
_FRESH: Final = "Your order number {} has left the warehouse, and it should reach you at {} tomorrow."


@events.init_command_line_parser.add_listener
def _options(parser: Any) -> None:
    parser.add_argument("--calls", type=int, default=50, help="Calls up at once, about")
    parser.add_argument("--compress", type=float, default=5.0, help="Calls are so many times as short")
    parser.add_argument("--rtp", default="127.0.0.1:40000", help="ADDRESS:PORT that HTTP calls speak to")
    parser.add_argument("--sip", default="", help="URI that half of the calls are placed to; none without")
    parser.add_argument("--load-seconds", type=float, default=60.0, help="No calls are begun after this")
    parser.add_argument("--journal", default="", help="A line of JSON for each call goes there")
    parser.add_argument("--seed", type=int, default=1, help="Of all chance")
    parser.add_argument("--first-audio-ms", type=float, default=200.0, help="Level: longer is a failure")


class CallFailed(Exception):
    """The gateway refused, or did something else than what was asked."""


class Refused(CallFailed):
    """503: not now, but after so many seconds."""

    retry_after = 0.0


class Exchange(FastHttpUser):
    """Opens calls; each runs in a greenlet of its own."""

    concurrency = 500

    def on_start(self) -> None:
        """As if it had gone on for long: ``--calls`` are there already, and others come."""
        self._want = self.environment.parsed_options
        self._dice = random.Random(self._want.seed)
        self._number = 0
        self._lock = RLock()
        self._journal = Path(self._want.journal).open("w") if self._want.journal else None  # noqa: SIM115
        self._length_s = CALL_S / self._want.compress
        self._utterances = max(1, round(UTTERANCES / self._want.compress))
        self._until = time.monotonic() + self._want.load_seconds
        self._calls: set[gevent.Greenlet] = set()
        address, _, port = self._want.rtp.rpartition(":")
        self._target = {"address": address, "port": int(port)}
        self._next = time.monotonic()
        gevent.spawn(self._fill, random.Random(self._want.seed))

    def _fill(self, dice: random.Random) -> None:
        """Calls that are somewhere in their middle."""
        for _ in range(self._want.calls):
            self._arrive(dice.random())
            gevent.sleep(1 / _OPENED_A_SECOND)

    def on_stop(self) -> None:
        """Let the calls end."""
        gevent.joinall(list(self._calls), timeout=2 * UTTERANCE_S)
        if self._journal is not None:
            self._journal.close()

    @task
    def arrivals(self) -> None:
        """The next call, an exponential time after the last, however long that took to begin."""
        self._next += self._dice.expovariate(self._want.calls / self._length_s)
        gevent.sleep(max(0.0, self._next - time.monotonic()))
        if time.monotonic() > self._until:
            gevent.joinall(list(self._calls))
            gevent.spawn(self.environment.runner.quit)
            raise StopUser
        self._arrive(0.0)

    def _arrive(self, done: float) -> None:
        """A call of which the part ``done`` is over."""
        self._number += 1
        dice = random.Random(f"{self._want.seed} {self._number}")
        greenlet = gevent.spawn(self._call, self._number, dice, done)
        self._calls.add(greenlet)
        greenlet.link(self._calls.discard)

    def _ask(self, method: str, path: str, name: str, body: Any = None) -> Any:
        with self.client.request(method, path, name=name, json=body, catch_response=True) as answer:
            if answer.status_code is None or answer.status_code >= 400 or answer.status_code == 0:
                said = f"{name}: {answer.status_code} {(answer.text or answer.error or '')!s:.200}"
                answer.failure(said)
                if answer.status_code == 503 and "Retry-After" in answer.headers:
                    refused = Refused(said)
                    refused.retry_after = float(answer.headers["Retry-After"])
                    raise refused
                raise CallFailed(said)
            return json.loads(answer.text)

    def _insist(self, note: dict[str, Any], path: str, name: str, body: Any) -> Any:
        """POST, and come again as long as that is what one is told to do."""
        give_up = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self._ask("POST", path, name, body)
            except Refused as refused:
                note["refused_ns"].append(time.monotonic_ns())
                if time.monotonic() + refused.retry_after > give_up:
                    raise
                gevent.sleep(refused.retry_after)

    def _call(self, number: int, dice: random.Random, done: float) -> None:
        by_sip = bool(self._want.sip) and number % 2 == 0
        note: dict[str, Any] = {"number": number, "sip": by_sip, "utterances": [], "error": None}
        note["refused_ns"] = []
        note["opened_ns"] = time.monotonic_ns()
        call_id = None
        try:
            order: dict[str, Any] = {"sip": {"to": self._want.sip}} if by_sip else {"rtp": self._target}
            call = self._insist(note, "/v1/calls", "open", order | {"silence": "suppress"})
            call_id, note["ssrc"] = call["id"], call["rtp"]["ssrc"]
            if by_sip:
                self._until_answered(call_id)
            self._talk(call_id, note, dice, done)
        except CallFailed as failed:
            note["error"] = str(failed)
        finally:
            if call_id is not None:
                self._end(call_id, note)
            note["ended_ns"] = time.monotonic_ns()
            if self._journal is not None:
                self._journal.write(json.dumps(note) + "\n")

    def _until_answered(self, call_id: str) -> None:
        for _ in range(100):
            if self._ask("GET", f"/v1/calls/{call_id}", "call")["state"] == "open":
                return
            gevent.sleep(0.05)
        raise CallFailed("not answered within 5 s")

    def _talk(self, call_id: str, note: dict[str, Any], dice: random.Random, done: float) -> None:
        pause_s = self._length_s / self._utterances - UTTERANCE_S
        for number in range(self._utterances):
            if number / self._utterances < done - 1 / self._utterances:
                continue  # said before we came
            gevent.sleep(max(0.2, pause_s) * dice.uniform(0.0 if done else 0.5, 1.0 if done else 1.5))
            if time.monotonic() > self._until:
                return
            note["utterances"].append(self._utterance(call_id, note, dice))

    def _utterance(self, call_id: str, note: dict[str, Any], dice: random.Random) -> dict[str, Any]:
        fresh = dice.random() < FRESH
        text = dice.choice(_REPEATED)
        if fresh:
            text = _FRESH.format(dice.randrange(10**6), f"{dice.randrange(1, 12)} {dice.randrange(60):02d}")
        asked_ns = time.monotonic_ns()
        path = f"/v1/calls/{call_id}"
        said = self._insist(note, f"{path}/utterances", "say", {"text": text})
        if dice.random() < BARGE_IN:
            gevent.sleep(dice.uniform(0.5, 0.8 * UTTERANCE_S))
            self._ask("POST", f"{path}/stop", "barge in", {"scope": "all"})
            gevent.sleep(0.1)  # who barges in speaks: the line is not hung up before the cut has died away
        else:
            gevent.sleep(UTTERANCE_S)
        said = self._ended(f"{path}/utterances/{said['id']}")
        self._level("first audio", said["first_audio_ms"], self._want.first_audio_ms)
        self._level("underruns", said["underruns"], 0)
        return {
            "text": text, "fresh": fresh, "asked_ns": asked_ns, "state": said["state"],
            "spoken_ms": said["spoken_ms"], "first_audio_ms": said["first_audio_ms"],
            "underruns": said["underruns"],
        }  # fmt: skip

    def _ended(self, path: str) -> dict[str, Any]:
        for _ in range(100):
            said: dict[str, Any] = self._ask("GET", path, "utterance")
            if said["state"] in _ENDED:
                if said["state"] == "failed":
                    raise CallFailed(f"an utterance failed: {said['cause']}")
                return said
            gevent.sleep(0.25)
        raise CallFailed("an utterance does not end")

    def _level(self, name: str, figure: float | None, most: float) -> None:
        missed = None
        if figure is None or figure > most:
            missed = CallFailed(f"{name}: {figure} is more than {most}")
        self.environment.events.request.fire(
            request_type="LEVEL", name=name, response_time=figure or 0, response_length=0, exception=missed,
            context={},
        )  # fmt: skip

    def _end(self, call_id: str, note: dict[str, Any]) -> None:
        try:
            self._ask("DELETE", f"/v1/calls/{call_id}", "hang up")
        except CallFailed as failed:
            note["error"] = note["error"] or str(failed)
